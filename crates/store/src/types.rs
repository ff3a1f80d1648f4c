//! What goes into the store and what comes out of it, free of SQL and of any engine.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use ledger::{AccountId, Actor, Currency, Entry, Key, Minor, Refusal, Status, Time};

use crate::DatabaseUrl;

/// The clock that the embedded engine reads: the system's in the binary, a scripted one in tests.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// How a store is opened.
pub struct Options {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Whether a missing database is created; otherwise it is an error.
    pub create: bool,
    /// The clock of ledger time.
    pub clock: Clock,
    /// How many commands may wait for the writer before further ones are turned away.
    pub queue_len_max: usize,
    /// How many days a refused key stays used up.
    pub refusal_days: u32,
    /// How many refusals of one account are kept within one second; further ones are turned away undecided.
    pub refusals_per_second: u32,
    /// How many connections to PostgreSQL this process may have; the embedded engine has none.
    pub connections_max: usize,
    /// The names of the operator's own targets, which are told of every alert beside the account's contacts.
    pub alert_targets: Vec<String>,
}

/// Why a store did not open. Nothing was changed, but for a migration that had begun and was rolled back.
#[derive(Debug)]
pub enum OpenError {
    /// There is no database there, and none was to be created.
    Missing,
    /// Another process has it open; what that process wrote into the lock file about itself.
    Owned {
        /// Such as `process 4711 (sodu serve)`.
        owner: String,
    },
    /// The file is a database of something else.
    Foreign,
    /// A newer sodu wrote it.
    Newer {
        /// The schema found.
        found: i64,
        /// The newest that this build knows.
        known: i64,
    },
    /// The ledger that was there went elsewhere.
    Moved {
        /// Where it is now, without a password.
        to: String,
        /// Since when, as whoever moved it wrote it down.
        at: String,
    },
    /// The ledger that is to be there has not arrived whole.
    Arriving {
        /// Where it comes from, without a password.
        from: String,
    },
    /// What it holds contradicts itself.
    Damaged(String),
    /// The disk, the file's permissions or SQLite itself.
    Io(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Missing => f.write_str("there is no database there"),
            OpenError::Owned { owner } => write!(f, "it is in use by {owner}; one process owns a database at a time"),
            OpenError::Foreign => f.write_str("the file there is not a sodu database"),
            OpenError::Newer { found, known } => write!(
                f,
                "a newer sodu wrote it (schema {found}, this build knows up to {known}): use that version, nothing was changed"
            ),
            OpenError::Moved { to, at } => write!(
                f,
                "its ledger moved to {to} at {at} and lives there; name that database, nothing here is used any more"
            ),
            OpenError::Arriving { from } => write!(
                f,
                "the ledger of {from} is on its way into it and not there yet: run the same `sodu migrate-store` again to \
                 finish that"
            ),
            OpenError::Damaged(what) => {
                write!(f, "it contradicts itself: {what}; run `sodu verify`, and restore a backup")
            }
            OpenError::Io(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for OpenError {}

/// The environment failed; the rules said nothing. Each variant answers: did it happen, and may I ask again?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing happened: too much is waiting already. Ask again in a moment.
    QueueFull,
    /// Nothing happened: the database cannot be written (or read) right now. Ask again later.
    Unavailable,
    /// It may have happened: send the same key again to learn it.
    OutcomeUnknown,
    /// Nothing happened: the store is being closed.
    Stopping,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::QueueFull => "too many movements are waiting; nothing happened, try again in a moment",
            Fault::Unavailable => "the database cannot be used right now; nothing happened, try again later",
            Fault::OutcomeUnknown => "the outcome is unknown; send the same idempotency key again to learn it",
            Fault::Stopping => "the server is stopping; nothing happened, try again in a moment",
        })
    }
}

impl std::error::Error for Fault {}

/// What a command did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Its entry, which carries the account's figures right after it.
    pub entry: Entry,
    /// Whether this is the outcome of an earlier command under the same key.
    pub replayed: bool,
}

/// Why a command did nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The rule, with the figures of when it was decided.
    pub refusal: Refusal,
    /// When it was decided, if that was under an earlier use of the same key.
    pub replayed_from: Option<Time>,
    /// The account as it is now; `None` where there is none.
    pub account: Option<AccountNow>,
}

/// What an idempotency key has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyOutcome {
    /// It moved money, or changed a setting.
    Entry(Box<Entry>),
    /// It was refused, and is used up.
    Refused {
        /// The rule, with the facts of then.
        refusal: Refusal,
        /// When.
        at: Time,
    },
}

/// An account's figures at one instant, all of the same entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountNow {
    /// Its number.
    pub id: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// Its money, without holds and credit.
    pub posted: Minor,
    /// Its money promised to open holds.
    pub held: Minor,
    /// How far below zero it may spend.
    pub credit_limit: Minor,
    /// Whether it may spend.
    pub status: Status,
    /// The number of its last entry.
    pub number: u64,
    /// Whether eSMS answers show what is available (with credit) instead of the account's own money.
    pub shows_available: bool,
    /// Whether its balance is a metric of its own.
    pub metered: bool,
}

impl AccountNow {
    /// posted − held: what an eSMS answer shows.
    pub fn balance(&self) -> Minor {
        self.posted.minus(self.held).expect("figures are within a quarter of i64")
    }

    /// posted − held + limit: what may be spent.
    pub fn available(&self) -> Minor {
        self.balance().plus(self.credit_limit).expect("the rules keep available within bounds")
    }
}

/// What an account is besides money: nothing here decides a movement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// The account.
    pub id: AccountId,
    /// What people call it; 1 to 200 bytes.
    pub name: String,
    /// Its id in the operator's own system, unique where given.
    pub external_id: Option<String>,
    /// When it was opened.
    pub opened_at: Time,
}

/// A new account; the entry is written together with its profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAccount {
    /// The number wanted; the next free one where none is.
    pub id: Option<AccountId>,
    /// What people call it.
    pub name: String,
    /// Its id in the operator's own system.
    pub external_id: Option<String>,
    /// Its currency's code; must exist.
    pub currency: String,
    /// How far below zero it may spend, as a decimal of that currency, already known to be one.
    pub credit_limit: Minor,
    /// The idempotency key, scoped to the platform: a repeated one answers with the account that it opened.
    pub key: Option<Key>,
    /// Who asks.
    pub by: Actor,
}

/// Which settings of an account to change; `None` leaves one as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProfileChange {
    /// A new name.
    pub name: Option<String>,
    /// A new external id, or none at all.
    pub external_id: Option<Option<String>>,
    /// See [`AccountNow::shows_available`].
    pub shows_available: Option<bool>,
    /// See [`AccountNow::metered`].
    pub metered: Option<bool>,
}

/// A change of an account's settings, all of it in one commit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountChange {
    /// What decides no movement.
    pub profile: ProfileChange,
    /// What does: limits and status.
    pub commands: Vec<ledger::Command>,
    /// The version that the settings must have; see [`crate::settings_version`].
    pub expected: Option<String>,
}

/// A credential to be kept; its secret is digested before it reaches the disk.
pub struct NewCredential {
    /// The account it speaks for.
    pub account: AccountId,
    /// The key, unique on the platform; 1 to 128 visible ASCII characters.
    pub api_key: String,
    /// The secret; 1 to 128 visible ASCII characters. Never stored.
    pub secret_key: String,
    /// Whether the caller brought key and secret: a repeated idempotency key must then bring the same. A pair that the
    /// server made anew for a repeated request is dropped instead.
    pub is_imported: bool,
    /// What people call it.
    pub label: Option<String>,
    /// The addresses it may be used from; empty for any.
    pub cidrs: Vec<IpNet>,
    /// When it stops to work.
    pub expires_at: Option<Time>,
    /// The idempotency key, scoped to the account.
    pub key: Option<Key>,
}

/// Which properties of a credential to change; `None` leaves one as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CredentialChange {
    /// A new label, or none at all.
    pub label: Option<Option<String>>,
    /// A new address list; empty for any address.
    pub cidrs: Option<Vec<IpNet>>,
    /// A new end, or none at all.
    pub expires_at: Option<Option<Time>>,
    /// Revoke it, for ever.
    pub revoke: bool,
}

/// A credential as it may be shown: without its secret, which the store does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    /// The account it speaks for.
    pub account: AccountId,
    /// The key.
    pub api_key: String,
    /// What people call it.
    pub label: Option<String>,
    /// The addresses it may be used from; empty for any.
    pub cidrs: Vec<IpNet>,
    /// When it was made.
    pub created_at: Time,
    /// When it stops to work.
    pub expires_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Time>,
}

/// Why a change of something other than money was not made. Nothing happened, unless the fault says otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// There is no such account.
    UnknownAccount,
    /// There is no such credential on that account.
    UnknownCredential,
    /// There is no such currency.
    UnknownCurrency,
    /// There never was an operator of that name.
    UnknownOperator,
    /// There is, or was, an operator of that name.
    OperatorExists,
    /// That currency exists already, with another scale or other public decimals.
    CurrencyExists,
    /// There are as many currencies as there can be.
    TooManyCurrencies,
    /// That number or external id belongs to another account.
    AccountExists,
    /// That API key exists already.
    CredentialExists,
    /// The key was used before, for something else.
    KeyReused,
    /// The account's settings are not of the expected version any more.
    SettingsChanged,
    /// Opening or changing was refused by the rules.
    Refused(Refusal),
    /// The environment failed.
    Fault(Fault),
}

impl From<Fault> for ChangeError {
    fn from(fault: Fault) -> ChangeError {
        ChangeError::Fault(fault)
    }
}

/// One page of something that has an order; `next` continues it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T, C> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; `None` at the end.
    pub next: Option<C>,
}

/// How the store is doing, for health and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Whether movements are taken right now.
    pub writable: bool,
    /// Accounts kept.
    pub accounts: u64,
    /// Commands that wait for the writer.
    pub queue_len: u64,
    /// Commits so far.
    pub commits: u64,
    /// Commands decided in those commits.
    pub commands: u64,
    /// Time spent in commits, in microseconds.
    pub commit_us: u64,
    /// Commits that failed.
    pub commit_failures: u64,
}
