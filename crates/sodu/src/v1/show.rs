//! The shapes of the operator API's answers: what an account, an entry and a credential look like as JSON.
//!
//! Money is decimal strings without trailing zeros, times are RFC 3339 in UTC. A credential is shown without its secret,
//! which nobody here knows.

use std::fmt::Write;

use ledger::{Currency, Entry, Hash, Minor};
use serde_json::{Map, Value, json};
use store::{AccountNow, Credential, Profile};

use crate::times::rfc3339;

/// An account's figures, all of one instant.
pub(super) fn figures(now: &AccountNow) -> Value {
    let decimal = |figure: Minor| figure.decimal(now.currency.scale());
    json!({
        "id": now.id.get(),
        "currency": now.currency.code(),
        "status": now.status.name(),
        "balance": decimal(now.balance()),
        "posted": decimal(now.posted),
        "held": decimal(now.held),
        "available": decimal(now.available()),
        "credit_limit": decimal(now.credit_limit),
        "last_entry": now.number,
    })
}

/// The account's figures right after `entry`, whatever has happened since.
pub(super) fn figures_after(entry: &Entry, currency: Currency) -> Value {
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

/// The answer of `…/balance`: the figures under the names that whoever reads an eSMS answer knows.
pub(super) fn balance(now: &AccountNow) -> Value {
    let mut shape = figures(now);
    if let Value::Object(members) = &mut shape {
        members.remove("id");
        members.insert("user_id".into(), now.id.get().into());
    }
    shape
}

/// An account whole: its figures, its settings and what people call it.
pub(super) fn account(profile: &Profile, now: &AccountNow) -> Value {
    with_profile(figures(now), profile, now)
}

/// `figures` with the settings and what people call the account.
pub(super) fn with_profile(mut figures: Value, profile: &Profile, now: &AccountNow) -> Value {
    if let Value::Object(members) = &mut figures {
        members.insert("name".into(), profile.name.clone().into());
        members.insert("external_id".into(), profile.external_id.clone().into());
        members.insert("opened_at".into(), rfc3339(profile.opened_at).into());
        members.insert("shows_available".into(), now.shows_available.into());
        members.insert("metered".into(), now.metered.into());
    }
    figures
}

/// One entry. Members that only some kinds have (`currency`, `expires_at`, `target`) are left out of the others.
pub(super) fn entry(entry: &Entry, currency: Currency) -> Value {
    let decimal = |figure: Minor| figure.decimal(currency.scale());
    let metadata: Map<String, Value> =
        entry.metadata.pairs().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut shape = json!({
        "account": entry.account.get(),
        "number": entry.number,
        "kind": entry.kind.name(),
        "amount": decimal(entry.amount),
        "posted_after": decimal(entry.posted_after),
        "held_after": decimal(entry.held_after),
        "balance_after": decimal(entry.posted_after.minus(entry.held_after).expect("figures are within a quarter of i64")),
        "credit_limit": decimal(entry.credit_limit),
        "status": entry.status.name(),
        "at": rfc3339(entry.at),
        "recorded_at": rfc3339(entry.recorded_at),
        "key": entry.key.as_ref().map(ledger::Key::as_str),
        "reference": entry.reference.as_ref().map(ledger::Reference::as_str),
        "reason": entry.reason.as_ref().map(ledger::Reason::as_str),
        "metadata": metadata,
        "by": entry.by.as_str(),
        "hash": hex(entry.hash),
    });
    if let Value::Object(members) = &mut shape {
        if let Some(currency) = entry.currency {
            members.insert("currency".into(), currency.code().into());
        }
        if let Some(expires_at) = entry.expires_at {
            members.insert("expires_at".into(), rfc3339(expires_at).into());
        }
        if let Some(target) = entry.target {
            members.insert("target".into(), json!({ "account": target.account.get(), "number": target.number }));
        }
    }
    shape
}

/// A credential; never its secret.
pub(super) fn credential(credential: &Credential) -> Value {
    let cidrs: Vec<String> = credential.cidrs.iter().map(ToString::to_string).collect();
    json!({
        "account": credential.account.get(),
        "api_key": credential.api_key,
        "label": credential.label,
        "cidrs": cidrs,
        "created_at": rfc3339(credential.created_at),
        "expires_at": credential.expires_at.map(rfc3339),
        "revoked_at": credential.revoked_at.map(rfc3339),
        "last_used_at": credential.last_used_at.map(rfc3339),
    })
}

/// A hash as 64 lower-case hex digits.
pub(super) fn hex(hash: Hash) -> String {
    hash.0.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
