//! What every storage engine must do, run against a real database in a temporary folder.

mod accounts;
mod alerts;
mod as_of;
mod audit;
mod bench;
mod credentials;
mod crossings;
mod disk;
#[path = "../../../ledger/tests/rules/draw.rs"]
mod draw;
mod engine;
mod examine;
mod holds;
mod model;
mod movements;
#[path = "../../../ledger/tests/rules/naive.rs"]
mod naive;
mod operators;
mod refunds;
mod refusals;
mod times;
mod transfers;
mod watched;
