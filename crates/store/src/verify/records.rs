//! The ledger's own record of where it stands (the table `meta`), as far as it is there.

use ledger::Time;
use rusqlite::{Connection, OptionalExtension};

use super::Finding;

/// What `meta` says.
pub(super) struct Records {
    /// The last row of the log.
    pub(super) last_row: i64,
    /// What follows behind the commits is on disk up to this row.
    pub(super) watermark: i64,
    /// No entry up to the watermark is later.
    pub(super) last_time: Time,
    /// Up to this row it came from another database, whose accounts may each have had a time of their own.
    pub(super) moved_in: i64,
    /// Refusals from before it may be gone.
    pub(super) refusals_lapsed: Time,
}

impl Records {
    /// Reads them; one that is gone counts as its least value, and is a finding.
    pub(super) fn read(db: &Connection, findings: &mut Vec<Finding>) -> rusqlite::Result<Records> {
        let moved_in = "SELECT value FROM meta WHERE name = 'moved_in'";
        let moved_in = db.query_row(moved_in, [], |row| row.get(0)).optional()?.unwrap_or(0);
        let mut record = |name: &str| -> rusqlite::Result<i64> {
            let mut select = db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
            let value = select.query_row([name], |row| row.get(0)).optional()?;
            if value.is_none() {
                let what = format!("the ledger's own record {name} is gone");
                findings.push(Finding { account: None, number: None, what });
            }
            Ok(value.unwrap_or(0))
        };
        Ok(Records {
            moved_in,
            last_row: record("last_row")?,
            watermark: record("watermark")?,
            last_time: Time::from_micros(record("last_time")?),
            refusals_lapsed: Time::from_micros(record("refusals_lapsed")?),
        })
    }
}
