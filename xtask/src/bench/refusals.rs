//! `cargo xtask bench refusals`: what customers at zero cost the others, who go on asking at the full rate that is kept.
//!
//! Every refusal uses its key up, and so is written and synced before it is answered; the server keeps so many an account and
//! second and turns further ones away undecided. Two figures: the latency of charges on accounts with money, alone and beside
//! the refusals, in turn; and, with nothing else going on, what the database grows by for each refusal that is kept.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use super::accounts;
use super::conditions::conditions;
use super::figures::{median, table};
use super::pacer::{Paced, Pacer};
use crate::http::Address;
use crate::operator::Operator;
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};

/// Refusals of an account that a server keeps within a second where its configuration says nothing else.
const KEPT_PER_SECOND: u64 = 20;
/// How much more than that is asked for, in percent: the rest is turned away, as it would be.
const ASKED_PERCENT: u64 = 110;
/// How many callers share the accounts without money.
const SENDERS: u64 = 8;
/// The accounts without money are numbered from here on.
const FIRST_POOR: u64 = 1_000_000_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Accounts with money, which are charged
    #[arg(long, default_value_t = 10_000)]
    accounts: u64,
    /// Accounts without any, which are refused
    #[arg(long, default_value_t = 100)]
    poor: u64,
    /// Charges a second on the accounts with money
    #[arg(long, default_value_t = 200)]
    charges: u32,
    /// How often charges are measured, alone and beside the refusals
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each time
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How long refusals alone are made, to see what the database grows by; an hour is 3600
    #[arg(long, default_value_t = 20)]
    growth_seconds: u64,
}

/// What came of asking for money that is not there.
#[derive(Default)]
struct Flood {
    kept: AtomicU64,
    turned_away: AtomicU64,
    over: AtomicBool,
    /// From the first to the last.
    lasted: Duration,
}

impl Flood {
    #[expect(clippy::cast_precision_loss, reason = "a run makes far fewer than 2^52 refusals")]
    fn per_second(&self) -> f64 {
        self.kept.load(Ordering::SeqCst) as f64 / self.lasted.as_secs_f64()
    }
}

/// What so many kept refusals made the database grow by.
struct Growth {
    kept: u64,
    seconds: f64,
    bytes: u64,
}

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    ensure!(arguments.poor > 0 && arguments.rounds > 0, "there must be somebody to refuse, and a round");
    let folder = tempfile::Builder::new().prefix("bench-refusals-").tempdir_in(programs::target())?;
    let folder = folder.path();
    let database = accounts::ledger(binary, arguments.accounts, folder)?;
    let log = folder.join("sodu.log");
    let start = || Server::start(&Setup { binary, database: &database, log: &log, prefix: &[], flags: &[] });
    let server = start()?;
    open_poor(&server.socket, arguments.poor)?;
    let (mut alone, mut beside, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        println!("round {round} of {}", arguments.rounds);
        alone.push(charge(&server.socket, arguments)?);
        let (paced, flood) = flooded(&server.socket, arguments.poor, || charge(&server.socket, arguments))?;
        beside.push(paced);
        rates.push(flood.per_second());
        ensure!(flood.turned_away.into_inner() > 0, "nothing was turned away: the server did not meet its limit");
    }
    server.stop()?;
    let growth = grow(start, &database, arguments)?;
    server::verify(binary, &database)?;
    report(&alone, &beside, &rates, &growth, arguments);
    println!("{}", conditions(folder, &[(binary, "--version")]));
    Ok(())
}

/// Opens the accounts without money.
fn open_poor(socket: &Address, poor: u64) -> Result<()> {
    let mut operator = Operator::open(socket)?;
    let ids: Vec<u64> = (FIRST_POOR..FIRST_POOR + poor).collect();
    for some in ids.chunks(1000) {
        let row = |id: &u64| json!({ "key": format!("poor-{id}"), "id": id, "name": format!("at zero {id}") });
        accounts::import(&mut operator, &some.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Charges accounts with money at their pace for one round, each charge a request of its own: whose latency is asked for is
/// a lone caller's.
fn charge(socket: &Address, arguments: &Arguments) -> Result<Paced> {
    let pacer = Pacer::start(socket, arguments.accounts, arguments.charges, 1, Random::fresh_seed());
    thread::sleep(Duration::from_secs(arguments.seconds));
    pacer.stop()
}

/// Does `work` while every account without money asks for some, a little more often than its refusals are kept.
fn flooded<T>(socket: &Address, poor: u64, work: impl FnOnce() -> Result<T>) -> Result<(T, Flood)> {
    let (mut flood, run, began) = (Flood::default(), Random::fresh_seed(), Instant::now());
    let done = thread::scope(|scope| {
        let flood = &flood;
        let sender = |number: u64| scope.spawn(move || ask(socket, poor, number, run, flood));
        let senders: Vec<_> = (0..SENDERS.min(poor)).map(sender).collect();
        let done = work();
        flood.over.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.join().map_err(|_| anyhow!("somebody who is refused panicked"))??;
        }
        done
    })?;
    flood.lasted = began.elapsed();
    Ok((done, flood))
}

/// One caller: the accounts `number`, `number` + [`SENDERS`], …, in turn, evenly over each second.
fn ask(socket: &Address, poor: u64, number: u64, run: u64, flood: &Flood) -> Result<()> {
    let mut operator = Operator::open(socket)?;
    let accounts: Vec<u64> = (FIRST_POOR + number..FIRST_POOR + poor).step_by(usize::try_from(SENDERS)?).collect();
    let asked_per_second = u64::try_from(accounts.len())? * KEPT_PER_SECOND * ASKED_PERCENT / 100;
    let pause = Duration::from_secs(1) / u32::try_from(asked_per_second)?;
    let mut due = Instant::now();
    for (attempt, account) in accounts.iter().cycle().enumerate() {
        if flood.over.load(Ordering::SeqCst) {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += pause;
        let path = format!("/v1/accounts/{account}/charges");
        let key = format!("refused-{run}-{number}-{attempt}");
        let answer = operator.post(&path, &key, &json!({ "amount": "350" }))?;
        let count = match answer.status {
            409 => &flood.kept,
            429 => &flood.turned_away,
            _ => return Err(anyhow!("neither refused nor turned away: {answer:?}")),
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// What the database grows by under refusals alone, from one graceful end of its server to the next: then the log is in the
/// file, and the keys are in their index.
fn grow(start: impl Fn() -> Result<Server>, database: &Path, arguments: &Arguments) -> Result<Growth> {
    let before = len(database);
    let server = start()?;
    let lasting = Duration::from_secs(arguments.growth_seconds);
    let ((), flood) = flooded(&server.socket, arguments.poor, || {
        thread::sleep(lasting);
        Ok(())
    })?;
    server.stop()?;
    let seconds = flood.lasted.as_secs_f64();
    let kept = flood.kept.into_inner();
    ensure!(kept > 0, "nothing was refused");
    Ok(Growth { kept, seconds, bytes: len(database).saturating_sub(before) })
}

/// How many bytes the database takes, its log included.
fn len(database: &Path) -> u64 {
    let files = [database.to_owned(), server::beside(database, "-wal")];
    files.iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

fn report(alone: &[Paced], beside: &[Paced], rates: &[f64], growth: &Growth, arguments: &Arguments) {
    let of = |paced: &[Paced], figure: fn(&Paced) -> f64| median(paced.iter().map(figure));
    let row = |name: &str, paced: &[Paced]| {
        let figures: [fn(&Paced) -> f64; 3] = [|paced| paced.per_second, |paced| paced.p50_us, |paced| paced.p99_us];
        let figures = figures.map(|figure| format!("{:.0}", of(paced, figure)));
        [name.to_owned()].into_iter().chain(figures).collect::<Vec<_>>()
    };
    let ratio = |figure: fn(&Paced) -> f64| {
        median(alone.iter().zip(beside).map(|(alone, beside)| figure(beside) / figure(alone)))
    };
    println!(
        "\nMedians of {} rounds of {} s each, {} accounts with money, {} without:\n",
        arguments.rounds, arguments.seconds, arguments.accounts, arguments.poor
    );
    let rows = [row("charges alone", alone), row("charges beside refusals", beside)];
    println!("{}", table(&["what", "charges/s", "p50 µs", "p99 µs"], &rows));
    println!(
        "Beside / alone: p50 {:.2}, p99 {:.2}. Refusals kept: {:.0}/s; {} accounts may have {}/s.\n",
        ratio(|paced| paced.p50_us),
        ratio(|paced| paced.p99_us),
        median(rates.iter().copied()),
        arguments.poor,
        arguments.poor * KEPT_PER_SECOND,
    );
    #[expect(clippy::cast_precision_loss, reason = "a database is far smaller than 2^52 bytes")]
    let (bytes, kept) = (growth.bytes as f64, growth.kept as f64);
    let each = bytes / kept;
    #[expect(clippy::cast_precision_loss, reason = "two small numbers")]
    let hour = each * (KEPT_PER_SECOND * 3600) as f64;
    println!(
        "The database grew by {bytes:.0} bytes in {:.0} s under {kept:.0} refusals: {each:.0} bytes each, {:.1} MB an account and \
         hour at the full rate.\n",
        growth.seconds,
        hour / 1e6,
    );
}
