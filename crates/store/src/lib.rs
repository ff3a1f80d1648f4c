//! The only crate with SQL: it gathers the facts that a decision needs, keeps what was decided, and never acknowledges
//! what is not durable.
//!
//! The embedded engine is SQLite, owned by one process. All accounts live in memory, read by any thread without a lock;
//! all entries live on disk. One writer thread takes every change (see `writer`), and nothing is visible before its commit
//! is on disk. The rules themselves are the `ledger` crate's.

mod backup;
mod batch;
mod digest;
mod follow;
mod generation;
mod index;
mod keys;
mod lapse;
mod load;
mod maps;
mod memory;
mod own;
mod rows;
mod schema;
mod settings;
mod shared;
mod statement;
mod store;
mod types;
mod verify;
mod writer;

pub use backup::restore;
pub use store::{Grant, Store};
pub use types::{
    AccountNow, ChangeError, Clock, Credential, CredentialChange, DatabaseUrl, Fault, NewAccount, NewCredential,
    OpenError, Options, Outcome, Page, Profile, ProfileChange, Refused, Stats,
};
pub use verify::{Finding, Progress, VerifyReport};
