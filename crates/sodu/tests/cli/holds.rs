//! Holds and what becomes of them, refunds, transfers and limits, from the command line.

use serde_json::{Value, json};

use crate::common::{Ended, Sodu, columns};

fn said(ended: &Ended) -> &str {
    ended.out.lines().next().unwrap_or_default()
}

/// Account 9999 with a hold of 3500, entry 3, for two hours, under the key `campaign`.
fn with_hold() -> Sodu {
    let sodu = Sodu::with_account();
    let held = sodu.run(&["hold", "9999", "3500", "--expires-in", "7200", "-k", "campaign"]).expect(0);
    assert_eq!(said(&held), "entry 3 of account 9999: hold 3,500 VND; balance 33,193 VND, available 33,193 VND");
    assert!(held.out.lines().nth(1).is_some_and(|line| line.starts_with("the hold ends at 20")), "{}", held.out);
    sodu
}

#[test]
fn a_hold_is_captured_in_parts_extended_and_released() {
    let sodu = with_hold();
    let part = sodu.run(&["capture", "9999", "key:campaign", "350", "-k", "part-1"]).expect(0);
    assert_eq!(said(&part), "entry 4 of account 9999: capture 350 VND; balance 33,193 VND, available 33,193 VND");
    let again = sodu.run(&["capture", "9999", "key:campaign", "350", "-k", "part-1"]).expect(0);
    assert_eq!(again.out, part.out);
    assert!(again.err.contains("nothing moved now"), "{}", again.err);

    let end =
        |sodu: &Sodu| sodu.json(&["holds", "9999"])["holds"][0]["expires_at"].as_str().expect("a time").to_owned();
    let before = end(&sodu);
    let longer = sodu.run(&["extend", "9999", "3", "--expires-in", "90000", "-k", "longer"]).expect(0);
    assert!(
        longer.out.contains("entry 5 of account 9999: extend;") && longer.out.contains("the hold ends at "),
        "{}",
        longer.out
    );
    assert!(end(&sodu) > before);

    let last = sodu.run(&["capture", "9999", "3", "150.5", "--final", "-k", "part-2"]).expect(0);
    assert_eq!(said(&last), "entry 6 of account 9999: capture 150.5 VND; balance 36,192.5 VND, available 36,192.5 VND");
    let over = sodu.run(&["capture", "9999", "3", "1", "-k", "part-3"]).refused("hold_not_open");
    assert!(over.contains("capture"), "{over}");
    sodu.run(&["void", "9999", "key:campaign", "-k", "stop"]).refused("hold_not_open");
    sodu.run(&["extend", "9999", "3", "--expires-in", "5", "-k", "late"]).refused("hold_not_open");
    assert_eq!(sodu.json(&["verify"])["ok"], true);
}

#[test]
fn a_hold_is_captured_whole_or_voided_whole() {
    let sodu = with_hold();
    let all = sodu.json(&["capture", "9999", "3", "-k", "all"]);
    assert_eq!((&all["entry"]["amount"], &all["account"]["held"]), (&json!("3500"), &json!("0")));
    sodu.run(&["hold", "9999", "12.5", "-k", "second"]).expect(0);
    let over = sodu.run(&["capture", "9999", "5", "12.51", "-k", "over"]).refused("capture_exceeds_hold");
    assert!(over.contains("12.5"), "{over}");
    let voided = sodu.run(&["void", "9999", "5", "-k", "stop", "--reason", "wrong text"]).expect(0);
    assert_eq!(said(&voided), "entry 6 of account 9999: void 12.5 VND; balance 33,193 VND, available 33,193 VND");
    assert_eq!(sodu.json(&["holds", "9999"]), json!({ "holds": [], "next_cursor": null }));
}

#[test]
fn open_holds_are_listed_for_people_and_for_programs() {
    let sodu = with_hold();
    sodu.run(&["hold", "9999", "10", "-k", "second"]).expect(0);
    sodu.run(&["capture", "9999", "3", "500", "-k", "part"]).expect(0);
    let listed = sodu.run(&["holds", "9999"]).expect(0);
    let lines: Vec<Vec<&str>> = listed.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["Times", "are", "of", "Asia/Ho_Chi_Minh."]);
    assert_eq!(lines[1], ["hold", "left", "of", "ends", "key"]);
    assert_eq!((lines[2][..3].to_vec(), lines[2].last()), (vec!["3", "3,000", "3,500"], Some(&"campaign")));
    assert_eq!((lines[3][..3].to_vec(), lines[3].last()), (vec!["4", "10", "10"], Some(&"second")));
    assert_eq!((lines.len(), &*listed.err), (4, ""));
    assert!(listed.out.lines().all(|line| columns(line) <= 80), "{}", listed.out);
    let holds = sodu.json(&["holds", "9999"]);
    let shown: Vec<(&Value, &Value)> =
        holds["holds"].as_array().expect("a list").iter().map(|hold| (&hold["number"], &hold["left"])).collect();
    assert_eq!(shown, [(&json!(3), &json!("3000")), (&json!(4), &json!("10"))]);
    sodu.run(&["holds", "9998"]).refused("unknown_account");
    sodu.run(&["holds"]).expect(2);
}

#[test]
fn what_is_no_hold_or_cannot_be_held_is_refused() {
    let sodu = with_hold();
    sodu.run(&["hold", "9999", "33193.01", "-k", "more"]).refused("insufficient_credit");
    sodu.run(&["hold", "9999", "5", "--expires-in", "0", "-k", "none"]).expect(1);
    sodu.run(&["hold", "9999", "5", "--expires-in", "99999999", "-k", "ever"]).expect(1);
    sodu.run(&["hold", "9999", "5", "--expires-in", "soon", "-k", "soon"]).expect(2);
    sodu.run(&["hold", "9999", "5"]).expect(2);
    sodu.run(&["extend", "9999", "3", "-k", "k"]).expect(2);
    sodu.run(&["capture", "9999", "-k", "k"]).expect(2);
    sodu.run(&["capture", "9999", "2", "5", "-k", "no-hold"]).refused("unknown_hold");
    sodu.run(&["capture", "9999", "key:nothing", "5", "-k", "no-key"]).refused("unknown_hold");
    sodu.run(&["void", "9999", "hold-3", "-k", "word"]).expect(1);
    let problem = sodu.run(&["hold", "9999", "99999", "-k", "big", "--json"]).expect(1).json();
    assert_eq!((&problem["slug"], &problem["available"]), (&json!("insufficient_credit"), &json!("33193")));
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "33193");
}

#[test]
fn a_charge_is_given_back_by_its_key_or_its_entry_and_never_twice() {
    let sodu = Sodu::with_account();
    sodu.run(&["charge", "9999", "350", "-k", "message-77"]).expect(0);
    let refund = ["refund", "9999", "100", "--charge-key", "message-77", "-k", "back-1"];
    let by_key = sodu.run(&refund).expect(0);
    assert_eq!(said(&by_key), "entry 4 of account 9999: refund 100 VND; balance 36,443 VND, available 36,443 VND");
    assert_eq!(sodu.json(&refund)["replayed"], true);
    let by_entry = sodu.json(&["refund", "9999", "250", "--charge", "3", "-k", "back-2", "--reason", "not delivered"]);
    assert_eq!((&by_entry["entry"]["target"]["number"], &by_entry["account"]["balance"]), (&json!(3), &json!("36693")));
    let over = ["refund", "9999", "0.01", "--charge", "3", "-k", "back-3"];
    let error = sodu.run(&over).refused("refund_exceeds_charge");
    assert!(error.contains("0 VND of the charge can still be given back"), "{error}");
    sodu.run(&["refund", "9999", "1", "--charge", "2", "-k", "of-a-topup"]).refused("unknown_charge");
    sodu.run(&["refund", "9999", "1", "--charge-key", "nothing", "-k", "of-nothing"]).refused("unknown_charge");
    let neither = sodu.run(&["refund", "9999", "1", "-k", "k"]).expect(2);
    assert!(neither.err.contains("--charge"), "{}", neither.err);
    sodu.run(&["refund", "9999", "1", "--charge", "3", "--charge-key", "message-77", "-k", "k"]).expect(2);
    assert_eq!(sodu.json(&["verify"])["ok"], true);
}

#[test]
fn money_goes_from_one_account_to_another_of_its_currency() {
    let sodu = Sodu::with_account();
    sodu.run(&["account", "open", "--name", "B", "--id", "20001"]).expect(0);
    let sent = sodu.run(&["transfer", "9999", "20001", "693", "-k", "allotment-7", "--reference", "week 7"]).expect(0);
    assert_eq!(said(&sent), "entry 3 of account 9999: transfer -693 VND; balance 36,000 VND, available 36,000 VND");
    assert_eq!(
        sodu.json(&["transfer", "9999", "20001", "693", "-k", "allotment-7", "--reference", "week 7"])["replayed"],
        true
    );
    assert_eq!(sodu.json(&["balance", "20001"])["balance"], "693");
    let arrived = sodu.json(&["statement", "20001"])["entries"][1].clone();
    assert_eq!(
        (&arrived["kind"], &arrived["target"]["account"], &arrived["key"]),
        (&json!("transfer"), &json!(9999), &Value::Null)
    );

    sodu.run(&["transfer", "9999", "20001", "36000.01", "-k", "more"]).refused("insufficient_credit");
    sodu.run(&["transfer", "9999", "20002", "1", "-k", "nobody"]).refused("unknown_account");
    sodu.run(&["currency", "add", "USD", "--scale", "2"]).expect(0);
    sodu.run(&["account", "open", "--name", "C", "--id", "20003", "--currency", "USD"]).expect(0);
    sodu.run(&["transfer", "9999", "20003", "1", "-k", "dollars"]).refused("currency_mismatch");
    sodu.run(&["transfer", "9999", "9999", "1", "-k", "itself"]).expect(1);
    sodu.run(&["transfer", "9999", "20001", "-k", "k"]).expect(2);
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "36000");
    assert_eq!(sodu.json(&["verify"])["ok"], true);
}

#[test]
fn a_limit_counts_from_its_own_entry_on() {
    let sodu = Sodu::with_account();
    sodu.run(&["charge", "9999", "36700", "-k", "over"]).refused("insufficient_credit");
    let set = sodu.json(&["limit", "9999", "200", "--reason", "contract 12"]);
    assert_eq!((&set["credit_limit"], &set["available"]), (&json!("200"), &json!("36893")));
    sodu.run(&["charge", "9999", "36700", "-k", "now"]).expect(0);
    assert_eq!(sodu.json(&["balance", "9999"])["balance"], "-7");
    // Lowered below what is in use: nothing more may be spent.
    sodu.run(&["limit", "9999", "5"]).expect(0);
    let error = sodu.run(&["charge", "9999", "0.01", "-k", "later"]).refused("insufficient_credit");
    assert!(error.contains("-2"), "{error}");
    let statement = sodu.run(&["statement", "9999"]).expect(0).out;
    assert!(statement.contains("credit limit 2"), "{statement}");
    sodu.run(&["limit", "9999", "--", "-5"]).expect(1);
    sodu.run(&["limit", "9999", "-5"]).expect(2);
    sodu.run(&["limit", "9999", "0.001"]).expect(1);
    sodu.run(&["limit", "9998", "5"]).refused("unknown_account");
    sodu.run(&["limit", "9999"]).expect(2);
}
