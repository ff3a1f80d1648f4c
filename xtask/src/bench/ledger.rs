//! `cargo xtask bench ledger`: durable charges over HTTP, in batches and one by one, beside what they cannot do without.
//!
//! Everything is on: an operator's token over TCP, idempotency keys, the hash chain, every index. Server and load share the
//! machine's cores, as they do nowhere else; what is compared shares them in the same way, in turn, in one run. The
//! yardsticks: the same server's POST that is turned away before the ledger is asked, 128 bytes appended and synced, and
//! Redis with `appendfsync always`, which keeps no history, no keys and no limits.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::conditions::conditions;
use super::figures::{median, table, us};
use super::redis::Redis;
use super::single::{CONNECTIONS, Singles};
use super::{accounts, process};
use crate::http::{Connection, Request};
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};

/// The most commands that one batch takes.
pub(crate) const BATCH_LEN: u64 = 8192;
/// How many connections send batches at once: one is answered while the other is decided.
const SENDERS: u64 = 3;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    accounts: u64,
    /// How often everything is measured, in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Charges in batches, each round
    #[arg(long, default_value_t = 800_000)]
    charges: u64,
    /// How long single charges are sent, each round and kind
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// A server of the ledger, and what its operators send with.
pub(crate) struct Target {
    pub(crate) server: Server,
    pub(crate) token: String,
}

impl Target {
    pub(crate) fn start(binary: &Path, database: &Path, log: &Path) -> Result<Target> {
        let server = Server::start(&Setup { binary, database, log, prefix: &[], flags: &[] })?;
        let token = server.operator_token("bench", "money")?;
        Ok(Target { server, token })
    }
}

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bench-ledger-").tempdir_in(programs::target())?;
    let folder = folder.path();
    let database = accounts::ledger(binary, arguments.accounts, folder)?;
    let target = Target::start(binary, &database, &folder.join("sodu.log"))?;
    let redis = Redis::start(folder)?;
    let singles = Singles::new(folder, &target.server.ops, &target.token, arguments.accounts)?;
    let mut keys = Keys::ordered();
    let (mut batches, mut cpu) = (Vec::new(), Vec::new());
    let (mut nothing, mut many, mut one) = (Vec::new(), Vec::new(), Vec::new());
    let (mut append, mut hincrby) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        println!("round {round} of {}", arguments.rounds);
        let before = process::cpu_time(target.server.pid())?;
        batches.push(charge(&target, arguments.accounts, arguments.charges, &mut keys)?);
        #[expect(clippy::cast_precision_loss, reason = "a run makes far fewer than 2^52 charges")]
        cpu.push(us(process::cpu_time(target.server.pid())? - before) / arguments.charges as f64);
        nothing.push(singles.nothing(arguments.seconds)?.per_second);
        many.push(singles.many(arguments.seconds)?.per_second);
        one.push(singles.one(CONNECTIONS, arguments.seconds)?.per_second);
        append.push(appends(folder)?);
        hincrby.push(redis.hincrby()?);
    }
    target.server.stop()?;
    server::verify(binary, &database)?;
    let rate = |rates: &[f64]| format!("{:.0}", median(rates.iter().copied()));
    let of = |ours: &[f64], theirs: &[f64]| median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs));
    let rows = [
        vec![format!("batches of {BATCH_LEN}, {SENDERS} connections"), rate(&batches)],
        vec!["single charges, 64 connections, random accounts".into(), rate(&many)],
        vec!["single charges, 64 connections, one account".into(), rate(&one)],
        vec!["POST that is turned away, 64 connections".into(), rate(&nothing)],
        vec!["append 128 bytes + fdatasync, one caller".into(), rate(&append)],
        vec!["Redis HINCRBY, appendfsync always, 64 connections".into(), rate(&hincrby)],
    ];
    println!("\nMedians of {} rounds, {} accounts:\n", arguments.rounds, arguments.accounts);
    println!("{}", table(&["what", "durable charges/s"], &rows));
    println!(
        "Server's processor time a charge in batches: {:.2} µs. Wanted: 150,000/s in batches (goal 300,000).\n\
         Single charges / turned away: {:.2} (at least 0.5 is wanted, goal 0.6). One account / many: {:.2} (at least 0.9).\n",
        median(cpu),
        of(&many, &nothing),
        of(&one, &many),
    );
    println!("{}", conditions(folder, &[(binary, "--version"), (&redis.program, "--version")]));
    Ok(())
}

/// Where the idempotency keys of a load come from.
pub(crate) struct Keys {
    next: u64,
    is_ordered: bool,
    run: u64,
}

impl Keys {
    /// Keys that grow with time, as a UUID of version 7 does.
    pub(crate) fn ordered() -> Keys {
        Keys { next: 0, is_ordered: true, run: Random::fresh_seed() }
    }

    /// Keys without any order, as a UUID of version 4.
    pub(crate) fn random() -> Keys {
        Keys { is_ordered: false, ..Keys::ordered() }
    }

    fn text(&self, number: u64) -> String {
        if self.is_ordered {
            return format!("{:012x}-{number:016x}", self.run);
        }
        Random::new(number ^ self.run << 32).hex(30)
    }
}

/// Makes `charges` charges of random accounts in batches; how many a second. What is sent is prepared before the clock
/// runs, so that the load's own work is not counted.
pub(crate) fn charge(target: &Target, accounts: u64, charges: u64, keys: &mut Keys) -> Result<f64> {
    let batches = charges.div_ceil(BATCH_LEN);
    let bodies: Vec<_> = (0..batches).map(|batch| body(target, accounts, batch, keys)).collect();
    keys.next += batches * BATCH_LEN;
    let next = AtomicU64::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let sender = || {
            let mut connection = Connection::open(&target.server.ops)?;
            loop {
                let index = usize::try_from(next.fetch_add(1, Ordering::SeqCst))?;
                let Some(body) = bodies.get(index) else { return Ok(()) };
                let reply = connection.send(body)?;
                ensure!(reply.status == 200, "a batch was not taken: {}", reply.text());
                // Every outcome must be a charge that was made now; reading it all as JSON would cost the server its core.
                let made = memchr::memmem::find_iter(&reply.body, b"{\"status\":201,").count() as u64;
                ensure!(made == BATCH_LEN, "{} of {BATCH_LEN} charges were not made", BATCH_LEN - made);
            }
        };
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(sender)).collect();
        senders.into_iter().try_for_each(|sender| sender.join().expect("a sender does not panic"))
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a run makes far fewer than 2^52 charges")]
    let made = (batches * BATCH_LEN) as f64;
    Ok(made / began.elapsed().as_secs_f64())
}

fn body(target: &Target, accounts: u64, batch: u64, keys: &Keys) -> crate::http::Prepared {
    let mut text = String::from(r#"{"commands":["#);
    for index in 0..BATCH_LEN {
        let number = keys.next + batch * BATCH_LEN + index;
        let account = 1 + Random::new(number).below(accounts);
        let separator = if index == 0 { "" } else { "," };
        let key = keys.text(number);
        text.push_str(&format!(r#"{separator}{{"kind":"charge","account":{account},"amount":"0.01","key":"{key}"}}"#));
    }
    text.push_str("]}");
    Request { method: "POST", path: "/v1/batch", key: None, body: &text }.prepared(&target.token)
}

/// 128 bytes appended and synced, over and over for a second; how many a second.
fn appends(folder: &Path) -> Result<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("append"))?;
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&[7; 128])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
