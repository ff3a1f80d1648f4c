//! The store as everyone else sees it: one of two engines, a closed set, behind plain methods.
//!
//! What the embedded engine answers from memory is asynchronous here, since the other one asks its database; the embedded
//! engine's answer is ready at once. What blocks says so, and belongs on a thread that may.

mod alerts;
mod history;

use std::time::Duration;

use ledger::{AccountId, Actor, Command, Currency, Key, Runway, Time};

use crate::postgres::Postgres;
use crate::{
    AccountChange, AccountNow, ChangeError, Credential, CredentialChange, DatabaseUrl, Fault, Grant, Imported,
    ImportedAccount, KeyOutcome, Login, NewAccount, NewCredential, NewOperator, OpenError, Operator, OperatorName,
    Options, Outcome, Refused, RequestId, Sqlite, Stats,
};

pub use history::{inspect, restore};

/// An open ledger. Clones are handles to the same one.
#[derive(Clone)]
pub enum Store {
    /// The embedded engine: this process owns the database, and all accounts lie in its memory.
    Sqlite(Sqlite),
    /// The scale-out engine: a node without state in front of PostgreSQL.
    Postgres(Postgres),
}

impl Store {
    /// Opens the ledger: brings its schema up to date and makes it ready for work. Errors change nothing; see [`OpenError`].
    /// Blocks.
    ///
    /// SQLite: takes the database's lock, loads every account, starts the writer. Where the log cannot be copied into the
    /// database file, as on a full disk, it opens all the same: reads answer from what was read, and movements get
    /// [`Fault::Unavailable`] until the writer has settled and loaded it.
    pub fn open(options: Options) -> Result<Store, OpenError> {
        match options.url.clone() {
            DatabaseUrl::Sqlite(url) => Sqlite::open(url, &options).map(Store::Sqlite),
            DatabaseUrl::Postgres(url) => Postgres::open(*url, &options).map(Store::Postgres),
        }
    }

    /// A handle whose changes the audit trail shows under that request.
    pub fn in_request(&self, request_id: RequestId) -> Store {
        match self {
            Store::Sqlite(sqlite) => Store::Sqlite(sqlite.in_request(request_id)),
            Store::Postgres(postgres) => Store::Postgres(postgres.in_request(request_id)),
        }
    }

    /// Whether [`Store::open`] made the database.
    pub fn created(&self) -> bool {
        match self {
            Store::Sqlite(sqlite) => sqlite.created(),
            Store::Postgres(postgres) => postgres.created(),
        }
    }

    /// Where it is.
    pub fn url(&self) -> DatabaseUrl {
        match self {
            Store::Sqlite(sqlite) => DatabaseUrl::Sqlite(sqlite.url().clone()),
            Store::Postgres(postgres) => DatabaseUrl::Postgres(Box::new(postgres.url().clone())),
        }
    }

    /// Ledger time. SQLite: the clock's, but never earlier than what is durable; PostgreSQL: the database's clock.
    pub async fn now(&self) -> Result<Time, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.now()),
            Store::Postgres(postgres) => postgres.now().await,
        }
    }

    /// The credential with this key and this secret, revoked and expired ones too; an unknown key and a wrong secret take
    /// the same path to `None`.
    pub async fn authenticate(&self, api_key: &str, secret_key: &str) -> Result<Option<Grant<'_>>, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.authenticate(api_key, secret_key, sqlite.now())),
            Store::Postgres(postgres) => postgres.authenticate(api_key, secret_key).await,
        }
    }

    /// An account's figures of this instant.
    pub async fn account(&self, id: AccountId) -> Result<Option<AccountNow>, Fault> {
        Ok(self.account_and_time(id).await?.map(|(account, _)| account))
    }

    /// The same with the instant: two looks at the clock are two instants, and a hold may end between them.
    pub async fn account_and_time(&self, id: AccountId) -> Result<Option<(AccountNow, Time)>, Fault> {
        match self {
            Store::Sqlite(sqlite) => {
                let now = sqlite.now();
                Ok(sqlite.account_at(id, now).map(|account| (account, now)))
            }
            Store::Postgres(postgres) => postgres.account(id).await,
        }
    }

    /// How many open holds an account has.
    pub async fn open_hold_count(&self, id: AccountId) -> Result<usize, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.open_hold_count(id)),
            Store::Postgres(postgres) => postgres.open_hold_count(id).await,
        }
    }

    /// The accounts whose balance is a metric of its own, and how long each lasts; see [`Store::runway`].
    pub async fn metered_accounts(&self) -> Result<Vec<(AccountNow, Option<Runway>)>, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.metered_accounts()),
            Store::Postgres(postgres) => postgres.metered_accounts().await,
        }
    }

    /// The currency with that code, if there is one.
    pub async fn currency(&self, code: &str) -> Result<Option<Currency>, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.currency(code)),
            Store::Postgres(postgres) => {
                Ok(postgres.currencies().await?.into_iter().find(|currency| currency.code() == code))
            }
        }
    }

    /// All currencies, in the order in which they were added.
    pub async fn currencies(&self) -> Result<Vec<Currency>, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.currencies()),
            Store::Postgres(postgres) => postgres.currencies().await,
        }
    }

    /// The operator whose token that is; `None` for a token that never worked and for one that was revoked.
    pub async fn login(&self, token: &str) -> Result<Option<Login>, Fault> {
        match self {
            Store::Sqlite(sqlite) => Ok(sqlite.login(token)),
            Store::Postgres(postgres) => postgres.login(token).await,
        }
    }

    /// Counters and gauges of this process.
    pub fn stats(&self) -> Stats {
        match self {
            Store::Sqlite(sqlite) => sqlite.stats(),
            Store::Postgres(postgres) => postgres.stats(),
        }
    }

    /// For how long the writer has been at one thing; it comes round every second, also where nothing is to be done.
    ///
    /// `None` while it gets the database back, as on a full disk, which lasts as long as that does; and where there is no
    /// one writer.
    pub fn writer_busy(&self) -> Option<Duration> {
        match self {
            Store::Sqlite(sqlite) => sqlite.writer_busy(),
            Store::Postgres(_) => None,
        }
    }

    /// Resolves when nothing can ever be written again, with the reason: the process must stop. A node in front of
    /// PostgreSQL recovers from everything, and so this never resolves.
    pub async fn broken(&self) -> String {
        match self {
            Store::Sqlite(sqlite) => sqlite.broken().await,
            Store::Postgres(_) => std::future::pending().await,
        }
    }

    /// Finishes what is queued, turns away what comes later, and gives the database up. Blocks until that is done.
    pub fn close(&self) {
        match self {
            Store::Sqlite(sqlite) => sqlite.close(),
            Store::Postgres(postgres) => postgres.close(),
        }
    }
}

/// Changes; each is durable when it returns.
impl Store {
    /// Decides the commands in their order and keeps what comes of them; returns when all of it is durable. Openings go
    /// through [`Store::open_account`].
    pub async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Result<Outcome, Refused>>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.submit(commands).await,
            Store::Postgres(postgres) => postgres.submit(commands).await,
        }
    }

    /// What a key of an account has done, if it has done anything.
    pub async fn key_outcome(&self, account: AccountId, key: Key) -> Result<Option<KeyOutcome>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.key_outcome(account, key).await,
            Store::Postgres(postgres) => postgres.key_outcome(account, key).await,
        }
    }

    /// Opens an account.
    pub async fn open_account(&self, new: NewAccount) -> Result<Outcome, ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.open_account(new).await,
            Store::Postgres(postgres) => postgres.open_account(new).await,
        }
    }

    /// Makes accounts that come from elsewhere, as far as they are missing, in one commit; with `is_check` only says what
    /// stands in the way of each.
    pub async fn import(
        &self,
        by: Actor,
        rows: Vec<ImportedAccount>,
        is_check: bool,
    ) -> Result<Vec<Result<Imported, ChangeError>>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.import(by, rows, is_check).await,
            Store::Postgres(postgres) => postgres.import(by, rows, is_check).await,
        }
    }

    /// Changes settings of an account.
    pub async fn change_account(&self, by: Actor, id: AccountId, change: AccountChange) -> Result<(), ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.change_account(by, id, change).await,
            Store::Postgres(postgres) => postgres.change_account(by, id, change).await,
        }
    }

    /// Keeps a credential; true beside it where an earlier use of the same idempotency key made it.
    pub async fn add_credential(&self, by: Actor, new: NewCredential) -> Result<(Credential, bool), ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.add_credential(by, new).await,
            Store::Postgres(postgres) => postgres.add_credential(by, new).await,
        }
    }

    /// Changes a credential.
    pub async fn change_credential(
        &self,
        by: Actor,
        account: AccountId,
        api_key: &str,
        change: CredentialChange,
    ) -> Result<Credential, ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.change_credential(by, account, api_key, change).await,
            Store::Postgres(postgres) => postgres.change_credential(by, account, api_key, change).await,
        }
    }

    /// Adds an operator, whose token works when this returns.
    pub async fn add_operator(&self, by: Actor, new: NewOperator) -> Result<Operator, ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.add_operator(by, new).await,
            Store::Postgres(postgres) => postgres.add_operator(by, new).await,
        }
    }

    /// Revokes an operator, whose token has stopped to work when this returns.
    pub async fn revoke_operator(&self, by: Actor, name: OperatorName) -> Result<Operator, ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.revoke_operator(by, name).await,
            Store::Postgres(postgres) => postgres.revoke_operator(by, name).await,
        }
    }

    /// Adds a currency; true beside it where it was there already, exactly so.
    pub async fn add_currency(&self, by: Actor, new: Currency) -> Result<(Currency, bool), ChangeError> {
        match self {
            Store::Sqlite(sqlite) => sqlite.add_currency(by, new).await,
            Store::Postgres(postgres) => postgres.add_currency(by, new).await,
        }
    }

    /// Puts into the audit trail what changes nothing in the ledger, such as a backup that begins; `detail` is its members.
    pub async fn note(
        &self,
        by: Actor,
        action: &'static str,
        subject: String,
        detail: Vec<(&'static str, String)>,
    ) -> Result<(), Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.note(by, action, subject, detail).await,
            Store::Postgres(postgres) => postgres.note(by, action, subject, detail).await,
        }
    }
}
