//! The words of alerts, in English and Vietnamese, from typed facts.
//!
//! Written for people who know nothing of sodu: how much is left, how long it lasts at the present rate, since when, what
//! to do. Pure functions: no clock, no look-up, no decision whether something is worth telling.

mod english;
mod figures;
mod vietnamese;

use figures::Teller;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sodu_client::Decimal;

/// What the receiver reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum Language {
    /// English; 36,693.5.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Vietnamese; 36.693,5.
    #[serde(rename = "vi")]
    Vietnamese,
}

/// A sum of money.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Money {
    /// How much.
    pub amount: Decimal,
    /// Of what, where that is known: `VND`.
    pub currency: Option<String>,
}

/// How fast credit is used up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pace {
    /// What goes out in an hour.
    pub per_hour: Money,
    /// Over how long a time that was measured, in seconds.
    pub measured_s: u64,
    /// How long what can be spent lasts at that rate, in seconds.
    pub lasts_s: u64,
}

/// What all texts say, whatever happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    /// What people call the account, with its number where that is known: `Công ty ABC (9999)`.
    pub account: String,
    /// When it happened, in seconds since 1970.
    pub at_unix_s: i64,
    /// The zone that times are told in; its name stands beside them.
    pub zone: TimeZone,
    /// What is left, where that is known.
    pub left: Option<Money>,
    /// What can be spent, where a credit limit makes it more than what is left.
    pub spendable: Option<Money>,
    /// How fast it is used up, where that is known.
    pub pace: Option<Pace>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// What is left fell below a threshold above zero.
    Low(Threshold),
    /// What is left fell to zero or below.
    Empty,
    /// It is still low or empty, and nobody topped up.
    Reminder {
        /// Since when, in seconds since 1970.
        since_unix_s: i64,
    },
    /// It was topped up far enough above its thresholds.
    Recovered {
        /// Since when it had been low, in seconds since 1970.
        since_unix_s: i64,
    },
    /// Nobody knows what is left: it could not be read.
    Unreadable {
        /// The first time that it could not, in seconds since 1970.
        since_unix_s: i64,
        /// How many times in a row.
        count: u64,
        /// Why the last one failed.
        reason: String,
        /// What was read the last time that it could, and when (seconds since 1970).
        last: Option<(Money, i64)>,
    },
    /// It can be read again.
    Readable {
        /// The first time that it could not, in seconds since 1970.
        since_unix_s: i64,
    },
    /// Charges were refused since there was not enough credit.
    ChargesRefused {
        /// What the first of them asked for.
        amount: Money,
        /// How many there were.
        count: u64,
        /// When the first of them was, in seconds since 1970.
        since_unix_s: i64,
    },
    /// A hold came to its end with money left in it, which is free again.
    HoldExpired {
        /// The hold's entry number.
        hold: u64,
        /// What was left in it.
        released: Money,
        /// When it was made, in seconds since 1970.
        made_unix_s: i64,
    },
    /// An operator locked the account.
    AccountLocked {
        /// Who.
        by: String,
        /// Why, where they said so.
        reason: Option<String>,
    },
    /// A key pair was made or imported.
    KeyIssued {
        /// What people call it, never the whole key.
        key: String,
        /// By whom.
        by: String,
    },
    /// A key pair was made invalid.
    KeyRevoked {
        /// What people call it, never the whole key.
        key: String,
        /// By whom.
        by: String,
    },
    /// An operator corrected the balance.
    Adjusted {
        /// By how much; below zero where it went down.
        amount: Money,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
}

/// A line that was crossed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Threshold {
    /// So much money.
    Money(Money),
    /// Credit for so long, in seconds.
    Lasts(u64),
    /// Such a part of the last top-up.
    Percent {
        /// The part.
        percent: u8,
        /// The top-up.
        of: Money,
    },
}

/// What a message says to people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// One line.
    pub title: String,
    /// Several lines, which go without the title.
    pub text: String,
}

/// What is to be said of `facts` in `language`.
pub fn words(language: Language, facts: &Facts) -> Words {
    let tell = Teller { language, facts };
    match language {
        Language::English => english::words(&tell),
        Language::Vietnamese => vietnamese::words(&tell),
    }
}

impl Words {
    /// A title, those of the lines that say something, and the last one.
    fn new(title: String, lines: &[&str], last: &str) -> Words {
        let said: Vec<&str> = lines.iter().copied().filter(|line| !line.is_empty()).chain([last]).collect();
        Words { title, text: said.join("\n") }
    }
}

impl Facts {
    /// Whether nothing is left, as far as that is known.
    fn is_empty(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.amount <= Decimal::ZERO)
    }
}
