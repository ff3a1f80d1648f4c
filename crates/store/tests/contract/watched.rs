//! Watches as the embedded engine keeps them: brought up from the version before, and written behind the commits.

use ledger::{Level, Movement};

use crate::alerts::rules;
use crate::bench::{Bench, account, actor, minor, run, settings};

const HOUR_US: i64 = 3_600_000_000;

#[test]
fn a_ledger_of_the_version_before_is_brought_up_and_no_entry_is_touched() {
    let bench = Bench::new();
    (1..=3).for_each(|id| drop(bench.open(id)));
    let metered = store::ProfileChange { metered: Some(true), ..Default::default() };
    run(bench.store.change_account(actor(), account(2), settings(metered))).expect("a setting");
    (1..=3).for_each(|id| drop(bench.topup(id, "100", &format!("t{id}"))));
    bench.store.close();
    let shell = rusqlite::Connection::open(bench.path()).expect("the database");
    let down = "DROP TABLE delivery_attempts; DROP TABLE deliveries; DROP TABLE alerts; DROP TABLE alert_contacts; \
        DROP TABLE alert_rules; ALTER TABLE accounts DROP COLUMN watch; PRAGMA user_version = 1;";
    shell.execute_batch(down).expect("version 1");
    let entries = |shell: &rusqlite::Connection| -> Vec<(i64, Vec<u8>)> {
        let mut select = shell.prepare("SELECT id, hash FROM entries ORDER BY id").expect("entries");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("entries")
    };
    let before = entries(&shell);
    drop(shell);
    let old = store::inspect(&bench.store.url(), store::Against::default(), &mut |_| ()).expect("readable as it is");
    assert_eq!(old.findings, []);
    let bench = bench.reopened();
    assert_eq!(bench.verify(), [""; 0]);
    let watched = |id| {
        let first = bench.store.dry_first(10).expect("no fault");
        first.into_iter().find(|(account, _)| account.id.get() == id).map(|(_, runway)| runway)
    };
    bench.charge(2, "10", "c2").expect("enough");
    bench.pass(HOUR_US);
    assert_eq!((watched(1), watched(2).map(|runway| runway.used)), (None, Some(minor("10"))));
    bench.store.close();
    let shell = rusqlite::Connection::open(bench.path()).expect("the database");
    assert_eq!(entries(&shell)[..before.len()], before);
}

#[test]
fn what_was_used_follows_behind_with_the_account() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100000", "t1").expect("money");
    bench.set_alerts(1, Some(rules(&[Level::Hours(1)], &[])));
    // More than an end leaves to be replayed.
    let charges = (0..5_000).map(|n| {
        let amount = crate::bench::vnd("2");
        crate::bench::command(1, Movement::Charge { amount }, &format!("c{n}"))
    });
    run(bench.store.submit(charges.collect())).expect("no fault");
    let bench = bench.reopened();
    let shell = rusqlite::Connection::open(bench.path()).expect("the database");
    let (number, len): (i64, i64) = shell
        .query_row("SELECT number, length(watch) FROM accounts WHERE id = 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("an account");
    assert_eq!(number, 5_002, "the row was written at the end");
    assert!(len < 40, "one hour is short: {len} bytes");
    drop(shell);
    assert_eq!(bench.verify(), [""; 0]);
    bench.pass(HOUR_US);
    let now = bench.account(1).expect("an account");
    assert_eq!(bench.store.runway(&now).expect("no fault").map(|runway| runway.used), Some(minor("10000")));
    bench.charge(1, "2", "last").expect("enough");
    let bench = bench.killed();
    let now = bench.account(1).expect("an account");
    assert_eq!(bench.store.runway(&now).expect("no fault").map(|runway| runway.used), Some(minor("10002")));
}
