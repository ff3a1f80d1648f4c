//! `cargo xtask bench growth`: what a charge costs when the ledger is big, beside what it cost when it was small.
//!
//! Twice from the same small ledger: with idempotency keys that grow with time, and with random ones, each of which would
//! touch a page of its own in an index ordered by key. At the end the server is killed, and its next start is timed.

use std::path::Path;

use anyhow::Result;

use super::conditions::conditions;
use super::figures::{table, us};
use super::ledger::{Keys, Target, charge};
use super::{accounts, process};
use crate::programs;
use crate::server;

/// Entries of the small ledger, and of each measurement.
const SMALL: u64 = 100_000;
const WINDOW: u64 = 500_000;
/// How many charges are prepared in memory at once while the ledger grows.
const STEP: u64 = 400_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 10_000)]
    accounts: u64,
    /// How far it grows
    #[arg(long, default_value_t = 10_000_000)]
    entries: u64,
}

/// What a charge cost over one window.
struct Cost {
    per_second: f64,
    cpu_us: f64,
}

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bench-growth-").tempdir_in(programs::target())?;
    let mut rows = Vec::new();
    for (name, keys) in [("time-ordered", Keys::ordered()), ("random", Keys::random())] {
        // A folder each: the log of the one before would be taken for this one's.
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder)?;
        rows.push(grow(binary, &folder, arguments, name, keys)?);
        std::fs::remove_dir_all(&folder)?;
    }
    let head = ["keys", "charges/s, small", "big", "CPU µs, small", "big", "cost big / small", "database", "start, s"];
    println!("\nSmall: from {SMALL} entries on; big: from {} on; windows of {WINDOW}:\n", arguments.entries);
    println!("{}", table(&head, &rows));
    println!(
        "Wanted: 1.5 times with time-ordered keys, 2 times with random ones; a start after kill -9 in under 3 s.\n"
    );
    println!("{}", conditions(folder.path(), &[(binary, "--version")]));
    Ok(())
}

fn grow(binary: &Path, folder: &Path, arguments: &Arguments, name: &str, mut keys: Keys) -> Result<Vec<String>> {
    let database = accounts::ledger(binary, arguments.accounts, folder)?;
    let log = folder.join("sodu.log");
    let target = Target::start(binary, &database, &log)?;
    // Each account has its opening and its top-up.
    let mut entries = arguments.accounts * 2;
    charge(&target, arguments.accounts, SMALL.saturating_sub(entries), &mut keys)?;
    let small = measure(&target, arguments.accounts, &mut keys)?;
    entries = SMALL.max(entries) + WINDOW;
    while entries < arguments.entries {
        let step = STEP.min(arguments.entries - entries);
        charge(&target, arguments.accounts, step, &mut keys)?;
        entries += step;
        println!("{name} keys: {entries} of {} entries", arguments.entries);
    }
    let big = measure(&target, arguments.accounts, &mut keys)?;
    target.server.kill()?;
    let bytes = std::fs::metadata(&database)?.len();
    let again = Target::start(binary, &database, &log)?;
    let started = again.server.ready_after;
    again.server.stop()?;
    server::verify(binary, &database)?;
    Ok(vec![
        name.to_owned(),
        format!("{:.0}", small.per_second),
        format!("{:.0}", big.per_second),
        format!("{:.2}", small.cpu_us),
        format!("{:.2}", big.cpu_us),
        format!("{:.2}", small.per_second / big.per_second),
        format!("{} MB", bytes / 1_000_000),
        format!("{:.2}", started.as_secs_f64()),
    ])
}

fn measure(target: &Target, accounts: u64, keys: &mut Keys) -> Result<Cost> {
    let before = process::cpu_time(target.server.pid())?;
    let per_second = charge(target, accounts, WINDOW, keys)?;
    #[expect(clippy::cast_precision_loss, reason = "a window is far below 2^52")]
    let cpu_us = us(process::cpu_time(target.server.pid())? - before) / WINDOW as f64;
    Ok(Cost { per_second, cpu_us })
}
