//! The hours in which people are left alone.

use jiff::civil::Time as WallTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use ledger::Time;
use store::Quiet;

/// When the quiet hours end in which `now` lies; `None` where it lies in none, or their zone is not known any more.
pub(super) fn until(quiet: &Quiet, now: Time) -> Option<Time> {
    let zone = TimeZone::get(&quiet.zone).ok()?;
    let here = Timestamp::from_microsecond(now.micros()).ok()?.to_zoned(zone.clone());
    let minute = u16::from(here.hour().unsigned_abs()) * 60 + u16::from(here.minute().unsigned_abs());
    let (from, end) = (quiet.from_minute, quiet.until_minute);
    let is_over_midnight = end < from;
    let is_quiet = if is_over_midnight { minute >= from || minute < end } else { (from..end).contains(&minute) };
    if !is_quiet {
        return None;
    }
    let ends_today = !is_over_midnight || minute < end;
    let date = if ends_today { here.date() } else { here.date().checked_add(1.day()).ok()? };
    let part = |number: u16| i8::try_from(number).ok();
    let wall = WallTime::new(part(end / 60)?, part(end % 60)?, 0, 0).ok()?;
    let ends = date.to_datetime(wall).to_zoned(zone).ok()?;
    // Where clocks are put forward over it, the end may lie before now.
    let ends = ends.timestamp().as_microsecond();
    (ends > now.micros()).then(|| Time::from_micros(ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `quiet` as minutes, `now` and the end as RFC 3339.
    fn ends(from: u16, until_minute: u16, zone: &str, now: &str) -> Option<String> {
        let quiet = Quiet { from_minute: from, until_minute, zone: zone.into() };
        let now: Timestamp = now.parse().expect("an instant");
        until(&quiet, Time::from_micros(now.as_microsecond())).map(crate::times::rfc3339)
    }

    #[test]
    fn nights_end_in_the_morning_of_their_own_zone() {
        let night = |now: &str| ends(22 * 60, 7 * 60 + 30, "Asia/Ho_Chi_Minh", now);
        let morning = Some("2026-07-30T00:30:00.000000Z".to_owned());
        assert_eq!(night("2026-07-29T14:59:59Z"), None, "21:59 there");
        assert_eq!(night("2026-07-29T15:00:00Z"), morning);
        assert_eq!(night("2026-07-29T20:00:00Z"), morning, "03:00 there");
        assert_eq!(night("2026-07-30T00:29:59Z"), morning);
        assert_eq!(night("2026-07-30T00:30:00Z"), None);
        assert_eq!(ends(22 * 60, 7 * 60, "Mars/Base", "2026-07-29T15:00:00Z"), None);
    }

    #[test]
    fn a_rest_at_noon_ends_the_same_day() {
        let noon = |now: &str| ends(12 * 60, 13 * 60, "UTC", now);
        assert_eq!(noon("2026-07-29T12:15:00Z"), Some("2026-07-29T13:00:00.000000Z".to_owned()));
        assert_eq!((noon("2026-07-29T11:59:00Z"), noon("2026-07-29T13:00:00Z")), (None, None));
    }

    #[test]
    fn an_hour_that_clocks_leave_out_is_no_hour_to_wait_for() {
        // Berlin goes from 02:00 to 03:00 at 01:00 UTC on 29 March 2026.
        let ended = ends(60, 150, "Europe/Berlin", "2026-03-29T00:30:00Z");
        assert_eq!(ended.as_deref(), Some("2026-03-29T01:30:00.000000Z"));
        assert_eq!(ends(60, 150, "Europe/Berlin", "2026-03-29T01:00:00Z"), None);
    }
}
