//! A database that does not answer: a fault for everyone, in time, and service by itself when it is back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use sodu::config::Config;
use sodu::serve::{PortChoice, start};
use store::DatabaseUrl;

use crate::common::*;
use crate::place::cluster::Cluster;

#[test]
fn a_stopped_database_is_a_503_in_time_and_readiness_tells() {
    let cluster = Cluster::start();
    let database = cluster.database("template1");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config {
        database: DatabaseUrl::parse(&cluster.url("sodu", &database)).expect("a URL"),
        listen: any_port,
        ops_listen: any_port,
        threads: 2,
        ..Config::default()
    };
    let store = open(&config.database, &Arc::new(AtomicI64::new(0)));
    let running = start(&config, store, PortChoice::Exact).expect("the server starts");
    let (public, ops) = (running.bound().public, running.bound().ops);
    let balance = || {
        let mut client = Client::connect(public);
        client.send(call(API_KEY, SECRET_KEY));
        client.response()
    };
    let ready = || {
        let mut client = Client::connect(ops);
        client.send(get("/readyz"));
        client.response().status()
    };
    assert_eq!((balance().said(), ready()), ((200, REFUSED), 200));

    cluster.kill();
    let began = Instant::now();
    let answer = balance();
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
    let body = r#"{"Balance":0,"CodeResponse":"99","ErrorMessage":"The balance cannot be read right now, please try again in a moment"}"#;
    assert_eq!(answer.body, body, "a fault never looks like a refusal");
    await_status(&ready, 503);

    assert!(cluster.serve(), "the database starts again");
    await_status(&ready, 200);
    assert_eq!(balance().said(), (200, REFUSED));
    running.stop();
}

fn await_status(status: &impl Fn() -> u16, wanted: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while status() != wanted {
        assert!(Instant::now() < deadline, "{wanted} does not come");
    }
}
