//! What the operator API answers, as types. Times are RFC 3339 in UTC with microseconds, so that texts sort like times.
//!
//! Unknown members are passed over and unknown kinds are [`Kind::Other`]: a newer server is no error.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::Decimal;

use super::error::Problem;
use crate::secret::Secret;

/// An account's figures, all of one instant.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Figures {
    /// The account's number.
    pub id: u32,
    /// Its currency.
    pub currency: String,
    /// Whether it spends.
    pub status: Status,
    /// Its own spendable money, which GetBalance shows: posted less held.
    pub balance: Decimal,
    /// What was moved in and out.
    pub posted: Decimal,
    /// What open holds have promised.
    pub held: Decimal,
    /// What may be spent: the balance and the credit limit.
    pub available: Decimal,
    /// How far below zero it may spend.
    pub credit_limit: Decimal,
    /// The number of its newest entry.
    pub last_entry: u64,
}

/// The answer of [`balance`](super::Operator::balance): an account's figures at an instant.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Balance {
    /// The account's number.
    pub user_id: u32,
    /// Its own spendable money, which GetBalance shows.
    pub balance: Decimal,
    /// Its currency.
    pub currency: String,
    /// Whether it spends.
    pub status: Status,
    /// What was moved in and out.
    pub posted: Decimal,
    /// What open holds have promised.
    pub held: Decimal,
    /// What may be spent.
    pub available: Decimal,
    /// How far below zero it may spend.
    pub credit_limit: Decimal,
    /// The number of the newest entry of then.
    pub last_entry: u64,
    /// The instant.
    pub at: String,
}

/// Whether an account spends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Active,
    /// It takes money and spends none.
    Locked,
    /// It takes nothing any more.
    Closed,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// An account whole.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Account {
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// What people call it.
    pub name: String,
    /// Its id in the operator's own system.
    pub external_id: Option<String>,
    /// When it was opened.
    pub opened_at: String,
    /// Whether GetBalance shows what is available instead of the account's own money.
    pub shows_available: bool,
    /// Whether its balance is a metric of its own.
    pub metered: bool,
    /// How many holds are open.
    pub open_holds: u64,
    /// The version of its settings, for [`AccountChange::if_version`](super::AccountChange::if_version); only an account
    /// that was asked for by itself has one.
    #[serde(skip)]
    pub version: Option<String>,
}

/// What kind of entry it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the name that the operator API uses")]
pub enum Kind {
    Open,
    Limit,
    Status,
    Topup,
    Charge,
    Hold,
    Extend,
    Capture,
    Void,
    Expire,
    Refund,
    Transfer,
    Adjust,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// Another entry that an entry names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct Target {
    /// Its account.
    pub account: u32,
    /// Its number.
    pub number: u64,
}

/// One entry of an account's ledger; it never changes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Entry {
    /// The account.
    pub account: u32,
    /// Its number within the account, from 1.
    pub number: u64,
    /// What kind it is.
    pub kind: Kind,
    /// How much.
    pub amount: Decimal,
    /// What was posted after it.
    pub posted_after: Decimal,
    /// What was held after it.
    pub held_after: Decimal,
    /// The account's own spendable money after it.
    pub balance_after: Decimal,
    /// The credit limit in force.
    pub credit_limit: Decimal,
    /// The status in force.
    pub status: Status,
    /// When it counts.
    pub at: String,
    /// When it was written down.
    pub recorded_at: String,
    /// When a hold ends.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// The entry that it belongs to: a capture's hold, a refund's charge, a transfer's other side.
    #[serde(default)]
    pub target: Option<Target>,
    /// Its idempotency key.
    pub key: Option<String>,
    /// What it belongs to in the operator's own system.
    pub reference: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Whatever else was said.
    pub metadata: BTreeMap<String, String>,
    /// Who asked for it.
    pub by: String,
    /// The link of the chain, 64 hex digits.
    pub hash: String,
}

/// What a movement did.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Moved {
    /// Its entry.
    pub entry: Entry,
    /// The account right after that entry, whatever has happened since.
    pub account: Figures,
    /// Whether the same key had done it before.
    pub replayed: bool,
}

/// A newly opened account.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Opened {
    /// The account right after it was opened.
    pub account: Account,
    /// Its first entry.
    pub entry: Entry,
    /// Whether the same key had opened it before.
    pub replayed: bool,
}

/// An open hold.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct OpenHold {
    /// The number of its entry.
    pub number: u64,
    /// How much was held.
    pub amount: Decimal,
    /// What is left of it.
    pub left: Decimal,
    /// When it ends.
    pub expires_at: String,
    /// When it was made.
    pub at: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// What it belongs to in the operator's own system.
    pub reference: Option<String>,
    /// Whatever else was said.
    pub metadata: BTreeMap<String, String>,
}

/// A pair of keys, without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Credential {
    /// The account that it speaks for.
    pub account: u32,
    /// The API key.
    pub api_key: String,
    /// What people call it.
    pub label: Option<String>,
    /// The networks that it may be used from; anywhere if there are none.
    pub cidrs: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// Until when it works.
    pub expires_at: Option<String>,
    /// Since when it does not work any more.
    pub revoked_at: Option<String>,
    /// When it was used last.
    pub last_used_at: Option<String>,
}

/// A new pair of keys.
#[derive(Clone, Debug, Deserialize)]
pub struct Issued {
    /// The pair without its secret.
    #[serde(flatten)]
    pub credential: Credential,
    /// The secret key, shown this once; none where it was imported, or where the same key had issued it before.
    pub secret_key: Option<Secret>,
    /// Whether the same key had done it before.
    pub replayed: bool,
    /// What is wrong with an imported secret.
    pub warning: Option<String>,
}

/// What an idempotency key has done.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(untagged)]
pub enum KeyOutcome {
    /// It moved credit.
    Moved(Box<Moved>),
    /// It was refused, and nothing moved.
    Refused {
        /// Why.
        refused: Box<Problem>,
    },
}

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    /// What to ask for the next page with; none on the last one.
    pub next: Option<String>,
}

/// A list as it is sent, whatever its items are called there.
#[derive(Deserialize)]
pub(super) struct List<T> {
    #[serde(alias = "accounts", alias = "entries", alias = "holds", alias = "credentials")]
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> From<List<T>> for Page<T> {
    fn from(list: List<T>) -> Page<T> {
        Page { items: list.items, next: list.next_cursor }
    }
}

/// The outcomes of a batch.
#[derive(Deserialize)]
pub(super) struct Outcomes {
    pub(super) outcomes: Vec<Item>,
}

/// What one command of a batch came to.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Item {
    Moved(Box<Moved>),
    Refused { problem: Box<Problem> },
}

impl Item {
    pub(super) fn into_result(self) -> Result<Moved, Problem> {
        match self {
            Item::Moved(moved) => Ok(*moved),
            Item::Refused { problem } => Err(*problem),
        }
    }
}
