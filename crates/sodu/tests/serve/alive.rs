//! A server whose threads are stuck for real, in the clock that it was given, is not alive; one that only cannot write is.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ledger::Time;
use sodu::config::Config;
use sodu::serve::{Limits, PortChoice, Running, start};
use store::{Clock, DatabaseUrl, Options, Store};
use tempfile::TempDir;

use crate::common::*;

/// More than the second between two beats.
const SILENT: Duration = Duration::from_millis(2_500);

/// Nobody is silent for so long in a test.
const NEVER: Duration = Duration::from_secs(3_600);

/// A server in which the threads whose names begin so wait whenever they look at the clock while the gate is shut.
fn server(names: &'static str, gate: &Arc<Mutex<()>>) -> (Running, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Arc::clone(gate);
    let clock: Clock = Arc::new(move || {
        if thread::current().name().is_some_and(|name| name.starts_with(names)) {
            drop(gate.lock().expect("a gate"));
        }
        Time::from_micros(1_700_000_000_000_000)
    });
    let local = "127.0.0.1:0".parse().expect("an address");
    let database = DatabaseUrl::file(folder.path().join("sodu.db"));
    let config =
        Config { database: database.clone(), listen: local, ops_listen: local, threads: 2, ..Config::default() };
    let options = Options {
        url: database,
        create: true,
        clock,
        queue_len_max: 10,
        refusal_days: 30,
        refusals_per_second: 10,
        connections_max: 8,
        alert_targets: Vec::new(),
    };
    let store = Store::open(options).expect("a ledger");
    (start(&config, store, PortChoice::Exact).expect("it starts"), folder)
}

/// Waits until that is what it says.
fn until(running: &Running, limits: Limits, is_so: impl Fn(&Result<(), String>) -> bool) {
    let began = Instant::now();
    loop {
        let alive = running.alive(limits);
        if is_so(&alive) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{alive:?}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_public_thread_that_is_stuck_is_named_until_it_comes_round() {
    let gate = Arc::new(Mutex::new(()));
    let (running, _folder) = server("public-", &gate);
    let limits = Limits { public: SILENT, writer: NEVER };
    assert_eq!(running.alive(limits), Ok(()));
    let shut = gate.lock().expect("a gate");
    let mut client = Client::connect(running.bound().public);
    client.send(call(API_KEY, SECRET_KEY));
    until(&running, limits, |alive| alive.as_ref().is_err_and(|why| why.starts_with("the thread public-")));
    drop(shut);
    assert_eq!(client.response().said(), (200, REFUSED));
    until(&running, limits, Result::is_ok);
    running.stop();
}

#[test]
fn a_writer_that_is_stuck_is_named_until_it_comes_round() {
    let gate = Arc::new(Mutex::new(()));
    let (running, _folder) = server("writer", &gate);
    let limits = Limits { public: NEVER, writer: SILENT };
    let shut = gate.lock().expect("a gate");
    // It looks at the clock every second.
    until(&running, limits, |alive| alive.as_ref().is_err_and(|why| why.starts_with("the thread writer has")));
    let mut client = Client::connect(running.bound().public);
    client.send(call(API_KEY, SECRET_KEY));
    assert_eq!(client.response().said(), (200, REFUSED), "balances are answered meanwhile");
    drop(shut);
    until(&running, limits, Result::is_ok);
    running.stop();
}

#[test]
fn a_thread_of_the_socket_that_is_stuck_is_named() {
    let gate = Arc::new(Mutex::new(()));
    let (running, _folder) = server("socket", &gate);
    let limits = Limits { public: NEVER, writer: SILENT };
    let shut = gate.lock().expect("a gate");
    let stream = std::os::unix::net::UnixStream::connect(&running.bound().socket).expect("it listens");
    let mut client = Client { stream: std::io::BufReader::new(stream) };
    client.send(get("/v1/totals"));
    until(&running, limits, |alive| alive.as_ref().is_err_and(|why| why.starts_with("the thread socket ")));
    drop(shut);
    assert_eq!(client.response().status(), 200);
    running.stop();
}
