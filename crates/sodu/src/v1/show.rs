//! The shapes of the operator API's answers: what an account, an entry and a credential look like as JSON.
//!
//! Money is decimal strings without trailing zeros, times are RFC 3339 in UTC. Members stand in the order in which they
//! are written here. A credential is shown without its secret, which nobody here knows.

use std::fmt;

use ledger::{Currency, Entry, Hash, Hold, Metadata, Minor, Time};
use serde::ser::{Serialize, SerializeMap, Serializer};
use store::{AccountNow, Credential, Profile};

use crate::times::rfc3339;

/// A figure as a decimal string.
pub(super) struct Money {
    figure: Minor,
    scale: u8,
}

impl Money {
    pub(super) fn new(figure: Minor, currency: Currency) -> Money {
        Money { figure, scale: currency.scale() }
    }

    /// Appends what it is shown as: the formatting machinery costs many times what digits do.
    #[inline]
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        wire::Money { minor: self.figure.units(), scale: self.scale }.write(text);
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figure.decimal(self.scale).fmt(f)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An account's figures, all of one instant.
#[derive(serde::Serialize)]
pub(super) struct Figures {
    pub(super) id: u32,
    pub(super) currency: Code,
    pub(super) status: &'static str,
    pub(super) balance: Money,
    pub(super) posted: Money,
    pub(super) held: Money,
    pub(super) available: Money,
    pub(super) credit_limit: Money,
    pub(super) last_entry: u64,
}

pub(super) fn figures(now: &AccountNow) -> Figures {
    let money = |figure| Money::new(figure, now.currency);
    Figures {
        id: now.id.get(),
        currency: Code(now.currency),
        status: now.status.name(),
        balance: money(now.balance()),
        posted: money(now.posted),
        held: money(now.held),
        available: money(now.available()),
        credit_limit: money(now.credit_limit),
        last_entry: now.number,
    }
}

/// The account's figures right after `entry`, whatever has happened since.
pub(super) fn figures_after(entry: &Entry, currency: Currency) -> Figures {
    figures(&AccountNow {
        id: entry.account,
        currency,
        posted: entry.posted_after,
        held: entry.held_after,
        credit_limit: entry.credit_limit,
        status: entry.status,
        number: entry.number,
        shows_available: false,
        metered: false,
    })
}

/// A currency's code.
pub(super) struct Code(pub(super) Currency);

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code())
    }
}

/// The answer of `…/balance`: the figures under the names that whoever reads an eSMS answer knows.
#[derive(serde::Serialize)]
pub(super) struct Balance {
    user_id: u32,
    balance: Money,
    currency: Code,
    status: &'static str,
    posted: Money,
    held: Money,
    available: Money,
    credit_limit: Money,
    last_entry: u64,
    at: Instant,
}

pub(super) fn balance(now: &AccountNow, at: Time) -> Balance {
    let Figures { id, currency, status, balance, posted, held, available, credit_limit, last_entry } = figures(now);
    let at = Instant(at);
    Balance { user_id: id, balance, currency, status, posted, held, available, credit_limit, last_entry, at }
}

/// An account whole: its figures, its settings and what people call it.
#[derive(serde::Serialize)]
pub(super) struct Account<'a> {
    #[serde(flatten)]
    figures: Figures,
    name: &'a str,
    external_id: Option<&'a str>,
    opened_at: Instant,
    shows_available: bool,
    metered: bool,
    /// How many holds are open; what is left of them together is `held`.
    open_holds: usize,
}

/// `figures` with the settings and what people call the account.
pub(super) fn account<'a>(figures: Figures, profile: &'a Profile, now: &AccountNow, open_holds: usize) -> Account<'a> {
    Account {
        figures,
        name: &profile.name,
        external_id: profile.external_id.as_deref(),
        opened_at: Instant(profile.opened_at),
        shows_available: now.shows_available,
        metered: now.metered,
        open_holds,
    }
}

/// An instant as RFC 3339.
pub(super) struct Instant(pub(super) Time);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

/// An open hold: its entry, what is left of it, and until when.
#[derive(serde::Serialize)]
pub(super) struct OpenHold<'a> {
    number: u64,
    amount: Money,
    left: Money,
    expires_at: Instant,
    at: Instant,
    key: Option<&'a str>,
    reference: Option<&'a str>,
    metadata: Pairs<'a>,
}

pub(super) fn hold<'a>(hold: &Hold, entry: &'a Entry, currency: Currency) -> OpenHold<'a> {
    OpenHold {
        number: hold.number,
        amount: Money::new(entry.amount, currency),
        left: Money::new(hold.left, currency),
        expires_at: Instant(hold.expires_at),
        at: Instant(entry.at),
        key: entry.key.as_ref().map(ledger::Key::as_str),
        reference: entry.reference.as_ref().map(ledger::Reference::as_str),
        metadata: Pairs(&entry.metadata),
    }
}

/// Metadata as an object.
pub(super) struct Pairs<'a>(pub(super) &'a Metadata);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.pairs();
        let mut map = serializer.serialize_map(Some(pairs.len()))?;
        for (name, value) in pairs {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A credential; never its secret.
#[derive(serde::Serialize)]
pub(super) struct Key<'a> {
    account: u32,
    api_key: &'a str,
    label: Option<&'a str>,
    cidrs: Vec<String>,
    created_at: Instant,
    expires_at: Option<Instant>,
    revoked_at: Option<Instant>,
    last_used_at: Option<Instant>,
}

pub(super) fn credential(credential: &Credential) -> Key<'_> {
    Key {
        account: credential.account.get(),
        api_key: &credential.api_key,
        label: credential.label.as_deref(),
        cidrs: credential.cidrs.iter().map(ToString::to_string).collect(),
        created_at: Instant(credential.created_at),
        expires_at: credential.expires_at.map(Instant),
        revoked_at: credential.revoked_at.map(Instant),
        last_used_at: credential.last_used_at.map(Instant),
    }
}

/// A hash as 64 lower-case hex digits.
pub(super) struct Hex(pub(super) Hash);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
