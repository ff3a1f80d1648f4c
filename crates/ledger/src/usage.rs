//! What an account used within the last day, and how long what it has lasts at that rate.
//!
//! Used is what was charged, captured and transferred out, less what was refunded; a hold is not used before it is
//! captured, and what comes in (top-ups, transfers in, corrections) does not count against it. It is kept hour by hour, so
//! that it is known at any time without a look at the entries. Of the hour in which the day before began only a part
//! counts, as large as its part of the hour: what the figure is off by is at most how unevenly that one hour was used.

use crate::{Entry, Kind, Minor, Time};

const HOUR_US: i64 = 3_600_000_000;

/// The hours that a day touches: the one that goes on, the 23 before it, and the one in which it began.
const HOURS: usize = 25;

/// What was used, hour by hour, up to one entry; see the file's head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usage {
    /// It includes the entries after this one,
    pub after: u64,
    /// up to this one.
    pub number: u64,
    /// From this instant on nothing is missing.
    pub since: Time,
    /// Hours since 1970 of the newest hour.
    hour: i64,
    /// The last money that came in by top-up or transfer, if it is known.
    pub last_topup: Option<Minor>,
    /// In minor units, by the hour's remainder by [`HOURS`]; below zero where more was refunded than used.
    used: [i64; HOURS],
}

/// How long what an account may spend lasts, if it goes on as within the last day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Runway {
    /// Where the time begins that the estimate is made from: a day ago, or later where no more is known.
    pub since: Time,
    /// What was used since then.
    pub used: Minor,
    /// Seconds until nothing is left; none where nothing was used.
    pub left_s: Option<i64>,
}

impl Usage {
    /// How long must have been watched before anything can be said, in microseconds.
    const LEAST_US: i64 = HOUR_US;

    /// The day that an estimate looks back on, in microseconds.
    pub const DAY_US: i64 = 24 * HOUR_US;

    /// Nothing used since `since`, when entry `after` was the last.
    pub fn new(after: u64, since: Time) -> Usage {
        Usage { after, number: after, since, last_topup: None, hour: hour(since), used: [0; HOURS] }
    }

    /// What was used by hour, newest first, in minor units: each with its hour since 1970. For whoever stores it.
    pub fn hours(&self) -> impl Iterator<Item = (i64, i64)> {
        let (newest, oldest) = self.used.split_at(place(self.hour).saturating_add(1).min(HOURS));
        let hours = (0_i64..).map(|age| self.hour.saturating_sub(age));
        hours.zip(newest.iter().rev().chain(oldest.iter().rev()).copied())
    }

    /// The same with the hours that were stored, up to `newest`: those of [`Usage::hours`], without those that are zero if one
    /// likes. `None` where they are not of one day.
    pub fn with_hours(mut self, newest: i64, hours: impl IntoIterator<Item = (i64, i64)>) -> Option<Usage> {
        self.hour = newest;
        self.used = [0; HOURS];
        for (hour, used) in hours {
            let age = newest.checked_sub(hour).and_then(|age| usize::try_from(age).ok())?;
            *self.used.get_mut(place(hour)).filter(|_| age < HOURS)? = used;
        }
        Some(self)
    }

    /// Adds the account's next entry.
    pub fn add(&mut self, entry: &Entry) {
        self.add_use(entry.number, entry.at, Usage::of(entry));
        if brings_in(entry) {
            self.last_topup = Some(entry.amount);
        }
    }

    /// Adds what the account's next entries used, up to `number`, none of which brought money in; all are of the hour of `at`.
    pub fn add_use(&mut self, number: u64, at: Time, used: i64) {
        self.number = number;
        let at = hour(at);
        if at > self.hour {
            let passed = at.saturating_sub(self.hour);
            let first = if usize::try_from(passed).is_ok_and(|passed| passed < HOURS) {
                self.hour.saturating_add(1)
            } else {
                self.used = [0; HOURS];
                at
            };
            (first..=at).for_each(|hour| self.set(hour, |_| 0));
            self.hour = at;
        }
        if used != 0 {
            // Times do not decrease within an account, so that this is the newest hour.
            self.set(self.hour, |before| before.saturating_add(used));
        }
    }

    /// What an entry uses, in minor units; less than zero where it gives back.
    pub fn of(entry: &Entry) -> i64 {
        let amount = entry.amount.units();
        match entry.kind {
            Kind::Charge | Kind::Capture => amount,
            Kind::Refund => amount.saturating_neg(),
            Kind::Transfer => amount.saturating_neg().max(0),
            Kind::Open
            | Kind::Limit
            | Kind::Status
            | Kind::Topup
            | Kind::Hold
            | Kind::Extend
            | Kind::Void
            | Kind::Expire
            | Kind::Adjust => 0,
        }
    }

    /// Whether two instants lie in one hour.
    pub fn is_one_hour(one: Time, other: Time) -> bool {
        hour(one) == hour(other)
    }

    /// At least what was used within the day before any later instant, if nothing more is used: what was given back leaves
    /// the day too.
    pub(crate) fn most(&self) -> i64 {
        self.used.iter().fold(0, |sum: i64, used| sum.saturating_add((*used).max(0)))
    }

    /// The time over which the rate is measured at `now` and later, in microseconds, at least.
    pub(crate) fn least_window_us(&self, now: Time) -> i64 {
        now.micros().saturating_sub(self.since.micros()).clamp(Usage::LEAST_US, Usage::DAY_US)
    }

    /// What was used within the day before `now`, or since [`Usage::since`] where that is later; `None` before an hour of it
    /// is known.
    pub fn within_a_day(&self, now: Time) -> Option<(Time, Minor)> {
        let a_day_ago = Time::from_micros(now.micros().saturating_sub(Usage::DAY_US));
        let since = self.since.max(a_day_ago);
        if now.micros().saturating_sub(since.micros()) < Usage::LEAST_US {
            return None;
        }
        let counted = self.hours().fold(0_i64, |sum, (hour, used)| {
            let start = hour.saturating_mul(HOUR_US);
            let missing = since.micros().saturating_sub(start).clamp(0, HOUR_US);
            // An hour that was watched from within holds nothing of before.
            let part = if since > a_day_ago && missing < HOUR_US { HOUR_US } else { HOUR_US.saturating_sub(missing) };
            sum.saturating_add(if part == HOUR_US { used } else { part_of(used, part, HOUR_US) })
        });
        Some((since, Minor::new(counted.max(0)).unwrap_or_default()))
    }

    /// How long `available` lasts from `now` on; `None` where too little is known.
    pub fn runway(&self, available: Minor, now: Time) -> Option<Runway> {
        let (since, used) = self.within_a_day(now)?;
        let watched_s = now.micros().saturating_sub(since.micros()) / 1_000_000;
        let left = available.units().max(0);
        let left_s = (used > Minor::ZERO).then(|| part_of(left, watched_s, used.units()));
        Some(Runway { since, used, left_s })
    }

    fn set(&mut self, hour: i64, change: impl Fn(i64) -> i64) {
        if let Some(used) = self.used.get_mut(place(hour)) {
            *used = change(*used);
        }
    }
}

/// Whether an entry is money that comes in, which per cents are taken of.
pub(crate) fn brings_in(entry: &Entry) -> bool {
    entry.kind == Kind::Topup || (entry.kind == Kind::Transfer && entry.amount > Minor::ZERO)
}

/// `figure` × `part` / `whole`, rounded down; `whole` is greater than zero.
fn part_of(figure: i64, part: i64, whole: i64) -> i64 {
    let exact = i128::from(figure).saturating_mul(i128::from(part)).checked_div_euclid(i128::from(whole)).unwrap_or(0);
    i64::try_from(exact).unwrap_or(i64::MAX)
}

fn hour(at: Time) -> i64 {
    at.micros().div_euclid(HOUR_US)
}

fn place(hour: i64) -> usize {
    const LEN: i64 = 25;
    usize::try_from(hour.rem_euclid(LEN)).unwrap_or(0)
}
