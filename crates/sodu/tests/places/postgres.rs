//! Where a test's ledger lies: a database of its own in the process's PostgreSQL, whose clock the test moves; and a folder.

use std::path::Path;
use std::sync::OnceLock;

use store::{DatabaseUrl, Options, Store};
use tempfile::TempDir;

#[path = "../../../store/tests/postgres/cluster.rs"]
pub(crate) mod cluster;

/// The clock of a test, a sequence, which every transaction sees as it is.
const CLOCK: &str = "CREATE SEQUENCE sodu.test_clock MINVALUE -9000000000000000000; \
    GRANT SELECT, USAGE ON SEQUENCE sodu.test_clock TO sodu; \
    CREATE OR REPLACE FUNCTION sodu.ledger_clock() RETURNS bigint LANGUAGE sql VOLATILE \
    RETURN (SELECT last_value FROM sodu.test_clock)";

/// It goes on by a millisecond whenever somebody looks at it.
const RUNNING_CLOCK: &str = "ALTER SEQUENCE sodu.test_clock INCREMENT 1000; \
    CREATE OR REPLACE FUNCTION sodu.ledger_clock() RETURNS bigint LANGUAGE sql VOLATILE \
    RETURN nextval('sodu.test_clock')";

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    database: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        let database = cluster::shared().database(template());
        Place { folder: tempfile::tempdir().expect("a temporary folder"), database }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        url(&self.database)
    }

    /// The same for whoever opens it again.
    pub(crate) fn again(&self) -> Place {
        Place { folder: tempfile::tempdir().expect("a temporary folder"), database: self.database.clone() }
    }

    /// As whoever is killed at this instant leaves it, and for as long as they are not.
    pub(crate) fn as_it_is(&self) -> Place {
        self.again()
    }

    /// All that is in it.
    pub(crate) fn kept(&self) -> String {
        cluster::shared().dump(&self.database)
    }

    /// The database's own clock is what counts.
    pub(crate) fn tell_time(&self, micros: i64) {
        cluster::shared().run(&self.database, &format!("SELECT setval('sodu.test_clock', {micros})"));
    }

    pub(crate) fn let_clock_run(&self) {
        cluster::shared().run(&self.database, RUNNING_CLOCK);
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
        let options = Options {
            url: url(&name),
            create: true,
            clock: std::sync::Arc::new(ledger::Time::default),
            queue_len_max: 1,
            refusal_days: 30,
            refusals_per_second: 1,
            connections_max: 6,
            alert_targets: Vec::new(),
        };
        Store::open(options).expect("a new store").close();
        cluster.run(&name, CLOCK);
        name
    })
}
