//! What every storage engine must do, run against PostgreSQL, and what only that one has to.
//!
//! The cases are those of `contract`, file by file; only where the store lies differs (`engine`).

#[path = "../contract/accounts.rs"]
mod accounts;
mod alerted;
#[path = "../contract/alerts.rs"]
mod alerts;
#[path = "../contract/as_of.rs"]
mod as_of;
#[path = "../contract/audit.rs"]
mod audit;
#[path = "../contract/bench.rs"]
mod bench;
#[expect(dead_code, reason = "the server's own tests use the rest")]
mod cluster;
#[path = "../contract/credentials.rs"]
mod credentials;
#[path = "../contract/crossings.rs"]
mod crossings;
#[path = "../../../ledger/tests/rules/draw.rs"]
mod draw;
mod engine;
mod faults;
#[path = "../contract/holds.rs"]
mod holds;
mod immovable;
#[path = "../contract/model.rs"]
mod model;
#[path = "../contract/movements.rs"]
mod movements;
mod moving;
#[path = "../../../ledger/tests/rules/naive.rs"]
mod naive;
mod nodes;
#[path = "../contract/operators.rs"]
mod operators;
mod proxy;
#[path = "../contract/refunds.rs"]
mod refunds;
#[path = "../contract/refusals.rs"]
mod refusals;
mod shares;
mod tls;
#[path = "../contract/transfers.rs"]
mod transfers;
mod verify;
