//! What a log promises to the writer, against files and other connections.

use super::*;
use crate::schema;

/// A log on a new database in its folder.
fn log() -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    schema::create_file(&path).expect("a file");
    let log = Log::new(schema::open_writer(&path).expect("a database"), &path).expect("a log");
    (folder, log)
}

/// A connection that should not be there.
fn stranger(folder: &tempfile::TempDir) -> Connection {
    schema::open_writer(&folder.path().join("a.db")).expect("a second connection")
}

fn write(db: &Connection, name: &str, value: i64) {
    db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (name, value)).expect("a row");
}

fn commit(log: &mut Log, name: &str, value: i64, is_lone: bool) {
    assert!(log.begin(is_lone).expect("a transaction"), "nobody else wrote");
    write(log.db(), name, value);
    log.commit(is_lone).expect("a commit");
}

#[test]
fn lone_commits_keep_their_snapshot_and_others_do_not() {
    let (folder, mut log) = log();
    for value in 0..i64::try_from(HELD_MAX).expect("few") * 3 {
        commit(&mut log, "mine", value, true);
        assert!(log.is_held());
        let seen = stranger(&folder).query_row("SELECT value FROM meta WHERE name = 'mine'", [], |row| row.get(0));
        assert_eq!(seen, Ok(value), "what is committed is there for everyone");
    }
    commit(&mut log, "mine", -1, false);
    assert!(!log.is_held());
}

#[test]
fn whatever_a_stranger_writes_is_found_out() {
    for is_lone in [true, false] {
        let (folder, mut log) = log();
        commit(&mut log, "mine", 1, is_lone);
        assert!(log.is_held() == is_lone);
        write(&stranger(&folder), "theirs", 1);
        assert_eq!(log.begin(is_lone), Ok(false));
    }
}

#[test]
fn a_stranger_who_writes_nothing_is_waited_for() {
    let (folder, mut log) = log();
    commit(&mut log, "mine", 1, true);
    let theirs = stranger(&folder);
    theirs.execute_batch("BEGIN IMMEDIATE").expect("their transaction");
    std::thread::scope(|scope| {
        let began = scope.spawn(|| log.begin(true));
        theirs.execute_batch("ROLLBACK").expect("its end");
        assert_eq!(began.join().expect("no panic"), Ok(true));
    });
}

#[test]
fn the_log_is_begun_anew_under_commits_without_end() {
    for is_lone in [true, false] {
        let (folder, mut log) = log();
        let page = "x".repeat(100_000);
        log.db().execute_batch("CREATE TABLE filler (text TEXT) STRICT").expect("a table");
        for _ in 0..400 {
            assert!(log.begin(is_lone).expect("a transaction"));
            log.db().execute("INSERT INTO filler VALUES (?1)", [&page]).expect("a row");
            log.commit(is_lone).expect("a commit");
            if log.tend() {
                log.finish().expect("a sync");
            }
        }
        let len = std::fs::metadata(folder.path().join("a.db-wal")).expect("a log").len();
        assert!(len < 2 * u64::from(LOG_PAGES) * 4096, "40 MB were written, and the log has {len} bytes");
    }
}

#[test]
fn what_was_let_go_of_is_in_nobodys_way() {
    let (folder, mut log) = log();
    commit(&mut log, "mine", 1, true);
    let theirs = stranger(&folder);
    assert!(schema::settle(&theirs).is_err(), "a snapshot that is kept is in the way");
    log.let_go().expect("nothing to fail");
    schema::settle(&theirs).expect("the whole log is copied");
}
