//! All accounts and credentials, in memory: read by every thread without a lock, changed by the writer alone.
//!
//! What lies here is the last committed and published state. About 190 bytes an account with one credential; names,
//! labels and everything else that no read needs at once stay on disk.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Mutex, PoisonError};

use ledger::{AccountId, Currency, Minor, Status, Time};

use crate::AccountNow;
use crate::holds::Holds;
use crate::index::Index;

/// The published figures of every account.
pub(crate) struct Accounts {
    slots: boxcar::Vec<Slot>,
    by_id: Index,
    currencies: boxcar::Vec<Currency>,
}

/// An account's settings outside the ledger, and which currency it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Traits {
    pub(crate) currency: u8,
    pub(crate) shows_available: bool,
    pub(crate) metered: bool,
    /// Whether what it uses is kept; see [`crate::watch`].
    pub(crate) is_watched: bool,
}

/// What the writer publishes after a commit, and where the account's last entry lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Figures {
    pub(crate) posted: Minor,
    pub(crate) held: Minor,
    pub(crate) credit_limit: Minor,
    pub(crate) status: Status,
    pub(crate) number: u64,
    /// The row id of entry `number`.
    pub(crate) row: i64,
    /// Before this instant none of its open holds is due: the second in which the first of them ends.
    pub(crate) no_end_before: Second,
    pub(crate) traits: Traits,
}

/// A second since 1970 UTC, which an instant of ledger time lies in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Second(u32);

impl Second {
    /// Later than any instant.
    pub(crate) const NEVER: Second = Second(u32::MAX);

    pub(crate) fn of(time: Time) -> Second {
        // A hold that ends beyond the year 2106 is looked at every time, which is only slower.
        Second(u32::try_from(time.micros().div_euclid(1_000_000).max(0)).unwrap_or(u32::MAX - 1))
    }
}

/// One account. A reader that sees the same even `version` before and after has seen figures of one commit.
struct Slot {
    id: u32,
    version: AtomicU32,
    no_end_before: AtomicU32,
    /// Status in bits 0 and 1, `shows_available` in 2, `metered` in 3, `is_watched` in 4, the currency from 8 on.
    flags: AtomicU32,
    posted: AtomicI64,
    held: AtomicI64,
    credit_limit: AtomicI64,
    number: AtomicU64,
    row: AtomicI64,
}

impl Accounts {
    pub(crate) fn with_room(len: usize) -> Accounts {
        Accounts { slots: boxcar::Vec::new(), by_id: Index::with_room(len), currencies: boxcar::Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.count()
    }

    pub(crate) fn slot_of(&self, id: AccountId) -> Option<u32> {
        self.by_id.find(id.get(), |slot| self.slot(slot).id == id.get())
    }

    pub(crate) fn id_of(&self, slot: u32) -> AccountId {
        AccountId::new(self.slot(slot).id).expect("slots are made from account ids")
    }

    /// Adds an account that is not there yet; its slot is the number of accounts before it.
    pub(crate) fn add(&self, id: AccountId, figures: &Figures) -> u32 {
        let slot = to_slot(self.slots.push(Slot {
            id: id.get(),
            version: AtomicU32::new(0),
            no_end_before: AtomicU32::new(figures.no_end_before.0),
            flags: AtomicU32::new(flags(figures)),
            posted: AtomicI64::new(figures.posted.units()),
            held: AtomicI64::new(figures.held.units()),
            credit_limit: AtomicI64::new(figures.credit_limit.units()),
            number: AtomicU64::new(figures.number),
            row: AtomicI64::new(figures.row),
        }));
        self.by_id.add(id.get(), slot, |slot| self.slot(slot).id);
        slot
    }

    /// Replaces what readers see of a slot. Only the writer calls this, after the commit.
    pub(crate) fn publish(&self, slot: u32, figures: &Figures) {
        let slot = self.slot(slot);
        let version = slot.version.load(Ordering::Relaxed);
        slot.version.store(version.wrapping_add(1), Ordering::Relaxed);
        // No figure below may become visible before the odd version, nor the even one before the figures.
        fence(Ordering::Release);
        slot.flags.store(flags(figures), Ordering::Relaxed);
        slot.no_end_before.store(figures.no_end_before.0, Ordering::Relaxed);
        slot.posted.store(figures.posted.units(), Ordering::Relaxed);
        slot.held.store(figures.held.units(), Ordering::Relaxed);
        slot.credit_limit.store(figures.credit_limit.units(), Ordering::Relaxed);
        slot.number.store(figures.number, Ordering::Relaxed);
        slot.row.store(figures.row, Ordering::Relaxed);
        slot.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// Has the processor fetch a slot that will probably be read next, if there is one of that number.
    pub(crate) fn approach(&self, slot: u32) {
        std::hint::black_box(self.slots.get(to_index(slot)).map(|slot| slot.version.load(Ordering::Relaxed)));
    }

    /// The figures of a slot, all of one commit.
    pub(crate) fn figures(&self, slot: u32) -> Figures {
        let slot = self.slot(slot);
        loop {
            let version = slot.version.load(Ordering::Acquire);
            let flags = slot.flags.load(Ordering::Relaxed);
            let no_end_before = slot.no_end_before.load(Ordering::Relaxed);
            let posted = slot.posted.load(Ordering::Relaxed);
            let held = slot.held.load(Ordering::Relaxed);
            let credit_limit = slot.credit_limit.load(Ordering::Relaxed);
            let number = slot.number.load(Ordering::Relaxed);
            let row = slot.row.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && slot.version.load(Ordering::Relaxed) == version {
                let figure = |units| Minor::new(units).expect("only figures are published");
                return Figures {
                    posted: figure(posted),
                    held: figure(held),
                    credit_limit: figure(credit_limit),
                    status: status(flags),
                    number,
                    row,
                    no_end_before: Second(no_end_before),
                    traits: traits(flags),
                };
            }
            std::hint::spin_loop();
        }
    }

    /// The figures of a slot at the instant `now`: holds that have ended by then do not count, whether or not that is
    /// written yet (law 4).
    pub(crate) fn now(&self, slot: u32, holds: &Mutex<Holds>, now: Time) -> AccountNow {
        let figures = self.figures(slot);
        if Second::of(now) < figures.no_end_before {
            return self.shown(slot, &figures, figures.held);
        }
        // What readers see of holds changes under this lock only, so that both are of one commit.
        let holds = holds.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = self.figures(slot);
        let live = figures.held.minus(holds.due_by(slot, now)).expect("what is held includes every open hold");
        self.shown(slot, &figures, live)
    }

    fn shown(&self, slot: u32, figures: &Figures, held: Minor) -> AccountNow {
        AccountNow {
            id: self.id_of(slot),
            currency: self.currency(figures.traits.currency),
            posted: figures.posted,
            held,
            credit_limit: figures.credit_limit,
            status: figures.status,
            number: figures.number,
            shows_available: figures.traits.shows_available,
            metered: figures.traits.metered,
        }
    }

    /// The slots whose accounts have a metric of their own; a scan of all, for once in a scrape.
    pub(crate) fn metered(&self) -> impl Iterator<Item = u32> {
        let metered = |slot: &Slot| traits(slot.flags.load(Ordering::Relaxed)).metered;
        self.slots.iter().filter(move |(_, slot)| metered(slot)).map(|(slot, _)| to_slot(slot))
    }

    /// Currencies are kept in the order of their ids, which count from 0.
    pub(crate) fn add_currency(&self, currency: Currency) {
        self.currencies.push(currency);
    }

    pub(crate) fn currency(&self, id: u8) -> Currency {
        *self.currencies.get(usize::from(id)).expect("an account's currency is loaded before the account")
    }

    pub(crate) fn all_currencies(&self) -> Vec<Currency> {
        self.currencies.iter().map(|(_, currency)| *currency).collect()
    }

    /// The numbers of all accounts, in the order in which they came in.
    pub(crate) fn ids(&self) -> impl Iterator<Item = AccountId> {
        self.slots.iter().map(|(_, slot)| AccountId::new(slot.id).expect("slots are made from account ids"))
    }

    pub(crate) fn currency_by_code(&self, code: &str) -> Option<(u8, Currency)> {
        let (id, currency) = self.currencies.iter().find(|(_, currency)| currency.code() == code)?;
        Some((u8::try_from(id).expect("the schema bounds currency ids"), *currency))
    }

    fn slot(&self, slot: u32) -> &Slot {
        self.slots.get(to_index(slot)).expect("slot numbers come from this vector")
    }
}

fn flags(figures: &Figures) -> u32 {
    let traits = figures.traits;
    u32::from(figures.status.code())
        | u32::from(traits.shows_available) << 2
        | u32::from(traits.metered) << 3
        | u32::from(traits.is_watched) << 4
        | u32::from(traits.currency) << 8
}

fn traits(flags: u32) -> Traits {
    let [_, currency, ..] = flags.to_le_bytes();
    let (shows_available, metered, is_watched) = (flags & 4 != 0, flags & 8 != 0, flags & 16 != 0);
    Traits { currency, shows_available, metered, is_watched }
}

fn status(flags: u32) -> Status {
    let [low, ..] = flags.to_le_bytes();
    Status::from_code(low & 3).expect("flags are made from a status")
}

pub(crate) fn to_slot(index: usize) -> u32 {
    u32::try_from(index).expect("account numbers end at 2147483647")
}

pub(crate) fn to_index(slot: u32) -> usize {
    usize::try_from(slot).expect("a 64-bit machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(n: i64) -> Figures {
        let figure = Minor::new(n).expect("a small figure");
        let traits = Traits { currency: 0, shows_available: false, metered: false, is_watched: n % 2 == 0 };
        let number = n.unsigned_abs();
        let no_end_before = Second(u32::try_from(n).expect("a small number"));
        let status = Status::Active;
        Figures { posted: figure, held: figure, credit_limit: figure, status, number, row: n, no_end_before, traits }
    }

    #[test]
    fn a_reader_sees_figures_of_one_commit_only() {
        let accounts = Accounts::with_room(1);
        let slot = accounts.add(AccountId::new(7).expect("an id"), &figures(0));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                loop {
                    let seen = accounts.figures(slot);
                    assert_eq!(seen, figures(seen.row));
                    if seen.row == 200_000 {
                        return;
                    }
                }
            });
            (1..=200_000).for_each(|n| accounts.publish(slot, &figures(n)));
            reader.join().expect("the reader found every state whole");
        });
    }
}
