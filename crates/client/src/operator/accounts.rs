//! Accounts, their entries, holds and keys.

use reqwest::Method;
use reqwest::header::{ETAG, HeaderValue, IF_MATCH};
use serde::Serialize;
use wire::Decimal;

use super::command::new_key;
use super::shapes::{Account, Balance, Credential, Entry, Issued, KeyOutcome, List, OpenHold, Opened, Page};
use super::{Operator, OperatorError, encode, read, with_key};
use crate::http::{Answered, Repeat};

/// An account to open, under an idempotency key of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NewAccount {
    /// What people call it, 1 to 200 bytes.
    pub name: String,
    /// Its number, 1 to 2147483647; the next free one where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Its currency, for ever; VND where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How far below zero it may spend; nothing where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<Decimal>,
    /// Its id in your own system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The idempotency key.
    #[serde(skip)]
    pub key: String,
}

impl NewAccount {
    /// An account of that name, under a new key.
    ///
    /// # Panics
    /// Where the operating system has no randomness to give.
    pub fn new(name: impl Into<String>) -> NewAccount {
        let (id, currency, credit_limit, external_id) = (None, None, None, None);
        NewAccount { name: name.into(), id, currency, credit_limit, external_id, key: new_key() }
    }
}

/// Settings of an account to change. What is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AccountChange {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A new id in your own system; `Some(None)` takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Option<String>>,
    /// How far below zero it may spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<Decimal>,
    /// `active`, `locked`, or `closed` for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether GetBalance shows what is available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shows_available: Option<bool>,
    /// Whether its balance is a metric of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metered: Option<bool>,
    /// Why limit or status change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Change it only where its settings are still of this [`version`](Account::version).
    #[serde(skip)]
    pub if_version: Option<String>,
}

/// A pair of keys to issue, or to import, under an idempotency key of its own.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct NewCredential {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Networks and addresses that it may be used from; anywhere if there are none.
    pub cidrs: Vec<String>,
    /// Until when it works, RFC 3339, or a date, that day included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// An existing pair to import: API key and secret key.
    #[serde(flatten)]
    pair: Option<Pair>,
    /// The idempotency key.
    #[serde(skip)]
    pub key: String,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct Pair {
    api_key: String,
    secret_key: String,
}

impl NewCredential {
    /// A pair that the server makes.
    ///
    /// # Panics
    /// Where the operating system has no randomness to give.
    pub fn issue() -> NewCredential {
        NewCredential { label: None, cidrs: Vec::new(), expires_at: None, pair: None, key: new_key() }
    }

    /// A pair that exists already.
    ///
    /// # Panics
    /// As [`NewCredential::issue`].
    pub fn import(api_key: impl Into<String>, secret_key: impl Into<String>) -> NewCredential {
        let pair = Pair { api_key: api_key.into(), secret_key: secret_key.into() };
        NewCredential { pair: Some(pair), ..NewCredential::issue() }
    }
}

/// Hides the pair.
impl std::fmt::Debug for NewCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCredential").field("label", &self.label).field("cidrs", &self.cidrs).finish_non_exhaustive()
    }
}

/// Limits of a pair of keys to change. What is `None` stays; `Some(None)` takes a limit away.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CredentialChange {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Option<String>>,
    /// Networks and addresses that it may be used from; anywhere if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidrs: Option<Vec<String>>,
    /// Until when it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Option<String>>,
}

/// Which entries are listed; all of them by default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EntryFilter {
    /// From this instant or day on.
    pub from: Option<String>,
    /// Up to this instant or day.
    pub to: Option<String>,
    /// Only of this kind, such as `charge`.
    pub kind: Option<String>,
    /// Only with this reference.
    pub reference: Option<String>,
}

/// Errors of all of these: [`OperatorError`]; a call that changes something under a key is told as
/// [`OperatorError::OutcomeUnknown`] where nobody knows whether it did, and the same may be sent again.
#[expect(clippy::missing_errors_doc, reason = "they are the same for all, and stand above")]
impl Operator {
    /// Opens an account.
    pub async fn open_account(&self, new: &NewAccount) -> Result<Opened, OperatorError> {
        let mut ask = self.request(Method::POST, "v1/accounts".into(), Some(body(new)), Repeat::Harmless);
        with_key(&mut ask, &new.key)?;
        self.settled(&ask).await
    }

    /// An account as it is now.
    pub async fn account(&self, id: u32) -> Result<Account, OperatorError> {
        let ask = self.request(Method::GET, format!("v1/accounts/{id}"), None, Repeat::Harmless);
        with_version(self.plain(&ask).await?)
    }

    /// One page of the accounts whose name, external id or number contains `query`; an empty one is in all of them.
    pub async fn accounts(&self, query: &str, cursor: Option<&str>) -> Result<Page<Account>, OperatorError> {
        let path = format!("v1/accounts?query={}&cursor={}", encode(query), encode(cursor.unwrap_or_default()));
        self.get::<List<_>>(path).await.map(Page::from)
    }

    /// Changes settings of an account, all of them or none. What is set already stays without an entry.
    pub async fn change_account(&self, id: u32, change: &AccountChange) -> Result<Account, OperatorError> {
        // With a version, a second attempt would meet the version that the first one made.
        let repeat = if change.if_version.is_some() { Repeat::UnlessSent } else { Repeat::Harmless };
        let mut ask = self.request(Method::PATCH, format!("v1/accounts/{id}"), Some(body(change)), repeat);
        if let Some(version) = &change.if_version {
            ask.headers.insert(IF_MATCH, HeaderValue::from_str(version).map_err(|_| OperatorError::BadKey)?);
        }
        with_version(self.plain(&ask).await?)
    }

    /// An account's figures now, or as they were at an instant or the end of a day.
    pub async fn balance(&self, id: u32, at: Option<&str>) -> Result<Balance, OperatorError> {
        let at = at.map(|at| format!("?at={}", encode(at))).unwrap_or_default();
        self.get(format!("v1/accounts/{id}/balance{at}")).await
    }

    /// One page of an account's entries, the oldest first.
    pub async fn entries(
        &self,
        id: u32,
        filter: &EntryFilter,
        cursor: Option<&str>,
    ) -> Result<Page<Entry>, OperatorError> {
        let EntryFilter { from, to, kind, reference } = filter;
        let all = [("from", from), ("to", to), ("kind", kind), ("reference", reference)];
        let mut path = format!("v1/accounts/{id}/entries?cursor={}", encode(cursor.unwrap_or_default()));
        for (name, value) in all {
            if let Some(value) = value {
                path = format!("{path}&{name}={}", encode(value));
            }
        }
        self.get::<List<_>>(path).await.map(Page::from)
    }

    /// One entry.
    pub async fn entry(&self, id: u32, number: u64) -> Result<Entry, OperatorError> {
        self.get(format!("v1/accounts/{id}/entries/{number}")).await
    }

    /// One page of an account's open holds.
    pub async fn holds(&self, id: u32, cursor: Option<&str>) -> Result<Page<OpenHold>, OperatorError> {
        let path = format!("v1/accounts/{id}/holds?cursor={}", encode(cursor.unwrap_or_default()));
        self.get::<List<_>>(path).await.map(Page::from)
    }

    /// What an idempotency key of the account has done; a problem `unknown_key` where it did nothing.
    pub async fn key_outcome(&self, id: u32, key: &str) -> Result<KeyOutcome, OperatorError> {
        self.get(format!("v1/accounts/{id}/keys/{}", encode(key))).await
    }

    /// Issues or imports a pair of keys. A secret comes only with the first answer: where that was lost, the pair exists
    /// and its secret is gone, so revoke it and issue another.
    pub async fn add_credential(&self, id: u32, new: &NewCredential) -> Result<Issued, OperatorError> {
        let path = format!("v1/accounts/{id}/credentials");
        let mut ask = self.request(Method::POST, path, Some(body(new)), Repeat::Harmless);
        with_key(&mut ask, &new.key)?;
        self.settled(&ask).await
    }

    /// All pairs of an account, without their secrets.
    pub async fn credentials(&self, id: u32) -> Result<Vec<Credential>, OperatorError> {
        let list: List<Credential> = self.get(format!("v1/accounts/{id}/credentials")).await?;
        Ok(Page::from(list).items)
    }

    /// Restricts a pair otherwise.
    pub async fn change_credential(
        &self,
        id: u32,
        api_key: &str,
        change: &CredentialChange,
    ) -> Result<Credential, OperatorError> {
        let path = format!("v1/accounts/{id}/credentials/{}", encode(api_key));
        let ask = self.request(Method::PATCH, path, Some(body(change)), Repeat::Harmless);
        read(self.plain(&ask).await?)
    }

    /// Revokes a pair, for ever.
    pub async fn revoke_credential(&self, id: u32, api_key: &str) -> Result<Credential, OperatorError> {
        let path = format!("v1/accounts/{id}/credentials/{}", encode(api_key));
        let ask = self.request(Method::DELETE, path, None, Repeat::Harmless);
        read(self.plain(&ask).await?)
    }
}

fn body(shape: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(shape).expect("texts, numbers and flags are JSON")
}

fn with_version(answered: Answered) -> Result<Account, OperatorError> {
    let version = answered.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    Ok(Account { version, ..read(answered)? })
}
