//! The doctor and the database: other files, newer ones, damage; and the clock beside it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ledger::{AccountId, Actor, Minor, Time};
use store::{Clock, DatabaseUrl, NewAccount, Options, Store};

use super::{Report, command, doctor};
use crate::common::{Sodu, run};

#[test]
fn what_is_no_ledger_of_this_sodu_is_named() {
    let sodu = Sodu::new();
    std::fs::write(sodu.path("sodu.db"), "not a database, but long enough to be taken for one").expect("a file");
    doctor(&sodu, &[]).find("database").is("problem", "not a sodu database", "name the right file");

    std::fs::write(sodu.path("sodu.db"), "").expect("a file");
    doctor(&sodu, &[]).find("database").is("ok", "is empty", "");

    let sodu = Sodu::with_account();
    tamper(&sodu, "PRAGMA user_version = 99");
    doctor(&sodu, &[]).find("database").is("problem", "schema 99", "install the version");
}

#[test]
fn a_log_that_was_cut_off_is_noticed() {
    let sodu = Sodu::with_account();
    tamper(&sodu, "DROP TRIGGER entries_are_never_removed; DELETE FROM entries WHERE id = 2");
    doctor(&sodu, &[]).find("database").is("problem", "went up to row 2, and it ends at row 1", "sodu restore");
}

fn tamper(sodu: &Sodu, sql: &str) {
    let mut shell = std::process::Command::new("sqlite3");
    run(shell.arg(sodu.path("sodu.db")).arg(sql)).expect(0);
}

#[test]
fn a_log_that_has_grown_is_noticed() {
    let sodu = Sodu::with_account();
    // The size is what counts; nobody opens this copy.
    let log = std::fs::File::create(sodu.path("other.db-wal")).expect("a file");
    log.set_len(100 << 20).expect("a long file");
    std::fs::copy(sodu.path("sodu.db"), sodu.path("other.db")).expect("a copy");
    let other = format!("sqlite:{}", sodu.path("other.db").display());
    let report = doctor(&sodu, &["--database", &other]);
    report.find("database.log").is("warning", "100.0 MiB", "find who keeps reading");
}

#[test]
fn a_clock_behind_the_ledger_is_a_problem() {
    let sodu = Sodu::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let ahead = i64::try_from((now + Duration::from_hours(51)).as_micros()).expect("a time");
    let clock: Clock = Arc::new(move || Time::from_micros(ahead));
    let options = Options {
        url: DatabaseUrl::file(sodu.path("sodu.db")),
        create: true,
        clock,
        queue_len_max: 10,
        refusal_days: 30,
        refusals_per_second: 10,
        connections_max: 8,
        alert_targets: Vec::new(),
    };
    let store = Store::open(options).expect("a ledger");
    let account = NewAccount {
        id: AccountId::new(1),
        name: "Ahead".into(),
        external_id: None,
        currency: "VND".into(),
        credit_limit: Minor::ZERO,
        key: None,
        by: Actor::new("local:test").expect("an actor"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.open_account(account)).expect("an account");
    store.close();
    doctor(&sodu, &[]).find("clock.ledger").is("problem", "2d ", "if the clock is wrong, set it");
}

#[test]
fn whether_somebody_keeps_the_clock_right_is_what_the_system_says() {
    use std::os::unix::fs::PermissionsExt;
    if std::path::Path::new("/run/systemd/timesync/synchronized").exists() {
        // This machine answers for itself, before any program is asked.
        doctor(&Sodu::new(), &[]).find("clock.synchronized").is("ok", "timesyncd", "");
        return;
    }
    let sodu = Sodu::new();
    let program = sodu.path("timedatectl");
    let said = |says: &str| {
        std::fs::write(&program, format!("#!/bin/sh\necho {says}\n")).expect("a program");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("a mode");
        let path = format!("{}:/usr/bin:/bin", sodu.folder.path().display());
        Report::of(&run(command(&sodu, &[]).env("PATH", path))).find("clock.synchronized")
    };
    said("yes").is("ok", "the kernel says so", "");
    said("no").is("warning", "nobody keeps the clock right", "chrony");
    said("").is("skipped", "does not say", "");
}
