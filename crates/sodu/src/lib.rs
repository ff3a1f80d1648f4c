//! The sodu binary's parts, as a library so that tests can build the real server with a clock of their own.
//!
//! Two doors lead in, and neither knows the other: `public` answers eSMS clients, `v1` is the operator API that the
//! command line speaks too. Everything about money is decided in `ledger` and kept in `store`; nothing here moves any.

pub mod cli;
pub mod clock;
pub mod config;
pub mod door;
pub mod log;
pub mod metrics;
pub mod ops;
pub mod public;
pub mod serve;
pub mod times;
pub mod tls;
pub mod v1;
