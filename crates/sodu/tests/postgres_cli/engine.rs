//! Where a test's ledger lies: a database of its own in the process's PostgreSQL.

use std::path::Path;

use crate::cluster;
use crate::common::Sodu;

/// The URL of a new, empty database.
pub(crate) fn database(_: &Path) -> String {
    let cluster = cluster::shared();
    cluster.url("sodu", &cluster.database("template1"))
}

/// A copy of a ledger that no process has open.
pub(crate) fn copy(made: &Sodu) -> Sodu {
    let cluster = cluster::shared();
    Sodu {
        folder: tempfile::tempdir().expect("a folder"),
        database: cluster.url("sodu", &cluster.database(&name(made))),
    }
}

/// Runs `sql` as a superuser, whom nothing stands in the way of.
pub(crate) fn tamper(sodu: &Sodu, sql: &str) {
    cluster::shared().run(&name(sodu), sql);
}

/// The database's own clock is what counts: from now on it begins there and goes on by a second whenever somebody looks.
pub(crate) fn set_clock(sodu: &Sodu, micros: i64) {
    let clock = "CREATE SEQUENCE sodu.test_clock INCREMENT 1000000; \
                 GRANT SELECT, USAGE ON SEQUENCE sodu.test_clock TO sodu; \
                 CREATE OR REPLACE FUNCTION sodu.ledger_clock() RETURNS bigint LANGUAGE sql VOLATILE \
                 RETURN nextval('sodu.test_clock')";
    cluster::shared().run(&name(sodu), &format!("{clock}; SELECT setval('sodu.test_clock', {micros})"));
}

/// The name of a ledger's database.
fn name(sodu: &Sodu) -> String {
    sodu.url().rsplit_once('/').expect("a URL").1.to_owned()
}
