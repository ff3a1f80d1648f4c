//! What every storage engine must do, run against a real database in a temporary folder.

mod accounts;
mod audit;
mod bench;
mod credentials;
mod disk;
mod model;
mod movements;
mod operators;
