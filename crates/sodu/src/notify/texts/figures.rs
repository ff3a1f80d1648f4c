//! Sums, lengths of time and instants as each language writes them.

use jiff::Timestamp;
use sodu_client::Decimal;

use super::super::plain;
use super::{Facts, Language, Money};
use crate::digits::grouped;
use crate::zone;

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;

/// Tells the facts' figures in a language.
pub(super) struct Teller<'a> {
    pub(super) language: Language,
    pub(super) facts: &'a Facts,
}

impl Teller<'_> {
    /// A sum with its currency: `36,693.5 VND`, `36.693,5 VND`.
    pub(super) fn sum(&self, sum: &Money) -> String {
        let amount = decimal(self.language, sum.amount);
        match &sum.currency {
            Some(currency) => format!("{amount} {currency}"),
            None => amount,
        }
    }

    /// A sum without its sign, which words tell.
    pub(super) fn size(&self, sum: &Money) -> String {
        self.sum(sum).trim_start_matches('-').to_owned()
    }

    /// A whole number.
    pub(super) fn whole(&self, number: u64) -> String {
        whole(self.language, number)
    }

    /// A length of time.
    pub(super) fn length(&self, seconds: u64) -> String {
        span(self.language, seconds)
    }

    /// When it happened.
    pub(super) fn now(&self) -> String {
        self.time(self.facts.at_unix_s)
    }

    /// An instant to the minute, without its zone: `14:03 on 29 July 2026`, `14:03 ngày 29/07/2026`.
    pub(super) fn time(&self, unix_s: i64) -> String {
        let form = match self.language {
            Language::English => "%H:%M on %-d %B %Y",
            Language::Vietnamese => "%H:%M ngày %d/%m/%Y",
        };
        // No clock that is right gives an instant beyond the calendar.
        let end = if unix_s < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let instant = Timestamp::from_second(unix_s).unwrap_or(end);
        instant.to_zoned(self.facts.zone.clone()).strftime(form).to_string()
    }

    /// When what is left is used up; nothing where that is so far away that no rate tells.
    pub(super) fn end(&self, lasts_s: u64) -> Option<String> {
        let lasts_s = i64::try_from(lasts_s).ok().filter(|_| lasts_s <= 366 * DAY_S)?;
        Some(self.time(self.facts.at_unix_s.saturating_add(lasts_s)))
    }

    /// What somebody else wrote, as one line with its name in front.
    pub(super) fn quoted(&self, name: &str, text: &str) -> String {
        format!("{name}: {}.", plain(text).trim_end_matches('.'))
    }

    /// What people call the zone of all times.
    pub(super) fn zone(&self) -> String {
        zone::name(&self.facts.zone)
    }
}

fn decimal(language: Language, decimal: Decimal) -> String {
    let plain = decimal.to_string();
    match language {
        Language::English => grouped(&plain, ',', '.'),
        Language::Vietnamese => grouped(&plain, '.', ','),
    }
}

fn whole(language: Language, number: u64) -> String {
    decimal(language, i64::try_from(number).unwrap_or(i64::MAX).into())
}

/// A length of time, never longer than it is: minutes below two hours, hours below two days, then days and hours.
fn span(language: Language, seconds: u64) -> String {
    let hours = seconds / HOUR_S;
    let is_hours = seconds >= 2 * HOUR_S || (hours > 0 && seconds.is_multiple_of(HOUR_S));
    if seconds < 60 {
        return match language {
            Language::English => "less than a minute".to_owned(),
            Language::Vietnamese => "chưa đầy một phút".to_owned(),
        };
    }
    if !is_hours {
        return count(language, seconds / 60, "minute", "phút");
    }
    if seconds < 2 * DAY_S {
        return count(language, hours, "hour", "giờ");
    }
    let days = count(language, seconds / DAY_S, "day", "ngày");
    match hours % 24 {
        0 => days,
        rest => format!("{days} {}", count(language, rest, "hour", "giờ")),
    }
}

/// So many of something.
fn count(language: Language, number: u64, english: &str, vietnamese: &str) -> String {
    let figure = whole(language, number);
    match language {
        Language::English if number == 1 => format!("{figure} {english}"),
        Language::English => format!("{figure} {english}s"),
        Language::Vietnamese => format!("{figure} {vietnamese}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_the_unit_that_people_count_in() {
        let cases = [
            (0, "less than a minute", "chưa đầy một phút"),
            (60, "1 minute", "1 phút"),
            (119 * 60, "119 minutes", "119 phút"),
            (3_600, "1 hour", "1 giờ"),
            (5_400, "90 minutes", "90 phút"),
            (7 * 3_600 + 3_599, "7 hours", "7 giờ"),
            (47 * 3_600, "47 hours", "47 giờ"),
            (48 * 3_600, "2 days", "2 ngày"),
            (77 * 3_600 + 5, "3 days 5 hours", "3 ngày 5 giờ"),
            (100_000_000_000, "1,157,407 days 9 hours", "1.157.407 ngày 9 giờ"),
        ];
        for (seconds, english, vietnamese) in cases {
            assert_eq!(span(Language::English, seconds), english);
            assert_eq!(span(Language::Vietnamese, seconds), vietnamese);
        }
    }
}
