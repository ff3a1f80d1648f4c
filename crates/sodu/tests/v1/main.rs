//! The operator API as its callers see it: statuses, headers and bodies, from the real router over a real database, each
//! held against the OpenAPI document (`described`).
//!
//! Each test has its own database and a clock that stands still until it is moved.

mod alerts;
mod as_of;
mod audit;
mod backups;
mod batch;
mod chores;
mod common;
mod credentials;
mod crowd;
mod described;
mod holds;
mod malformed;
mod operators;
#[path = "../places/sqlite.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod place;
mod refusals;
mod settlements;
mod shapes;
mod socket;
