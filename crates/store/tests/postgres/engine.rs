//! The scale-out engine: a database of its own in the process's PostgreSQL, with a clock that the test moves.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use store::{DatabaseUrl, Store};

use crate::bench::{Bench, START, options};
use crate::cluster;
pub(crate) use crate::cluster::Shell;

/// How far back a clock may jump: an account's own time never goes back, but nobody keeps the greatest of all accounts', as
/// the model does.
pub(crate) const EARLIEST_JUMP_US: i64 = 0;

/// How many runs of the model: each of their many small commits waits for a sync.
pub(crate) const MODEL_CASES: u32 = 12;

/// What the database says to whoever would change the audit trail.
pub(crate) const AUDIT_IS_IMMUTABLE: &str = "permission denied for table audit";

/// The clock of a test: a sequence, which every transaction sees as it is.
const CLOCK: &str = "CREATE SEQUENCE sodu.test_clock MINVALUE -9000000000000000000; \
    GRANT SELECT, USAGE ON SEQUENCE sodu.test_clock TO sodu; \
    CREATE OR REPLACE FUNCTION sodu.ledger_clock() RETURNS bigint LANGUAGE sql VOLATILE \
    RETURN (SELECT last_value FROM sodu.test_clock)";

const RUNNING_CLOCK: &str = "CREATE OR REPLACE FUNCTION sodu.ledger_clock() RETURNS bigint LANGUAGE sql VOLATILE \
    RETURN nextval('sodu.test_clock')";

/// Where a store is.
pub(crate) struct Place {
    database: String,
    admin: Shell,
}

impl Place {
    pub(crate) fn new() -> Place {
        let cluster = cluster::shared();
        let database = cluster.database(template());
        let admin = Shell::open(&cluster.url("admin", &database));
        Place { database, admin }
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        url(&self.database)
    }

    /// The name of its database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// The database's own clock is what counts.
    pub(crate) fn tell_time(&self, micros: i64) {
        self.admin.number(&format!("SELECT setval('test_clock', {micros})"));
    }

    pub(crate) fn let_clock_run(&self) {
        self.admin.run(RUNNING_CLOCK);
    }

    pub(crate) fn shell(&self) -> Shell {
        Shell::open(&cluster::shared().url("admin", &self.database))
    }

    pub(crate) fn server_shell(&self) -> Shell {
        Shell::open(&cluster::shared().url("sodu", &self.database))
    }

    pub(crate) fn holds(&self, part: &str) -> bool {
        self.admin.number(&format!("SELECT count(*) FROM operators o WHERE strpos(o::text, '{part}') > 0")) > 0
    }
}

impl Bench {
    /// As a node that was killed leaves it: nothing is finished or given back, and another one begins.
    pub(crate) fn killed(self) -> Bench {
        let Bench { store, time, place } = self;
        drop(store);
        let store = Store::open(options(place.url(), &time)).expect("the store again");
        Bench { store, time, place }
    }

    /// Moved into a file, and from there into another database.
    pub(crate) fn moved(self) -> Bench {
        self.store.close();
        drop(self.store);
        let folder = tempfile::tempdir().expect("a folder");
        let file = DatabaseUrl::file(folder.path().join("sodu.db"));
        let place = Place::new();
        place.tell_time(self.time.load(Ordering::Relaxed));
        for (from, to) in [(self.place.url(), file.clone()), (file, place.url())] {
            store::migrate(&from, &to, "now", &mut |_, _| ()).expect("moved");
        }
        let store = Store::open(options(place.url(), &self.time)).expect("the store again");
        Bench { store, time: self.time, place }
    }
}

fn url(database: &str) -> DatabaseUrl {
    DatabaseUrl::parse(&cluster::shared().url("sodu", database)).expect("a URL")
}

/// A database with the schema and the clock of a test, to be copied.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let cluster = cluster::shared();
        let name = cluster.database("template1");
        let store = Store::open(options(url(&name), &std::sync::Arc::default())).expect("a new store");
        assert!(store.created(), "the schema was made");
        store.close();
        cluster.run(&name, CLOCK);
        cluster.run(&name, &format!("SELECT setval('sodu.test_clock', {START})"));
        name
    })
}
