//! What is said of an alert: words for people in their language, and the event for programs.

use jiff::tz::TimeZone;
use ledger::{Currency, Level, Minor, Runway, Time};
use serde_json::{Value, json};
use sodu_client::Decimal;
use store::{Alert, AlertEvent, Due};

use crate::notify::Message;
use crate::notify::texts::{self, Event, Facts, Language, Money, Pace, Threshold, Words};
use crate::times::rfc3339;

/// The message of a delivery, the same at every attempt.
pub(super) fn written(due: &Due, language: Language, zone: &TimeZone) -> Message {
    let alert = &due.delivery.alert;
    // Whoever has hours of their own is told the time in their own zone.
    let own = due.quiet.as_ref().and_then(|quiet| TimeZone::get(&quiet.zone).ok());
    let facts = facts(alert, &due.account_name, own.unwrap_or_else(|| zone.clone()));
    let Words { title, text } = texts::words(language, &facts);
    Message {
        id: alert.name.clone(),
        at_unix_s: seconds(alert.at),
        title,
        text,
        event: event(alert, &due.account_name),
    }
}

/// A contact's language, as the texts name it.
pub(super) fn language(language: store::Language) -> Language {
    match language {
        store::Language::English => Language::English,
        store::Language::Vietnamese => Language::Vietnamese,
    }
}

fn facts(alert: &Alert, name: &str, zone: TimeZone) -> Facts {
    let money = |figure| money(figure, alert.currency);
    let has_credit = alert.available != alert.balance;
    Facts {
        account: format!("{name} ({})", alert.account),
        at_unix_s: seconds(alert.at),
        zone,
        left: Some(money(alert.balance)),
        spendable: has_credit.then(|| money(alert.available)),
        pace: alert.runway.and_then(|runway| pace(&runway, alert)),
        event: happened(alert),
    }
}

fn pace(runway: &Runway, alert: &Alert) -> Option<Pace> {
    let measured_s = seconds(alert.at).checked_sub(seconds(runway.since)).filter(|measured_s| *measured_s > 0)?;
    let lasts_s = u64::try_from(runway.left_s?).ok()?;
    let per_hour = i128::from(runway.used.units()) * 3_600 / i128::from(measured_s);
    let per_hour = i64::try_from(per_hour).ok().and_then(Minor::new)?;
    let measured_s = measured_s.unsigned_abs();
    Some(Pace { per_hour: money(per_hour, alert.currency), measured_s, lasts_s })
}

fn happened(alert: &Alert) -> Event {
    let money = |figure: Minor| money(figure, alert.currency);
    match &alert.event {
        AlertEvent::CreditLow { levels } => match levels.last() {
            Some(level) if alert.available > Minor::ZERO => Event::Low(threshold(level, alert)),
            Some(_) | None => Event::Empty,
        },
        AlertEvent::StillLow { since } => Event::Reminder { since_unix_s: seconds(*since) },
        AlertEvent::Recovered { since } => Event::Recovered { since_unix_s: seconds(*since) },
        AlertEvent::ChargeRefused { amount, count, since } => {
            Event::ChargesRefused { amount: money(*amount), count: *count, since_unix_s: seconds(*since) }
        }
        AlertEvent::HoldExpired { hold, released, made_at } => {
            Event::HoldExpired { hold: *hold, released: money(*released), made_unix_s: seconds(*made_at) }
        }
        AlertEvent::AccountLocked { by, reason } => Event::AccountLocked { by: by.clone(), reason: reason.clone() },
        AlertEvent::KeyIssued { key, by } => Event::KeyIssued { key: key.clone(), by: by.clone() },
        AlertEvent::KeyRevoked { key, by } => Event::KeyRevoked { key: key.clone(), by: by.clone() },
        AlertEvent::AdjustmentMade { amount, by, reason } => {
            Event::Adjusted { amount: money(*amount), by: by.clone(), reason: reason.clone() }
        }
    }
}

fn threshold(level: &Level, alert: &Alert) -> Threshold {
    match level {
        Level::Money(figure) => Threshold::Money(money(*figure, alert.currency)),
        Level::Hours(hours) => Threshold::Lasts(u64::from(*hours) * 3_600),
        Level::Percent(percent) => Threshold::Percent {
            percent: u8::try_from(*percent).unwrap_or(100),
            of: money(alert.last_topup.unwrap_or_default(), alert.currency),
        },
    }
}

/// `{"type", "timestamp", "data"}`, as Standard Webhooks has it; money as decimal strings, like the operator API.
fn event(alert: &Alert, name: &str) -> Value {
    let decimal = |figure: Minor| figure.decimal(alert.currency.scale()).to_string();
    let pace = alert.runway.and_then(|runway| pace(&runway, alert));
    let mut data = json!({
        "account": alert.account.get(),
        "name": name,
        "entry": alert.entry,
        "currency": alert.currency.code(),
        "balance": decimal(alert.balance),
        "available": decimal(alert.available),
        "burn_per_hour": pace.as_ref().map(|pace| pace.per_hour.amount),
        "hours_left": pace.as_ref().map(|pace| hours(pace.lasts_s)),
    });
    let members = match &alert.event {
        AlertEvent::CreditLow { levels } => {
            let level = |level: &Level| match level {
                Level::Money(figure) => json!({ "below": decimal(*figure) }),
                Level::Hours(hours) => json!({ "hours_left": hours }),
                Level::Percent(percent) => json!({ "percent_of_topup": percent }),
            };
            json!({ "levels": levels.iter().map(level).collect::<Vec<_>>(), "last_topup": alert.last_topup.map(decimal) })
        }
        AlertEvent::StillLow { since } | AlertEvent::Recovered { since } => json!({ "since": rfc3339(*since) }),
        AlertEvent::ChargeRefused { amount, count, since } => {
            json!({ "amount": decimal(*amount), "count": count, "since": rfc3339(*since) })
        }
        AlertEvent::HoldExpired { hold, released, made_at } => {
            json!({ "hold": hold, "released": decimal(*released), "made_at": rfc3339(*made_at) })
        }
        AlertEvent::AccountLocked { by, reason } => json!({ "by": by, "reason": reason }),
        AlertEvent::KeyIssued { key, by } | AlertEvent::KeyRevoked { key, by } => json!({ "key": key, "by": by }),
        AlertEvent::AdjustmentMade { amount, by, reason } => {
            json!({ "amount": decimal(*amount), "by": by, "reason": reason })
        }
    };
    if let (Value::Object(data), Value::Object(members)) = (&mut data, members) {
        data.extend(members);
    }
    json!({ "type": alert.kind(), "timestamp": rfc3339(alert.at), "data": data })
}

/// Hours to two decimals: an estimate, and no money.
fn hours(seconds: u64) -> f64 {
    u32::try_from(seconds / 36).map_or(f64::INFINITY, |hundredths| f64::from(hundredths) / 100.0)
}

fn money(figure: Minor, currency: Currency) -> Money {
    let amount: Decimal = figure.decimal(currency.scale()).to_string().parse().expect("a plain decimal");
    Money { amount, currency: Some(currency.code().to_owned()) }
}

fn seconds(time: Time) -> i64 {
    time.micros().div_euclid(1_000_000)
}
