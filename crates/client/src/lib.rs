#![doc = include_str!("../README.md")]
//!
//! # In this crate
//!
//! [`Client`] asks an eSMS service, or whoever speaks its GetBalance, for a balance. [`operator::Operator`] (feature
//! `operator`) moves credit in a sodu ledger. [`blocking`] (feature `blocking`) has both without an async runtime.
//!
//! Deliberately absent: sending messages, caches, background polling. What the eSMS call looks like on the wire is not
//! known here but in the crate `wire`.

mod balance;
#[cfg(feature = "blocking")]
pub mod blocking;
mod fault;
mod http;
#[cfg(feature = "operator")]
pub mod operator;
mod secret;
mod settings;
#[doc(hidden)]
pub mod transport;

pub use balance::{Balance, Client, Error};
pub use fault::Fault;
pub use secret::Secret;
pub use settings::{Settings, SetupError};
pub use wire::{Decimal, NotDecimal};
