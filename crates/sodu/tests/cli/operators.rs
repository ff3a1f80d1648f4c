//! Operators, currencies and the audit trail from the command line.

use serde_json::{Value, json};

use crate::common::{Sodu, columns};

#[test]
fn a_token_is_printed_once_and_by_itself() {
    let sodu = Sodu::new();
    let added = sodu.run(&["operator", "add", "anna", "--role", "money"]).expect(0);
    let token = added.out.trim_end();
    assert!(token.starts_with("sodu_") && token.len() == 45 && added.out.lines().count() == 1, "{}", added.out);
    assert!(added.err.starts_with("created the database ") && added.err.contains("shown this once"), "{}", added.err);
    assert!(!added.err.contains(token));
    let json = sodu.json(&["operator", "add", "ben", "--role", "read"]);
    assert_eq!((&json["name"], &json["role"]), (&json!("ben"), &json!("read")));
    assert!(json["token"].as_str().is_some_and(|other| other.len() == 45 && other != token));
    assert_eq!(sodu.run(&["operator", "revoke", "ben"]).expect(0).out, "revoked: ben\n");

    let listed = sodu.run(&["operator", "list"]).expect(0).out;
    assert!(!listed.contains("sodu_"), "{listed}");
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["name", "role", "added", "revoked", "added", "by"]);
    assert_eq!((lines[1][0], lines[1][1], lines[1].len()), ("anna", "money", 4));
    assert_eq!((lines[2][0], lines[2][1], lines[2].len()), ("ben", "read", 5));
    assert_ne!(sodu.json(&["operator", "list"])["operators"][1]["revoked_at"], Value::Null);

    sodu.run(&["operator", "add", "ben", "--role", "read"]).refused("operator_exists");
    sodu.run(&["operator", "add", "Ben", "--role", "read"]).refused("malformed");
    sodu.run(&["operator", "revoke", "nobody"]).refused("unknown_operator");
    let wrong = sodu.run(&["operator", "add", "cleo", "--role", "root"]).expect(2);
    assert!(wrong.err.contains("read, money, admin"), "{}", wrong.err);
    sodu.run(&["operator", "add", "cleo"]).expect(2);
}

#[test]
fn a_token_made_beside_a_running_server_works_at_once() {
    use std::io::{Read, Write};
    let sodu = Sodu::with_account();
    let server = sodu.serve();
    let token = sodu.run(&["operator", "add", "anna", "--role", "read"]).expect(0).out;
    let ask = || {
        let mut stream =
            std::net::TcpStream::connect(server.ready["ops"].as_str().expect("an address")).expect("it listens");
        let head = "GET /v1/accounts/9999/balance HTTP/1.0\r\nHost: x\r\n";
        write!(stream, "{head}Authorization: Bearer {}\r\n\r\n", token.trim_end()).expect("it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    assert!(ask().contains("\"balance\":\"36693\""), "{}", ask());
    sodu.run(&["operator", "revoke", "anna"]).expect(0);
    assert!(ask().contains(" 401 "), "{}", ask());
}

#[test]
fn currencies_are_added_and_listed() {
    let sodu = Sodu::new();
    let added = sodu.run(&["currency", "add", "USD", "--scale", "4", "--public-decimals", "2"]).expect(0);
    assert_eq!(added.out, "currency USD keeps 4 decimals, and GetBalance shows 2\n");
    assert_eq!(
        sodu.run(&["currency", "list"]).expect(0).out.lines().collect::<Vec<_>>(),
        ["code      decimals  shown by GetBalance", "VND              2  0", "USD              4  2",]
    );
    assert_eq!(
        sodu.json(&["currency", "add", "EUR", "--scale", "2"]),
        json!({ "code": "EUR", "scale": 2, "public_decimals": 0 })
    );
    sodu.run(&["account", "open", "--name", "A", "--currency", "USD"]).expect(0);
    sodu.run(&["currency", "add", "USD", "--scale", "2"]).refused("currency_exists");
    sodu.run(&["currency", "add", "usd", "--scale", "2"]).refused("malformed");
    sodu.run(&["currency", "add", "XXX"]).expect(2);
}

#[test]
fn the_audit_trail_fits_a_terminal_and_is_whole_as_json() {
    let sodu = Sodu::with_account();
    let reason = "a reason that is much too long to be shown in what is left of a line";
    sodu.run(&["account", "set", "9999", "--credit-limit", "500", "--reason", reason]).expect(0);
    sodu.run(&["key", "issue", "9999", "--label", "web"]).expect(0);
    let printed = sodu.run(&["audit"]).expect(0);
    let lines: Vec<&str> = printed.out.lines().collect();
    assert_eq!((lines[0], lines.len(), &*printed.err), ("Times are of Asia/Ho_Chi_Minh.", 5, ""));
    assert!(lines[2].contains("account.open") && lines[3].contains("account.limit"), "{}", printed.out);
    assert!(lines[4].contains("credential.issue") && lines[4].ends_with('…'), "{}", printed.out);
    assert!(lines.iter().all(|line| columns(line) <= 80), "{}", printed.out);

    let rows = sodu.json(&["audit"]);
    assert_eq!(rows["next_cursor"], Value::Null);
    assert_eq!(rows["audit"][1]["detail"]["credit_limit"], json!({ "from": "0", "to": "500" }));
    assert_eq!(rows["audit"][1]["detail"]["reason"], reason);
    let actor = rows["audit"][0]["actor"].as_str().expect("an actor");
    assert!(actor.starts_with("local:"), "{actor}");
    let count = |args: &[&str]| sodu.json(&[&["audit"], args].concat())["audit"].as_array().map(Vec::len);
    assert_eq!(count(&["--actor", actor]), Some(3));
    assert_eq!(count(&["--actor", "operator:anna"]), Some(0));
    assert_eq!(count(&["--to", "2020-01-01"]), Some(0));
    assert_eq!(count(&["--from", "2020-01-01", "--to", "9999-01-01"]), Some(3));
    sodu.run(&["audit", "--from", "yesterday"]).refused("malformed");
}
