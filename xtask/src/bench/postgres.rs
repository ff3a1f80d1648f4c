//! `cargo xtask bench postgres`: what gathering is worth in front of PostgreSQL, and what one hot account takes through
//! three nodes.
//!
//! The other side of each comparison is the same server on the same rows with as many connections, in which every call is a
//! statement and every movement a transaction of its own (`gather=off`). Load, nodes and database share the machine's cores,
//! in the same way for both sides, in turn, in one run.

mod engine;
mod node;
mod sizes;

use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;

use super::accounts;
use super::conditions::conditions;
use super::figures::{median, table};
use super::single::{CONNECTIONS, Singles};
use super::wrk::{Seen, Wrk};
use crate::programs;
use engine::Engine;
use node::Node;

/// How many accounts one request imports.
const STEP: u64 = 500;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 10_000)]
    accounts: u64,
    /// Entries to be there before anything is measured, made by charges in batches
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// How often everything is measured, in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// Everything that is measured, a figure a round.
#[derive(Default)]
struct Rounds {
    reads: Sides,
    charges: Sides,
    /// One account, through one node and through three.
    hot: Sides,
    /// Movements that shared a commit while they were gathered.
    shared: Vec<f64>,
    /// Bytes of write-ahead log for each of them.
    wal: Vec<f64>,
}

/// What is compared: ours, and the other side.
#[derive(Default)]
struct Sides {
    ours: Vec<Seen>,
    other: Vec<Seen>,
}

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bench-postgres-").tempdir_in(programs::target())?;
    let folder = folder.path();
    // PostgreSQL may run as somebody else, who has to get as far as its own folder.
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let engine = Engine::start(folder)?;
    let start = |name: &str, more: &str| Node::start(binary, &engine.url(more), folder, name);
    let nodes = [start("node-1", "")?, start("node-2", "")?, start("node-3", "")?];
    let alone = start("alone", "?gather=off")?;
    let [node, ..] = &nodes;
    let token = node.token()?;
    fill(node, arguments.accounts)?;
    sizes::charge_until(node, &engine, arguments.accounts, arguments.entries)?;
    sizes::report(node, &engine)?;
    let bodies = folder.join("bodies");
    accounts::write_bodies(arguments.accounts, &bodies)?;
    let wrk = Wrk::new(folder, bodies)?;
    let singles = |node: &Node| Singles::new(folder, &node.ops, &token, arguments.accounts);
    let hot = nodes.iter().map(singles).collect::<Result<Vec<_>>>()?;
    let (gathered, apart) = (singles(node)?, singles(&alone)?);

    let mut rounds = Rounds::default();
    for round in 1..=arguments.rounds {
        println!("round {round} of {}", arguments.rounds);
        let seconds = arguments.seconds;
        rounds.reads.ours.push(wrk.load(&node.public, node.pid()?, seconds)?.0);
        rounds.reads.other.push(wrk.load(&alone.public, alone.pid()?, seconds)?.0);
        let (before, lsn) = (commits(node)?, sizes::wal(&engine)?);
        rounds.charges.ours.push(gathered.many(seconds)?);
        let (after, end) = (commits(node)?, sizes::wal(&engine)?);
        rounds.shared.push((after.1 - before.1) / (after.0 - before.0));
        rounds.wal.push(sizes::float(end - lsn) / (after.1 - before.1));
        rounds.charges.other.push(apart.many(seconds)?);
        rounds.hot.ours.push(through_all(&hot, seconds)?);
        rounds.hot.other.push(gathered.one(CONNECTIONS, seconds)?);
    }
    nodes.into_iter().chain([alone]).try_for_each(Node::stop)?;
    verify(binary, &engine.url(""))?;
    report(&rounds, arguments);
    println!("{}", conditions(folder, &[(binary, "--version"), (&engine.programs.join("postgres"), "--version")]));
    Ok(())
}

/// Commits so far, and the movements in them.
fn commits(node: &Node) -> Result<(f64, f64)> {
    Ok((node.metric("sodu_commits_total")?, node.metric("sodu_commit_movements_total")?))
}

/// Accounts with a key pair and money each.
fn fill(node: &Node, accounts: u64) -> Result<()> {
    let mut operator = node.operator()?;
    for first in (1..=accounts).step_by(usize::try_from(STEP)?) {
        let rows: Vec<Value> = (first..(first + STEP).min(accounts + 1)).map(accounts::row).collect();
        accounts::import(&mut operator, &rows)?;
    }
    Ok(())
}

/// Charges of account 1 through every node at the same time, by as many callers together as through one.
fn through_all(nodes: &[Singles], seconds: u64) -> Result<Seen> {
    let callers = CONNECTIONS.div_ceil(u32::try_from(nodes.len())?);
    let seen = thread::scope(|scope| {
        let running: Vec<_> = nodes.iter().map(|node| scope.spawn(move || node.one(callers, seconds))).collect();
        let ended = running.into_iter().map(|load| load.join().map_err(|_| anyhow!("a load panicked"))?);
        ended.collect::<Result<Vec<Seen>>>()
    })?;
    let most = |figure: fn(&Seen) -> f64| seen.iter().map(figure).fold(0.0, f64::max);
    Ok(Seen {
        requests: seen.iter().map(|one| one.requests).sum(),
        per_second: seen.iter().map(|one| one.per_second).sum(),
        p50_us: median(seen.iter().map(|one| one.p50_us)),
        p99_us: most(|one| one.p99_us),
    })
}

/// Whatever was measured counts only if the ledger adds up.
fn verify(binary: &Path, url: &str) -> Result<()> {
    let output = programs::output(Command::new(binary).arg("verify").env("SODU_DATABASE", url))?;
    ensure!(output.status.success(), "`sodu verify`: {}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn report(rounds: &Rounds, arguments: &Arguments) {
    let row = |name: &str, seen: &[Seen], ratio: Option<f64>| {
        let of = |figure: fn(&Seen) -> f64| format!("{:.0}", median(seen.iter().map(figure)));
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        vec![name.to_owned(), of(|one| one.per_second), ratio, of(|one| one.p50_us), of(|one| one.p99_us)]
    };
    let rows = [
        row("GetBalance, gathered", &rounds.reads.ours, Some(rounds.reads.ratio())),
        row("GetBalance, a statement a call", &rounds.reads.other, None),
        row("charges, gathered", &rounds.charges.ours, Some(rounds.charges.ratio())),
        row("charges, a transaction a call", &rounds.charges.other, None),
        row("charges of one account, three nodes", &rounds.hot.ours, Some(rounds.hot.ratio())),
        row("charges of one account, one node", &rounds.hot.other, None),
    ];
    println!(
        "\nMedians of {} rounds of {} s each, {} accounts, {CONNECTIONS} connections; ratios to the row below, paired by round:\n",
        arguments.rounds, arguments.seconds, arguments.accounts
    );
    println!("{}", table(&["what", "requests/s", "ratio", "p50 µs", "p99 µs"], &rows));
    println!(
        "A commit held {:.0} gathered charges, each {:.0} bytes of write-ahead log. Wanted: GetBalance 3 times, charges 2 \
         times, three nodes 0.5 of one.\n",
        median(rounds.shared.iter().copied()),
        median(rounds.wal.iter().copied())
    );
}

impl Sides {
    fn ratio(&self) -> f64 {
        median(self.ours.iter().zip(&self.other).map(|(ours, other)| ours.per_second / other.per_second))
    }
}
