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

    /// The same for whoever opens it again.
    pub(crate) fn again(&mut self) -> Place {
        std::mem::replace(self, Place::new())
    }

    /// As whoever is killed at this instant leaves it: the files as they are, elsewhere.
    pub(crate) fn as_it_is(&self) -> Place {
        let place = Place::new();
        for name in ["sodu.db", "sodu.db-wal"] {
            std::fs::copy(self.path().join(name), place.path().join(name)).expect("a copy");
        }
        place
    }

    /// All that is on disk of it.
    pub(crate) fn kept(&self) -> String {
        let files = std::fs::read_dir(self.path()).expect("the folder");
        let bytes = files.map(|file| std::fs::read(file.expect("an entry").path()).expect("a file"));
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>().concat()).into_owned()
    }

    /// The store asks the test's own clock.
    pub(crate) fn tell_time(&self, _: i64) {}

    pub(crate) fn let_clock_run(&self) {}
}
