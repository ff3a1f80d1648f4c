//! The sodu binary's parts, as a library so that tests can build the real server with a clock of their own.
//!
//! Two doors lead in, and neither knows the other: `public` answers eSMS clients, `v1` is the operator API that the
//! command line speaks too. Everything about money is decided in `ledger` and kept in `store`; nothing here moves any.
//!
//! Without the feature `server` only the command line's client side is left.

#[cfg(feature = "server")]
mod cells;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(not(feature = "server"))]
#[path = "cli/client_only.rs"]
pub mod cli;
#[cfg(feature = "server")]
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
mod digits;
#[cfg(feature = "server")]
pub mod door;
mod exposition;
#[cfg(feature = "server")]
pub mod log;
#[cfg(feature = "server")]
pub mod metrics;
pub mod notify;
#[cfg(feature = "server")]
pub mod ops;
#[cfg(feature = "server")]
mod outbox;
#[cfg(feature = "server")]
pub mod public;
#[cfg(feature = "server")]
pub mod serve;
#[cfg(feature = "server")]
pub mod times;
#[cfg(feature = "server")]
pub mod tls;
#[cfg(feature = "server")]
pub mod v1;
pub mod zone;
