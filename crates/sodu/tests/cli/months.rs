//! Statements of a month: one, and of all accounts into files whose sums are what the platform owes.

use std::collections::BTreeMap;

use crate::common::Sodu;

/// The current month in UTC and the zone of the tests alike, unless it ends within the day; then the one that all of a test's
/// entries lie in has to be asked from the ledger.
fn month(sodu: &Sodu) -> String {
    let entries = sodu.json(&["statement", "7"]);
    let at: jiff::Timestamp = entries["entries"][0]["at"].as_str().expect("a time").parse().expect("a time");
    let zone = jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").expect("a zone");
    at.to_zoned(zone).strftime("%Y-%m").to_string()
}

fn made() -> Sodu {
    let sodu = Sodu::new();
    let commands = [
        "currency add USD --scale 4 --public-decimals 2",
        "account open --name =HYPERLINK(1) --id 7 --credit-limit 500",
        "account open --name BCD --id 8",
        "account open --name USD --id 9 --currency USD",
        "account open --name Idle --id 10",
        "topup 7 1000 -k t1",
        "topup 7 0.5 -k t2",
        "charge 7 300 -k c1",
        "refund 7 100.25 --charge-key c1 -k r1",
        "hold 7 200 -k h1",
        "capture 7 key:h1 50 -k cap",
        "hold 7 30 -k h2",
        "void 7 key:h2 -k v",
        "transfer 7 8 20 -k tr",
        "adjust 8 -5 -k a --reason twice",
        "topup 9 12.3456 -k t",
        "charge 9 0.0001 -k c",
    ];
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        sodu.run(&args).expect(0);
    }
    sodu
}

type Rows = Vec<BTreeMap<String, String>>;

fn read(sodu: &Sodu, file: &str) -> Rows {
    let mut reader = csv::Reader::from_path(sodu.path(file)).expect("a file");
    reader.deserialize().collect::<Result<_, _>>().expect("CSV")
}

/// A decimal in ten-thousandths.
fn units(decimal: &str) -> i64 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    format!("{whole}{fraction:0<4}").parse().expect("a decimal")
}

#[test]
fn every_account_has_a_file_and_a_line_and_their_sums_are_the_platforms() {
    let sodu = made();
    let month = month(&sodu);
    let wrote = sodu.run(&["statement", "--month", &month, "--all", "--out", "files"]).expect(0);
    assert!(wrote.out.starts_with("wrote 4 statements to files, and files/"), "{}", wrote.out);
    assert!(wrote.out.contains("add up to the totals of the platform at both ends"), "{}", wrote.out);

    let rows = read(&sodu, &format!("files/{month}-summary.csv"));
    let accounts: Vec<&str> = rows.iter().map(|row| row["account"].as_str()).collect();
    assert_eq!(accounts, ["7", "8", "9", "10"]);
    let cells = |row: usize, names: &[&str]| names.iter().map(|name| rows[row][*name].clone()).collect::<Vec<_>>();
    assert_eq!(
        cells(0, &["name", "currency", "opening_posted", "opening_balance"]),
        ["'=HYPERLINK(1)", "VND", "0", "0"]
    );
    assert_eq!(cells(0, &["topup", "charge", "refund", "capture"]), ["1000.5", "300", "100.25", "50"]);
    assert_eq!(cells(0, &["hold", "void", "expire", "transfer_out", "transfer_in"]), ["230", "30", "0", "-20", "0"]);
    assert_eq!(cells(0, &["closing_posted", "closing_held", "closing_balance"]), ["730.75", "150", "580.75"]);
    assert_eq!(cells(1, &["transfer_in", "adjust", "closing_balance"]), ["20", "-5", "15"]);
    assert_eq!(cells(2, &["currency", "topup", "charge", "closing_balance"]), ["USD", "12.3456", "0.0001", "12.3455"]);

    // Its sums are what the platform says of itself, and each line agrees with its account's own file.
    let server = sodu.serve();
    let token =
        sodu.json(&["operator", "add", "anna", "--role", "read"])["token"].as_str().expect("a token").to_owned();
    let totals = get(server.ready["ops"].as_str().expect("an address"), "/v1/totals", &token);
    for stated in totals["currencies"].as_array().expect("currencies") {
        let of = rows.iter().filter(|row| stated["currency"] == row["currency"].as_str());
        for (figure, column) in [("posted", "closing_posted"), ("held", "closing_held"), ("balance", "closing_balance")]
        {
            let sum: i64 = of.clone().map(|row| units(&row[column])).sum();
            assert_eq!(sum, units(stated[figure].as_str().expect("a figure")), "{figure} of {stated}");
        }
    }
    for row in &rows {
        let entries = read(&sodu, &format!("files/{month}-{}.csv", row["account"]));
        let sum = |kind: &str| {
            entries.iter().filter(|entry| entry["kind"] == kind).map(|entry| units(&entry["amount"])).sum::<i64>()
        };
        for kind in ["topup", "charge", "capture", "refund", "adjust", "hold", "void", "expire"] {
            assert_eq!(sum(kind), units(&row[kind]), "{kind} of {}", row["account"]);
        }
        assert_eq!(sum("transfer"), units(&row["transfer_in"]) + units(&row["transfer_out"]));
        assert_eq!(entries.last().map(|entry| entry["balance_after"].as_str()), Some(row["closing_balance"].as_str()));
    }
}

fn get(address: &str, path: &str, token: &str) -> serde_json::Value {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n").expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn programs_are_told_where_the_files_are_and_spreadsheets_get_their_own_form() {
    let sodu = made();
    let month = month(&sodu);
    let told = sodu.json(&["statement", "--month", &month, "--all"]);
    let folder = format!("statements-{month}");
    let summary = format!("{folder}/{month}-summary.csv");
    let expected = serde_json::json!({ "folder": folder, "summary": summary, "accounts": 4, "ties": true });
    assert_eq!(told, expected);

    sodu.run(&["statement", "--month", &month, "--all", "--out", "excel", "--format", "excel"]).expect(0);
    let bytes = std::fs::read(sodu.path(&format!("excel/{month}-summary.csv"))).expect("a file");
    let (pairs, rest) = bytes.as_chunks::<2>();
    assert_eq!((&bytes[..2], rest), (&[0xff, 0xfe][..], &[][..]));
    let text: Vec<u16> = pairs[1..].iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let text = String::from_utf16(&text).expect("UTF-16");
    let usd = text.lines().find(|line| line.starts_with("9\tUSD\tUSD\t")).expect("a line");
    assert!(usd.ends_with("\t12,3455\t0\t12,3455"), "{usd}");
}

#[test]
fn files_are_never_written_over_and_a_month_has_to_be_one() {
    let sodu = made();
    let month = month(&sodu);
    std::fs::create_dir(sodu.path("there")).expect("a folder");
    sodu.run(&["statement", "--month", &month, "--all", "--out", "there"]).refused("not_written");
    for month in ["2026", "2026-13", "2026-7", "July"] {
        sodu.run(&["statement", "--month", month, "--all"]).expect(2);
    }
    sodu.run(&["statement", "--month", "2999-01", "--all", "--out", "future"]).refused("malformed");
    assert!(!sodu.path("future").exists());
    sodu.run(&["statement", "--all"]).expect(2);
    sodu.run(&["statement", "7", "--month", &month, "--all"]).expect(2);
    sodu.run(&["statement", "7", "--month", &month, "--from", "2026-01-01"]).expect(2);
    sodu.run(&["statement", "--month", &month, "--out", "x"]).expect(2);
    let empty = Sodu::new();
    empty.run(&["statement", "--month", "2026-07", "--all"]).refused("no_database");
    empty.run(&["currency", "add", "USD", "--scale", "2"]).expect(0);
    let told = empty.json(&["statement", "--month", "2026-07", "--all"]);
    assert_eq!((&told["accounts"], &told["ties"]), (&0.into(), &true.into()));
}

#[test]
fn a_month_before_the_accounts_is_empty_and_ties() {
    let sodu = made();
    sodu.run(&["statement", "--month", "2020-02", "--all", "--out", "files"]).expect(0);
    let rows = read(&sodu, "files/2020-02-summary.csv");
    let names = ["opening_posted", "topup", "charge", "closing_posted", "closing_held", "closing_balance"];
    for row in &rows {
        assert!(names.iter().all(|name| row[*name] == "0"), "{row:?}");
    }
    assert_eq!(rows.len(), 4);
    // One account's month shows what it came to, below its entries.
    let printed = sodu.run(&["statement", "7", "--month", &month(&sodu)]).expect(0).out;
    assert!(
        printed.contains("opening balance 0 VND") && printed.ends_with("closing balance 580.75 VND\n"),
        "{printed}"
    );
    let printed = sodu.run(&["statement", "7", "--month", "2020-02"]).expect(0).out;
    assert!(printed.ends_with("opening balance 0 VND\nclosing balance 0 VND\n"), "{printed}");
}
