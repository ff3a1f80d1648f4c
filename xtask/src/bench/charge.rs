//! `cargo xtask bench charge`: the p50 of one durable charge beside what it cannot do without.
//!
//! One caller, one request at a time over a kept-alive Unix socket. The yardsticks, taken in turn in the same run and on
//! the same file system: 128 bytes appended and synced, and a POST to the same server which it turns away before the
//! ledger is asked (a charge without its key).

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::conditions::conditions;
use super::figures::{median, percentile, table, us};
use crate::http::{Connection, Request};
use crate::operator::{Account, Operator};
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};

const ACCOUNTS: u64 = 100;
const BODY: &str = r#"{"amount":"1"}"#;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each of the three is measured
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How many calls in a row make one round of each
    #[arg(long, default_value_t = 2000)]
    calls: u64,
}

/// Latencies of one round, in microseconds.
struct Round {
    append: Vec<f64>,
    nothing: Vec<f64>,
    charge: Vec<f64>,
}

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bench-charge-").tempdir_in(programs::target())?;
    let (database, log) = (folder.path().join("sodu.db"), folder.path().join("sodu.log"));
    let server = Server::start(&Setup { binary, database: &database, log: &log, prefix: &[], flags: &[] })?;
    let mut operator = Operator::open(&server.socket)?;
    let mut random = Random::new(3);
    for id in 1..=ACCOUNTS {
        let (api_key, secret_key) = (random.hex(30), random.hex(30));
        operator.open_account(&Account { id, credit_limit: 1_000_000_000_000, api_key, secret_key })?;
    }
    let mut socket = Connection::open(&server.socket)?;
    let mut rounds = Vec::new();
    // The first round warms caches and is not counted.
    for round in 0..=arguments.rounds {
        let measured = Round {
            append: append(folder.path(), arguments.calls)?,
            nothing: nothing(&mut socket, arguments.calls)?,
            charge: charge(&mut socket, round, arguments.calls)?,
        };
        if round > 0 {
            rounds.push(measured);
        }
    }
    server.stop()?;
    server::verify(binary, &database)?;
    report(&rounds, folder.path(), binary, arguments);
    Ok(())
}

fn append(folder: &Path, calls: u64) -> Result<Vec<f64>> {
    let mut file = File::create(folder.join("append"))?;
    (0..calls)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[7; 128])?;
            file.sync_data()?;
            Ok(us(began.elapsed()))
        })
        .collect()
}

fn nothing(socket: &mut Connection, calls: u64) -> Result<Vec<f64>> {
    let request = Request { method: "POST", path: "/v1/accounts/1/charges", key: None, body: BODY };
    (0..calls).map(|_| exchange(socket, &request, 400)).collect()
}

fn charge(socket: &mut Connection, round: usize, calls: u64) -> Result<Vec<f64>> {
    let mut random = Random::new(round as u64);
    (0..calls)
        .map(|call| {
            let path = format!("/v1/accounts/{}/charges", 1 + random.below(ACCOUNTS));
            let key = format!("bench-{round}-{call}");
            exchange(socket, &Request { method: "POST", path: &path, key: Some(&key), body: BODY }, 201)
        })
        .collect()
}

/// From the first byte sent to the last one received, in microseconds; what this program does with them is not the server's.
fn exchange(socket: &mut Connection, request: &Request<'_>, wanted: u16) -> Result<f64> {
    let request = request.prepared_for_socket();
    let began = Instant::now();
    let reply = socket.send(&request)?;
    let elapsed = us(began.elapsed());
    ensure!(reply.status == wanted, "{wanted} was wanted, not {} {}", reply.status, reply.text());
    Ok(elapsed)
}

fn report(rounds: &[Round], folder: &Path, binary: &Path, arguments: &Arguments) {
    let p50 = |latencies: fn(&Round) -> &Vec<f64>| -> Vec<f64> {
        rounds.iter().map(|round| median(latencies(round).iter().copied())).collect()
    };
    let p99 = |latencies: fn(&Round) -> &Vec<f64>| {
        median(rounds.iter().map(|round| percentile(latencies(round).iter().copied(), 99)))
    };
    let (append, nothing, charge) =
        (p50(|round| &round.append), p50(|round| &round.nothing), p50(|round| &round.charge));
    let ratio = median(charge.iter().zip(append.iter().zip(&nothing)).map(|(charge, (a, n))| charge / (a + n)));
    let row = |name: &str, p50: &[f64], p99: f64| {
        vec![name.to_owned(), format!("{:.0}", median(p50.iter().copied())), format!("{p99:.0}")]
    };
    let rows = [
        row("append 128 bytes + fdatasync", &append, p99(|round| &round.append)),
        row("POST that is turned away (400)", &nothing, p99(|round| &round.nothing)),
        row("durable charge (201)", &charge, p99(|round| &round.charge)),
    ];
    println!("Medians of {} rounds of {} calls each, one caller:\n", arguments.rounds, arguments.calls);
    println!("{}", table(&["what", "p50 µs", "p99 µs"], &rows));
    println!(
        "charge / (append + turned away), p50, median of the rounds' ratios: {ratio:.2} (at most 1.25 is wanted)\n"
    );
    println!("{}", conditions(folder, &[(binary, "--version")]));
}
