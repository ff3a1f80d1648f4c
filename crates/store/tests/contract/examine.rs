//! A quick look at a database: what it says, and that it leaves nothing behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use ledger::Time;
use rusqlite::Connection;
use store::{Examined, OpenError, SqliteUrl, examine, owner};

use crate::bench::{Bench, START};

fn url(bench: &Bench) -> SqliteUrl {
    SqliteUrl { path: bench.path() }
}

/// Every file of a folder, and when it was last written.
fn files(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let seen = |entry: std::fs::DirEntry| {
        let data = entry.metadata().expect("a file");
        (entry.file_name().to_string_lossy().into_owned(), (data.len(), data.modified().expect("a time")))
    };
    entries.map(seen).collect()
}

#[test]
fn nobody_notices_it() {
    let bench = Bench::new();
    bench.open(1);
    bench.pass(5);
    bench.topup(1, "5", "a").expect("a top-up");
    let beside = examine(&url(&bench)).expect("it can be read");
    let me = format!("process {}", std::process::id());
    assert!(beside.owner.as_deref().is_some_and(|owner| owner.contains(&me)), "{beside:?}");
    assert_eq!((beside.last_row, beside.last_time), (2, Time::from_micros(START + 5)));
    assert_eq!((beside.schema, beside.damage), (beside.known, None));
    bench.topup(1, "5", "b").expect("a top-up");

    bench.store.close();
    let before = files(&bench.folder());
    let alone = examine(&url(&bench)).expect("it can be read");
    assert_eq!((alone.owner, alone.last_row, alone.damage), (None, 3, None));
    assert_eq!(owner(&url(&bench)).expect("a lock"), None);
    assert_eq!(files(&bench.folder()), before, "nothing is written, and nothing is left behind");
}

#[test]
fn a_log_that_waits_for_the_next_start_is_read_too() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "5", "a").expect("a top-up");
    // As a kill would leave it.
    let copy = bench.folder().join("a copy, 100%?#.db");
    let copy = SqliteUrl { path: copy };
    for suffix in ["", "-wal"] {
        std::fs::copy(url(&bench).beside(suffix), copy.beside(suffix)).expect("a copy");
    }
    let log = std::fs::metadata(copy.beside("-wal")).expect("a log").len();
    let read = |url: &SqliteUrl| examine(url).map(|Examined { last_row, damage, .. }| (last_row, damage));
    assert_eq!(read(&copy).expect("it can be read"), (2, None));
    assert_eq!(std::fs::metadata(copy.beside("-wal")).expect("a log").len(), log);
    assert!(!copy.beside(".lock").exists());

    bench.store.close();
    let odd = SqliteUrl { path: bench.folder().join("like 100%?#.db") };
    std::fs::copy(bench.path(), &odd.path).expect("a copy");
    assert_eq!(read(&odd).expect("a name of any letters"), (2, None));
}

#[test]
fn a_log_that_was_cut_off_is_noticed() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "5", "a").expect("a top-up");
    bench.store.close();
    let shell = Connection::open(bench.path()).expect("the database");
    shell.execute_batch("DROP TRIGGER entries_are_never_removed; DELETE FROM entries WHERE id = 2").expect("gone");
    drop(shell);
    let damage = examine(&url(&bench)).expect("it can be read").damage.expect("a contradiction");
    assert!(damage.contains("row 2") && damage.contains("ends at row 1"), "{damage}");
}

#[test]
fn what_is_no_ledger_is_told_as_a_start_would() {
    let bench = Bench::new();
    let at = |name: &str| SqliteUrl { path: bench.folder().join(name) };
    assert!(matches!(examine(&at("none.db")), Err(OpenError::Missing)));
    std::fs::write(at("text.db").path, "not a database, but long enough to be taken for one").expect("a file");
    assert!(matches!(examine(&at("text.db")), Err(OpenError::Foreign)));
    bench.store.close();
    let newer = Connection::open(bench.path()).expect("a database");
    newer.pragma_update(None, "user_version", 99).expect("a version");
    drop(newer);
    assert!(matches!(examine(&url(&bench)), Err(OpenError::Newer { found: 99, .. })));
}
