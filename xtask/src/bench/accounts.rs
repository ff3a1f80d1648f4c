//! The ledger that benchmarks read: N accounts with a random key pair and money each, made once and kept in target/bench.
//!
//! The key pairs follow from the account's number, so that the load generator's file needs no database.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;

use super::process::cpu_time;
use crate::http::{Address, Request};
use crate::operator::{Account, Operator, get_balance_body};
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};

/// So many callers at once fill the ledger, with so many accounts a request.
const CALLERS: u32 = 2;
const STEP: u64 = 1000;
/// How many bodies the load generator has in memory; it sends them in turn.
const BODIES_MAX: u64 = 400_000;

/// The account of that number.
pub(crate) fn account(id: u64) -> Account {
    let mut random = Random::new(id ^ 0x0050_d0d0_0000_0000);
    Account { id, credit_limit: 0, api_key: random.hex(30), secret_key: random.hex(30) }
}

/// A copy in `folder` of a ledger with `accounts` accounts, made now if there is none yet.
pub(crate) fn ledger(binary: &Path, accounts: u64, folder: &Path) -> Result<PathBuf> {
    let kept = programs::target().join("bench").join(format!("{accounts}.db"));
    if !kept.exists() {
        make(binary, accounts, &kept)?;
    }
    let copy = folder.join(format!("{accounts}.db"));
    // Synced, so that the system does not write it while a start is timed.
    move_files(&kept, &copy, |from, to| fs::copy(from, to).and_then(|_| File::open(to)?.sync_all()))?;
    Ok(copy)
}

/// Takes a database that no server has open elsewhere: its log, which a stopped server may leave, and last its file.
fn move_files(from: &Path, to: &Path, take: impl Fn(&Path, &Path) -> io::Result<()>) -> Result<()> {
    let wal = server::beside(from, "-wal");
    if wal.exists() {
        take(&wal, &server::beside(to, "-wal"))?;
    }
    Ok(take(from, to)?)
}

/// Writes request bodies of random accounts, one a line.
pub(crate) fn write_bodies(accounts: u64, file: &Path) -> Result<()> {
    let mut random = Random::new(accounts);
    let mut lines = BufWriter::new(File::create(file)?);
    for _ in 0..BODIES_MAX.min(accounts * 4) {
        let Account { api_key, secret_key, .. } = account(1 + random.below(accounts));
        writeln!(lines, "{}", get_balance_body(&api_key, &secret_key))?;
    }
    Ok(lines.flush()?)
}

fn make(binary: &Path, accounts: u64, kept: &Path) -> Result<()> {
    let folder = kept.parent().context("the kept ledgers have a folder")?;
    fs::create_dir_all(folder)?;
    let folder = tempfile::Builder::new().prefix("making-").tempdir_in(folder)?;
    let (database, log) = (folder.path().join("sodu.db"), folder.path().join("sodu.log"));
    let began = Instant::now();
    let server = Server::start(&Setup { binary, database: &database, log: &log, prefix: &[], flags: &[] })?;
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| open(&server.socket, &next, accounts))).collect();
        callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?)
    })?;
    come_to_rest(&server)?;
    server.stop()?;
    move_files(&database, kept, |from, to| fs::rename(from, to))?;
    println!("made a ledger with {accounts} accounts in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Waits until the server has put in order what it took in: otherwise every measurement would have a share of that.
fn come_to_rest(server: &Server) -> Result<()> {
    const LOOK_AGAIN: Duration = Duration::from_secs(5);
    const PATIENCE: Duration = Duration::from_secs(1200);
    let began = Instant::now();
    loop {
        let before = cpu_time(server.pid())?;
        thread::sleep(LOOK_AGAIN);
        if cpu_time(server.pid())? - before < LOOK_AGAIN / 200 {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the server is not idle {PATIENCE:?} after the last import");
    }
}

/// Imports accounts, each with its key pair and its money, until there are enough; callers at once share `next`, the first of
/// those that nobody imports yet.
pub(super) fn open(socket: &Address, next: &AtomicU64, accounts: u64) -> Result<()> {
    let mut operator = Operator::open(socket)?;
    loop {
        let first = next.fetch_add(STEP, Ordering::SeqCst);
        if first > accounts {
            return Ok(());
        }
        import(&mut operator, &(first..(first + STEP).min(accounts + 1)).map(row).collect::<Vec<_>>())?;
    }
}

/// Imports accounts, at most a thousand; each must be made by it.
pub(super) fn import(operator: &mut Operator, rows: &[serde_json::Value]) -> Result<()> {
    let body = json!({ "accounts": rows }).to_string();
    let answer = operator.call(&Request { method: "POST", path: "/v1/imports", key: None, body: &body })?;
    let outcomes = answer.body["outcomes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let made = outcomes.iter().filter(|outcome| outcome["status"] == 201).count();
    ensure!(made == rows.len(), "{made} of {} accounts were imported: {}", rows.len(), answer.status);
    Ok(())
}

/// An account to be imported, with its key pair and its money.
pub(super) fn row(id: u64) -> serde_json::Value {
    let Account { api_key, secret_key, .. } = account(id);
    json!({
        "key": format!("account-{id}"),
        "id": id,
        "name": format!("account {id}"),
        "api_key": api_key,
        "secret_key": secret_key,
        "balance": "36693",
    })
}
