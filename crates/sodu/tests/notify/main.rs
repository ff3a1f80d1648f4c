//! Deliveries to real receivers on this machine: HTTP servers, a mail server, programs; well-behaved and otherwise.
//!
//! What was sent is read by code that shares nothing with what sent it. Nothing sleeps: a receiver that is too slow waits
//! for the end of its connection.

#[cfg(feature = "server")]
mod alerts;
mod chats;
mod commands;
mod common;
mod mail_server;
mod mails;
#[cfg(feature = "server")]
#[path = "../places/sqlite.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod place;
#[cfg(feature = "server")]
mod probes;
mod reach;
mod receiver;
mod targets;
mod texts;
mod webhooks;
