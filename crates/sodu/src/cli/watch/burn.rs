//! How fast credit is used, and for how many hours it lasts: arithmetic over good polls, in exact integers.
//!
//! What was used is the sum of all decreases between one good poll and the next. An increase is a top-up and takes nothing
//! away from it; what was used between the same two polls stays unseen. Where polls failed, the decrease from the last good one
//! before to the first good one after counts, spread evenly over the time between. Only the last 24 hours up to the newest
//! good poll count, and nothing is said before they hold an hour. No clock is read here.

use jiff::Timestamp;
use sodu_client::Decimal;

/// How the figures are made, for `--json`; help and `docs/watch.md` say the same at length.
pub(super) const METHOD: &str = "decreases between good polls over the last 24 hours, divided by the hours covered";

/// How far back use counts.
const WINDOW_MS: i64 = 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i128 = 60_000;
/// Decimals of a figure per hour, where the balances have none.
const SCALE_MIN: u32 = 2;

/// A balance that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// What was left.
    pub balance: Decimal,
}

/// How fast credit is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burn {
    /// What an hour takes, rounded to two decimals where the balances have fewer.
    pub per_hour: Decimal,
    /// What was used over the time covered.
    pub used: Decimal,
    /// The time covered, in milliseconds: an hour to 24.
    pub covered_ms: i64,
}

/// How long a balance lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// Too little is known.
    Unknown,
    /// Nothing was used, so no end can be seen.
    Endless,
    /// So many minutes at the speed of the last 24 hours; nothing from zero downwards.
    Minutes(i64),
}

impl Burn {
    /// The burn over `samples`, which are in the order of time; `None` before they cover an hour.
    pub fn over(samples: &[Sample]) -> Option<Burn> {
        let last = samples.last()?;
        let end = last.at.as_millisecond();
        let begin = samples[0].at.as_millisecond().max(end - WINDOW_MS);
        let covered_ms = end - begin;
        if covered_ms < HOUR_MS {
            return None;
        }
        // What lies before the window adds nothing; the search keeps a week of history cheap.
        let first = samples.partition_point(|sample| sample.at.as_millisecond() <= begin).saturating_sub(1);
        let window = &samples[first..];
        let scale = window.iter().map(|sample| sample.balance.scale()).max()?.max(SCALE_MIN);
        let mut used: i128 = 0;
        for pair in window.windows(2) {
            used = used.checked_add(used_within(&pair[0], &pair[1], begin, scale)?)?;
        }
        let per_hour = used.checked_mul(HOUR_MS.into())?.checked_add(i128::from(covered_ms) / 2)?;
        Some(Burn {
            per_hour: Decimal::of_units(per_hour / i128::from(covered_ms), scale)?,
            used: Decimal::of_units(used, scale)?,
            covered_ms,
        })
    }

    /// How long `balance` lasts at this speed.
    pub fn lasts(&self, balance: &Decimal) -> Left {
        if *balance <= Decimal::ZERO {
            return Left::Minutes(0);
        }
        if self.used == Decimal::ZERO {
            return Left::Endless;
        }
        let scale = balance.scale().max(self.used.scale());
        let minutes = || {
            let total = balance.to_units(scale)?.checked_mul(self.covered_ms.into())?;
            let speed = self.used.to_units(scale)?.checked_mul(MINUTE_MS)?;
            i64::try_from(total / speed).ok()
        };
        minutes().map_or(Left::Unknown, Left::Minutes)
    }
}

/// What went from `from` to `to`, as far as that time lies after `begin`, in units of 10^-`scale`.
fn used_within(from: &Sample, to: &Sample, begin: i64, scale: u32) -> Option<i128> {
    let went = from.balance.to_units(scale)?.checked_sub(to.balance.to_units(scale)?)?.max(0);
    let (start, end) = (from.at.as_millisecond(), to.at.as_millisecond());
    let (whole, part) = (i128::from(end - start), i128::from(end - start.max(begin)));
    // Two polls of one millisecond: neither could have been the other's past.
    if whole <= 0 { Some(0) } else { Some(went.checked_mul(part)? / whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples as (minute, balance).
    fn samples(points: &[(i64, &str)]) -> Vec<Sample> {
        let sample = |(minute, balance): &(i64, &str)| Sample {
            at: Timestamp::from_second(1_785_308_400 + minute * 60).expect("an instant"),
            balance: balance.parse().expect("a decimal"),
        };
        points.iter().map(sample).collect()
    }

    #[track_caller]
    fn check(points: &[(i64, &str)], per_hour: &str, left: Left) {
        let samples = samples(points);
        let burn = Burn::over(&samples).expect("an hour of history");
        assert_eq!(burn.per_hour.to_string(), per_hour, "{burn:?}");
        assert_eq!(burn.lasts(&samples.last().expect("a sample").balance), left, "{burn:?}");
    }

    #[test]
    fn nothing_is_said_before_an_hour_is_known() {
        assert_eq!(Burn::over(&[]), None);
        assert_eq!(Burn::over(&samples(&[(0, "100")])), None);
        assert_eq!(Burn::over(&samples(&[(0, "100"), (30, "50"), (59, "0")])), None);
        check(&[(0, "100"), (60, "50")], "50", Left::Minutes(60));
    }

    #[test]
    fn decreases_count_and_top_ups_take_nothing_away() {
        check(&[(0, "1000"), (60, "900"), (61, "5900"), (120, "5800")], "100", Left::Minutes(58 * 60));
        check(&[(0, "10"), (120, "10")], "0", Left::Endless);
        check(&[(0, "10.5"), (90, "10.25")], "0.17", Left::Minutes(3690));
        check(&[(0, "10"), (120, "-10")], "10", Left::Minutes(0));
        check(&[(0, "0"), (120, "0")], "0", Left::Minutes(0));
        check(&[(0, "100"), (60, "80"), (60, "0"), (120, "0")], "10", Left::Minutes(0));
    }

    #[test]
    fn a_gap_is_spread_over_its_time() {
        // Nothing was read for 30 hours; 24 of them count.
        check(&[(0, "6000"), (1800, "3000")], "100", Left::Minutes(1800));
        // Of the 10 hours that the window cuts, 4 lie in it.
        check(&[(0, "9000"), (600, "8000"), (1800, "8000")], "16.67", Left::Minutes(28_800));
    }

    #[test]
    fn only_the_last_24_hours_count() {
        check(&[(0, "9000"), (60, "5000"), (1500, "2600")], "100", Left::Minutes(1560));
    }

    #[test]
    fn figures_beyond_all_money_say_nothing_rather_than_something_wrong() {
        let samples = samples(&[(0, "9e35"), (60, "8e35")]);
        assert_eq!(Burn::over(&samples), None);
    }

    /// What docs/watch.md says of a shop that burns 6,000 an hour from 8 to 20 o'clock, 1,200 by night, and a fifth of both at
    /// weekends.
    #[test]
    fn a_day_unlike_the_one_before_misleads_by_so_much() {
        let used = |hour: i64| {
            let usual = if (8..20).contains(&(hour % 24)) { 6000 } else { 1200 };
            if hour / 24 % 7 < 5 { usual } else { usual / 5 }
        };
        let balance = |hour: i64| 10_000_000 - (0..hour).map(used).sum::<i64>();
        // The burn at an hour of the second week, and what the 24 hours after it really take.
        let at = |day: i64, hour: i64| {
            let now = (7 + day) * 24 + hour;
            let points = (0..=now).map(|hour| Sample {
                at: Timestamp::from_second(hour * 3600).expect("an instant"),
                balance: balance(hour).into(),
            });
            let burn = Burn::over(&points.collect::<Vec<_>>()).expect("a day is known");
            (burn.per_hour.to_string(), (balance(now) - balance(now + 24)) / 24)
        };
        assert_eq!(at(3, 8), ("3600".into(), 3600));
        assert_eq!(at(0, 8), ("1040".into(), 3600));
        assert_eq!(at(0, 14), ("2240".into(), 3600));
        assert_eq!(at(0, 20), ("3440".into(), 3600));
        assert_eq!(at(5, 8), ("3280".into(), 720));
        assert_eq!(at(6, 8), ("720".into(), 1040));
    }
}
