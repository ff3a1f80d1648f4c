//! `cargo xtask`: the project's own chores, each one command: all of CI, the benchmarks, and the proofs that need a
//! real process to be killed, traced or starved of disk.
//!
//! The checks treat `sodu` as a black box, reached through its sockets and its command line; none links its code, so
//! that none can share a mistake with it.

#![expect(clippy::print_stdout, reason = "these are command-line chores: what they print is their result")]

mod bench;
mod ci;
mod client_only;
mod cluster;
#[cfg(test)]
mod compat;
mod contradiction;
mod crash;
mod disk_full;
mod failover;
mod fuzz_api;
mod http;
mod money;
mod operator;
mod packaging;
mod planted;
mod programs;
mod random;
mod readme;
mod release;
mod samples;
mod server;
mod sync_proof;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that CI checks, on this machine
    Ci,
    /// Makes sodu as it should be installed: arranged by what runs under load, and proven by kills and traces
    Release,
    /// Measures sodu against its yardsticks, both in one run
    Bench(bench::Arguments),
    /// Kills the server under load, again and again, and holds what it kept against a list of its own
    Crash(crash::Arguments),
    /// Shows with strace that nothing is acknowledged before it is synced, and cuts the power at every acknowledgement
    SyncProof(sync_proof::Arguments),
    /// Fills the disk under the server, and makes room again
    DiskFull(disk_full::Arguments),
    /// Runs three nodes on PostgreSQL with two standbys, behind haproxy, until Ctrl-C
    Cluster,
    /// Hurts that cluster under load, again and again, and holds what it kept and answered against a list of its own
    Failover(failover::Arguments),
    /// Holds the systemd units against systemd, and a server against its unit
    Packaging(packaging::Arguments),
    /// Runs what README.md and docs/ tell their reader to run, and compares what they show
    Readme(readme::Arguments),
    /// Sends the operator API what its OpenAPI document allows, and what it does not
    FuzzApi(fuzz_api::Arguments),
    /// Runs the samples and the Postman collection against a demo
    Samples(samples::Arguments),
    /// Builds the program without server and database, and looks that it has neither
    ClientOnly,
    /// Damages GetBalance answers at random, and reads them
    Fuzz {
        /// For how long
        #[arg(long, default_value_t = 600)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Ci => ci::run(),
        Chore::Release => release::run(),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Crash(arguments) => crash::run(&arguments),
        Chore::SyncProof(arguments) => sync_proof::run(&arguments),
        Chore::DiskFull(arguments) => disk_full::run(&arguments),
        Chore::Cluster => cluster::run(),
        Chore::Failover(arguments) => failover::run(&arguments),
        Chore::Packaging(arguments) => packaging::run(&arguments),
        Chore::Readme(arguments) => readme::run(&arguments),
        Chore::FuzzApi(arguments) => fuzz_api::run(&arguments),
        Chore::Samples(arguments) => samples::run(&arguments),
        Chore::ClientOnly => client_only::run(),
        Chore::Fuzz { seconds } => client_only::fuzz(seconds),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
