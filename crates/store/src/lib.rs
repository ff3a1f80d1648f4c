//! The only crate with SQL: it gathers the facts that a decision needs, keeps what was decided, and never acknowledges
//! what is not durable.
//!
//! Two engines, one store: [`Store`] is either.
//!
//! The embedded engine is SQLite, owned by one process. All accounts live in memory, read by any thread without a lock;
//! all entries live on disk. One writer thread takes every change (see `writer`), and nothing is visible before its commit
//! is on disk. The rules themselves are the `ledger` crate's.
//!
//! The scale-out engine is PostgreSQL, with any number of nodes in front of it (see `postgres`).

mod alerts;
mod audit;
mod backup;
mod batch;
mod changes;
mod copier;
mod credentials;
mod currencies;
mod digest;
mod engine;
mod examine;
mod follow;
mod generation;
mod grant;
mod happened;
mod hear;
mod holds;
mod import;
mod index;
mod job;
mod keys;
mod lapse;
mod links;
mod load;
mod log;
mod maps;
mod measure;
mod memory;
mod moving;
mod open;
mod operators;
mod outbox;
mod own;
mod perform;
mod postgres;
mod refused;
mod report;
mod rows;
mod runway;
mod schema;
mod settings;
mod settlement;
mod shared;
mod statement;
mod store;
mod tell;
mod totals;
mod types;
mod url;
mod verify;
mod watch;
mod writer;

pub use alerts::{AlertSettings, AlertState, Channel, Contact, Language, Measured, Quiet};
pub use audit::{AuditQuery, AuditRow, RequestId};
pub use engine::{Store, inspect, restore};
pub use examine::{Examined, examine, owner};
pub use grant::Grant;
pub use happened::{Alert, AlertEvent};
pub use import::{Imported, ImportedAccount, ImportedCredential};
pub use moving::{Figures, MoveError, Moved, Side, Stage, migrate};
pub use operators::{Login, NewOperator, Operator, OperatorName, Role};
pub use outbox::{Attempt, AttemptResult, Attempted, Delivery, DeliveryQuery, DeliveryStatus, DeliveryTarget, Due};
pub use postgres::{Postgres, PostgresUrl};
pub use report::{Against, Finding, Progress, VerifyReport};
pub use settings::settings_version;
pub use store::Sqlite;
pub use totals::Totals;
pub use types::{
    AccountChange, AccountNow, ChangeError, Clock, Credential, CredentialChange, Fault, KeyOutcome, NewAccount,
    NewCredential, OpenError, Options, Outcome, Page, Profile, ProfileChange, Refused, Stats,
};
pub use url::{DatabaseUrl, SqliteUrl};
