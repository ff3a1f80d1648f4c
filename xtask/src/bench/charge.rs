//! `cargo xtask bench charge`: the p50 of one durable charge beside what it cannot do without.
//!
//! One caller, one request at a time over a kept-alive connection: over TCP with an operator's token, as programs come, and
//! over the Unix socket, as the command line does. The yardsticks, taken in turn in the same run and on the same file system:
//! 128 bytes appended and synced, and a POST over the same connection which the server turns away before the ledger is
//! asked (a charge without its key).
//!
//! In each of these somebody sleeps until somebody else wakes them, which in a virtual machine takes several times as long on
//! another core as on the same one. Where the scheduler keeps caller and server together for the one and apart for the other,
//! its choices are compared. So all of it is measured on one core too, on each, and on two.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::conditions::conditions;
use super::figures::{median, percentile, table, us};
use super::process;
use crate::http::{Connection, Request};
use crate::operator::{Account, Operator};
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};

const ACCOUNTS: u64 = 100;
const BODY: &str = r#"{"amount":"1"}"#;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each of the three is measured, at each place
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// How many calls in a row make one round of each
    #[arg(long, default_value_t = 500)]
    calls: u64,
}

/// The p50 and p99 of one round's charges, in microseconds.
#[derive(Clone, Copy)]
struct Latency {
    p50: f64,
    p99: f64,
}

/// One round over one connection; the yardsticks by their p50, in microseconds.
struct Round {
    append: f64,
    nothing: f64,
    charge: Latency,
}

/// A connection, and the token that it needs over TCP.
struct Caller<'a> {
    connection: Connection,
    token: Option<&'a str>,
}

/// The cores of the server and of its caller, who also appends; anywhere where there is none.
struct Place {
    name: &'static str,
    server: Option<usize>,
    caller: Option<usize>,
}

const PLACES: [Place; 4] = [
    Place { name: "all on core 0", server: Some(0), caller: Some(0) },
    Place { name: "all on core 1", server: Some(1), caller: Some(1) },
    Place { name: "server on core 0, caller on core 1", server: Some(0), caller: Some(1) },
    Place { name: "where the scheduler puts them", server: None, caller: None },
];

pub(crate) fn run(binary: &Path, arguments: &Arguments) -> Result<()> {
    let mut rows = Vec::new();
    for place in &PLACES {
        println!("measuring: {}", place.name);
        // On a thread of its own, which takes its core with it.
        let measured = thread::scope(|scope| scope.spawn(|| measure(binary, arguments, place)).join());
        let (over_tcp, over_socket) = measured.expect("no panic")?;
        rows.extend([row(place, "TCP", &over_tcp), row(place, "socket", &over_socket)]);
    }
    let head = ["", "over", "append + fdatasync, p50 µs", "POST turned away", "charge", "charge, p99", "ratio of p50s"];
    println!("\nMedians of {} rounds of {} calls each, one caller:\n", arguments.rounds, arguments.calls);
    println!("{}", table(&head, &rows));
    println!("The ratio: charge / (append + turned away), median of the rounds' ratios; at most 1.25 is wanted.\n");
    println!("{}", conditions(&programs::target(), &[(binary, "--version")]));
    Ok(())
}

/// All rounds at one place, over TCP and over the socket.
fn measure(binary: &Path, arguments: &Arguments, place: &Place) -> Result<(Vec<Round>, Vec<Round>)> {
    let folder = tempfile::Builder::new().prefix("bench-charge-").tempdir_in(programs::target())?;
    let (database, log) = (folder.path().join("sodu.db"), folder.path().join("sodu.log"));
    place.caller.map(process::pin).transpose()?;
    let prefix = place.server.map(process::on_core).unwrap_or_default();
    let server = Server::start(&Setup { binary, database: &database, log: &log, prefix: &prefix, flags: &[] })?;
    let mut operator = Operator::open(&server.socket)?;
    let mut random = Random::new(3);
    for id in 1..=ACCOUNTS {
        let (api_key, secret_key) = (random.hex(30), random.hex(30));
        operator.open_account(&Account { id, credit_limit: 1_000_000_000_000, api_key, secret_key })?;
    }
    let token = server.operator_token("bench", "money")?;
    let mut tcp = Caller { connection: Connection::open(&server.ops)?, token: Some(&token) };
    let mut socket = Caller { connection: Connection::open(&server.socket)?, token: None };
    let (mut over_tcp, mut over_socket) = (Vec::new(), Vec::new());
    // The first round warms caches and is not counted.
    for round in 0..=arguments.rounds {
        for (caller, rounds) in [(&mut tcp, &mut over_tcp), (&mut socket, &mut over_socket)] {
            let measured = Round {
                append: append(folder.path(), arguments.calls)?.p50,
                nothing: caller.nothing(arguments.calls)?.p50,
                charge: caller.charge(round, arguments.calls)?,
            };
            if round > 0 {
                rounds.push(measured);
            }
        }
    }
    server.stop()?;
    server::verify(binary, &database)?;
    Ok((over_tcp, over_socket))
}

fn append(folder: &Path, calls: u64) -> Result<Latency> {
    let mut file = File::create(folder.join("append"))?;
    Latency::of(calls, |_| {
        let began = Instant::now();
        file.write_all(&[7; 128])?;
        file.sync_data()?;
        Ok(us(began.elapsed()))
    })
}

impl Caller<'_> {
    fn nothing(&mut self, calls: u64) -> Result<Latency> {
        let request = Request { method: "POST", path: "/v1/accounts/1/charges", key: None, body: BODY };
        Latency::of(calls, |_| self.exchange(&request, 400))
    }

    fn charge(&mut self, round: usize, calls: u64) -> Result<Latency> {
        let mut random = Random::new(round as u64);
        let way = if self.token.is_some() { "tcp" } else { "socket" };
        Latency::of(calls, |call| {
            let path = format!("/v1/accounts/{}/charges", 1 + random.below(ACCOUNTS));
            let key = format!("bench-{way}-{round}-{call}");
            self.exchange(&Request { method: "POST", path: &path, key: Some(&key), body: BODY }, 201)
        })
    }

    /// From the first byte sent to the last one received, in microseconds; what this program does with them is not the
    /// server's.
    fn exchange(&mut self, request: &Request<'_>, wanted: u16) -> Result<f64> {
        let request = request.prepared_with(self.token);
        let began = Instant::now();
        let reply = self.connection.send(&request)?;
        let elapsed = us(began.elapsed());
        ensure!(reply.status == wanted, "{wanted} was wanted, not {} {}", reply.status, reply.text());
        Ok(elapsed)
    }
}

impl Latency {
    fn of(calls: u64, call: impl FnMut(u64) -> Result<f64>) -> Result<Latency> {
        let all = (0..calls).map(call).collect::<Result<Vec<f64>>>()?;
        Ok(Latency { p50: median(all.iter().copied()), p99: percentile(all, 99) })
    }
}

fn row(place: &Place, way: &str, rounds: &[Round]) -> Vec<String> {
    let median_of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    let micros = |figure| format!("{:.0}", median_of(figure));
    vec![
        place.name.to_owned(),
        way.to_owned(),
        micros(|round| round.append),
        micros(|round| round.nothing),
        micros(|round| round.charge.p50),
        micros(|round| round.charge.p99),
        format!("{:.2}", median_of(|round| round.charge.p50 / (round.append + round.nothing))),
    ]
}
