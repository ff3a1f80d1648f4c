//! What a watcher is told to do: which accounts, how often, what to warn of, whom to tell.
//!
//! Whoever holds a [`Plan`] holds checked values. Where they come from is the business of `file` and `accounts`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::judge::Rules;
use crate::notify::Target;
use crate::notify::texts::Language;

/// Everything.
pub struct Plan {
    /// The accounts, in the order in which they are shown.
    pub accounts: Vec<Account>,
    /// Where Prometheus asks.
    pub listen: Option<SocketAddr>,
    /// Where what is known is kept, unless in the usual place.
    pub history: Option<PathBuf>,
}

/// An account to watch.
pub struct Account {
    /// What people call it; no two are alike.
    pub name: String,
    /// Where the service answers.
    pub url: String,
    /// Its keys.
    pub api_key: String,
    /// Never shown.
    pub secret_key: String,
    /// Whether they may go to another machine in clear text.
    pub allow_plain_http: bool,
    /// Authorities to trust beside the system's, as PEM; nothing for none.
    pub extra_roots: String,
    /// How it is watched.
    pub terms: Terms,
}

/// How an account is watched.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The time from one poll to the next, less or more a twentieth.
    pub every: Duration,
    /// What is worth telling.
    pub rules: Rules,
    /// In which language.
    pub language: Language,
    /// In which zone times are told.
    pub zone: TimeZone,
    /// Whom.
    pub notify: Vec<Target>,
}

impl Default for Terms {
    fn default() -> Terms {
        let rules = Rules {
            below: Vec::new(),
            hours: vec![24, 6],
            remind_every: Some(SignedDuration::from_hours(6)),
            failed_polls: 5,
        };
        let zone = TimeZone::system();
        Terms { every: Duration::from_secs(60), rules, language: Language::English, zone, notify: Vec::new() }
    }
}

/// Reads a time as people write it, `90s`, `5m`, `6h` or `2d`, within limits.
pub(super) fn duration(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 0,
    };
    let seconds = digits.parse::<u32>().ok().map(|number| u64::from(number) * unit).filter(|seconds| *seconds > 0);
    let read = seconds.map(Duration::from_secs).filter(|read| (least..=most).contains(read));
    read.ok_or_else(|| {
        let (least, most) = (shown(least), shown(most));
        format!("{text:?} is no time from {least} to {most}, such as 90s, 5m, 6h or 2d")
    })
}

/// The shortest and the longest time between two polls.
pub(super) const EVERY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_hours(6));

/// A time in its greatest whole unit.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_limits() {
        let read = |text| duration(text, EVERY.0, EVERY.1);
        assert_eq!(read("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(read("6h"), Ok(Duration::from_hours(6)));
        for bad in ["", "60", "m", "9s", "7h", "1.5m", "-5m", "5 m", "60S", "99999999999s", "5mm"] {
            let error = read(bad).expect_err(bad);
            assert!(error.ends_with("is no time from 10s to 6h, such as 90s, 5m, 6h or 2d"), "{error}");
        }
    }
}
