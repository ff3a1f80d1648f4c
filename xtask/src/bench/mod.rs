//! `cargo xtask bench`: sodu beside its yardsticks, in one run, alternating, so that the machine's mood is in both.
//!
//! Absolute figures are worth little elsewhere; the ratios are what BENCHMARKING.md keeps. Loopback only, and bounded in
//! time and number.

mod accounts;
mod charge;
mod conditions;
mod figures;
mod getbalance;
mod nginx;
mod pacer;
mod process;
mod wrk;

use anyhow::Result;

#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// GetBalance with a million accounts under a thousand charges a second, beside nginx on the same core
    Getbalance(getbalance::Arguments),
    /// A single durable charge, beside append + fdatasync and a POST that does nothing
    Charge(charge::Arguments),
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Getbalance(arguments) => getbalance::run(arguments),
        Bench::Charge(arguments) => charge::run(arguments),
    }
}
