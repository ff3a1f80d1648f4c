//! A load of every kind that a server knows, some seconds of each: what runs often in it is what a release is arranged for.
//!
//! It is short, since what counts is only what runs often and beside what, and it needs no program but sodu.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::accounts;
use super::ledger::{self, Keys, Target};
use super::pacer::Pacer;
use crate::http::{Address, Connection, Request};
use crate::operator::get_balance;
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};

/// Enough that they do not all lie in the processor's caches.
const ACCOUNTS: u64 = 20_000;
/// Who asks at once.
const CALLERS: u64 = 16;
/// How long they ask, in each way.
const WHILE: Duration = Duration::from_secs(3);
const CHARGES_PER_SECOND: u32 = 1000;
const CHARGES_IN_BATCHES: u64 = 100_000;

/// Has a server of `binary` do all of it. Every answer must be right, and the ledger whole afterwards.
pub(crate) fn train(binary: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("training-").tempdir_in(programs::target())?;
    let (database, log) = (folder.path().join("sodu.db"), folder.path().join("sodu.log"));
    let server = Server::start(&Setup { binary, database: &database, log: &log, prefix: &[], flags: &[] })?;
    accounts::open(&server.socket, &AtomicU64::new(1), ACCOUNTS)?;
    server.stop()?;

    // This start loads what was imported.
    let target = Target::start(binary, &database, &log)?;
    let run = Random::fresh_seed();
    for at_once in [10, 1] {
        let pacer = Pacer::start(&target.server.socket, ACCOUNTS, CHARGES_PER_SECOND, at_once, run);
        let asked = callers(CALLERS, |caller| integrator(&target, caller));
        pacer.stop()?;
        asked?;
    }
    callers(CALLERS, |caller| integrator(&target, caller))?;
    let (tcp, socket) = ((&target.server.ops, Some(&*target.token)), (&target.server.socket, None));
    for (senders, (address, token)) in [(CALLERS, tcp), (1, tcp), (1, socket)] {
        callers(senders, |caller| sender(address, token, caller))?;
    }
    ledger::charge(&target, ACCOUNTS, CHARGES_IN_BATCHES, &mut Keys::ordered())?;
    target.server.stop()?;
    server::verify(binary, &database)?;
    Ok(())
}

/// Lets so many callers call, one call after the other, for a while.
fn callers<Call: FnMut() -> Result<()>>(count: u64, caller: impl Fn(u64) -> Result<Call> + Sync) -> Result<()> {
    let end = Instant::now() + WHILE;
    let work = |number: u64| {
        let mut call = caller(number)?;
        while Instant::now() < end {
            call()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        all.into_iter().try_for_each(|caller| caller.join().expect("a caller does not panic"))
    })
}

/// Asks for the balances of random accounts.
fn integrator(target: &Target, caller: u64) -> Result<impl FnMut() -> Result<()>> {
    let mut public = Connection::open(&target.server.public)?;
    let mut random = Random::new(caller);
    Ok(move || get_balance(&mut public, &accounts::account(1 + random.below(ACCOUNTS)))?.map(drop))
}

/// Charges random accounts, over TCP with a token.
fn sender(address: &Address, token: Option<&str>, caller: u64) -> Result<impl FnMut() -> Result<()>> {
    let mut ops = Connection::open(address)?;
    let (mut random, mut keys) = (Random::new(caller), Random::new(Random::fresh_seed() ^ caller << 32));
    Ok(move || {
        let path = format!("/v1/accounts/{}/charges", 1 + random.below(ACCOUNTS));
        let request = Request { method: "POST", path: &path, key: Some(&keys.hex(30)), body: r#"{"amount":"1"}"# };
        let reply = ops.send(&request.prepared_with(token))?;
        ensure!(reply.status == 201, "a charge was not made: {}", reply.text());
        Ok(())
    })
}
