//! Accounts that are watched: what they used within a day and, where they have rules, which levels are reached.
//!
//! Beside the accounts, since only those that somebody asked to watch may cost anything: some 570 bytes each. The writer
//! changes it together with their figures; usage is derived from entries and follows behind with the account's row, what
//! rules have reached is written in the commit itself (see `alerts`).

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use ledger::{Entry, Kind, Minor, Reached, Rules, Time, Usage};

use crate::load;

/// One watched account.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Down to which figure spending reaches no level; none where that is not known, or one is reached.
    pub(crate) calm_down_to: Option<Minor>,
    pub(crate) ruled: Option<Box<Ruled>>,
    pub(crate) usage: Usage,
}

/// A watched account in a commit that only spends, and reaches nothing: what most of them are. The watch itself is not
/// copied, and is changed in its place when the commit is published.
#[derive(Debug)]
pub(crate) struct Calm {
    /// Where the watch lies, until a commit is published.
    place: u32,
    /// See [`Watch::calm_down_to`].
    down_to: Option<Minor>,
    spent: Option<Spent>,
}

/// What the entries of a commit used, all within one hour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    number: u64,
    at: Time,
    used: i64,
}

impl Calm {
    /// Takes an entry in after which so much is `available`; false where it has to be looked at closely.
    pub(crate) fn takes(&mut self, entry: &Entry, available: Minor) -> bool {
        let spends = match entry.kind {
            Kind::Charge | Kind::Hold => true,
            Kind::Transfer => entry.amount < Minor::ZERO,
            Kind::Open
            | Kind::Limit
            | Kind::Status
            | Kind::Topup
            | Kind::Extend
            | Kind::Capture
            | Kind::Void
            | Kind::Expire
            | Kind::Refund
            | Kind::Adjust => false,
        };
        let is_calm = spends && self.down_to.is_some_and(|floor| available >= floor);
        let before = match self.spent {
            Some(spent) if Usage::is_one_hour(spent.at, entry.at) => spent.used,
            Some(_) => return false,
            None => 0,
        };
        if is_calm {
            let used = before.saturating_add(Usage::of(entry));
            self.spent = Some(Spent { number: entry.number, at: entry.at, used });
        }
        is_calm
    }
}

/// What its people want to hear, and what they have heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ruled {
    pub(crate) rules: Rules,
    pub(crate) reached: Reached,
    /// Since when any level is reached.
    pub(crate) low_since: Option<Time>,
    pub(crate) remind_at: Option<Time>,
    pub(crate) refused: Option<Series>,
}

/// Charges that were refused since money came in last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Series {
    pub(crate) since: Time,
    /// What the first of them asked for.
    pub(crate) amount: Minor,
    pub(crate) count: u64,
}

/// What each charge of a watched account looks at and changes. These lie close together, so that of a hundred thousand watched
/// accounts they are in the processor's cache, which their hours never are.
#[derive(Debug)]
struct Near {
    slot: u32,
    /// See [`Watch::calm_down_to`].
    down_to: Option<Minor>,
    /// Spent since somebody looked at the watch itself, all within one hour.
    spent: Option<Spent>,
}

/// Every watched account, as of the last published commit.
#[derive(Default)]
pub(crate) struct Watches {
    /// By slot, the place in the lists below: a look costs one miss of the cache where a hash map's costs two.
    places: Vec<Option<NonZeroU32>>,
    near: Vec<Near>,
    /// Without what is spent [near](Near::spent).
    all: Vec<Watch>,
    /// By when it is due.
    reminders: BTreeSet<(Time, u32)>,
}

impl Watches {
    pub(crate) fn get(&mut self, slot: u32) -> Option<&mut Watch> {
        self.place(slot).map(|place| self.at(load::index(place)))
    }

    /// A watch with all that was spent.
    fn at(&mut self, place: usize) -> &mut Watch {
        let watch = &mut self.all[place];
        if let Some(spent) = self.near[place].spent.take() {
            watch.spend(spent);
        }
        watch
    }

    fn place(&self, slot: u32) -> Option<u32> {
        self.places.get(load::index(slot)).copied().flatten().map(|one_more| one_more.get() - 1)
    }

    fn set_place(&mut self, slot: u32, place: Option<usize>) {
        let slot = load::index(slot);
        if self.places.len() <= slot {
            self.places.resize(slot + 1, None);
        }
        let one_more =
            |place: usize| u32::try_from(place + 1).expect("no more are watched than there are account numbers");
        self.places[slot] = place.map(one_more).and_then(NonZeroU32::new);
    }

    /// A watched account, as a commit begins with it.
    pub(crate) fn calm(&self, slot: u32) -> Option<Calm> {
        let place = self.place(slot)?;
        Some(Calm { place, down_to: self.near[load::index(place)].down_to, spent: None })
    }

    /// The same whole, with what the commit has spent so far.
    pub(crate) fn whole(&mut self, slot: u32, calm: &Calm) -> Option<Box<Watch>> {
        let mut watch = Box::new(self.get(slot)?.clone());
        calm.spent.into_iter().for_each(|spent| watch.spend(spent));
        Some(watch)
    }

    /// Takes in what a commit has spent.
    pub(crate) fn spend(&mut self, slot: u32, calm: &Calm) {
        // Another watch may have been taken out since, and the last one put where it was.
        let is_there = self.near.get(load::index(calm.place)).is_some_and(|near| near.slot == slot);
        let place = if is_there { Some(calm.place) } else { self.place(slot) };
        let (Some(place), Some(spent)) = (place.map(load::index), calm.spent) else { return };
        match &mut self.near[place].spent {
            Some(before) if Usage::is_one_hour(before.at, spent.at) => {
                *before = Spent { used: before.used.saturating_add(spent.used), ..spent };
            }
            before => {
                if let Some(before) = before.replace(spent) {
                    self.all[place].spend(before);
                }
            }
        }
    }

    /// Puts a watch in as it is now, or takes it out.
    pub(crate) fn set(&mut self, slot: u32, watch: Option<Watch>) {
        let place = self.place(slot).map(load::index);
        let remind_at = |watch: &Watch| watch.ruled.as_ref().and_then(|ruled| ruled.remind_at);
        let before = place.and_then(|place| remind_at(&self.all[place]));
        let after = watch.as_ref().and_then(remind_at);
        if before != after {
            before.map(|at| self.reminders.remove(&(at, slot)));
            after.map(|at| self.reminders.insert((at, slot)));
        }
        match (watch, place) {
            (Some(watch), Some(place)) => {
                self.near[place] = Near { slot, down_to: watch.calm_down_to, spent: None };
                self.all[place] = watch;
            }
            (Some(watch), None) => {
                self.set_place(slot, Some(self.all.len()));
                self.near.push(Near { slot, down_to: watch.calm_down_to, spent: None });
                self.all.push(watch);
            }
            (None, Some(place)) => {
                self.set_place(slot, None);
                self.near.swap_remove(place);
                self.all.swap_remove(place);
                if let Some(moved) = self.near.get(place) {
                    self.set_place(moved.slot, Some(place));
                }
            }
            (None, None) => (),
        }
    }

    /// The slots whose people are to be reminded by `now`, those that wait longest first.
    pub(crate) fn due(&self, now: Time, len_max: usize) -> Vec<u32> {
        self.reminders.range(..=(now, u32::MAX)).take(len_max).map(|&(_, slot)| slot).collect()
    }

    /// What some of the watched accounts used, from the place `from` on: for whoever looks at all of them, and must not keep
    /// the writer waiting for that.
    pub(crate) fn usages(&mut self, from: usize, len_max: usize) -> Vec<(u32, Usage)> {
        let places = from..self.all.len().min(from.saturating_add(len_max));
        places.map(|place| (self.near[place].slot, self.at(place).usage.clone())).collect()
    }
}

impl Watch {
    /// Of what nobody has held against its rules yet.
    pub(crate) fn new(usage: Usage, ruled: Option<Box<Ruled>>) -> Watch {
        Watch { calm_down_to: None, ruled, usage }
    }

    fn spend(&mut self, Spent { number, at, used }: Spent) {
        self.usage.add_use(number, at, used);
    }
}

/// The first byte of what is stored.
const FORMAT: u8 = 1;

/// What an account used, as its row keeps it: short, as it is written with every generation.
pub(crate) fn encode(usage: &Usage) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.push(FORMAT);
    put(&mut bytes, i64::try_from(usage.after).unwrap_or(i64::MAX));
    put(&mut bytes, i64::try_from(usage.number).unwrap_or(i64::MAX));
    put(&mut bytes, usage.since.micros());
    // No top-up is zero.
    put(&mut bytes, usage.last_topup.map_or(0, Minor::units));
    let newest = usage.hours().next().map_or(0, |(hour, _)| hour);
    put(&mut bytes, newest);
    for (hour, used) in usage.hours().filter(|(_, used)| *used != 0) {
        put(&mut bytes, newest - hour);
        put(&mut bytes, used);
    }
    bytes
}

/// The same, read again; `None` where it is no such thing.
pub(crate) fn decode(bytes: &[u8]) -> Option<Usage> {
    let (&FORMAT, mut bytes) = bytes.split_first()? else { return None };
    let number = |figure: i64| u64::try_from(figure).ok();
    let (after, upto) = (number(take(&mut bytes)?)?, number(take(&mut bytes)?)?);
    let mut usage = Usage::new(after, Time::from_micros(take(&mut bytes)?));
    usage.number = upto;
    usage.last_topup = match take(&mut bytes)? {
        0 => None,
        units => Some(Minor::new(units)?),
    };
    let newest = take(&mut bytes)?;
    let mut hours = Vec::new();
    while !bytes.is_empty() {
        let hour = newest.checked_sub(take(&mut bytes)?)?;
        hours.push((hour, take(&mut bytes)?));
    }
    usage.with_hours(newest, hours)
}

/// Seven bits a byte, the least first; small figures either side of zero are short.
fn put(bytes: &mut Vec<u8>, figure: i64) {
    let mut rest = (figure.max(-i64::MAX).unsigned_abs() << 1) | u64::from(figure < 0);
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return bytes.push(low & 0x7f);
        }
        bytes.push(low | 0x80);
    }
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut figure = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        figure |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            let magnitude = i64::try_from(figure >> 1).ok()?;
            return Some(if figure & 1 == 0 { magnitude } else { -magnitude });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(hours: &[(i64, i64)], last_topup: Option<i64>) -> Usage {
        let last_topup = last_topup.map(|units| Minor::new(units).expect("a figure"));
        let mut usage = Usage::new(3, Time::from_micros(1_793_491_200_123_456));
        (usage.number, usage.last_topup) = (7, last_topup);
        usage.with_hours(498_200, hours.iter().copied()).expect("hours of a day")
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let most = i64::MAX / 4;
        for usage in [
            usage(&[], None),
            usage(&[(498_200, 1), (498_176, -3), (498_190, 350_000)], Some(5)),
            usage(&[(498_200, most * 4), (498_199, -most * 4)], Some(-most)),
        ] {
            let bytes = encode(&usage);
            assert_eq!(decode(&bytes), Some(usage));
            assert!(
                (1..bytes.len())
                    .all(|len| decode(&bytes[..len]).is_none_or(|cut| cut != decode(&bytes).expect("whole")))
            );
        }
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[2, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode(&[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]), None);
    }

    #[test]
    fn watches_come_go_and_are_found() {
        let watch = |number: u64, remind_at: Option<i64>| {
            let ruled = Ruled {
                rules: Rules::default(),
                reached: Reached::default(),
                low_since: None,
                remind_at: remind_at.map(Time::from_micros),
                refused: None,
            };
            Some(Watch::new(Usage::new(number, Time::default()), Some(Box::new(ruled))))
        };
        let mut watches = Watches::default();
        (0..100).for_each(|slot| watches.set(slot, watch(u64::from(slot), Some(i64::from(slot % 10)))));
        (0..100).filter(|slot| slot % 3 == 0).for_each(|slot| watches.set(slot, None));
        watches.set(1, watch(1_001, None));
        for slot in 0..100 {
            let number = watches.get(slot).map(|watch| watch.usage.number);
            let expected = if slot == 1 { 1_001 } else { u64::from(slot) };
            assert_eq!(number, (slot % 3 != 0).then_some(expected));
        }
        assert_eq!(watches.due(Time::from_micros(1), 4), [10, 20, 40, 50]);
        assert_eq!(watches.due(Time::from_micros(-1), 4), [0; 0]);
        assert_eq!(watches.usages(0, 1_000).len(), 66);
        assert_eq!(
            (watches.usages(60, 1_000).len(), watches.usages(66, 9).len(), watches.usages(0, 2).len()),
            (6, 0, 2)
        );
    }
}
