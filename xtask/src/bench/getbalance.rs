//! `cargo xtask bench getbalance`: random accounts of a million, while a thousand charges a second are made, beside nginx.
//!
//! Both servers have the same core to themselves in turn, the load generators the other one. The charges come in two ways, as
//! a pipeline sends them: some in a batch, and each as a request of its own. A last row, the same server without charges,
//! tells what part of its time is the charges'. Also measured: how much longer a start takes with a million accounts than
//! with none, and how much more memory.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use super::accounts;
use super::conditions::conditions;
use super::figures::{median, table};
use super::nginx::Nginx;
use super::pacer::{Paced, Pacer};
use super::process::{self, resident};
use super::wrk::{Seen, Wrk};
use crate::http::Connection;
use crate::operator::get_balance;
use crate::programs;
use crate::random::Random;
use crate::server::{Server, Setup};

/// How many charges a batch has: what a sender gathers within ten milliseconds.
const AT_ONCE: u32 = 10;
/// How often a start is timed.
const STARTS: usize = 5;
/// How many accounts are asked for before the load begins, to be sure that what is measured is the right answer.
const PROBES: u64 = 500;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u64,
    /// How often each server is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Charges a second meanwhile
    #[arg(long, default_value_t = 1000)]
    charges: u32,
}

/// One measurement of one server.
struct Measured {
    seen: Seen,
    cpu_us: f64,
    paced: Option<Paced>,
}

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bench-getbalance-").tempdir_in(programs::target())?;
    let folder = folder.path();
    let database = accounts::ledger(binary, arguments.accounts, folder)?;
    let bodies = folder.join("bodies");
    accounts::write_bodies(arguments.accounts, &bodies)?;
    let wrk = Wrk::new(folder, bodies)?;
    let alone = process::on_core(process::SERVER_CORE);
    for (where_to, prefix) in [("where the scheduler puts them", &Vec::new()), ("all on one core", &alone)] {
        start_and_memory(binary, &database, folder, arguments.accounts, where_to, prefix)?;
    }
    process::pin(process::LOAD_CORE)?;
    let nginx = Nginx::start(folder)?;
    let server = start(binary, &database, folder, &alone)?;
    probe(&server, arguments.accounts)?;
    let (mut nginxes, mut gathered, mut charged, mut idle) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for round in 1..=arguments.rounds {
        println!("round {round} of {}", arguments.rounds);
        nginxes.push(measure(&wrk, &nginx.address, nginx.pid()?, arguments.seconds)?);
        for (at_once, rows) in [(AT_ONCE, &mut gathered), (1, &mut charged)] {
            let pacer = Pacer::start(&server.socket, arguments.accounts, arguments.charges, at_once, run);
            let measured = measure(&wrk, &server.public, server.pid(), arguments.seconds);
            let paced = pacer.stop()?;
            rows.push(Measured { paced: Some(paced), ..measured? });
        }
        idle.push(measure(&wrk, &server.public, server.pid(), arguments.seconds)?);
    }
    server.stop()?;
    report(&nginxes, &gathered, &charged, &idle, arguments);
    println!("{}", conditions(folder, &[(binary, "--version"), (&nginx.program, "-v"), (&wrk.program, "-v")]));
    Ok(())
}

/// Times starts with and without accounts in turn, and compares what is resident. Nothing is written meanwhile, so the
/// servers need no graceful stop.
fn start_and_memory(
    binary: &Path,
    database: &Path,
    folder: &Path,
    accounts: u64,
    where_to: &str,
    prefix: &[OsString],
) -> Result<()> {
    let empty = folder.join("empty.db");
    let (mut with, mut without, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    start(binary, &empty, folder, prefix)?.kill()?;
    for _ in 0..STARTS {
        let server = start(binary, &empty, folder, prefix)?;
        let (nothing, ready_after) = (resident(server.pid())?, server.ready_after);
        server.kill()?;
        without.push(ready_after);
        let server = start(binary, database, folder, prefix)?;
        bytes.push(resident(server.pid())?.saturating_sub(nothing));
        with.push(server.ready_after);
        server.kill()?;
    }
    let seconds = |times: Vec<Duration>| median(times.iter().map(Duration::as_secs_f64));
    let (with, without) = (seconds(with), seconds(without));
    #[expect(clippy::cast_precision_loss, reason = "a resident set is far below 2^52 bytes")]
    let bytes = median(bytes.into_iter().map(|bytes| bytes as f64)) / accounts as f64;
    println!("Median of {STARTS} starts each, {where_to}:\n");
    println!("- ready with {accounts} accounts after {with:.2} s, with none after {without:.3} s");
    println!("- loading them: {:.2} s (at most 1 s a million is wanted)", with - without);
    println!("- resident: {bytes:.0} bytes an account (at most 200 are wanted)\n");
    Ok(())
}

/// Fails unless random accounts get the right answer from GetBalance.
fn probe(server: &Server, accounts: u64) -> Result<()> {
    let mut public = Connection::open(&server.public)?;
    let mut random = Random::new(11);
    for _ in 0..PROBES {
        let account = accounts::account(1 + random.below(accounts));
        let shown = get_balance(&mut public, &account)??;
        ensure!(shown == 36693, "account {} shows {shown}", account.id);
    }
    Ok(())
}

fn measure(wrk: &Wrk, address: &crate::http::Address, pid: i32, seconds: u64) -> Result<Measured> {
    let (seen, cpu_us) = wrk.load(address, pid, seconds)?;
    Ok(Measured { seen, cpu_us, paced: None })
}

fn start(binary: &Path, database: &Path, folder: &Path, prefix: &[OsString]) -> Result<Server> {
    let (log, configuration) = (folder.join("sodu.log"), folder.join("sodu.toml"));
    std::fs::write(&configuration, "threads = 1\n")?;
    let configuration = configuration.to_str().unwrap_or_default();
    Server::start(&Setup { binary, database, log: &log, prefix, flags: &["--config", configuration] })
}

fn report(nginxes: &[Measured], gathered: &[Measured], charged: &[Measured], idle: &[Measured], arguments: &Arguments) {
    let paired = |ours: &[Measured], figure: fn(&Measured) -> f64| {
        median(ours.iter().zip(nginxes).map(|(ours, nginx)| figure(ours) / figure(nginx)))
    };
    let row = |name: &str, measured: &[Measured]| {
        let median_of = |figure: fn(&Measured) -> f64| median(measured.iter().map(figure));
        vec![
            name.to_owned(),
            format!("{:.0}", median_of(|one| one.seen.per_second)),
            format!("{:.2}", paired(measured, |one| one.seen.per_second)),
            format!("{:.2}", median_of(|one| one.cpu_us)),
            format!("{:.2}", paired(measured, |one| one.cpu_us)),
            format!("{:.0}", median_of(|one| one.seen.p50_us)),
            format!("{:.0}", median_of(|one| one.seen.p99_us)),
        ]
    };
    let rows = [
        row("nginx, `return 200`", nginxes),
        row(&format!("sodu, {} charges/s in batches of {AT_ONCE}", arguments.charges), gathered),
        row(&format!("sodu, {} charges/s, each a request", arguments.charges), charged),
        row("sodu, no charges", idle),
    ];
    let head = ["server", "requests/s", "of nginx", "CPU µs a request", "of nginx", "p50 µs", "p99 µs"];
    println!("\nMedians of {} rounds of {} s each; ratios paired by round:\n", arguments.rounds, arguments.seconds);
    println!("{}", table(&head, &rows));
    for (name, rows) in [("in batches", gathered), ("each a request", charged)] {
        let paced = |figure: fn(&Paced) -> f64| median(rows.iter().filter_map(|one| one.paced.as_ref()).map(figure));
        println!(
            "Charges made meanwhile, {name}: {:.0}/s; a call took {:.0} µs (p50), {:.0} µs (p99).",
            paced(|paced| paced.per_second),
            paced(|paced| paced.p50_us),
            paced(|paced| paced.p99_us)
        );
    }
    println!("Wanted: 0.9 of nginx's requests (goal 1.0) at 1.25 of its CPU at most.\n");
}
