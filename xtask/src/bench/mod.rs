//! `cargo xtask bench`: sodu beside its yardsticks, in one run, alternating, so that the machine's mood is in both.
//!
//! Absolute figures are worth little elsewhere; the ratios are what BENCHMARKING.md keeps. Loopback only, and bounded in
//! time and number.

mod accounts;
mod alerts;
mod charge;
mod conditions;
mod figures;
mod getbalance;
mod growth;
mod ledger;
mod nginx;
mod pacer;
mod postgres;
mod process;
mod redis;
mod refusals;
mod single;
mod training;
mod wrk;

use anyhow::Result;

use crate::{release, server};
pub(crate) use training::train;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Measures what `cargo build --release` makes, not what `cargo xtask release` does; that one is built first where it
    /// is missing or older than the sources, in a quarter of an hour
    #[arg(long, global = true)]
    plain: bool,
    #[command(subcommand)]
    what: Bench,
}

#[derive(clap::Subcommand)]
enum Bench {
    /// GetBalance with a million accounts under a thousand charges a second, beside nginx on the same core
    Getbalance(getbalance::Arguments),
    /// Durable charges over HTTP, in batches and one by one, beside Redis and the disk
    Ledger(ledger::Arguments),
    /// The cost of a charge at ten million entries beside its cost at a hundred thousand, and a start after kill -9
    Growth(growth::Arguments),
    /// A single durable charge, beside append + fdatasync and a POST that does nothing
    Charge(charge::Arguments),
    /// Durable charges with alerts on every account, beside the same without
    Alerts(alerts::Arguments),
    /// Charges on good accounts beside customers at zero who are refused at the full rate, and what refusals cost on disk
    Refusals(refusals::Arguments),
    /// GetBalance and charges in front of PostgreSQL, gathered and one by one, and one account through three nodes
    Postgres(postgres::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let (binary, made_by) = if arguments.plain {
        (server::build()?, "cargo build --release")
    } else {
        (release::build()?, "cargo xtask release")
    };
    let binary = binary.as_path();
    match &arguments.what {
        Bench::Getbalance(arguments) => getbalance::run(binary, arguments),
        Bench::Charge(arguments) => charge::run(binary, arguments),
        Bench::Ledger(arguments) => ledger::run(binary, arguments),
        Bench::Growth(arguments) => growth::run(binary, arguments),
        Bench::Alerts(arguments) => alerts::run(binary, arguments),
        Bench::Refusals(arguments) => refusals::run(binary, arguments),
        Bench::Postgres(arguments) => postgres::run(binary, arguments),
    }?;
    println!("- sodu made by `{made_by}`");
    Ok(())
}
