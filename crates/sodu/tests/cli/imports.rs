//! Accounts from a file: whole or not at all, once however often, and back out again as a file.

use serde_json::{Value, json};

use crate::common::Sodu;

const FILE: &str = "\
name,id,external_id,currency,credit_limit,balance,api_key,secret_key,label,cidrs,expires_at
Công ty ABC,7,,VND,500,125000.5,K7,S7-0123456789abcdef,web,192.0.2.0/24 10.1.1.1,2030-01-01
\"Owes, some\",8,crm-8,VND,1000,-250,,,,,
No id,,crm-9,,,,K9,S9-0123456789abcdef,,,
";

pub(crate) fn with_file(text: &str) -> Sodu {
    let sodu = Sodu::new();
    std::fs::write(sodu.path("accounts.csv"), text).expect("a file");
    sodu
}

pub(crate) const IMPORT: [&str; 3] = ["import", "accounts", "accounts.csv"];

#[test]
fn accounts_keys_and_balances_come_in_as_the_file_says() {
    let sodu = with_file(FILE);
    let imported = sodu.run(&IMPORT).expect(0);
    assert_eq!(imported.out, "imported 3 accounts\n");
    assert_eq!(imported.err, format!("created the database {}\n", sodu.url()));

    let shown = sodu.json(&["account", "show", "7"]);
    assert_eq!(
        (&shown["name"], &shown["credit_limit"], &shown["balance"]),
        (&json!("Công ty ABC"), &json!("500"), &json!("125000.5"))
    );
    let shown = sodu.json(&["account", "show", "8"]);
    assert_eq!((&shown["external_id"], &shown["balance"]), (&json!("crm-8"), &json!("-250")));
    let found = sodu.json(&["account", "list", "--query", "crm-9"]);
    assert_eq!((&found["accounts"][0]["id"], &found["accounts"][0]["balance"]), (&json!(9), &json!("0")));
    let keys = sodu.json(&["key", "list", "7"]);
    let key = &keys["credentials"][0];
    assert_eq!((&key["api_key"], &key["label"]), (&json!("K7"), &json!("web")));
    assert_eq!(key["cidrs"], json!(["192.0.2.0/24", "10.1.1.1/32"]));
    assert!(key["expires_at"].as_str().is_some_and(|end| end.starts_with("2030-01-01T17:00:00")), "{key}");
    let entries = sodu.json(&["statement", "8"]);
    assert_eq!(
        (&entries["entries"][1]["kind"], &entries["entries"][1]["reason"]),
        (&json!("adjust"), &json!("opening balance"))
    );
    assert_eq!(sodu.json(&["verify"])["ok"], true);
}

#[test]
fn a_second_run_makes_nothing_and_a_changed_line_is_told() {
    let sodu = with_file(FILE);
    assert_eq!(sodu.json(&IMPORT), json!({ "accounts": 3, "imported": 3, "replayed": 0 }));
    sodu.run(&["charge", "7", "25000.5", "-k", "c"]).expect(0);
    let again = sodu.run(&IMPORT).expect(0);
    assert_eq!(again.out.lines().next(), Some("imported 0 accounts"));
    assert!(again.out.contains("3 had been imported before"), "{}", again.out);
    assert_eq!(sodu.json(&IMPORT), json!({ "accounts": 3, "imported": 0, "replayed": 3 }));
    assert_eq!(sodu.json(&["balance", "7"])["balance"], "100000");
    assert_eq!(sodu.json(&["key", "list", "7"])["credentials"].as_array().map(Vec::len), Some(1));

    // A line more is made; a line that was another then is told by its number, and moves nothing.
    std::fs::write(sodu.path("accounts.csv"), format!("{FILE}Fourth,10,,,,5,,,,,\n")).expect("a file");
    assert_eq!(sodu.json(&IMPORT), json!({ "accounts": 4, "imported": 1, "replayed": 3 }));
    std::fs::write(sodu.path("accounts.csv"), FILE.replace("125000.5", "999999")).expect("a file");
    let told = sodu.run(&IMPORT).expect(1);
    assert!(told.err.lines().any(|line| line.starts_with("line 2: ")), "{}", told.err);
    told.refused("not_imported");
    assert_eq!(sodu.json(&["balance", "7"])["balance"], "100000");
    assert_eq!(sodu.json(&["verify"])["ok"], true);
}

#[test]
fn a_file_of_the_wrong_form_makes_not_even_a_database() {
    for (text, says) in [
        ("", "the columns name, and id or external_id"),
        ("id,balance\n7,5\n", "the columns name, and id or external_id"),
        ("id,name,colour\n7,A,red\n", "column 3 is called \"colour\""),
        ("id,name,id\n7,A,8\n", "two columns are called \"id\""),
        ("id,name\n7,A\n7,B\n", "line 3: an earlier line has the same id"),
        ("external_id,name\nx,A\nx,B\n", "line 3: an earlier line has the same external_id"),
        ("id,name,api_key,secret_key\n7,A,K,S\n8,B,K,S\n", "line 3: an earlier line has the same api_key"),
        ("id,name\n7,\n", "line 2: the name is missing"),
        ("id,external_id,name\n,,A\n", "line 2: it has neither id nor external_id"),
        ("id,name\nseven,A\n", "line 2: the id is no number of an account"),
        ("id,name\n7\n", "cannot be read"),
    ] {
        let sodu = with_file(text);
        let ended = sodu.run(&IMPORT).expect(1);
        assert!(ended.err.contains(says) && ended.out.is_empty(), "{text:?}: {}", ended.err);
        assert_eq!(sodu.files(), ["accounts.csv"], "{text:?}");
    }
    let sodu = Sodu::new();
    sodu.run(&["import", "accounts", "missing.csv"]).refused("malformed");
    sodu.run(&["import", "accounts"]).expect(2);
    sodu.run(&["import", "keys", "accounts.csv"]).expect(2);
    let problem = sodu.run(&["import", "accounts", "missing.csv", "--json"]).expect(1).json();
    assert_eq!(problem["slug"], "malformed");
}

#[test]
fn one_line_that_cannot_be_made_keeps_all_from_being_made() {
    for (line, says) in [
        ("9,B,,,,0.001,,,,,", "decimals"),
        ("9,B,,,,five,,,,,", "not a decimal number"),
        ("9,B,,,-5,,,,,,", "credit_limit"),
        ("9,B,,XYZ,,,,,,,", "no such currency"),
        ("9,B,,,,,K,,,,", "go together"),
        ("9,B,,,,,,,web,,", "go together"),
        ("9,B,,,,,K,S,,nowhere,", "cidrs"),
        ("9,B,,,,,K,S,,,yesterday", "write a date"),
        ("0,B,,,,,,,,,", "id"),
        ("8,B,,,,,,,,,", "8"),
        ("9,B,taken,,,,,,,,", "taken"),
        ("9,B,,,,,TAKEN,S,,,", "TAKEN"),
    ] {
        let sodu = Sodu::new();
        sodu.run(&["account", "open", "--name", "A", "--id", "8", "--external-id", "taken"]).expect(0);
        sodu.run(&["key", "import", "8", "--api-key", "TAKEN", "--secret-key", "S-0123456789abcdef"]).expect(0);
        let header = "id,name,external_id,currency,credit_limit,balance,api_key,secret_key,label,cidrs,expires_at";
        let good = "7,A,,,,5,,,,,";
        std::fs::write(sodu.path("accounts.csv"), format!("{header}\n{good}\n{line}\n")).expect("a file");
        let told = sodu.run(&IMPORT).expect(1);
        assert!(told.err.lines().any(|told| told.starts_with("line 3: ")), "{line} ({says}): {}", told.err);
        let error = told.refused("not_imported");
        assert!(error.contains("One line is wrong; nothing was imported"), "{error}");
        sodu.run(&["balance", "7"]).refused("unknown_account");
    }
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    let sodu = with_file(FILE);
    sodu.run(&IMPORT).expect(0);
    sodu.run(&["hold", "7", "0.5", "-k", "h"]).expect(0);
    let exported = sodu.run(&["export", "accounts"]).expect(0);
    assert_eq!(exported.err, "");
    let lines: Vec<&str> = exported.out.lines().collect();
    assert_eq!(lines[0], "id,name,currency,credit_limit,external_id,balance,held,available,status,opened_at");
    assert!(lines[1].starts_with("7,Công ty ABC,VND,500,,125000,0.5,125500,active,"), "{}", lines[1]);
    assert!(lines[2].starts_with("8,\"Owes, some\",VND,1000,crm-8,-250,0,750,active,"), "{}", lines[2]);
    assert_eq!(lines.len(), 4);

    let entries = sodu.run(&["export", "entries"]).expect(0).out;
    let mut reader = csv::Reader::from_reader(entries.as_bytes());
    let rows: Vec<(String, String)> =
        reader.records().map(|row| row.map(|row| (row[0].to_owned(), row[3].to_owned())).expect("CSV")).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(account, kind)| (account.as_str(), kind.as_str())).collect();
    let expected = [("7", "open"), ("7", "topup"), ("7", "hold"), ("8", "open"), ("8", "adjust"), ("9", "open")];
    assert_eq!(rows, expected);
    for what in ["accounts", "entries"] {
        Sodu::new().run(&["export", what]).refused("no_database");
    }
    sodu.run(&["export"]).expect(2);
    sodu.run(&["export", "keys"]).expect(2);

    // Its first six columns are those of an import.
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in csv::ReaderBuilder::new().has_headers(false).from_reader(exported.out.as_bytes()).records() {
        writer.write_record(record.expect("CSV").iter().take(6)).expect("memory");
    }
    let elsewhere = Sodu::new();
    std::fs::write(elsewhere.path("accounts.csv"), writer.into_inner().expect("memory")).expect("a file");
    elsewhere.run(&IMPORT).expect(0);
    let balances = |sodu: &Sodu| -> Vec<Value> {
        let listed = sodu.json(&["account", "list"]);
        listed["accounts"].as_array().expect("a list").iter().map(|account| account["balance"].clone()).collect()
    };
    assert_eq!(balances(&elsewhere), balances(&sodu));
}
