//! Ownership, schema, strangers, damage, backups.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger::{Currency, Movement, Named, Refusal, Time};
use rusqlite::Connection;
use store::{Clock, DatabaseUrl, Fault, OpenError, Options, SqliteUrl, Store};

use crate::bench::{Bench, START, account, actor, command, key, minor, options, run, until, vnd};

#[test]
fn a_second_owner_is_told_who_has_it_and_changes_nothing() {
    let bench = Bench::new();
    let Err(OpenError::Owned { owner }) = bench.open_again() else { panic!("the lock was not held") };
    assert!(owner.contains(&format!("process {}", std::process::id())), "{owner}");
    bench.store.close();
    bench.open_again().map(drop).expect("free again");
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let bench = Bench::new();
    let at = |name: &str| bench.folder().join(name);
    let open = |path: std::path::PathBuf, create| {
        let options = options(DatabaseUrl::file(path), &bench.time);
        store::Store::open(Options { create, ..options }).map(drop)
    };
    assert!(matches!(open(at("none.db"), false), Err(OpenError::Missing)));
    assert!(!at("none.db").exists() && !at("none.db.lock").exists());
    std::fs::write(at("text.db"), "not a database, but long enough to be taken for one").expect("a file");
    assert!(matches!(open(at("text.db"), true), Err(OpenError::Foreign)));
    let foreign = Connection::open(at("foreign.db")).expect("a database");
    foreign.execute_batch("CREATE TABLE theirs (x)").expect("a table");
    assert!(matches!(open(at("foreign.db"), true), Err(OpenError::Foreign)));
    drop(foreign);
    open(at("newer.db"), true).expect("a new database");
    let newer = Connection::open(at("newer.db")).expect("a database");
    newer.pragma_update(None, "user_version", 99).expect("a version");
    drop(newer);
    assert!(matches!(open(at("newer.db"), true), Err(OpenError::Newer { found: 99, .. })));
}

#[test]
fn the_database_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.open(1);
    for suffix in ["", ".lock", "-wal"] {
        let path = SqliteUrl { path: bench.path() }.beside(suffix);
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn the_database_refuses_changes_to_entries() {
    let bench = Bench::new();
    bench.open(1);
    bench.store.close();
    let shell = Connection::open(bench.path()).expect("the database");
    for sql in ["UPDATE entries SET amount = 1", "DELETE FROM entries"] {
        let error = shell.execute_batch(sql).expect_err("a trigger").to_string();
        assert!(error.contains("entries are immutable"), "{error}");
    }
}

#[test]
fn a_strangers_write_stops_the_store_before_its_next_commit() {
    let bench = Bench::new();
    bench.open(1);
    let stranger = Connection::open(bench.path()).expect("the database");
    stranger.execute_batch("UPDATE accounts SET name = 'stranger'").expect("a write");
    let topup = || command(1, Movement::Topup { amount: vnd("1") }, "");
    assert_eq!(bench.try_submit(topup()), Err(Fault::Unavailable));
    assert!(run(bench.store.broken()).contains("another process wrote"));
    assert!(!bench.store.stats().writable);
    assert!(bench.try_submit(topup()).is_err());
    assert_eq!(bench.posted(1), "0", "reads go on");
}

#[test]
fn a_log_that_cannot_be_settled_is_read_from_and_movements_wait_until_it_is() {
    let bench = Bench::new();
    bench.open(1);
    // Like a full disk, a reader of the old log keeps it from being copied into the database file.
    let reader = Connection::open(bench.path()).expect("the database");
    reader.execute_batch("BEGIN; SELECT count(*) FROM entries").expect("a reader");
    bench.topup(1, "5", "a").expect("a top-up");
    bench.store.close();
    let bench = bench.reopened();
    assert_eq!(bench.posted(1), "5", "reads go on");
    assert!(!bench.store.stats().writable);
    assert_eq!(bench.store.writer_busy(), None, "waiting for the disk is not being stuck");
    let topup = |key: &str| command(1, Movement::Topup { amount: vnd("5") }, key);
    assert_eq!(bench.try_submit(topup("a")), Err(Fault::Unavailable), "not even a replay is acknowledged");
    assert_eq!(bench.try_submit(topup("b")), Err(Fault::Unavailable));
    reader.execute_batch("COMMIT").expect("the reader ends");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let answer = loop {
        match bench.try_submit(topup("a")) {
            Err(Fault::Unavailable) if std::time::Instant::now() < until => std::thread::yield_now(),
            answer => break answer,
        }
    };
    assert!(answer.expect("no fault").expect("no refusal").replayed);
    bench.topup(1, "5", "b").expect("a top-up");
    assert_eq!(bench.posted(1), "10");
    assert!(bench.store.stats().writable);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_store_whose_log_is_never_settled_closes_all_the_same() {
    let bench = Bench::new();
    bench.open(1);
    let reader = Connection::open(bench.path()).expect("the database");
    reader.execute_batch("BEGIN; SELECT count(*) FROM entries").expect("a reader");
    bench.topup(1, "5", "a").expect("a top-up");
    let bench = bench.reopened();
    assert!(!bench.store.stats().writable);
    bench.store.close();
    drop(reader);
    assert!(bench.reopened().store.stats().writable);
}

#[test]
fn a_changed_entry_is_found_by_verify_and_by_the_start() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "5", "a").expect("a top-up");
    bench.topup(1, "5", "b").expect("a top-up");
    assert_eq!(bench.verify(), [""; 0]);
    bench.store.close();
    let tamper = Connection::open(bench.path()).expect("the database");
    tamper
        .execute_batch("DROP TRIGGER entries_are_never_changed; UPDATE entries SET reference = 'x' WHERE number = 2")
        .expect("tampered");
    let Err(OpenError::Damaged(what)) = bench.open_again() else { panic!("the change went unnoticed") };
    assert!(what.contains("account 1 entry 2"), "{what}");
}

#[test]
fn an_account_that_holds_other_than_its_open_holds_is_no_account_to_serve() {
    for (tampering, held, sum) in [
        ("UPDATE open_holds SET remaining = remaining - 1 WHERE number = 4", "10", "9.99"),
        ("DELETE FROM open_holds WHERE number = 4", "10", "6"),
        ("INSERT INTO open_holds SELECT 1, 2, 2, 1, expires_at FROM open_holds WHERE number = 4", "10", "10.01"),
        ("UPDATE open_holds SET account = 2", "10", "0"),
    ] {
        let bench = Bench::new();
        (1..=2).for_each(|id| drop(bench.open(id)));
        bench.topup(1, "100", "t").expect("a top-up");
        bench.hold(1, "6", 60, "a").expect("a hold");
        bench.hold(1, "4", 60, "b").expect("a hold");
        bench.store.close();
        let tamper = Connection::open(bench.path()).expect("the database");
        tamper.execute_batch(tampering).expect("tampered");
        drop(tamper);
        let Err(OpenError::Damaged(what)) = bench.open_again() else { panic!("{tampering} went unnoticed") };
        assert_eq!(what, format!("account 1: it holds {held}, and its open holds together are {sum}"), "{tampering}");
    }
}

#[test]
fn holds_that_are_due_count_as_held_at_the_start() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    bench.hold(1, "6", 1, "a").expect("a hold");
    bench.store.close();
    bench.pass(60_000_000);
    let bench = bench.reopened();
    assert_eq!(bench.held(1), ("0".into(), 0));
    assert_eq!(bench.verify(), [""; 0]);
}

/// Five thousand keys on disk, where an end has put them.
fn with_keys_on_disk() -> Bench {
    let bench = Bench::new();
    bench.open(1);
    let topup = |n: u32| command(1, Movement::Topup { amount: vnd("1") }, &format!("k{n}"));
    assert!(run(bench.store.submit((0..5_000).map(topup).collect())).expect("no fault").iter().all(Result::is_ok));
    bench.store.close();
    bench
}

#[test]
fn an_end_leaves_nothing_to_replay() {
    let bench = with_keys_on_disk();
    let shell = Connection::open(bench.path()).expect("the database");
    let meta = |name| shell.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, i64>(0));
    assert_eq!((meta("watermark"), meta("last_row")), (Ok(5_001), Ok(5_001)));
    let row = "SELECT posted, number FROM accounts WHERE id = 1";
    assert_eq!(shell.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?))), Ok((500_000_i64, 5_001_i64)));
    let bench = bench.reopened();
    assert!(bench.topup(1, "1", "k77").expect("the outcome").replayed);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_page_of_keys_that_is_gone_is_damage_and_no_free_key() {
    let bench = with_keys_on_disk();
    let tamper = Connection::open(bench.path()).expect("the database");
    tamper.execute_batch("DELETE FROM key_pages WHERE id % 4294967296 = 3").expect("tampered");
    drop(tamper);
    let bench = bench.reopened();
    let topup = |n: u32| command(1, Movement::Topup { amount: vnd("1") }, &format!("k{n}"));
    assert_eq!(run(bench.store.submit((0..5_000).map(topup).collect())), Err(Fault::Unavailable));
    assert_eq!(bench.posted(1), "5000");
    let findings = bench.verify();
    // Its 168 keys, and the first of the next page: its fence leaves open whether it begins here.
    assert_eq!(findings.len(), 169);
    assert!(findings.iter().all(|found| found.contains("its idempotency key does not lead to it")), "{findings:?}");
}

#[test]
fn a_filter_that_is_gone_ends_the_start() {
    let bench = with_keys_on_disk();
    let tamper = Connection::open(bench.path()).expect("the database");
    tamper.execute_batch("DELETE FROM key_filters").expect("tampered");
    let Err(OpenError::Damaged(what)) = bench.open_again() else { panic!("the filters are not missed") };
    assert!(what.contains("of the key index has 30 pages, and fences for 0"), "{what}");
}

#[test]
fn a_backup_is_whole_while_the_store_works_and_restores_elsewhere() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "70", "a").expect("a top-up");
    let file = bench.folder().join("backup.db");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| (0..200).for_each(|n| drop(bench.charge(1, "0.01", &format!("c{n}")))));
        bench.store.backup(&file, &mut |_| ()).expect("a backup");
        writing.join().expect("charges");
    });
    let again = bench.store.backup(&file, &mut |_| ()).expect_err("never overwrites");
    assert!(again.contains("exists already"), "{again}");
    let to = DatabaseUrl::file(bench.folder().join("restored.db"));
    let (report, _) = store::restore(&file, &to, &mut |_| ()).expect("restored");
    assert_eq!(report.accounts, 1);
    let restored = store::Store::open(options(to.clone(), &bench.time)).expect("the restored store");
    assert!(run(restored.account(account(1))).expect("no fault").is_some());
    assert_eq!(restored.verify(store::Against::default(), &mut |_| ()).expect("no fault").findings, []);
    let taken = store::restore(&file, &to, &mut |_| ()).expect_err("never overwrites");
    assert!(taken.contains("exists already"), "{taken}");
}

#[test]
fn a_tampered_backup_is_not_restored() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "70", "a").expect("a top-up");
    let file = bench.folder().join("backup.db");
    bench.store.backup(&file, &mut |_| ()).expect("a backup");
    let tamper = Connection::open(&file).expect("the backup");
    tamper
        .execute_batch("DROP TRIGGER entries_are_never_removed; DELETE FROM entries WHERE number = 2")
        .expect("tampered");
    drop(tamper);
    let to = DatabaseUrl::file(bench.folder().join("restored.db"));
    let error = store::restore(&file, &to, &mut |_| ()).expect_err("does not verify");
    assert!(error.contains("does not verify"), "{error}");
    assert!(to.as_file().is_some_and(|file| !file.path.exists()));
}

#[test]
fn generations_are_written_behind_and_nothing_is_forgotten() {
    let bench = Bench::new();
    (1..=50).for_each(|id| drop(bench.open(id)));
    // What settles a charge and a hold comes with every generation too.
    bench.topup(50, "1000", "t").expect("a top-up");
    bench.charge(50, "36", "c").expect("a charge");
    bench.hold(50, "37", 3_600, "h").expect("a hold");
    let settle = |round: u32| {
        bench.refund(50, Named::Number(3), "1", &format!("refund-{round}")).expect("a refund");
        bench.capture(50, 4, "1", &format!("capture-{round}")).expect("a capture");
    };
    // Enough for the first generation to be on disk and the second to be on its way.
    let all = |round: u32| {
        let commands = (0..8_000_u32).map(|n| {
            let (id, key) = (n % 50 + 1, format!("{round}-{n}"));
            command(id, Movement::Topup { amount: vnd("1") }, &key)
        });
        run(bench.store.submit(commands.collect())).expect("no fault")
    };
    let replayed =
        |round| all(round).iter().filter(|decided| decided.as_ref().is_ok_and(|outcome| outcome.replayed)).count();
    for round in 0..36 {
        assert_eq!(replayed(round), 0);
        settle(round);
    }
    assert_eq!(replayed(0), 8_000, "keys that are on disk");
    assert_eq!(replayed(18), 8_000, "keys that are on their way");
    assert_eq!(replayed(35), 8_000, "keys in memory");
    assert_eq!(bench.verify(), [""; 0]);
    let bench = bench.reopened();
    assert_eq!(bench.posted(7), "5760");
    let nothing = Refusal::RefundExceedsCharge { refundable: minor("0"), amount: minor("0.01") };
    assert_eq!(bench.refund(50, Named::Key(key("c")), "0.01", "none").expect_err("all of it").refusal, nothing);
    assert_eq!(bench.capture(50, 4, "", "rest").expect("what is left").entry.amount, minor("1"));
    assert!(bench.topup(1, "1", "0-0").expect("the outcome").replayed);
    assert!(bench.topup(1, "1", "20-0").expect("the outcome").replayed);
    assert!(bench.topup(1, "1", "35-0").expect("the outcome").replayed);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_currency_that_is_missing_in_between_is_damage() {
    let bench = Bench::new();
    run(bench.store.add_currency(actor(), Currency::new("USD", 2, 2).expect("a currency"))).expect("added");
    bench.store.close();
    let tamper = Connection::open(bench.path()).expect("the database");
    tamper.execute_batch("UPDATE currencies SET id = 2 WHERE code = 'USD'").expect("tampered");
    let Err(store::OpenError::Damaged(what)) = bench.open_again() else { panic!("the gap went unnoticed") };
    assert!(what.contains("row 1 of currencies"), "{what}");
}

#[test]
fn a_writer_that_does_not_come_round_is_noticed() {
    let bench = Bench::new();
    bench.open(1);
    bench.store.close();
    let gate = Arc::new(Mutex::new(()));
    let behind = Arc::clone(&gate);
    let clock: Clock = Arc::new(move || {
        drop(behind.lock().expect("a gate"));
        Time::from_micros(START)
    });
    let store = Store::open(Options { clock, ..options(bench.place.url(), &bench.time) }).expect("the store again");
    let is_busy = |store: &Store| store.writer_busy().is_some_and(|busy| busy > Duration::from_millis(2_500));
    let shut = gate.lock().expect("a gate");
    let handle = store.clone();
    let caller = std::thread::spawn(move || {
        run(handle.submit(vec![command(1, Movement::Topup { amount: vnd("1") }, "a")])).map(|_| ())
    });
    until("a writer that is held up", || is_busy(&store));
    drop(shut);
    caller.join().expect("a caller").expect("no fault");
    until("a writer that goes on", || !is_busy(&store));
    store.close();
}
