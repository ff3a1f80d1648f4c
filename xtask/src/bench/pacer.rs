//! A thousand charges a second on random accounts, for as long as the others measure: each a request, or some in a batch.
//!
//! Each of a few senders keeps its own timetable: it waits for the next due time, charges, and waits for the answer. One
//! that falls behind does not skip, so that what was asked for and what was done can be compared.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use super::figures;
use crate::http::{Address, Connection, Prepared, Request};
use crate::random::Random;

const SENDERS: u32 = 8;

/// Counts over all pacers of a run, so that no two charges share a key.
static KEYS: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

/// Running senders.
pub(crate) struct Pacer {
    senders: Vec<JoinHandle<Result<Vec<f64>>>>,
    at_once: u32,
    began: Instant,
}

/// What came of the charges.
pub(crate) struct Paced {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Pacer {
    /// Starts to charge accounts 1 to `accounts`, `at_once` in each request; `run` tells this run's keys from those of
    /// earlier ones. One pacer runs at a time.
    pub(crate) fn start(socket: &Address, accounts: u64, per_second: u32, at_once: u32, run: u64) -> Pacer {
        STOP.store(false, Ordering::SeqCst);
        let pause = Duration::from_secs(1) * SENDERS * at_once / per_second;
        let sender = |number: u32| {
            let socket = socket.clone();
            let first = Instant::now() + pause * number / SENDERS;
            thread::spawn(move || send(&socket, accounts, at_once, first, pause, run))
        };
        Pacer { senders: (0..SENDERS).map(sender).collect(), at_once, began: Instant::now() }
    }

    /// Ends it; every charge must have been made.
    pub(crate) fn stop(self) -> Result<Paced> {
        STOP.store(true, Ordering::SeqCst);
        let elapsed = self.began.elapsed();
        let mut latencies = Vec::new();
        for sender in self.senders {
            latencies.extend(sender.join().map_err(|_| anyhow!("a sender of charges panicked"))??);
        }
        let (p50_us, p99_us) =
            (figures::median(latencies.iter().copied()), figures::percentile(latencies.iter().copied(), 99));
        #[expect(clippy::cast_precision_loss, reason = "a run makes far fewer than 2^52 charges")]
        let per_second = latencies.len() as f64 * f64::from(self.at_once) / elapsed.as_secs_f64();
        Ok(Paced { per_second, p50_us, p99_us })
    }
}

fn send(socket: &Address, accounts: u64, at_once: u32, first: Instant, pause: Duration, run: u64) -> Result<Vec<f64>> {
    let mut socket = Connection::open(socket)?;
    let mut latencies = Vec::new();
    let mut due = first;
    while !STOP.load(Ordering::SeqCst) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += pause;
        let request = if at_once == 1 { single(accounts, run) } else { batch(accounts, at_once, run) };
        let began = Instant::now();
        let reply = socket.send(&request)?;
        latencies.push(figures::us(began.elapsed()));
        let made = reply.text().matches(r#""replayed":false"#).count();
        ensure!(made == usize::try_from(at_once)?, "not every charge was made: {}", reply.text());
    }
    Ok(latencies)
}

fn single(accounts: u64, run: u64) -> Prepared {
    let (account, key) = next(accounts, run);
    let path = format!("/v1/accounts/{account}/charges");
    Request { method: "POST", path: &path, key: Some(&key), body: r#"{"amount":"1"}"# }.prepared_for_socket()
}

fn batch(accounts: u64, len: u32, run: u64) -> Prepared {
    let command = |_| {
        let (account, key) = next(accounts, run);
        json!({ "kind": "charge", "account": account, "amount": "1", "key": key })
    };
    let body = json!({ "commands": (0..len).map(command).collect::<Vec<_>>() }).to_string();
    Request { method: "POST", path: "/v1/batch", key: None, body: &body }.prepared_for_socket()
}

/// A random account, and a key that nobody has used.
fn next(accounts: u64, run: u64) -> (u64, String) {
    let number = KEYS.fetch_add(1, Ordering::SeqCst);
    (1 + Random::new(number).below(accounts), format!("bench-{run}-{number}"))
}
