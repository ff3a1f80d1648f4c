//! What an account used within the last day, read from its entries: for the beginning of a watch, and for whoever asks about
//! an account that nobody watches. A bounded look back, not a scan of its history.

use ledger::{Entry, Minor, Time, Usage};
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
    let mut back = LookBack::from(now);
    let mut row = last.row;
    for _ in 0..back_max {
        let stored = rows::entry_at(db, row)?.ok_or_else(|| damage(format!("row {row} of entries is gone")))?;
        row = stored.links.previous;
        if !back.takes(&stored.entry) || row == 0 {
            break;
        }
    }
    Ok(back.usage(last.number))
}

/// A look back over an account's entries, the newest first.
pub(crate) struct LookBack {
    /// Nothing before is asked for, but the last top-up.
    enough: Time,
    /// Number, time and use of what came after.
    recent: Vec<(u64, Time, i64)>,
    is_enough: bool,
    last_topup: Option<Minor>,
}

impl LookBack {
    pub(crate) fn from(now: Time) -> LookBack {
        // An hour more than a day: the hour in which the day began is wanted whole.
        let enough = Time::from_micros(now.micros().saturating_sub(Usage::DAY_US + Usage::DAY_US / 24));
        LookBack { enough, recent: Vec::new(), is_enough: false, last_topup: None }
    }

    /// Takes the next entry in; whether the one before it is wanted too.
    pub(crate) fn takes(&mut self, entry: &Entry) -> bool {
        let mut alone = Usage::new(0, entry.at);
        alone.add(entry);
        self.last_topup = self.last_topup.or(alone.last_topup);
        self.is_enough |= entry.at <= self.enough;
        if !self.is_enough {
            self.recent.push((entry.number, entry.at, Usage::of(entry)));
        }
        !self.is_enough || self.last_topup.is_none()
    }

    /// What was found, of an account whose last entry is `last`.
    pub(crate) fn usage(self, last: u64) -> Usage {
        // An opening is the first of all, and an account that looks back no further begins with the oldest that was read.
        let oldest = self.recent.last().map(|&(_, oldest, _)| oldest).filter(|_| !self.is_enough);
        let before = self.recent.last().map_or(last, |&(oldest, ..)| oldest.saturating_sub(1));
        let mut usage = Usage::new(before, oldest.unwrap_or(self.enough));
        self.recent.iter().rev().for_each(|&(number, at, used)| usage.add_use(number, at, used));
        usage.last_topup = self.last_topup;
        usage
    }
}

/// What is `known`, where that goes back as far as what was measured.
pub(crate) fn known_for_longer(known: &Usage, measured: &Usage) -> Option<Usage> {
    let mut usage = known.clone();
    usage.last_topup = known.last_topup.or(measured.last_topup);
    (known.since <= measured.since).then_some(usage)
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
