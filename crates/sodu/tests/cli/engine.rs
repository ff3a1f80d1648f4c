//! Where a test's ledger lies: a file in the test's folder.

use std::path::Path;
use std::process::Command;

use crate::common::Sodu;

/// The URL of a new database.
pub(crate) fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("sodu.db").display())
}

/// A copy of a ledger that no process has open.
pub(crate) fn copy(made: &Sodu) -> Sodu {
    let copy = Sodu::new();
    for file in made.files() {
        if !file.ends_with(".lock") {
            std::fs::copy(made.path(&file), copy.path(&file)).expect("a copy");
        }
    }
    copy
}

/// Runs `sql` in the `sqlite3` shell, without the triggers and checks that stand in the way of a change by mistake.
pub(crate) fn tamper(sodu: &Sodu, sql: &str) {
    let unguarded = "PRAGMA ignore_check_constraints = ON; \
                     DROP TRIGGER IF EXISTS entries_are_never_changed; DROP TRIGGER IF EXISTS entries_are_never_removed;";
    let mut command = Command::new("sqlite3");
    command.arg("-bail").arg(sodu.path("sodu.db")).arg(format!("{unguarded} {sql}"));
    let ended = command.output().expect("the shell runs: install it with `sudo apt-get install sqlite3`");
    assert!(ended.status.success(), "{sql}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// The store asks the test's own clock.
pub(crate) fn set_clock(_: &Sodu, _: i64) {}
