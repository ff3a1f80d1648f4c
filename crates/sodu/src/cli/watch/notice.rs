//! An alert as a message: the facts for people, whose words `notify::texts` has, and the event for programs.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use serde_json::{Value, json};
use sodu_client::Decimal;

use super::burn::{Burn, Left};
use super::judge::Alert;
use super::memory::{Known, Notice};
use super::plan::Terms;
use crate::notify::Message;
use crate::notify::texts::{self, Event, Facts, Money, Pace, Threshold};

/// What there is to say of an account at an instant.
pub(super) struct Occasion<'a> {
    pub(super) account: &'a str,
    pub(super) at: Timestamp,
    pub(super) known: &'a Known,
    pub(super) burn: Option<Burn>,
    pub(super) left: Left,
    pub(super) terms: &'a Terms,
}

impl Occasion<'_> {
    /// The message about `alert`, for `targets`.
    pub(super) fn notice(&self, alert: &Alert, targets: Vec<String>) -> Notice {
        let words = texts::words(self.terms.language, &self.facts(alert));
        let mut hash = DefaultHasher::new();
        self.account.hash(&mut hash);
        Notice {
            id: format!("watch-{}-{}-{:016x}", name(alert), self.at.as_millisecond(), hash.finish()),
            account: self.account.to_owned(),
            at: self.at,
            title: words.title,
            text: words.text,
            event: self.event(alert),
            targets,
        }
    }

    fn facts(&self, alert: &Alert) -> Facts {
        let user_id = self.known.user_id.map_or_else(String::new, |user_id| format!(" ({user_id})"));
        let is_unreadable = matches!(alert, Alert::Unreadable(_));
        let last = self.known.last();
        let pace = self.burn.zip(lasts_s(self.left)).map(|(burn, lasts_s)| Pace {
            per_hour: money(burn.per_hour),
            measured_s: u64::try_from(burn.covered_ms / 1000).unwrap_or_default(),
            lasts_s,
        });
        Facts {
            account: format!("{}{user_id}", self.account),
            at_unix_s: self.at.as_second(),
            zone: self.terms.zone.clone(),
            left: last.filter(|_| !is_unreadable).map(|last| money(last.balance)),
            spendable: None,
            pace: pace.filter(|_| !is_unreadable),
            event: self.told(alert),
        }
    }

    fn told(&self, alert: &Alert) -> Event {
        match alert {
            Alert::Empty => Event::Empty,
            Alert::Below(threshold) => Event::Low(Threshold::Money(money(*threshold))),
            Alert::Hours(hours) => Event::Low(Threshold::Lasts(u64::from(*hours) * 3600)),
            Alert::Reminder(since) => Event::Reminder { since_unix_s: since.as_second() },
            Alert::Recovered(since) => Event::Recovered { since_unix_s: since.as_second() },
            Alert::Unreadable(since) => Event::Unreadable {
                since_unix_s: since.as_second(),
                count: self.known.state.failed.into(),
                reason: self.known.failure.as_ref().map(|(_, detail)| detail.clone()).unwrap_or_default(),
                last: self.known.last().map(|last| (money(last.balance), last.at.as_second())),
            },
            Alert::Readable(since) => Event::Readable { since_unix_s: since.as_second() },
        }
    }

    /// The body of a webhook, in the form that Standard Webhooks recommends.
    fn event(&self, alert: &Alert) -> Value {
        let mut data = json!({
            "account": self.account,
            "user_id": self.known.user_id,
            "balance": self.known.last().map(|last| last.balance),
            "balance_at": self.known.last().map(|last| last.at),
            "burn_per_hour": self.burn.map(|burn| burn.per_hour),
            "hours_left": hours(self.left),
        });
        match alert {
            Alert::Empty => {}
            Alert::Below(threshold) => data["below"] = json!(threshold),
            Alert::Hours(hours) => data["below_hours"] = json!(hours),
            Alert::Reminder(since) | Alert::Recovered(since) | Alert::Readable(since) => data["since"] = json!(since),
            Alert::Unreadable(since) => {
                data["since"] = json!(since);
                data["failed_polls"] = json!(self.known.state.failed);
                let (failed, detail) = self.known.failure.clone().unwrap_or_default();
                data["failed"] = json!(failed);
                data["detail"] = json!(detail);
            }
        }
        json!({ "type": format!("balance.{}", name(alert)), "timestamp": self.at, "data": data })
    }
}

/// The stable name of an alert.
fn name(alert: &Alert) -> &'static str {
    match alert {
        Alert::Empty => "empty",
        Alert::Below(_) => "low",
        Alert::Hours(_) => "low_hours",
        Alert::Reminder(_) => "reminder",
        Alert::Recovered(_) => "recovered",
        Alert::Unreadable(_) => "unreadable",
        Alert::Readable(_) => "readable",
    }
}

/// Hours left for programs, to two decimals; null where nothing can be said or no end is seen.
pub(super) fn hours(left: Left) -> Value {
    match left {
        Left::Unknown | Left::Endless => Value::Null,
        // An estimate, and no money: a float is what programs read it into.
        Left::Minutes(minutes) => {
            i32::try_from(minutes).map_or(Value::Null, |minutes| json!((f64::from(minutes) / 0.6).round() / 100.0))
        }
    }
}

/// The message as it travels.
pub(super) fn message(notice: &Notice) -> Message {
    let Notice { id, at, title, text, event, .. } = notice.clone();
    Message { id, at_unix_s: at.as_second(), title, text, event }
}

fn lasts_s(left: Left) -> Option<u64> {
    match left {
        Left::Unknown | Left::Endless => None,
        Left::Minutes(minutes) => u64::try_from(minutes).ok()?.checked_mul(60),
    }
}

fn money(amount: Decimal) -> Money {
    Money { amount, currency: None }
}
