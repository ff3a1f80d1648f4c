//! Statements: tables that fit, files that are exact, and histories longer than a page.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;

use ledger::{AccountId, Actor, Amount, Command, Currency, Key, Metadata, Movement, Time};
use store::{DatabaseUrl, Options, Store};

use crate::common::{Sodu, columns};
use crate::engine;

/// 2026-07-29T00:00:00Z
const START_US: i64 = 1_785_283_200_000_000;

/// With `count` further charges of 1, from [`START_US`] on; the clock goes on by a second whenever somebody looks at it.
fn with_history(count: u32) -> Sodu {
    let sodu = Sodu::new();
    let clock = Arc::new(std::sync::atomic::AtomicI64::new(START_US));
    let tick = Arc::clone(&clock);
    let store = Store::open(Options {
        url: DatabaseUrl::parse(&sodu.url()).expect("a URL"),
        create: true,
        clock: Arc::new(move || Time::from_micros(tick.fetch_add(1_000_000, std::sync::atomic::Ordering::SeqCst))),
        queue_len_max: 100_000,
        refusal_days: 30,
        refusals_per_second: 1000,
        connections_max: 8,
        alert_targets: Vec::new(),
    })
    .expect("a database");
    engine::set_clock(&sodu, START_US);
    let by = Actor::new("local:anna").expect("a name");
    let account = AccountId::new(9999).expect("a number");
    let amount = |text| Amount::parse(text, Currency::VND).expect("an amount");
    let command = |movement, key: String| Command {
        account,
        movement,
        key: Some(Key::new(&key).expect("a key")),
        reference: None,
        reason: None,
        metadata: Metadata::default(),
        by: by.clone(),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let new = store::NewAccount {
            id: Some(account),
            name: "A".into(),
            external_id: None,
            currency: "VND".into(),
            credit_limit: ledger::Minor::ZERO,
            key: None,
            by: by.clone(),
        };
        store.open_account(new).await.expect("an account");
        let mut commands = vec![command(Movement::Topup { amount: amount("1000000") }, "topup".into())];
        commands.extend((0..count).map(|n| command(Movement::Charge { amount: amount("1") }, format!("c{n}"))));
        let outcomes = store.submit(commands).await.expect("no fault");
        assert!(outcomes.iter().all(Result::is_ok));
    });
    store.close();
    sodu
}

#[test]
fn the_table_is_for_people_and_fits_their_terminal() {
    let sodu = Sodu::with_account();
    sodu.run(&["charge", "9999", "350", "-k", "c", "--reference", "một tin nhắn có tên rất dài"]).expect(0);
    sodu.run(&["account", "set", "9999", "--credit-limit", "1000", "--reason", "hợp đồng"]).expect(0);
    sodu.run(&["adjust", "9999", "-37000", "-k", "a", "--reason", "sai"]).expect(0);
    let table = sodu.run(&["statement", "9999"]).expect(0);
    assert_eq!(table.err, "");
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines[0], "account 9999 Công ty ABC: in VND, times in Asia/Ho_Chi_Minh");
    assert_eq!(lines[1], "entry  time                 kind         amount       balance  reference");
    let after_time = |line: &str| line.get(28..).unwrap_or_default().to_owned();
    let rows: Vec<String> = lines[2..].iter().map(|line| after_time(line)).collect();
    assert_eq!(rows[0], "open                            0");
    assert_eq!(rows[1], "topup       +36,693        36,693");
    assert_eq!(rows[2], "charge         -350        36,343  một tin nhắn có …");
    assert_eq!(rows[3], "limit                      36,343  credit limit 1,0…");
    assert_eq!(rows[4], "adjust      -37,000          -657  sai");
    assert!(lines.iter().all(|line| columns(line) <= 80), "{}", table.out);
}

#[test]
fn csv_and_json_hold_every_entry_of_a_long_history() {
    let sodu = with_history(1200);
    let csv = sodu.run(&["statement", "9999", "--format", "csv"]).expect(0).out;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let titles = reader.headers().expect("titles").clone();
    assert_eq!((&titles[0], &titles[1]), ("account", "number"));
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("CSV");
    assert_eq!(rows.len(), 1202);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!((&row[0], &row[1]), ("9999", (index + 1).to_string().as_str()));
    }
    let cell =
        |row: usize, title: &str| rows[row][titles.iter().position(|name| name == title).expect(title)].to_owned();
    assert_eq!(
        (cell(1201, "amount"), cell(1201, "balance_after"), cell(1201, "key")),
        ("1".into(), "998800".into(), "c1199".into())
    );
    assert_eq!(cell(0, "at").len(), "2026-07-29T00:00:00.000000Z".len());

    let json: serde_json::Value =
        serde_json::from_str(&sodu.run(&["statement", "9999", "--json"]).expect(0).out).expect("one JSON value");
    assert_eq!(json["entries"].as_array().map(Vec::len), Some(1202));
    assert_eq!(json["entries"][1201]["balance_after"], "998800");
    assert!(json["next_cursor"].is_null());
    let table = sodu.run(&["statement", "9999"]).expect(0).out;
    assert_eq!(table.lines().count(), 1204);
    assert!(table.lines().all(|line| columns(line) <= 80));
}

#[test]
fn days_and_instants_cut_it() {
    let sodu = with_history(0);
    // The account was opened on 29 July, 07:00 in Vietnam.
    let count = |args: &[&str]| {
        let json = sodu.json(&[&["balance", "9999"][..], &[]].concat());
        assert_eq!(json["balance"], "1000000");
        let out = sodu.run(&[&["statement", "9999", "--format", "csv"], args].concat()).expect(0).out;
        out.lines().count() - 1
    };
    assert_eq!(count(&["--from", "2026-07-29"]), 2);
    assert_eq!(count(&["--from", "2026-07-29", "--to", "2026-07-29"]), 2);
    assert_eq!(count(&["--to", "2026-07-28"]), 0);
    assert_eq!(count(&["--from", "2026-07-30"]), 0);
    assert_eq!(count(&["--to", "2026-07-29T07:00:00+07:00"]), 0);
    let error = sodu.run(&["statement", "9999", "--from", "29/7/2026"]).refused("malformed");
    assert!(error.contains("write a date (2026-07-29)"), "{error}");
}

#[test]
fn whoever_reads_only_the_beginning_is_no_error() {
    let sodu = with_history(3000);
    for format in ["table", "json", "csv"] {
        let mut command = sodu.command(&["statement", "9999", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        drop(out);
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""), "{format}");
    }
}

#[test]
fn contradictory_formats_are_wrong_usage() {
    let sodu = Sodu::with_account();
    sodu.run(&["statement", "9999", "--json", "--format", "csv"]).expect(2);
    sodu.run(&["statement", "9998"]).refused("unknown_account");
}
