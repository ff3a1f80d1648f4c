//! Instants as text: what people and programs write, and what they read.
//!
//! Programs get RFC 3339 in UTC with microseconds. A date without a time means that whole day in the zone that the
//! operator configured, so that a statement "to 31 July" holds what was charged that evening. No clock is read here.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;
use ledger::Time;

pub use crate::zone::name as zone_name;

/// Which end of a day a date stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// Its first instant: `from` a date.
    Start,
    /// The first instant of the day after: `to` a date, or valid until a date, the day itself included.
    End,
}

/// The instant as RFC 3339 in UTC with six decimals: `2026-07-29T07:03:11.000120Z`.
pub fn rfc3339(time: Time) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    PRINTER.timestamp_to_string(&timestamp(time))
}

/// The instant for people, to the second, in `zone` (which the caller names beside it): `2026-07-29 14:03:11`.
pub fn for_people(time: Time, zone: &TimeZone) -> String {
    timestamp(time).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Reads RFC 3339 (`2026-07-29T14:03:11+07:00`, any offset), or a date (`2026-07-29`) as that day's `bound` in `zone`.
///
/// The error is a sentence for whoever wrote it. Anything finer than a microsecond is cut off.
pub fn parse(text: &str, bound: Bound, zone: &TimeZone) -> Result<Time, String> {
    // A date is recognized by its length: jiff's own reader would also take a date with a time, and drop the time.
    if text.len() == "2026-07-29".len() {
        return text.parse().ok().and_then(|date| day(date, bound, zone)).ok_or_else(|| refused(text));
    }
    // Without this an offset's `+`, sent unescaped in a query, would arrive as a space.
    let instant = if text.contains('T') { text.replace(' ', "+") } else { text.to_owned() };
    match instant.parse::<Timestamp>() {
        Ok(instant) => Ok(Time::from_micros(instant.as_microsecond())),
        Err(_) => Err(refused(text)),
    }
}

fn day(date: Date, bound: Bound, zone: &TimeZone) -> Option<Time> {
    let date = match bound {
        Bound::Start => date,
        Bound::End => date.tomorrow().ok()?,
    };
    let start = date.to_zoned(zone.clone()).ok()?;
    Some(Time::from_micros(start.timestamp().as_microsecond()))
}

fn refused(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    format!("{shown:?} is no time: write a date (2026-07-29) or RFC 3339 with its offset (2026-07-29T14:03:11+07:00)")
}

/// An instant beyond the year 9999 is shown as the last one before it: no clock that is right gives one.
fn timestamp(time: Time) -> Timestamp {
    let end = if time.micros() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(time.micros()).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hanoi() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(7))
    }

    fn micros(text: &str, bound: Bound) -> Result<String, String> {
        parse(text, bound, &hanoi()).map(rfc3339)
    }

    #[test]
    fn a_date_is_a_whole_day_of_the_zone() {
        assert_eq!(micros("2026-07-29", Bound::Start), Ok("2026-07-28T17:00:00.000000Z".into()));
        assert_eq!(micros("2026-07-29", Bound::End), Ok("2026-07-29T17:00:00.000000Z".into()));
        assert_eq!(micros("2026-12-31", Bound::End), Ok("2026-12-31T17:00:00.000000Z".into()));
    }

    #[test]
    fn an_instant_keeps_its_microseconds_whatever_its_offset() {
        for text in
            ["2026-07-29T14:03:11.000120+07:00", "2026-07-29T14:03:11.000120 07:00", "2026-07-29T07:03:11.00012Z"]
        {
            assert_eq!(micros(text, Bound::End), Ok("2026-07-29T07:03:11.000120Z".into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused_with_an_example() {
        for text in ["", "yesterday", "2026-02-30", "2026-07-29T14:03:11", "29/07/2026", "20260729", "2026-7-29 "] {
            let error = micros(text, Bound::Start).expect_err(text);
            assert!(error.contains("2026-07-29T14:03:11+07:00"), "{error}");
        }
    }

    #[test]
    fn people_read_their_own_zone() {
        let time = Time::from_micros(1_785_308_591_000_120);
        assert_eq!(for_people(time, &hanoi()), "2026-07-29 14:03:11");
        assert_eq!(zone_name(&hanoi()), "+07");
        assert_eq!(zone_name(&TimeZone::UTC), "UTC");
        assert_eq!(rfc3339(Time::from_micros(i64::MAX)), rfc3339(Time::from_micros(i64::MAX / 2)));
    }
}
