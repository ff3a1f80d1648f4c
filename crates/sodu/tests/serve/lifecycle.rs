//! Starting and stopping: taken ports, doors that stay shut, and a stop that keeps its promises.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use sodu::config::Config;
use sodu::serve::{PortChoice, start};

use crate::common::*;
use crate::place::Place;

/// Why a server with these settings does not start on a new ledger.
pub(crate) fn refusal(adjust: impl FnOnce(&mut Config)) -> String {
    let place = Place::new();
    let mut config = Config { database: place.url(), listen: any_port(), ops_listen: any_port(), ..Config::default() };
    adjust(&mut config);
    let store = open(&config.database, &Arc::new(AtomicI64::new(0)));
    let error = start(&config, store.clone(), PortChoice::Exact).err().expect("an error");
    store.close();
    let files = std::fs::read_dir(place.path()).expect("its folder").flatten().map(|file| file.path());
    assert_eq!(
        files.filter(|file| file.extension().is_some_and(|end| end == "sock")).count(),
        0,
        "nothing is left behind"
    );
    format!("{error:#}")
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_changes_it() {
    let taken = TcpListener::bind(any_port()).expect("a port");
    let address = taken.local_addr().expect("an address");
    for threads in [1, 2] {
        let error = refusal(|config| (config.listen, config.threads) = (address, threads));
        assert!(error.contains(&format!("{address} is already in use")) && error.contains("--listen"), "{error}");
    }
    let error = refusal(|config| config.ops_listen = address);
    assert!(error.contains(&format!("{address} is already in use")) && error.contains("--ops-listen"), "{error}");
    let error = refusal(|config| config.listen = "192.0.2.1:0".parse().expect("an address"));
    assert!(error.contains("192.0.2.1:0 is not an address of this machine"), "{error}");
}

/// The kernel would let it: both use SO_REUSEPORT, and both are of the same user.
#[test]
fn a_second_server_does_not_share_the_port_of_the_first() {
    let server = Server::start();
    let address = server.bound().public;
    let error = refusal(|config| (config.listen, config.threads) = (address, 2));
    assert!(error.contains(&format!("{address} is already in use")), "{error}");
    assert_eq!(server.ask(call(API_KEY, SECRET_KEY)).body, SUCCESS);
}

#[test]
fn the_next_free_port_is_taken_where_that_is_wanted() {
    let server = Server::start();
    let place = Place::new();
    let taken = server.bound().public;
    let config = Config {
        database: place.url(),
        listen: taken,
        ops_listen: server.bound().ops,
        threads: 2,
        ..Config::default()
    };
    let store = open(&config.database, &Arc::new(AtomicI64::new(0)));
    let running = start(&config, store, PortChoice::NextFree).expect("it starts");
    let port = running.bound().public.port();
    assert!((taken.port() + 1..=taken.port() + 20).contains(&port), "{port} is near {}", taken.port());
    running.stop();
}

#[test]
fn operators_are_not_served_to_the_network_without_tls() {
    let everywhere: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    let error = refusal(|config| config.ops_listen = everywhere);
    assert!(error.contains("0.0.0.0:0") && error.contains("--insecure-ops"), "{error}");
    let server = Server::with(|config| {
        config.ops_listen = everywhere;
        config.insecure_ops = true;
    });
    assert_eq!(server.bound().ops.ip(), everywhere.ip());
}

#[test]
fn a_stop_answers_what_was_asked_before_and_refuses_what_comes_after() {
    let server = Server::with(|config| config.threads = 1);
    let (public, ops) = (server.bound().public, server.bound().ops);
    let body = keys(API_KEY, SECRET_KEY);
    let head = format!("POST {POST_JSON} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
    // One that is being answered: its body is waited for, as the 100 shows.
    let mut asked = server.client();
    asked.send(format!("{head}Expect: 100-continue\r\n\r\n"));
    assert_eq!(asked.head().status(), 100);
    // One that has begun to ask. The only thread answers what came later, so it has read this.
    let mut asking = server.client();
    asking.send(&head);
    let mut idle = server.client();
    for _ in 0..2 {
        idle.send(call(API_KEY, SECRET_KEY));
        assert_eq!(idle.response().said(), (200, SUCCESS));
    }
    let store = server.store.clone();
    let (running, _folder) = server.into_running();
    let stopping = std::thread::spawn(move || running.stop());
    assert_eq!(idle.rest(), "", "an idle connection is closed");
    let mut readiness = Client::connect(ops);
    readiness.send(get("/readyz"));
    let ready = readiness.response();
    assert_eq!(ready.said(), (503, r#"{"ready":false,"why":"the server is stopping"}"#));
    drop(readiness);
    asking.send(format!("\r\n{body}"));
    let refused = asking.response();
    assert_eq!((refused.status(), refused.header("connection")), (503, Some("close")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(
        refused.body.starts_with(r#"{"Balance":0,"CodeResponse":"99","ErrorMessage":"The service is"#),
        "{refused:?}"
    );
    assert_eq!(asking.rest(), "");
    asked.send(&body);
    let answered = asked.response();
    assert_eq!(answered.said(), (200, SUCCESS), "what was asked before is answered");
    stopping.join().expect("it stops");
    assert_eq!(asked.rest(), "");
    assert!(std::net::TcpStream::connect(public).is_err(), "nobody listens any more");
    let change = store.change_account(
        actor(),
        ledger::AccountId::new(9999).expect("an id"),
        store::AccountChange { profile: store::ProfileChange::default(), ..store::AccountChange::default() },
    );
    assert_eq!(block_on(change), Err(store::ChangeError::Fault(store::Fault::Stopping)), "the ledger is closed");
}

#[test]
fn a_stop_waits_no_longer_than_it_is_told_to() {
    let server = Server::with(|config| config.shutdown_timeout = std::time::Duration::from_millis(200));
    let mut stalled = server.client();
    stalled.send(format!("POST {POST_JSON} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"));
    assert_eq!(stalled.head().status(), 100);
    let (running, _folder) = server.into_running();
    running.stop();
    let mut rest = Vec::new();
    // Closed or reset: it is over either way.
    let _ = stalled.stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
}
