//! Reading an account's entries from disk: by number, by time, in pages.
//!
//! There is no index by account: its random pages would be rewritten in every commit. Each entry knows the row of the one
//! before it, and every 128th is a milestone; so any entry is found with one look-up and at most 127 steps back.

use ledger::{AccountId, Entry, Hold, Time};
use rusqlite::{Connection, OptionalExtension};

use crate::Page;
use crate::holds::OpenHold;
use crate::rows::{self, Stored, damage};

/// Every how many entries of an account one is kept as a milestone.
pub(crate) const MILESTONE: u64 = 128;

/// An account's last entry: where every look-up may start from.
#[derive(Clone, Copy)]
pub(crate) struct Last {
    pub(crate) account: AccountId,
    pub(crate) number: u64,
    pub(crate) row: i64,
}

/// Entry `number` of the account, if it has that many.
pub(crate) fn stored(db: &Connection, last: Last, number: u64) -> rusqlite::Result<Option<Stored>> {
    if number == 0 || number > last.number {
        return Ok(None);
    }
    Ok(back_to(db, last, number, number)?.pop())
}

/// The last entry that took effect at `at` or before; `None` where the account was opened later.
pub(crate) fn as_of(db: &Connection, last: Last, at: Time) -> rusqlite::Result<Option<Entry>> {
    let after = Time::from_micros(at.micros().saturating_add(1));
    let number = last_before(db, last, after)?;
    Ok(stored(db, last, number)?.map(|stored| stored.entry))
}

/// Open holds with their entries.
pub(crate) fn of_holds(db: &Connection, open: &[OpenHold]) -> rusqlite::Result<Vec<(Hold, Entry)>> {
    let with_entry = |open: &OpenHold| {
        let stored = rows::entry_at(db, open.row)?;
        let stored = stored.ok_or_else(|| damage(format!("row {} of entries is gone", open.row)))?;
        Ok((open.hold, stored.entry))
    };
    open.iter().map(with_entry).collect()
}

/// The entries with `from` ≤ at < `to` and a number above `after`, oldest first, at most `limit` of them.
pub(crate) fn page(
    db: &Connection,
    last: Last,
    from: Option<Time>,
    to: Option<Time>,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Page<Entry, u64>> {
    let end = to.map_or(Ok(last.number), |to| last_before(db, last, to))?;
    let before = from.map_or(Ok(0), |from| last_before(db, last, from))?;
    let first = after.max(before) + 1;
    let until = end.min(first.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)).saturating_sub(1));
    if first > until {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let items = back_to(db, last, first, until)?.into_iter().map(|stored| stored.entry).collect();
    Ok(Page { items, next: (until < end).then_some(until) })
}

/// The entries `first` to `until`, oldest first.
fn back_to(db: &Connection, last: Last, first: u64, until: u64) -> rusqlite::Result<Vec<Stored>> {
    let mut entries = Vec::new();
    let (mut number, mut row) = nearest(db, last, until)?;
    while number > until {
        row = previous(db, row)?;
        number -= 1;
    }
    loop {
        let stored = rows::entry_at(db, row)?.ok_or_else(|| damage(format!("row {row} of entries is gone")))?;
        if stored.entry.account != last.account || stored.entry.number != number {
            return Err(damage(format!("account {} entry {number} is not where its successor says", last.account)));
        }
        let previous = stored.links.previous;
        entries.push(stored);
        if number == first {
            entries.reverse();
            return Ok(entries);
        }
        row = previous;
        number -= 1;
    }
}

/// The number of the last entry that took effect before `time`; 0 where none did. Times never decrease within an account.
fn last_before(db: &Connection, last: Last, time: Time) -> rusqlite::Result<u64> {
    // Among the milestones first, by halving: `low` is one that took effect before (or 0), `high` one that did not.
    let (mut low, mut high) = (0, last.number / MILESTONE + 1);
    let mut select = db.prepare_cached("SELECT at FROM milestones WHERE account = ?1 AND number = ?2")?;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let number = middle * MILESTONE;
        let at: Option<i64> =
            select.query_row((last.account.get(), rows::number(number)), |row| row.get(0)).optional()?;
        let at = at.ok_or_else(|| damage(format!("account {}: milestone {number} is missing", last.account)))?;
        if at < time.micros() { low = middle } else { high = middle }
    }
    let (first, until) = (low * MILESTONE + 1, (high * MILESTONE).min(last.number));
    if first > until {
        return Ok(last.number);
    }
    let entries = back_to(db, last, first, until)?;
    let before = entries.iter().take_while(|stored| stored.entry.at < time).last();
    Ok(before.map_or(first - 1, |stored| stored.entry.number))
}

/// The known entry at or after `number` that is nearest to it: a milestone, or the account's last.
fn nearest(db: &Connection, last: Last, number: u64) -> rusqlite::Result<(u64, i64)> {
    let milestone = number.div_ceil(MILESTONE) * MILESTONE;
    if milestone >= last.number {
        return Ok((last.number, last.row));
    }
    let row = db
        .prepare_cached("SELECT entry FROM milestones WHERE account = ?1 AND number = ?2")?
        .query_row((last.account.get(), rows::number(milestone)), |row| row.get(0))
        .optional()?;
    row.map(|row| (milestone, row))
        .ok_or_else(|| damage(format!("account {}: milestone {milestone} is missing", last.account)))
}

fn previous(db: &Connection, row: i64) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT previous FROM entries WHERE id = ?1")?.query_row([row], |row| row.get(0))
}
