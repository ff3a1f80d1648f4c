//! Accounts: opened, found, shown, changed, locked and closed.

use serde_json::json;

use crate::common::{Sodu, columns};

#[test]
fn the_first_account_makes_the_database_and_says_so() {
    let sodu = Sodu::new();
    let opened = sodu.run(&["account", "open", "--name", "Công ty ABC", "--id", "9999"]).expect(0);
    assert_eq!(opened.out, "opened account 9999: Công ty ABC\n");
    assert_eq!(opened.err, format!("created the database {}\n", sodu.url()));
    let second = sodu.run(&["account", "open", "--name", "B"]).expect(0);
    assert_eq!(second.err, format!("database {}\n", sodu.url()));
}

#[test]
fn commands_that_only_read_never_make_a_database() {
    let sodu = Sodu::new();
    let commands: [&[&str]; 13] = [
        &["account", "list"],
        &["account", "show", "1"],
        &["balance", "1"],
        &["key", "list", "1"],
        &["statement", "1"],
        &["verify"],
        &["topup", "1", "5", "-k", "k"],
        &["backup", "copy.db"],
        &["account", "lock", "1"],
        &["operator", "list"],
        &["operator", "revoke", "anna"],
        &["currency", "list"],
        &["audit"],
    ];
    for args in commands {
        let error = sodu.run(args).refused("no_database");
        assert!(error.contains(&sodu.url()) && error.contains("`sodu account open`"), "{error}");
        assert_eq!(sodu.files(), [""; 0], "{args:?}");
    }
}

#[test]
fn opening_again_under_the_same_key_opens_nothing() {
    let sodu = Sodu::new();
    let open = ["account", "open", "--name", "A", "-k", "crm-1", "--credit-limit", "500", "--external-id", "x"];
    let first = sodu.json(&open);
    assert_eq!((&first["account"]["credit_limit"], &first["account"]["external_id"]), (&json!("500"), &json!("x")));
    assert_eq!(sodu.json(&open)["replayed"], true);
    assert_eq!(sodu.json(&["account", "list"])["accounts"].as_array().map(Vec::len), Some(1));
    sodu.run(&["account", "open", "--name", "Other", "-k", "crm-1"]).refused("key_reused");
    sodu.run(&["account", "open", "--name", "B", "--external-id", "x"]).refused("account_exists");
    sodu.run(&["account", "open", "--name", "B", "--currency", "XYZ"]).refused("unknown_currency");
}

#[test]
fn an_account_is_shown_to_people_and_to_programs() {
    let sodu = Sodu::with_account();
    let shown = sodu.run(&["account", "show", "9999"]).expect(0);
    assert_eq!(shown.err, "");
    let line = |name: &str| {
        let line = shown.out.lines().find(|line| line.starts_with(name)).expect(name);
        line[name.len()..].trim_start().to_owned()
    };
    assert_eq!(line("name"), "Công ty ABC");
    assert_eq!(line("balance  "), "36,693 VND");
    assert_eq!(line("available"), "36,693 VND");
    assert_eq!(line("status"), "active");
    assert!(line("opened").ends_with("(Asia/Ho_Chi_Minh)"), "{}", shown.out);

    let json = sodu.json(&["account", "show", "9999"]);
    assert_eq!((&json["id"], &json["balance"], &json["currency"]), (&json!(9999), &json!("36693"), &json!("VND")));
    let balance = sodu.json(&["balance", "9999"]);
    assert_eq!((&balance["balance"], &balance["user_id"]), (&json!("36693"), &json!(9999)));
    assert_eq!(sodu.run(&["balance", "9999"]).expect(0).out, "36,693 VND\n");
    sodu.run(&["balance", "9998"]).refused("unknown_account");
}

#[test]
fn a_list_fits_a_terminal_and_finds() {
    let sodu = Sodu::with_account();
    let name = "A rather long name of a company that would never fit on a line of a terminal";
    sodu.run(&["account", "open", "--name", name, "--id", "2147483647", "--credit-limit", "1000000"]).expect(0);
    let listed = sodu.run(&["account", "list"]).expect(0).out;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines[0], "   account  status         balance       available  name");
    assert_eq!(lines[1], "      9999  active      36,693 VND          36,693  Công ty ABC");
    assert_eq!(lines[2], "2147483647  active           0 VND       1,000,000  A rather long name of a com…");
    assert!(lines.iter().all(|line| columns(line) <= 80), "{listed}");
    let found = sodu.run(&["account", "list", "--query", "ABC"]).expect(0).out;
    assert_eq!(found.lines().count(), 2);
}

#[test]
fn settings_change_one_by_one() {
    let sodu = Sodu::with_account();
    let set = ["account", "set", "9999", "--name", "ABC JSC", "--credit-limit", "200", "--reason", "contract 12"];
    let shown = sodu.json(&set);
    assert_eq!((&shown["name"], &shown["credit_limit"]), (&json!("ABC JSC"), &json!("200")));
    let set = ["account", "set", "9999", "--external-id", "x", "--shows-available", "true", "--metered", "true"];
    let shown = sodu.json(&set);
    assert_eq!((&shown["external_id"], &shown["shows_available"]), (&json!("x"), &json!(true)));
    let shown = sodu.json(&["account", "set", "9999", "--external-id", ""]);
    assert_eq!(
        (&shown["external_id"], &shown["metered"], &shown["name"]),
        (&json!(null), &json!(true), &json!("ABC JSC"))
    );
    let nothing = sodu.run(&["account", "set", "9999"]).expect(2);
    assert!(nothing.err.contains("--credit-limit"), "{}", nothing.err);
}

#[test]
fn an_account_is_locked_unlocked_and_closed() {
    let sodu = Sodu::with_account();
    assert_eq!(sodu.json(&["account", "lock", "9999", "--reason", "overdue"])["status"], "locked");
    let error = sodu.run(&["charge", "9999", "1", "-k", "c1"]).refused("account_locked");
    assert!(error.contains("Unlock it first"), "{error}");
    assert_eq!(sodu.json(&["account", "unlock", "9999"])["status"], "active");
    sodu.run(&["account", "close", "9999"]).refused("account_not_empty");
    sodu.run(&["charge", "9999", "36693", "-k", "c2"]).expect(0);
    assert_eq!(sodu.json(&["account", "close", "9999", "--reason", "left"])["status"], "closed");
    sodu.run(&["account", "unlock", "9999"]).refused("account_closed");
    let statement = sodu.run(&["statement", "9999"]).expect(0).out;
    assert!(statement.contains("locked; overdue") && statement.contains("closed; left"), "{statement}");
}
