//! Alerts from the movement that causes them to whoever is told: real servers, a webhook receiver and a mail server on this
//! machine, through lost answers, restarts and kills.
//!
//! What happened to a delivery is waited for, never slept for; the ledger's clock is moved by the tests.

mod common;
mod delivered;
mod quiet;
mod week;
