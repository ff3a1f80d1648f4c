//! How often each account was refused within the present second: what keeps a customer at zero from filling the disk.

use ledger::Time;

use crate::maps::BySlot;
use crate::memory::Second;

/// Counts of kept refusals of one second.
pub(crate) struct Refusals {
    second: Second,
    by_slot: BySlot<u32>,
}

impl Refusals {
    pub(crate) fn new() -> Refusals {
        Refusals { second: Second::NEVER, by_slot: BySlot::default() }
    }

    /// How many refusals of an account were kept within the second of `now`.
    pub(crate) fn within(&self, now: Time, slot: u32) -> u32 {
        if Second::of(now) == self.second { self.by_slot.get(&slot).copied().unwrap_or(0) } else { 0 }
    }

    /// Adds those of a commit at `now`.
    pub(crate) fn add(&mut self, now: Time, more: BySlot<u32>) {
        if more.is_empty() {
            return;
        }
        if Second::of(now) != self.second {
            self.second = Second::of(now);
            self.by_slot.clear();
        }
        for (slot, count) in more {
            *self.by_slot.entry(slot).or_default() += count;
        }
    }
}
