//! The operator API as its callers see it: statuses, headers and bodies, from the real router over a real database.
//!
//! Each test has its own database and a clock that stands still until it is moved.

mod audit;
mod chores;
mod common;
mod credentials;
mod malformed;
mod operators;
mod refusals;
mod shapes;
mod socket;
