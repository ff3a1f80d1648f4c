//! What the rules promise, tested from outside: scenarios as tables, random histories against a naive model, the fold
//! against every altered field, and the canonical bytes against literal hex.
//!
//! No test here knows a storage engine. A failing case of `model` prints its seed and writes it beside this folder, and
//! the next run begins with it.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows panics, which is the failure it should be")]

mod alerts;
mod book;
mod canonical;
mod content;
mod draw;
mod fold;
mod goldens;
mod holds;
mod lies;
mod make;
mod model;
mod naive;
mod scenarios;
mod script;
mod transfers;
mod usage;
