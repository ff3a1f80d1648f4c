//! Where a test's ledger lies: a file in the test's folder.

use std::path::Path;

/// The URL of a new database.
pub(crate) fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("sodu.db").display())
}
