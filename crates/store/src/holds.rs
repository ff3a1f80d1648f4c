//! All open holds, in memory: found by account and number, and in the order in which they end.
//!
//! Readers come here only for an account whose next hold may have ended (see [`crate::memory::Figures::no_end_before`]);
//! the writer keeps what it has not committed yet in its own draft.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Hold, Minor, Time};

use crate::memory::Second;

/// An open hold, and where its entry lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpenHold {
    pub(crate) hold: Hold,
    pub(crate) row: i64,
}

/// Every open hold, as of the last published commit.
#[derive(Default)]
pub(crate) struct Holds {
    /// By slot and number.
    open: BTreeMap<(u32, u64), OpenHold>,
    /// By slot, end and number.
    by_slot: BTreeSet<(u32, Time, u64)>,
    /// By end, slot and number.
    by_end: BTreeSet<(Time, u32, u64)>,
}

impl Holds {
    pub(crate) fn get(&self, slot: u32, number: u64) -> Option<OpenHold> {
        self.open.get(&(slot, number)).copied()
    }

    /// Puts an open hold in, as it is now, or takes one out that has ended.
    pub(crate) fn set(&mut self, slot: u32, number: u64, hold: Option<OpenHold>) {
        let before = match hold {
            Some(hold) => self.open.insert((slot, number), hold),
            None => self.open.remove(&(slot, number)),
        };
        if let Some(before) = before {
            self.by_slot.remove(&(slot, before.hold.expires_at, number));
            self.by_end.remove(&(before.hold.expires_at, slot, number));
        }
        if let Some(after) = hold {
            self.by_slot.insert((slot, after.hold.expires_at, number));
            self.by_end.insert((after.hold.expires_at, slot, number));
        }
    }

    /// The open holds of a slot with a number above `after`, in their order.
    pub(crate) fn of(&self, slot: u32, after: u64) -> impl Iterator<Item = OpenHold> {
        self.open.range((slot, after.saturating_add(1))..=(slot, u64::MAX)).map(|(_, hold)| *hold)
    }

    /// The holds of a slot that have ended by `now`, in the order of their ends, at most `len_max`.
    pub(crate) fn due(&self, slot: u32, now: Time, len_max: usize) -> Vec<OpenHold> {
        let due = self.by_slot.range((slot, Time::from_micros(i64::MIN), 0)..=(slot, now, u64::MAX));
        due.take(len_max).filter_map(|&(slot, _, number)| self.get(slot, number)).collect()
    }

    /// What those of a slot hold together that have ended by `now`.
    pub(crate) fn due_by(&self, slot: u32, now: Time) -> Minor {
        let due = self.due(slot, now, usize::MAX);
        due.iter()
            .fold(Minor::ZERO, |sum, due| sum.plus(due.hold.left).expect("holds together are at most what is held"))
    }

    /// The slots with holds that have ended by `now`, each once, those that ended first before the others.
    pub(crate) fn due_slots(&self, now: Time, len_max: usize) -> Vec<u32> {
        let mut slots: Vec<u32> = Vec::new();
        let mut seen = BTreeSet::new();
        let due = self.by_end.range(..=(now, u32::MAX, u64::MAX)).take(len_max);
        slots.extend(due.map(|&(_, slot, _)| slot).filter(|&slot| seen.insert(slot)));
        slots
    }

    /// See [`crate::memory::Figures::no_end_before`].
    pub(crate) fn no_end_before(&self, slot: u32) -> Second {
        let first = self.by_slot.range((slot, Time::from_micros(i64::MIN), 0)..).next();
        first.filter(|(of, ..)| *of == slot).map_or(Second::NEVER, |&(_, end, _)| Second::of(end))
    }

    /// The slots with open holds, each once.
    pub(crate) fn slots(&self) -> BTreeSet<u32> {
        self.open.keys().map(|&(slot, _)| slot).collect()
    }
}
