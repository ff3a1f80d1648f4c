//! `cargo xtask sync-proof`: acknowledged means synced, which no `kill -9` can show.
//!
//! A server is traced while one caller and then many move credit. Three proofs come of the traces: that no acknowledgement
//! left before a sync of the WAL that followed its write (`order`); that at every acknowledgement a power cut would
//! have left a database with everything acknowledged so far (`disk`); and that this also holds for what a server finds
//! written, but not synced, after it was killed (`restart`). A fourth has a sync of the database file fail (`failed`). What
//! is proved is what the server asks of the system, not that the disk keeps its own word.

mod disk;
mod failed;
mod order;
mod restart;
mod trace;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::json;

use crate::contradiction::Contradiction;
use crate::operator::{Account, Answer, Entry, Operator};
use crate::planted;
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};
use disk::Disk;
use trace::Event;

const ACCOUNTS: u64 = 5;
/// How many callers in the second trace, and how many movements each makes (in the first one it is one caller).
const CALLERS: u64 = 16;
const MOVEMENTS: u64 = 25;
/// At how many acknowledgements of a trace the power is cut, evenly spread and the last among them.
const CUTS: usize = 12;

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Builds the server with a planted bug, which both proofs must find
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    programs::need("strace", "strace")?;
    match &arguments.plant {
        None => prove(&server::build()?),
        Some(name) => planted::each(name, planted::SYNC, |name, binary| {
            let proof = trace_both(binary)?;
            let Err(order) = proof.order() else { bail!("{name}: the order of syncs and answers looked right") };
            match proof.power_cuts() {
                Ok(()) => bail!("{name}: nothing was lost in the power cuts"),
                Err(error) => Ok(format!("{order}\n{}", error.downcast::<Contradiction>()?)),
            }
        }),
    }
}

/// Holds `binary` against all that this proof has.
pub(crate) fn prove(binary: &Path) -> Result<()> {
    let proof = trace_both(binary)?;
    proof.order().map_err(Contradiction)?;
    proof.power_cuts()?;
    restart::prove(binary)?;
    failed::prove(binary)
}

/// Two traces of one server binary.
struct Proof<'a> {
    binary: &'a Path,
    one: Traced,
    many: Traced,
    folder: tempfile::TempDir,
}

/// A trace, and what the callers were told while it was taken.
struct Traced {
    before: Disk,
    events: Vec<Event>,
    told: HashMap<String, (u64, Entry)>,
}

fn trace_both(binary: &Path) -> Result<Proof<'_>> {
    let folder = tempfile::Builder::new().prefix("sync-proof-").tempdir_in(programs::target())?;
    let one = trace_calls(binary, &folder.path().join("one"), 1)?;
    let many = trace_calls(binary, &folder.path().join("many"), CALLERS)?;
    Ok(Proof { binary, one, many, folder })
}

impl Proof<'_> {
    /// No acknowledgement left before its sync.
    fn order(&self) -> Result<(), String> {
        let one = order::acknowledgements(&self.one.events)?;
        let many = order::acknowledgements(&self.many.events)?;
        for (acknowledged, traced) in [(&one, &self.one), (&many, &self.many)] {
            if acknowledged.len() != traced.told.len() {
                return Err(format!("{} told, {} seen in the trace", traced.told.len(), acknowledged.len()));
            }
        }
        order::nothing_unsynced(&self.one.events, &one)?;
        order::own_write_synced(&self.one.events, &one)?;
        order::own_write_synced(&self.many.events, &many)?;
        println!("sync-proof: {} acknowledgements, each after a sync of the WAL", one.len() + many.len());
        Ok(())
    }

    /// After a power cut at an acknowledgement, everything acknowledged until then is there.
    fn power_cuts(&self) -> Result<()> {
        let mut cuts = 0;
        for traced in [&self.one, &self.many] {
            let acknowledged = order::acknowledgements(&traced.events).map_err(|what| anyhow!(what))?;
            let mut disk = traced.before.clone();
            let mut next_event = 0;
            for cut in 1..=CUTS {
                let certain = acknowledged.len() * cut / CUTS;
                let line = acknowledged[certain - 1].began;
                while let Some(event) = traced.events.get(next_event).filter(|event| event.ended < line) {
                    disk.apply(event);
                    next_event += 1;
                }
                let database = self.folder.path().join(format!("cut-{cuts}.db"));
                disk.write(&database)?;
                let told = acknowledged[..certain].iter().map(|one| &traced.told[&one.key]);
                everything_is_there(self.binary, &database, told)
                    .map_err(|what| Contradiction(format!("power cut at line {line} of the trace: {what:#}")))?;
                cuts += 1;
            }
        }
        println!("sync-proof: {cuts} power cuts, nothing acknowledged was lost");
        Ok(())
    }
}

/// Opens a copy of the database and looks for everything that was told.
fn everything_is_there<'t>(
    binary: &Path,
    database: &Path,
    told: impl IntoIterator<Item = &'t (u64, Entry)>,
) -> Result<()> {
    server::verify(binary, database)?;
    let server = start(binary, database, &[])?;
    let mut operator = Operator::open(&server.socket)?;
    let mut statements = HashMap::new();
    for account in accounts() {
        statements.insert(account.id, operator.statement(account.id, None)?);
    }
    for (account, entry) in told {
        ensure!(statements[account].contains(entry), "acknowledged and lost, account {account}: {entry:?}");
    }
    server.stop()
}

/// Opens the accounts with a server that nobody traces, in a new folder; returns the database as it is then.
fn prepare(binary: &Path, folder: &Path) -> Result<(PathBuf, Disk)> {
    std::fs::create_dir(folder)?;
    let database = folder.canonicalize()?.join("sodu.db");
    let server = start(binary, &database, &[])?;
    let mut operator = Operator::open(&server.socket)?;
    accounts().iter().try_for_each(|account| operator.open_account(account))?;
    server.stop()?;
    let disk = Disk::read(&database)?;
    Ok((database, disk))
}

/// Traces a server while `callers` move credit.
fn trace_calls(binary: &Path, folder: &Path, callers: u64) -> Result<Traced> {
    let (database, before) = prepare(binary, folder)?;
    let file = folder.join("trace");
    let server = start(binary, &database, &trace::strace(&file))?;
    let told = thread::scope(|scope| {
        let server = &server;
        let callers: Vec<_> = (0..callers).map(|caller| scope.spawn(move || call(server, caller))).collect();
        let told = callers.into_iter().map(|caller| caller.join().expect("a caller does not panic"));
        told.collect::<Result<Vec<_>>>()
    })?;
    // Not killed: the trace would lack the end of a call that was under way.
    server.stop()?;
    Ok(Traced { before, events: read_trace(&file, &database)?, told: told.into_iter().flatten().collect() })
}

/// To be called when the server has ended: strace ends with it, and its file is whole then.
fn read_trace(file: &Path, database: &Path) -> Result<Vec<Event>> {
    let text = std::fs::read_to_string(file)?;
    trace::read(&text, database.to_str().context("the folder's name is not UTF-8")?)
}

/// One caller's movements, and what it was told of each.
fn call(server: &Server, caller: u64) -> Result<Vec<(String, (u64, Entry))>> {
    let mut operator = Operator::open(&server.socket)?;
    let mut told = Vec::new();
    for movement in 0..MOVEMENTS {
        let movement = Movement::new(caller, movement);
        let answer = movement.send(&mut operator)?;
        ensure!(answer.status == 201, "a movement was not made: {answer:?}");
        told.push((movement.key, (movement.account, Entry::read(&answer.body["entry"])?)));
    }
    Ok(told)
}

/// A movement that a caller makes.
struct Movement {
    account: u64,
    kind: &'static str,
    amount: &'static str,
    key: String,
}

impl Movement {
    fn new(caller: u64, number: u64) -> Movement {
        let (kind, amount) = if number.is_multiple_of(3) { ("topups", "500") } else { ("charges", "12.5") };
        let account = 1 + (caller + number) % ACCOUNTS;
        // Of one length, so that no key is the beginning of another.
        Movement { account, kind, amount, key: format!("proof-{caller:04}-{number:04}") }
    }

    fn send(&self, operator: &mut Operator) -> std::io::Result<Answer> {
        let Movement { account, kind, amount, key } = self;
        operator.post(&format!("/v1/accounts/{account}/{kind}"), key, &json!({ "amount": amount }))
    }
}

fn accounts() -> Vec<Account> {
    let mut random = Random::new(1);
    let account = |number| Account {
        id: 1 + number,
        credit_limit: 10_000_000,
        api_key: random.hex(30),
        secret_key: random.hex(30),
    };
    (0..ACCOUNTS).map(account).collect()
}

fn start(binary: &Path, database: &Path, prefix: &[std::ffi::OsString]) -> Result<Server> {
    let log: PathBuf = server::beside(database, ".log");
    Server::start(&Setup { binary, database, log: &log, prefix, flags: &[] })
}
