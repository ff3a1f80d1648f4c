//! The end of refusals: after their days they free their key and are removed.
//!
//! Only a commit that appends to the log removes any, and that makes its own time durable with its own rows: a clock that
//! jumps back afterwards finds ledger time where it was, and no key that was burnt by then moves money.

use rusqlite::Connection;

/// How many are removed for each row appended: more than a row can be, so that it keeps up whatever is refused.
const PACE: usize = 2;

/// The fewest that are looked at, so that a lone commit does not look each time.
const AT_ONCE: usize = 32;

/// Removes what has lapsed, some with every so many rows.
#[derive(Default)]
pub(crate) struct Lapse {
    due: usize,
}

impl Lapse {
    /// Removes some of those decided before `lapsed_before`, as part of a transaction that appends `rows` rows. The index of
    /// keys goes on naming them until its runs are merged; whoever follows it finds nothing, and takes the key for free.
    pub(crate) fn remove_some(&mut self, db: &Connection, lapsed_before: i64, rows: usize) -> rusqlite::Result<()> {
        self.due += rows * PACE;
        if self.due < AT_ONCE {
            return Ok(());
        }
        // No LIMIT: SQLite would compile the statement anew whenever its value changes.
        let mut select = db.prepare_cached("SELECT id, at FROM refusals ORDER BY id")?;
        let mut found = select.query([])?;
        let mut last = None;
        for _ in 0..std::mem::take(&mut self.due) {
            match found.next()? {
                Some(row) if row.get::<_, i64>(1)? < lapsed_before => last = Some(row.get::<_, i64>(0)?),
                Some(_) | None => break,
            }
        }
        drop(found);
        if let Some(last) = last {
            db.prepare_cached("DELETE FROM refusals WHERE id <= ?1")?.execute([last])?;
            // Whoever shortens the days and lengthens them again still has them gone up to here.
            db.prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE name = 'refusals_lapsed'")?
                .execute([lapsed_before])?;
        }
        Ok(())
    }
}
