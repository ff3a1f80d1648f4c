//! Reads of what happened, and proofs of it, over either engine. Each blocks.

use std::path::Path;

use ledger::{AccountId, Entry, Hold, Time};

use crate::{
    AccountNow, Against, AuditQuery, AuditRow, Credential, DatabaseUrl, Fault, OpenError, Operator, Page, Postgres,
    Profile, Progress, Store, Totals, VerifyReport, backup, verify,
};

/// Reads of what happened. Each blocks, and must not be called where that would keep others waiting.
impl Store {
    /// One entry of an account.
    pub fn entry(&self, account: AccountId, number: u64) -> Result<Option<Entry>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.entry(account, number),
            Store::Postgres(postgres) => postgres.entry(account, number),
        }
    }

    /// The entries with `from` ≤ at < `to` and a number above `after`, oldest first, at most `limit`; `next` is the number
    /// to go on after.
    pub fn entries(
        &self,
        account: AccountId,
        from: Option<Time>,
        to: Option<Time>,
        after: u64,
        limit: usize,
    ) -> Result<Page<Entry, u64>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.entries(account, from, to, after, limit),
            Store::Postgres(postgres) => postgres.entries(account, from, to, after, limit),
        }
    }

    /// An account's figures as they were at `at`, which is not later than now; `None` where it was opened later.
    ///
    /// The last entry with at ≤ `at`, less the holds that had ended by then without an entry that says so yet: what
    /// GetBalance answered at that instant.
    pub fn account_as_of(&self, id: AccountId, at: Time) -> Result<Option<AccountNow>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.account_as_of(id, at),
            Store::Postgres(postgres) => postgres.account_as_of(id, at),
        }
    }

    /// The open holds of an account with a number above `after`, in their order, each with its entry.
    pub fn open_holds(&self, id: AccountId, after: u64, limit: usize) -> Result<Page<(Hold, Entry), u64>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.open_holds(id, after, limit),
            Store::Postgres(postgres) => postgres.open_holds(id, after, limit),
        }
    }

    /// An account's profile.
    pub fn profile(&self, id: AccountId) -> Result<Option<Profile>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.profile(id),
            Store::Postgres(postgres) => postgres.profile(id),
        }
    }

    /// Accounts with a number above `after`, in order; with `query` those whose number starts with it or whose name or
    /// external id contains it.
    pub fn profiles(
        &self,
        query: Option<&str>,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Page<Profile, AccountId>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.profiles(query, after, limit),
            Store::Postgres(postgres) => postgres.profiles(query, after, limit),
        }
    }

    /// An account's credentials, oldest first.
    pub fn credentials(&self, account: AccountId) -> Result<Vec<Credential>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.credentials(account),
            Store::Postgres(postgres) => postgres.credentials(account),
        }
    }

    /// Everyone who ever was an operator, in the order in which they were added.
    pub fn operators(&self) -> Result<Vec<Operator>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.operators(),
            Store::Postgres(postgres) => postgres.operators(),
        }
    }

    /// Rows of the audit trail, oldest first, at most `limit`; `next` is the number to go on after.
    pub fn audit(&self, wanted: &AuditQuery, limit: usize) -> Result<Page<AuditRow, u64>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.audit(wanted, limit),
            Store::Postgres(postgres) => postgres.audit(wanted, limit),
        }
    }

    /// The sums over all accounts by currency, in the order in which currencies were made: now, or as of an instant not
    /// later than now.
    pub fn totals(&self, at: Option<Time>) -> Result<Vec<Totals>, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.totals(at),
            Store::Postgres(postgres) => postgres.totals(at),
        }
    }

    /// Adds every account up anew and checks every link, while the store goes on working.
    ///
    /// Every chain must also pass through the links of `against`.
    pub fn verify(&self, against: Against, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, Fault> {
        match self {
            Store::Sqlite(sqlite) => sqlite.verify(against, progress),
            Store::Postgres(postgres) => postgres.verify(against, progress),
        }
    }

    /// Writes a consistent copy to the new file `to`. Errors are sentences.
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), String> {
        match self {
            Store::Sqlite(sqlite) => sqlite.backup(to, progress),
            Store::Postgres(_) => Err(
                "a PostgreSQL database is backed up with its own tools: pg_basebackup with archived WAL, or pg_dump"
                    .into(),
            ),
        }
    }
}

/// Verifies a database that nobody serves, without loading it first: also one that contradicts itself too much to be
/// opened.
pub fn inspect(
    url: &DatabaseUrl,
    against: Against,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, OpenError> {
    match url {
        DatabaseUrl::Sqlite(file) => verify::inspect(file, against, progress),
        DatabaseUrl::Postgres(url) => Postgres::inspect(url, against, progress),
    }
}

/// Verifies the backup `from` and copies it to the new database `to`. Gives the report and the last instant it includes.
///
/// Errors are sentences. A finding is one: a backup that does not verify is not restored.
pub fn restore(
    from: &Path,
    to: &DatabaseUrl,
    progress: &mut dyn FnMut(Progress),
) -> Result<(VerifyReport, Time), String> {
    match to {
        DatabaseUrl::Sqlite(file) => backup::restore(from, file, progress),
        DatabaseUrl::Postgres(_) => {
            Err("a PostgreSQL database is restored with its own tools, pg_restore or a base backup and its WAL".into())
        }
    }
}
