//! `cargo xtask failover`: a cluster under load is hurt, again and again, and must lose nothing, do nothing twice, overdraw
//! nothing, and answer every GetBalance truly.
//!
//! `cluster` runs it, `callers` load it and write down what they saw, `faults` hurt it, `audit` and `order` judge. With
//! `--no-barrier` the nodes leave out what keeps an old primary from answering, and the run must fail.

mod audit;
mod callers;
mod command;
mod faults;
mod history;
mod order;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::cluster::{self, Cluster};
use crate::programs;
use crate::random::Random;
use audit::{Page, Verdict};
use callers::Table;
use faults::Fault;

/// How many movements are acknowledged between two faults.
const BETWEEN: u64 = 1000;

/// The most that the median fault may leave the client without service.
const MEDIAN_MAX: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many faults: eight kinds, each once before any comes again; three of each by default, and one with --no-barrier
    #[arg(long)]
    faults: Option<usize>,
    /// Decides the faults' order and what callers send; a fresh one is printed
    #[arg(long)]
    seed: Option<u64>,
    /// Leaves the read barrier out and only pauses primaries: the run must fail
    #[arg(long)]
    no_barrier: bool,
}

/// A fault that was survived.
struct Survived {
    fault: Fault,
    what: String,
    /// Since the beginning, in microseconds.
    at: u64,
    without_service: Duration,
    whole_after: Duration,
    acknowledged: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(Random::fresh_seed);
    let count = arguments.faults.unwrap_or(if arguments.no_barrier { 1 } else { 3 * Fault::ALL.len() });
    ensure!(count > 0, "--faults must be at least 1");
    println!("failover: seed {seed}, {count} faults");
    let mut random = Random::new(seed);
    let parameters = if arguments.no_barrier { "&unsafe_stale_reads=on" } else { "" };
    let mut cluster = Cluster::start(&cluster::build()?, parameters)?;
    let table = Table::new(&cluster, &mut random)?;
    let plan = if arguments.no_barrier { vec![Fault::PrimaryPaused; count] } else { Fault::plan(count, &mut random) };
    let mut quiets = Vec::new();
    let began = Instant::now();
    let survived = std::thread::scope(|scope| {
        table.begin(scope, &mut random);
        let survived = hurt(&plan, &mut cluster, &table, &mut random, &mut quiets);
        table.end();
        survived
    });
    let elapsed = began.elapsed();
    let (mut history, accounts) = table.into_history();
    history.quiets = quiets;
    let folder = programs::target().join("failover");
    fs::create_dir_all(&folder)?;
    history.write(&folder.join("history.jsonl"))?;
    if survived.is_err() {
        keep_logs(&cluster, &folder)?;
    }
    let survived = survived?;
    println!("{:.0} s of load are over; reading all statements", elapsed.as_secs_f64());
    let pages = accounts.iter().map(|account| {
        let lines = callers::statement(&cluster, account.id)?;
        Ok(Page { id: account.id, credit_limit: account.credit_limit, lines })
    });
    let mut verdict = audit::audit(&history, &pages.collect::<Result<Vec<_>>>()?);
    match cluster.nodes[0].sodu(&["verify"]) {
        Ok(said) => println!("sodu verify: {}", said.lines().next().unwrap_or_default()),
        Err(error) => verdict.findings.push(format!("{error:#}")),
    }
    if !verdict.findings.is_empty() {
        keep_logs(&cluster, &folder)?;
    }
    report(seed, elapsed, &survived, &verdict, &folder)
}

/// One fault after the other, with load before, between and after them.
fn hurt(
    plan: &[Fault],
    cluster: &mut Cluster,
    table: &Table,
    random: &mut Random,
    quiets: &mut Vec<history::Quiet>,
) -> Result<Vec<Survived>> {
    faults::await_movements(table, BETWEEN)?;
    let mut survived = Vec::new();
    for (number, fault) in (1..).zip(plan) {
        let nth = survived.iter().filter(|before: &&Survived| before.fault == *fault).count();
        let (began, at) = (Instant::now(), table.now());
        let injected = faults::inject(*fault, nth, cluster, table, random)
            .with_context(|| format!("fault {number}, {}", fault.name()))?;
        faults::await_whole(cluster).with_context(|| format!("after fault {number}, {}", fault.name()))?;
        quiets.extend(injected.quiet);
        let whole_after = began.elapsed();
        let before = table.acknowledged();
        faults::await_movements(table, BETWEEN)?;
        let acknowledged = table.acknowledged() - before;
        let without_service = table.without_service(at, table.now());
        let one = Survived { fault: *fault, what: injected.what, at, without_service, whole_after, acknowledged };
        println!("{number:>3}/{}  {}", plan.len(), one.line());
        survived.push(one);
    }
    Ok(survived)
}

impl Survived {
    fn line(&self) -> String {
        let Survived { fault, what, without_service, whole_after, acknowledged, .. } = self;
        format!(
            "{:<31} {:>5.1} s without service, whole after {:>5.1} s, then {acknowledged} movements  ({what})",
            fault.name(),
            without_service.as_secs_f64(),
            whole_after.as_secs_f64()
        )
    }
}

/// Prints the verdict, keeps it beside the history, and fails where it is a bad one.
fn report(seed: u64, elapsed: Duration, survived: &[Survived], verdict: &Verdict, folder: &Path) -> Result<()> {
    let mut gaps: Vec<Duration> = survived.iter().map(|one| one.without_service).collect();
    gaps.sort_unstable();
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
    let greatest = gaps.last().copied().unwrap_or_default();
    let Verdict { findings, keys, acknowledged, refused, entries, sendings, unknown_sendings, .. } = verdict;
    let (readings, empty) = (verdict.readings, verdict.readings_without_figure);
    println!(
        "failover: {} faults in {:.0} s; {keys} keys in {sendings} sendings, {unknown_sendings} of them without an outcome; \
         {acknowledged} acknowledged, {refused} refused; {entries} entries; {readings} GetBalance, {empty} without a figure",
        survived.len(),
        elapsed.as_secs_f64()
    );
    println!("without service: median {:.1} s, longest {:.1} s", median.as_secs_f64(), greatest.as_secs_f64());
    let faults: Vec<_> = survived
        .iter()
        .map(|one| {
            json!({
                "fault": one.fault.name(), "what": one.what, "at_us": one.at, "acknowledged": one.acknowledged,
                "without_service_s": one.without_service.as_secs_f64(), "whole_after_s": one.whole_after.as_secs_f64(),
            })
        })
        .collect();
    let kept = json!({
        "seed": seed, "seconds": elapsed.as_secs_f64(), "faults": faults, "median_without_service_s": median.as_secs_f64(),
        "keys": keys, "sendings": sendings, "sendings_without_outcome": unknown_sendings, "acknowledged": acknowledged,
        "refused": refused, "entries": entries, "readings": readings, "readings_without_figure": empty,
        "findings": findings,
    });
    fs::write(folder.join("verdict.json"), format!("{kept:#}\n"))?;
    println!("history and verdict are in {}", folder.display());
    if let Some(first) = findings.first() {
        bail!("{} contradictions, the first:\n{first}", findings.len());
    }
    ensure!(median <= MEDIAN_MAX, "the median fault left the client {:.1} s without service", median.as_secs_f64());
    println!(
        "nothing acknowledged is missing, nothing happened twice, nothing is overdrawn, every figure is explained"
    );
    Ok(())
}

/// Keeps what all programs printed, for whoever looks for the reason of a bad end.
fn keep_logs(cluster: &Cluster, folder: &Path) -> Result<()> {
    let logs = folder.join("logs");
    fs::create_dir_all(&logs)?;
    for entry in fs::read_dir(cluster.guard.folder().join("logs"))? {
        let entry = entry?;
        fs::copy(entry.path(), logs.join(entry.file_name()))?;
    }
    println!("logs of all programs are in {}", logs.display());
    Ok(())
}
