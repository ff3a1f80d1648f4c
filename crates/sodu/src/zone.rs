//! What people call a time zone. It stands beside every time that is shown to them.

use jiff::tz::TimeZone;

/// What people call `zone`: `Asia/Ho_Chi_Minh`, or its offset.
pub fn name(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => zone.to_fixed_offset().map_or_else(|_| "local time".to_owned(), |offset| offset.to_string()),
    }
}
