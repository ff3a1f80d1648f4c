//! The real server, on port 0, with a ledger of its own in a temporary folder, spoken to in raw bytes.
//!
//! Requests are written out as clients send them, so that no HTTP library stands between the contract and the test.
//! Nothing sleeps: a test that waits for a time limit waits for the end of its socket.

mod alive;
mod caller;
mod clients;
mod common;
mod contract;
mod cors;
mod http;
mod lifecycle;
mod limits;
mod login;
mod operators;
#[path = "../places/sqlite.rs"]
#[expect(dead_code, reason = "the cases of `v1` use the rest")]
mod place;
mod privacy;
mod runways;
mod sockets;
mod tls;
