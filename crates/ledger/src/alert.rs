//! When an account's own people want to hear of it: levels that its credit falls to, and things that happen to it.
//!
//! A level is reached once and stays so until what is available has risen above it by a margin: one alert a crossing, however
//! often the figure moves around it. Zero is a level like any other. What is decided here has to become durable together
//! with the entry that it was decided on; who hears of it, and how, is not known here.

use std::cmp::Ordering;

use crate::usage::brings_in;
use crate::{Entry, Kind, Minor, Status, Time, Usage};

/// What may fall so low that somebody wants to hear of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Less than that much is available; zero or more.
    Money(Minor),
    /// What is available lasts for less than that many hours at the rate of the last day (see [`Usage`]).
    Hours(u32),
    /// Less than that part of the last top-up, in per cent, is available.
    Percent(u32),
}

/// Which levels are reached and not yet risen above again: bit n is the level n of the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reached(u8);

/// What an account's people want to hear.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// At most [`Rules::LEVELS_MAX`].
    pub levels: Box<[Level]>,
    /// How far above a level the figure must rise before it can be reached again, in per cent of the level.
    pub margin_percent: u32,
    /// After how many hours they are told again, as long as a level is reached.
    pub remind_hours: Option<u32>,
    /// What else they want to hear of.
    pub events: Events,
}

/// The figures that levels are compared with, right after an entry.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What may be spent, credit included.
    pub available: Minor,
    /// What was used, that entry included.
    pub usage: &'a Usage,
    /// The instant.
    pub now: Time,
}

impl Rules {
    /// The most levels that an account has.
    pub const LEVELS_MAX: usize = 8;

    /// Which levels are reached at `standing`, where `before` were before.
    pub fn reached(&self, before: Reached, standing: &Standing<'_>) -> Reached {
        // Added up once, and only where somebody asks how long it lasts.
        let is_asked = self.levels.iter().any(|level| matches!(level, Level::Hours(_)));
        let used = if is_asked { standing.usage.within_a_day(standing.now) } else { None };
        let mut after = Reached::default();
        for (n, level) in self.levels.iter().enumerate() {
            let stays = before.has(n) && !level.is_left(self.margin_percent, standing, used);
            if stays || level.is_reached(standing, used) {
                after.set(n);
            }
        }
        after
    }

    /// Down to which figure may be spent from `standing` on, by charges, holds and transfers out alone, before a level can be
    /// reached, however much time passes; `None` where one is reached already.
    ///
    /// So hardly any charge has to be held against the levels.
    pub fn calm_down_to(&self, reached: Reached, standing: &Standing<'_>) -> Option<Minor> {
        if !reached.is_empty() {
            return None;
        }
        let floors = self.levels.iter().map(|level| level.floor(standing));
        let floor = floors.max().unwrap_or(i128::from(i64::MIN));
        // A floor above every figure is one that nothing stays above.
        Some(i64::try_from(floor).ok().and_then(Minor::new).unwrap_or(if floor > 0 {
            Minor::GREATEST
        } else {
            Minor::LEAST
        }))
    }
}

impl Level {
    /// See [`Rules::calm_down_to`].
    fn floor(self, standing: &Standing<'_>) -> i128 {
        let available = i128::from(standing.available.units());
        let floor = match self {
            Level::Money(level) => i128::from(level.units()),
            // Where no top-up is known, spending does not make one known.
            Level::Percent(level) => {
                let last = standing.usage.last_topup.map_or(0, Minor::units);
                let part = i128::from(last).saturating_mul(i128::from(level)).saturating_add(99);
                part.checked_div_euclid(100).unwrap_or(i128::MAX)
            }
            // So much can go that what is left lasts as long: (available − x) × window = hours × (used + x). The window only
            // grows, and what was used before only leaves it.
            Level::Hours(level) => {
                let window = i128::from(standing.usage.least_window_us(standing.now));
                let hours = i128::from(level).saturating_mul(HOUR_US);
                let used = i128::from(standing.usage.most());
                let spare = available.saturating_mul(window).saturating_sub(hours.saturating_mul(used));
                let go = spare.checked_div_euclid(window.saturating_add(hours)).unwrap_or(0);
                available.saturating_sub(go)
            }
        };
        // Nothing left reaches every level.
        floor.max(1)
    }

    /// Whether the figure is below it. Nothing is below every level, zero too: it is a balance like any other.
    fn is_reached(self, standing: &Standing<'_>, used: Option<(Time, Minor)>) -> bool {
        match self.compared(100, standing, used) {
            Some(figure) => figure == Ordering::Less || standing.available <= Minor::ZERO,
            None => false,
        }
    }

    /// Whether the figure is above it by the margin; one that is not known is not.
    fn is_left(self, margin_percent: u32, standing: &Standing<'_>, used: Option<(Time, Minor)>) -> bool {
        let figure = self.compared(margin_percent.saturating_add(100), standing, used);
        figure == Some(Ordering::Greater) && standing.available > Minor::ZERO
    }

    /// The figure beside `percent` per cent of this level; `None` where the figure is not known. Both sides are multiplied
    /// out, so that nothing is rounded.
    fn compared(self, percent: u32, standing: &Standing<'_>, used: Option<(Time, Minor)>) -> Option<Ordering> {
        let units = |figure: Minor| i128::from(figure.units());
        let times = |figure: i128, factor: u32| figure.saturating_mul(i128::from(factor));
        let available = units(standing.available);
        Some(match self {
            Level::Money(level) => times(available, 100).cmp(&times(units(level), percent)),
            Level::Percent(level) => {
                let last = units(standing.usage.last_topup?);
                times(times(available, 100), 100).cmp(&times(times(last, level), percent))
            }
            Level::Hours(_) if available <= 0 => Ordering::Less,
            Level::Hours(level) => {
                let (since, used) = used?;
                let watched = i128::from(standing.now.micros().saturating_sub(since.micros()));
                // Where nothing was used this is zero, and whatever is left lasts longer.
                let hours = times(times(units(used), level), percent).saturating_mul(HOUR_US);
                times(available.saturating_mul(watched), 100).cmp(&hours)
            }
        })
    }
}

const HOUR_US: i128 = 3_600_000_000;

impl Reached {
    /// Whether level `n` is.
    pub fn has(self, n: usize) -> bool {
        self.0 & bit(n) != 0
    }

    /// Notes that level `n` is.
    pub fn set(&mut self, n: usize) {
        self.0 |= bit(n);
    }

    /// Those that are reached here and were not `before`, in their order.
    pub fn since(self, before: Reached) -> impl Iterator<Item = usize> {
        (0..Rules::LEVELS_MAX).filter(move |&n| self.has(n) && !before.has(n))
    }

    /// Whether none is.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As it is stored.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// As it was stored.
    pub fn from_bits(bits: u8) -> Reached {
        Reached(bits)
    }
}

/// Beyond the eighth there is no level, and no bit.
fn bit(n: usize) -> u8 {
    u32::try_from(n).ok().and_then(|n| 1_u8.checked_shl(n)).unwrap_or(0)
}

/// What happens to an account besides its figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A charge, hold or transfer was refused for want of credit: the first since money came in last.
    ChargeRefused,
    /// A hold ended by itself.
    HoldExpired,
    /// The account was locked.
    AccountLocked,
    /// A key pair was issued or imported.
    KeyIssued,
    /// A key pair was revoked.
    KeyRevoked,
    /// An operator corrected the balance.
    AdjustmentMade,
    /// Every level that was reached has been left.
    Recovered,
}

impl Event {
    /// All of them, in the order of their bits.
    pub const ALL: [Event; 7] = [
        Event::ChargeRefused,
        Event::HoldExpired,
        Event::AccountLocked,
        Event::KeyIssued,
        Event::KeyRevoked,
        Event::AdjustmentMade,
        Event::Recovered,
    ];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Event::ChargeRefused => "charge.refused",
            Event::HoldExpired => "hold.expired",
            Event::AccountLocked => "account.locked",
            Event::KeyIssued => "key.issued",
            Event::KeyRevoked => "key.revoked",
            Event::AdjustmentMade => "balance.adjusted",
            Event::Recovered => "balance.recovered",
        }
    }

    /// The event of that name.
    pub fn parse(name: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name() == name)
    }

    /// What an entry is, if it is one of them.
    pub fn of(entry: &Entry) -> Option<Event> {
        match entry.kind {
            Kind::Expire => Some(Event::HoldExpired),
            Kind::Adjust => Some(Event::AdjustmentMade),
            Kind::Status => (entry.status == Status::Locked).then_some(Event::AccountLocked),
            Kind::Open
            | Kind::Limit
            | Kind::Topup
            | Kind::Charge
            | Kind::Hold
            | Kind::Extend
            | Kind::Capture
            | Kind::Void
            | Kind::Refund
            | Kind::Transfer => None,
        }
    }
}

/// Some events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events(u8);

impl Events {
    /// Whether `event` is among them.
    pub fn has(self, event: Event) -> bool {
        Event::ALL.iter().position(|known| *known == event).is_some_and(|n| self.0 & bit(n) != 0)
    }

    /// Those that are in, in their order.
    pub fn iter(self) -> impl Iterator<Item = Event> {
        Event::ALL.into_iter().filter(move |event| self.has(*event))
    }

    /// As it is stored.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// As it was stored; `None` where a bit is set that no event has.
    pub fn from_bits(bits: u8) -> Option<Events> {
        let all: Events = Event::ALL.into_iter().collect();
        (bits & !all.0 == 0).then_some(Events(bits))
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Events {
        let place = |event: Event| Event::ALL.iter().position(|known| *known == event);
        Events(events.into_iter().filter_map(place).fold(0, |bits, n| bits | bit(n)))
    }
}

/// Whether an entry ends a series of refused charges: money has come in, or the limit allows more than `before` was
/// available. What a refund or an ended hold gives back does not, or a customer at zero would be told after each message that
/// failed.
pub fn ends_refusals(entry: &Entry, before: Minor) -> bool {
    let available = entry.posted_after.minus(entry.held_after).and_then(|own| own.plus(entry.credit_limit));
    let is_more = available.is_some_and(|available| available > before);
    is_more && (brings_in(entry) || entry.kind == Kind::Adjust || entry.kind == Kind::Limit)
}
