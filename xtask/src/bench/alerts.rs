//! `cargo xtask bench alerts`: what alerts on every account cost a sending pipeline.
//!
//! Two servers on copies of one ledger, one with levels of every kind, events and a contact on every account, the other with
//! none: charges in batches, as in `bench ledger`, on the one and the other in turn, in one run. No charge crosses a level,
//! as hardly any does; what is measured is that each is looked at.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use super::conditions::conditions;
use super::figures::{median, table, us};
use super::ledger::{Keys, Target, charge};
use super::{accounts, process};
use crate::http::{Address, Request};
use crate::operator::Operator;
use crate::programs;
use crate::server::{self, Server, Setup};

/// How many callers set alerts at once, so that they share commits.
const CALLERS: u32 = 32;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    accounts: u64,
    /// How often both are measured, in turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Charges in batches, each round and server
    #[arg(long, default_value_t = 400_000)]
    charges: u64,
}

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bench-alerts-").tempdir_in(programs::target())?;
    let folder = folder.path();
    let without = beside(binary, arguments.accounts, folder, "without")?;
    let with = beside(binary, arguments.accounts, folder, "with")?;
    let setting =
        Server::start(&Setup { binary, database: &with, log: &folder.join("setting.log"), prefix: &[], flags: &[] })?;
    set_all(&setting.socket, arguments.accounts)?;
    setting.stop()?;

    let start = |database: &Path, name: &str| Target::start(binary, database, &folder.join(name));
    let targets = [start(&without, "without.log")?, start(&with, "with.log")?];
    let resident = |n: usize| process::resident(targets[n].server.pid());
    let more = resident(1)?.saturating_sub(resident(0)?) / arguments.accounts;
    let (mut rates, mut costs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut keys = [Keys::ordered(), Keys::ordered()];
    for round in 1..=arguments.rounds {
        println!("round {round} of {}", arguments.rounds);
        // The one that comes second finds the machine as the first left it: they take turns at that too.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for n in order {
            let before = process::cpu_time(targets[n].server.pid())?;
            rates[n].push(charge(&targets[n], arguments.accounts, arguments.charges, &mut keys[n])?);
            let spent = us(process::cpu_time(targets[n].server.pid())? - before);
            #[expect(clippy::cast_precision_loss, reason = "a run makes far fewer than 2^52 charges")]
            costs[n].push(spent / arguments.charges as f64);
        }
    }
    for target in targets {
        target.server.stop()?;
    }
    for database in [&without, &with] {
        server::verify(binary, database)?;
    }
    let ratio =
        |figures: &[Vec<f64>; 2]| median(figures[1].iter().zip(&figures[0]).map(|(with, without)| with / without));
    let row = |name: &str, n: usize| {
        let rate = format!("{:.0}", median(rates[n].iter().copied()));
        vec![name.into(), rate, format!("{:.2} µs", median(costs[n].iter().copied()))]
    };
    println!("\nMedians of {} rounds, {} accounts:\n", arguments.rounds, arguments.accounts);
    let rows = [row("no alerts", 0), row("alerts on every account", 1)];
    println!("{}", table(&["what", "durable charges/s", "processor time a charge"], &rows));
    println!(
        "Rate with / without: {:.2} (at least 0.9 is wanted); processor time {:.2}. An account with alerts takes {more} \
         bytes of memory more.\n",
        ratio(&rates),
        ratio(&costs)
    );
    println!("{}", conditions(folder, &[(binary, "--version")]));
    Ok(())
}

/// A copy of the ledger in a folder of its own.
fn beside(binary: &Path, accounts: u64, folder: &Path, name: &str) -> Result<PathBuf> {
    let folder = folder.join(name);
    std::fs::create_dir(&folder)?;
    accounts::ledger(binary, accounts, &folder)
}

/// Sets alerts on every account.
fn set_all(socket: &Address, accounts: u64) -> Result<()> {
    let body = json!({
        "below": ["1000"], "hours_left": [24, 6], "percent_of_topup": [10], "remind_hours": 24,
        "events": ["charge.refused", "hold.expired", "account.locked", "balance.adjusted"],
        "contacts": [{ "channel": "email", "address": "ops@example.com", "language": "vi" }],
    });
    let body = body.to_string();
    let next = AtomicU64::new(1);
    std::thread::scope(|scope| {
        let set = || -> Result<()> {
            let mut operator = Operator::open(socket)?;
            loop {
                let id = next.fetch_add(1, Ordering::SeqCst);
                if id > accounts {
                    return Ok(());
                }
                let path = format!("/v1/accounts/{id}/alerts");
                let answer = operator.call(&Request { method: "PUT", path: &path, key: None, body: &body })?;
                ensure!(answer.status == 200, "alerts of account {id} were not set: {answer:?}");
            }
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(set)).collect();
        callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?)
    })
}
