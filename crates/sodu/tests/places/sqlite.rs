//! Where a test's ledger lies: a file in a folder of its own.

use std::path::Path;

use store::DatabaseUrl;
use tempfile::TempDir;

pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::file(self.path().join("sodu.db"))
    }

    /// The store asks the test's own clock.
    pub(crate) fn tell_time(&self, _: i64) {}

    pub(crate) fn let_clock_run(&self) {}
}
