//! Where a test's ledger lies: a database of its own in the process's PostgreSQL.

use std::path::Path;

use crate::cluster;

/// The URL of a new, empty database.
pub(crate) fn database(_: &Path) -> String {
    let cluster = cluster::shared();
    cluster.url("sodu", &cluster.database("template1"))
}
