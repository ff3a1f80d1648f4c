//! What an account used within the last day, read from its entries: for the beginning of a watch, and for whoever asks about
//! an account that nobody watches. A bounded look back, not a scan of its history.

use ledger::{Time, Usage};
use rusqlite::Connection;

use crate::rows::{self, damage};
use crate::statement::Last;

/// How far back the last top-up is looked for, in entries, before a watch begins: some tenths of a second.
pub(crate) const WATCH_BACK_MAX: usize = 100_000;

/// How far back is looked for one answer about an account that nobody watches: some hundredths of a second.
pub(crate) const ANSWER_BACK_MAX: usize = 5_000;

/// How many entries the writer looks back for a watch that begins: what came while it was measured.
pub(crate) const CATCH_UP_MAX: usize = 1_000;

/// What was used within the day before `now`, from at most the newest `back_max` entries: where those do not reach back a day,
/// from the first of them on. Goes on as far for the last top-up.
pub(crate) fn measure(db: &Connection, last: Last, now: Time, back_max: usize) -> rusqlite::Result<Usage> {
    // An hour more than a day: the hour in which the day began is wanted whole.
    let enough = Time::from_micros(now.micros().saturating_sub(Usage::DAY_US + Usage::DAY_US / 24));
    let mut recent: Vec<(u64, Time, i64)> = Vec::new();
    let mut since = None;
    let mut last_topup = None;
    let mut row = last.row;
    for _ in 0..back_max {
        let stored = rows::entry_at(db, row)?.ok_or_else(|| damage(format!("row {row} of entries is gone")))?;
        row = stored.links.previous;
        let entry = stored.entry;
        let mut alone = Usage::new(0, entry.at);
        alone.add(&entry);
        last_topup = last_topup.or(alone.last_topup);
        if since.is_none() {
            if entry.at <= enough {
                since = Some(enough);
            } else {
                recent.push((entry.number, entry.at, Usage::of(&entry)));
            }
        }
        if row == 0 || (since.is_some() && last_topup.is_some()) {
            break;
        }
    }
    // An opening is the first of all, and an account that looks back no further begins with the oldest that was read.
    let since = since.or(recent.last().map(|&(_, oldest, _)| oldest)).unwrap_or(enough);
    let before = recent.last().map_or(last.number, |&(oldest, ..)| oldest.saturating_sub(1));
    let mut usage = Usage::new(before, since);
    recent.iter().rev().for_each(|&(number, at, used)| usage.add_use(number, at, used));
    usage.last_topup = last_topup;
    Ok(usage)
}

/// Brings `usage` up to the account's last entry, as far as that is quick; otherwise begins anew from what is.
pub(crate) fn catch_up(db: &Connection, last: Last, now: Time, usage: Usage) -> rusqlite::Result<Usage> {
    let behind = last.number.saturating_sub(usage.number);
    if usize::try_from(behind).is_ok_and(|behind| behind > CATCH_UP_MAX) {
        let known = usage.last_topup;
        let mut usage = measure(db, last, now, CATCH_UP_MAX)?;
        usage.last_topup = usage.last_topup.or(known);
        return Ok(usage);
    }
    let mut missing = Vec::new();
    let mut row = last.row;
    for _ in 0..behind {
        let stored = rows::entry_at(db, row)?.ok_or_else(|| damage(format!("row {row} of entries is gone")))?;
        row = stored.links.previous;
        missing.push(stored.entry);
    }
    let mut usage = usage;
    missing.iter().rev().for_each(|entry| usage.add(entry));
    Ok(usage)
}
