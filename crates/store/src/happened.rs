//! What an alert tells, and how it is kept: facts as they were in the commit that wrote it.

use ledger::{Account, AccountId, Currency, Entry, Event, Level, Minor, Runway, Time, Usage};
use rusqlite::Row;
use serde_json::{Map, Value, json};

use crate::alerts;
use crate::rows::damage;

/// Something worth telling, with the account as it was then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// By which receivers recognize it: 1 to 128 ASCII letters, digits, `_` and `-`.
    pub name: String,
    /// The account.
    pub account: AccountId,
    /// When.
    pub at: Time,
    /// The account's last entry then.
    pub entry: u64,
    /// Its currency.
    pub currency: Currency,
    /// posted − held.
    pub balance: Minor,
    /// What could be spent, credit included.
    pub available: Minor,
    /// How long that lasts.
    pub runway: Option<Runway>,
    /// The last money that had come in, if it is known.
    pub last_topup: Option<Minor>,
    /// What happened.
    pub event: AlertEvent,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlertEvent {
    /// What is available fell below levels.
    CreditLow {
        /// Those that it fell below, in the order of the rules.
        levels: Vec<Level>,
    },
    /// It is still below one.
    StillLow {
        /// Since when.
        since: Time,
    },
    /// It is above all of them again.
    Recovered {
        /// Since when it had been below one.
        since: Time,
    },
    /// A charge, hold or transfer was refused for want of credit.
    ChargeRefused {
        /// What the first one asked for since money came in.
        amount: Minor,
        /// How many there were since.
        count: u64,
        /// When the first was.
        since: Time,
    },
    /// A hold ended by itself.
    HoldExpired {
        /// Its entry's number.
        hold: u64,
        /// What was left of it.
        released: Minor,
        /// When it was made.
        made_at: Time,
    },
    /// The account was locked.
    AccountLocked {
        /// By whom.
        by: String,
        /// Why, where they said so.
        reason: Option<String>,
    },
    /// A key pair was issued or imported.
    KeyIssued {
        /// The first characters of the key, and its label.
        key: String,
        /// By whom.
        by: String,
    },
    /// A key pair was revoked.
    KeyRevoked {
        /// The first characters of the key, and its label.
        key: String,
        /// By whom.
        by: String,
    },
    /// The balance was corrected.
    AdjustmentMade {
        /// By how much, signed.
        amount: Minor,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Alert {
    /// What it is, for programs: of what fell low the name of the most urgent, which is told to people.
    pub fn kind(&self) -> &'static str {
        let AlertEvent::CreditLow { levels } = &self.event else { return self.event.name() };
        match levels.last() {
            _ if self.available <= Minor::ZERO => "balance.empty",
            Some(Level::Hours(_)) => "balance.low_hours",
            Some(Level::Money(_) | Level::Percent(_)) | None => self.event.name(),
        }
    }
}

impl AlertEvent {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            AlertEvent::CreditLow { .. } => "balance.low",
            AlertEvent::StillLow { .. } => "balance.reminder",
            AlertEvent::Recovered { .. } => "balance.recovered",
            AlertEvent::ChargeRefused { .. } => "charge.refused",
            AlertEvent::HoldExpired { .. } => "hold.expired",
            AlertEvent::AccountLocked { .. } => "account.locked",
            AlertEvent::KeyIssued { .. } => "key.issued",
            AlertEvent::KeyRevoked { .. } => "key.revoked",
            AlertEvent::AdjustmentMade { .. } => "balance.adjusted",
        }
    }

    /// What an entry tells that is an event by itself; `made_at` is when the hold was made that it ends.
    pub(crate) fn of_entry(entry: &Entry, event: Event, made_at: Time) -> Option<AlertEvent> {
        let by = || entry.by.as_str().to_owned();
        let reason = || entry.reason.as_ref().map(|reason| reason.as_str().to_owned());
        match event {
            Event::HoldExpired => {
                let hold = entry.target.map_or(0, |target| target.number);
                Some(AlertEvent::HoldExpired { hold, released: entry.amount, made_at })
            }
            Event::AccountLocked => Some(AlertEvent::AccountLocked { by: by(), reason: reason() }),
            Event::AdjustmentMade => {
                let reason = reason().unwrap_or_default();
                Some(AlertEvent::AdjustmentMade { amount: entry.amount, by: by(), reason })
            }
            Event::ChargeRefused | Event::KeyIssued | Event::KeyRevoked | Event::Recovered => None,
        }
    }

    fn members(&self) -> Value {
        match self {
            AlertEvent::CreditLow { levels } => json!({ "levels": alerts::spelled(levels) }),
            AlertEvent::StillLow { since } | AlertEvent::Recovered { since } => json!({ "since": since.micros() }),
            AlertEvent::ChargeRefused { amount, count, since } => {
                json!({ "amount": amount.units(), "count": count, "since": since.micros() })
            }
            AlertEvent::HoldExpired { hold, released, made_at } => {
                json!({ "hold": hold, "released": released.units(), "made_at": made_at.micros() })
            }
            AlertEvent::AccountLocked { by, reason } => json!({ "by": by, "reason": reason }),
            AlertEvent::KeyIssued { key, by } | AlertEvent::KeyRevoked { key, by } => json!({ "key": key, "by": by }),
            AlertEvent::AdjustmentMade { amount, by, reason } => {
                json!({ "amount": amount.units(), "by": by, "reason": reason })
            }
        }
    }

    fn read(name: &str, members: &Members<'_>) -> Option<AlertEvent> {
        Some(match name {
            "balance.low" => AlertEvent::CreditLow { levels: alerts::levels(&members.text("levels")?)?.into_vec() },
            "balance.reminder" => AlertEvent::StillLow { since: members.time("since")? },
            "balance.recovered" => AlertEvent::Recovered { since: members.time("since")? },
            "charge.refused" => AlertEvent::ChargeRefused {
                amount: members.money("amount")?,
                count: members.count("count")?,
                since: members.time("since")?,
            },
            "hold.expired" => AlertEvent::HoldExpired {
                hold: members.count("hold")?,
                released: members.money("released")?,
                made_at: members.time("made_at")?,
            },
            "account.locked" => AlertEvent::AccountLocked { by: members.text("by")?, reason: members.text("reason") },
            "key.issued" => AlertEvent::KeyIssued { key: members.text("key")?, by: members.text("by")? },
            "key.revoked" => AlertEvent::KeyRevoked { key: members.text("key")?, by: members.text("by")? },
            "balance.adjusted" => AlertEvent::AdjustmentMade {
                amount: members.money("amount")?,
                by: members.text("by")?,
                reason: members.text("reason")?,
            },
            _ => return None,
        })
    }
}

/// An alert as it is stored, beside its account and time.
pub(crate) struct Written {
    /// A name that no other alert has: over the account's last link, when it was, and what it says.
    pub(crate) name: String,
    pub(crate) event: &'static str,
    pub(crate) facts: String,
}

/// What is written of `event`, with the account as it is at `at`.
pub(crate) fn written(account: &Account, usage: Option<&Usage>, at: Time, event: &AlertEvent) -> Written {
    let facts = facts(account, usage, at, event);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&account.hash.0).update(&account.id.get().to_be_bytes()).update(&at.micros().to_be_bytes());
    hasher.update(event.name().as_bytes()).update(facts.as_bytes());
    let digits: String = hasher.finalize().to_hex().chars().take(32).collect();
    Written { name: format!("al_{digits}"), event: event.name(), facts }
}

fn facts(account: &Account, usage: Option<&Usage>, at: Time, event: &AlertEvent) -> String {
    let own = account.posted.minus(account.held).expect("figures are within a quarter of i64");
    let runway = usage.and_then(|usage| usage.runway(account.available(), at)).map(
        |Runway { since, used, left_s }| json!({ "since": since.micros(), "used": used.units(), "left_s": left_s }),
    );
    let mut facts = json!({
        "entry": account.number,
        "currency": account.currency.code(),
        "scale": account.currency.scale(),
        "balance": own.units(),
        "available": account.available().units(),
        "runway": runway,
        "last_topup": usage.and_then(|usage| usage.last_topup).map(Minor::units),
    });
    if let (Value::Object(facts), Value::Object(members)) = (&mut facts, event.members()) {
        facts.extend(members);
    }
    facts.to_string()
}

/// The columns of an alert, in the order in which both engines read them.
pub(crate) const ALERT: &str = "alerts.name, alerts.account, alerts.at, alerts.event, alerts.facts";

/// An alert from a row with the columns of [`ALERT`], beginning at `from`.
pub(crate) fn alert(row: &Row<'_>, from: usize) -> rusqlite::Result<Alert> {
    let account = AccountId::new(row.get(from + 1)?);
    let (event, facts) = (row.get_ref(from + 3)?.as_str()?, row.get_ref(from + 4)?.as_str()?);
    read(row.get(from)?, account, Time::from_micros(row.get(from + 2)?), event, facts).map_err(damage)
}

/// An alert as it is stored; an error is a sentence about what is no alert.
pub(crate) fn read(
    name: String,
    account: Option<AccountId>,
    at: Time,
    event: &str,
    facts: &str,
) -> Result<Alert, String> {
    let account = account.ok_or_else(|| format!("alert {name}: account is not one"))?;
    let wrong = format!("alert {name}: facts is not one");
    let facts: Map<String, Value> = serde_json::from_str(facts).map_err(|_| wrong.clone())?;
    let members = Members(&facts);
    let read = || {
        let code = members.text("currency")?;
        let runway = match facts.get("runway")?.as_object() {
            Some(runway) => {
                let members = Members(runway);
                let left_s = runway.get("left_s")?.as_i64();
                Some(Runway { since: members.time("since")?, used: members.money("used")?, left_s })
            }
            None => None,
        };
        let scale = u8::try_from(members.count("scale")?).ok()?;
        Some(Alert {
            name,
            account,
            at,
            entry: members.count("entry")?,
            currency: Currency::new(&code, scale, 0).ok()?,
            balance: members.money("balance")?,
            available: members.money("available")?,
            runway,
            last_topup: members.money("last_topup"),
            event: AlertEvent::read(event, &members)?,
        })
    };
    read().ok_or(wrong)
}

struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn count(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    fn money(&self, name: &str) -> Option<Minor> {
        self.0.get(name)?.as_i64().and_then(Minor::new)
    }

    fn time(&self, name: &str) -> Option<Time> {
        self.0.get(name)?.as_i64().map(Time::from_micros)
    }
}
