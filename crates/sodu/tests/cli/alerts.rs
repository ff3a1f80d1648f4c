//! Alerts, runways and deliveries on the command line, without a server: deliveries wait for one.

use serde_json::json;

use crate::common::Sodu;

#[test]
fn alerts_are_set_shown_and_cleared_for_people_and_programs() {
    let sodu = Sodu::with_account();
    let set = sodu.run(&[
        "alerts",
        "set",
        "9999",
        "--below",
        "40000",
        "--hours-left",
        "24",
        "--remind-hours",
        "12",
        "--event",
        "charge.refused",
        "--quiet",
        "22:00-07:00",
        "--quiet-zone",
        "Asia/Ho_Chi_Minh",
        "--email",
        "ke-toan@example.vn",
        "--webhook",
        "https://hooks.example.com/T0KEN",
        "--telegram",
        "-100123",
        "--language",
        "vi",
    ]);
    let set = set.expect(0);
    assert!(set.out.contains("\nexport WEBHOOK_SECRET=whsec_"), "{}", set.out);
    for line in [
        "available below             40000, 0",
        "hours left below            24",
        "told again                  every 12 h",
        "left alone                  22:00 to 07:00 (Asia/Ho_Chi_Minh)",
        "reached                     below 40000",
        "contacts                    email ke-toan@example.vn (vi), webhook https://hooks.example.com/T0KEN (vi), \
         telegram -100123 (vi)",
    ] {
        assert!(set.out.lines().any(|found| found == line), "{line} is missing in\n{}", set.out);
    }
    let shown = sodu.json(&["alerts", "show", "9999"]);
    assert_eq!((&shown["hours_left"], &shown["events"]), (&json!([24]), &json!(["charge.refused"])));
    assert_eq!(shown["contacts"][1].get("secret"), None);
    let refused = sodu.run(&["charge", "9999", "36694", "-k", "too-much"]);
    assert_eq!(refused.code, 1);
    let again = sodu.run(&["alerts", "show", "9999"]).expect(0).out;
    assert!(again.contains("charges refused             1 since "), "{again}");
    let cleared = sodu.json(&["alerts", "clear", "9999"]);
    assert_eq!((&cleared["below"], &cleared["contacts"]), (&json!([]), &json!([])));
    let audit = sodu.run(&["audit"]).expect(0).out;
    assert!(audit.contains("account.alerts") && !audit.contains("T0KEN"), "{audit}");
    assert_eq!(sodu.run(&["alerts", "set", "9999", "--quiet", "22:00"]).code, 2);
    assert_eq!(sodu.run(&["alerts", "set", "9999", "--event", "rain"]).code, 2);
}

#[test]
fn deliveries_are_listed_and_sent_again() {
    let sodu = Sodu::with_account();
    sodu.run(&["alerts", "set", "9999", "--below", "40000", "--email", "ke-toan@example.vn"]).expect(0);
    let listed = sodu.run(&["deliveries", "list"]).expect(0).out;
    assert!(listed.contains("balance.low   waiting; email ke-toan@example.vn"), "{listed}");
    let all = sodu.json(&["deliveries", "list", "--status", "waiting", "--account", "9999"]);
    assert_eq!(all["deliveries"][0]["id"], 1);
    let shown = sodu.run(&["deliveries", "show", "1"]).expect(0).out;
    assert!(shown.contains("to               email ke-toan@example.vn"), "{shown}");
    assert_eq!(sodu.json(&["deliveries", "resend", "1"])["status"], "waiting");
    let unknown = sodu.run(&["deliveries", "resend", "2"]);
    assert!(unknown.code == 1 && unknown.err.contains("unknown_delivery"), "{}", unknown.err);
}

#[test]
fn runways_are_listed_where_enough_is_known() {
    let sodu = Sodu::with_account();
    sodu.run(&["account", "set", "9999", "--metered", "true"]).expect(0);
    assert_eq!(sodu.json(&["runway"]), json!({ "accounts": [] }));
    let table = sodu.run(&["runway"]).expect(0).out;
    assert!(table.contains("account") && table.contains("lasts"), "{table}");
    assert!(!sodu.run(&["account", "show", "9999"]).expect(0).out.contains("lasts"), "less than an hour is known");
}
