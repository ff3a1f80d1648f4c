//! stub
#![allow(unused_variables, dead_code, missing_docs, clippy::todo)]
mod types;
pub use types::*;
use ledger::{AccountId, Command, Currency, Entry, Time};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone)]
pub struct Store { x: Arc<()> }

/// A credential that key and secret were right for, and its account.
pub struct Grant<'a> { pub account: AccountNow, x: &'a () }
impl Grant<'_> {
    /// Whether it is neither revoked nor expired at `now`.
    pub fn is_live(&self, now: Time) -> bool { todo!() }
    /// Whether it may be used from there. IPv4-mapped IPv6 addresses are compared as IPv4.
    pub fn admits(&self, address: IpAddr) -> bool { todo!() }
    /// Notes the use (in memory; written at most once a minute).
    pub fn note_use(&self, now: Time) { todo!() }
}

pub struct VerifyReport { pub accounts: u64, pub entries: u64, pub root: ledger::Hash, pub findings: Vec<Finding> }
pub struct Finding { pub account: Option<AccountId>, pub number: Option<u64>, pub what: String }
/// done, total (entries or bytes)
pub struct Progress { pub done: u64, pub total: u64 }

impl Store {
    /// Opens (or creates) the database, takes its lock, migrates, loads every account, starts the writer.
    pub fn open(options: Options) -> Result<Store, OpenError> { todo!() }
    /// Whether `open` created the database.
    pub fn created(&self) -> bool { todo!() }
    pub fn url(&self) -> &DatabaseUrl { todo!() }
    /// Ledger time.
    pub fn now(&self) -> Time { todo!() }
    // ---- from memory, no lock, any thread
    pub fn authenticate(&self, api_key: &str, secret_key: &str) -> Option<Grant<'_>> { todo!() }
    pub fn account(&self, id: AccountId) -> Option<AccountNow> { todo!() }
    pub fn metered_accounts(&self) -> Vec<AccountNow> { todo!() }
    pub fn stats(&self) -> Stats { todo!() }
    pub fn currency(&self, code: &str) -> Option<Currency> { todo!() }
    // ---- writes: durable before they return
    pub async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Result<Outcome, Refused>>, Fault> { todo!() }
    pub async fn open_account(&self, new: NewAccount) -> Result<Outcome, ChangeError> { todo!() }
    pub async fn change_profile(&self, account: AccountId, change: ProfileChange) -> Result<(), ChangeError> { todo!() }
    /// true: replayed (same key and same content as before)
    pub async fn add_credential(&self, new: NewCredential) -> Result<(Credential, bool), ChangeError> { todo!() }
    pub async fn change_credential(&self, account: AccountId, api_key: &str, change: CredentialChange) -> Result<Credential, ChangeError> { todo!() }
    /// Resolves when the store can never write again (a stranger wrote into the database, the writer died): why. The process must stop.
    pub async fn broken(&self) -> String { todo!() }
    /// Finishes what is queued, refuses what comes later (`Fault::Stopping`), returns when the writer has ended. Blocking.
    pub fn close(&self) { todo!() }
    // ---- from disk, blocking (call from spawn_blocking)
    pub fn profile(&self, id: AccountId) -> Result<Option<Profile>, Fault> { todo!() }
    /// Accounts after `after`, in the order of their ids, whose name, external id or number contains `query`.
    pub fn profiles(&self, query: Option<&str>, after: Option<AccountId>, limit: usize) -> Result<Page<Profile, AccountId>, Fault> { todo!() }
    pub fn credentials(&self, account: AccountId) -> Result<Vec<Credential>, Fault> { todo!() }
    pub fn entry(&self, account: AccountId, number: u64) -> Result<Option<Entry>, Fault> { todo!() }
    /// Entries with from <= at < to and number > after, oldest first.
    pub fn entries(&self, account: AccountId, from: Option<Time>, to: Option<Time>, after: u64, limit: usize) -> Result<Page<Entry, u64>, Fault> { todo!() }
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, Fault> { todo!() }
    /// Writes a consistent copy to `file`, which must not exist. Error: a sentence.
    pub fn backup(&self, file: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), String> { todo!() }
}
/// Verifies `file` and copies it to a new database. Error: a sentence. Returns the report and the ledger time of the copy.
pub fn restore(file: &Path, to: &DatabaseUrl, progress: &mut dyn FnMut(Progress)) -> Result<(VerifyReport, Time), String> { todo!() }
