//! Figures as people read them, the same in the table and in lines.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sodu_client::Decimal;

use super::burn::{Burn, Left, Sample};
use super::view::Row;
use crate::cli::output::grouped;

/// What is shown where nothing is known.
pub(super) const NOTHING: &str = "-";

/// A sum of money.
pub(super) fn money(amount: &Decimal) -> String {
    grouped(&amount.to_string())
}

/// What an hour takes; from a hundred on without decimals, which an estimate does not have.
pub(super) fn per_hour(burn: &Burn) -> String {
    let hundredths = burn.per_hour.scale().max(2);
    let whole = burn.per_hour.to_units(hundredths).map(|units| (units, 10_i128.pow(hundredths)));
    let rounded = whole.filter(|(units, one)| *units >= 100 * one).map(|(units, one)| (units + one / 2) / one);
    rounded.and_then(|whole| Decimal::of_units(whole, 0)).map_or_else(|| money(&burn.per_hour), |whole| money(&whole))
}

/// How long it lasts: `45m`, `41.5h`, `12.3d`.
pub(super) fn left(left: Left) -> String {
    match left {
        Left::Unknown => NOTHING.to_owned(),
        Left::Endless => "∞".to_owned(),
        Left::Minutes(minutes @ ..60) => format!("{minutes}m"),
        Left::Minutes(minutes @ 60..2880) => format!("{}.{}h", minutes / 60, minutes % 60 / 6),
        Left::Minutes(minutes @ 2880..1_440_000) => format!("{}.{}d", minutes / 1440, minutes % 1440 / 144),
        Left::Minutes(_) => ">999d".to_owned(),
    }
}

/// How old something is: `12s`, `5m`, `3h`, `2d`.
pub(super) fn age(age: SignedDuration) -> String {
    match age.as_secs().max(0) {
        seconds @ ..100 => format!("{seconds}s"),
        seconds @ 100..6000 => format!("{}m", seconds / 60),
        seconds @ 6000..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// How the balance changed within the last hour, or since the first poll where that is later: `-3,500`, `+500,000`.
pub(super) fn change(samples: &[Sample]) -> String {
    let Some((last, before)) = samples.split_last() else { return NOTHING.to_owned() };
    let Some(first) = before.first() else { return NOTHING.to_owned() };
    let hour_ago = last.at.as_millisecond() - 3_600_000;
    let from = before.iter().rfind(|sample| sample.at.as_millisecond() <= hour_ago).unwrap_or(first);
    match last.balance.minus(&from.balance) {
        None => NOTHING.to_owned(),
        Some(change) if change > Decimal::ZERO => format!("+{}", money(&change)),
        Some(change) => money(&change),
    }
}

/// How an account stands, in a word or two.
pub(super) fn state(row: &Row<'_>) -> String {
    match (row.known, row.failure(), row.last()) {
        (None, ..) => "asking".to_owned(),
        (_, Some((failed, _)), _) => failed.replace('_', " "),
        (_, None, Some(last)) if last.balance <= Decimal::ZERO => "empty".to_owned(),
        _ if row.is_low => "low".to_owned(),
        _ => "ok".to_owned(),
    }
}

/// The instant in `zone`, to the second.
pub(super) fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let cases = [
            (Left::Unknown, "-"),
            (Left::Endless, "∞"),
            (Left::Minutes(0), "0m"),
            (Left::Minutes(59), "59m"),
            (Left::Minutes(119), "1.9h"),
            (Left::Minutes(2879), "47.9h"),
            (Left::Minutes(2880), "2.0d"),
            (Left::Minutes(i64::MAX), ">999d"),
        ];
        for (given, shown) in cases {
            assert_eq!(left(given), shown);
        }
        let ages = [(-5, "0s"), (99, "99s"), (100, "1m"), (5999, "99m"), (6000, "1h"), (172_800, "2d")];
        for (seconds, shown) in ages {
            assert_eq!(age(SignedDuration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn large_figures_per_hour_are_whole() {
        for (exact, shown) in
            [("3595.68", "3,596"), ("99.99", "99.99"), ("100.5", "101"), ("0", "0"), ("12345678", "12,345,678")]
        {
            let burn = Burn { per_hour: exact.parse().expect("a decimal"), used: Decimal::ZERO, covered_ms: 3_600_000 };
            assert_eq!(per_hour(&burn), shown);
        }
    }

    #[test]
    fn a_change_is_of_an_hour_or_less() {
        let sample = |minute: i64, balance: &str| Sample {
            at: Timestamp::from_second(minute * 60).expect("an instant"),
            balance: balance.parse().expect("a decimal"),
        };
        let samples = [sample(0, "9000"), sample(10, "8000.5"), sample(40, "7000"), sample(70, "6500")];
        assert_eq!(change(&samples[..1]), "-");
        assert_eq!(change(&samples[..2]), "-999.5");
        assert_eq!(change(&samples), "-1,500.5");
        assert_eq!(change(&[sample(0, "1"), sample(1, "2000")]), "+1,999");
        assert_eq!(change(&[sample(0, "1"), sample(1, "1")]), "0");
    }
}
