//! The embedded engine: a file in a temporary folder.

use std::path::PathBuf;

use rusqlite::Connection;
use store::{DatabaseUrl, OpenError, Store};
use tempfile::TempDir;

use crate::bench::{Bench, options};

/// How far back a clock may jump, at most.
pub(crate) const EARLIEST_JUMP_US: i64 = -20_000_000;

/// How many runs of the model.
pub(crate) const MODEL_CASES: u32 = 32;

/// What the database says to whoever would change the audit trail.
pub(crate) const AUDIT_IS_IMMUTABLE: &str = "the audit trail is immutable";

/// Where a store is.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(TempDir::new().expect("a temporary folder"))
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::file(self.path())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("sodu.db")
    }

    /// The store asks the test's own clock.
    pub(crate) fn tell_time(&self, _: i64) {}

    pub(crate) fn let_clock_run(&self) {}

    pub(crate) fn shell(&self) -> Shell {
        Shell(Connection::open(self.path()).expect("the database"))
    }

    pub(crate) fn server_shell(&self) -> Shell {
        self.shell()
    }

    pub(crate) fn holds(&self, part: &str) -> bool {
        let bytes = std::fs::read(self.path()).expect("the database");
        bytes.windows(part.len()).any(|window| window == part.as_bytes())
    }
}

impl Bench {
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.place.0.path().to_owned()
    }

    /// As a process that was killed leaves it: the files as they are at this instant, opened elsewhere.
    pub(crate) fn killed(self) -> Bench {
        let place = Place::new();
        for name in ["sodu.db", "sodu.db-wal"] {
            std::fs::copy(self.place.0.path().join(name), place.0.path().join(name)).expect("a copy");
        }
        let store = Store::open(options(place.url(), &self.time)).expect("the store again");
        Bench { store, time: self.time, place }
    }

    /// Moved into another file.
    pub(crate) fn moved(self) -> Bench {
        self.store.close();
        drop(self.store);
        let place = Place::new();
        store::migrate(&self.place.url(), &place.url(), "now", &mut |_, _| ()).expect("moved");
        let store = Store::open(options(place.url(), &self.time)).expect("the store again");
        Bench { store, time: self.time, place }
    }

    pub(crate) fn open_again(&self) -> Result<Store, OpenError> {
        Store::open(options(self.place.url(), &self.time))
    }
}

/// SQL on the database itself.
pub(crate) struct Shell(Connection);

impl Shell {
    pub(crate) fn run(&self, sql: &str) {
        self.try_run(sql).expect("it is done");
    }

    pub(crate) fn try_run(&self, sql: &str) -> Result<(), String> {
        self.0.execute_batch(sql).map_err(|error| error.to_string())
    }

    /// Changes what must never change.
    pub(crate) fn tamper(&self, sql: &str) {
        let triggers = "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'";
        let drop: String = self.0.query_row(triggers, [], |row| row.get(0)).expect("triggers");
        self.run(&format!("{drop}; {sql}"));
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |row| row.get(0)).expect("a number")
    }
}
