//! Bounds in size and time: what is too large, too slow, or too many.

use std::time::{Duration, Instant};

use crate::common::*;

#[test]
fn a_body_of_64_kib_is_taken_and_one_byte_more_is_not() {
    let server = Server::start();
    let keys = keys(API_KEY, SECRET_KEY);
    let padded = |length: usize| format!("{keys}{}", " ".repeat(length - keys.len()));
    assert_eq!(server.ask(post(POST_JSON, padded(65536))).said(), (200, SUCCESS));
    for path in [POST_JSON, POST_XML] {
        let mut client = server.client();
        client.send(post(path, padded(65537)));
        let response = client.response();
        assert_eq!((response.status(), response.header("connection")), (413, Some("close")));
        assert!(response.body.contains("larger than 65536 bytes"), "{response:?}");
        assert_eq!(client.rest(), "");
    }
}

#[test]
fn a_body_that_will_be_too_large_is_turned_away_before_it_comes() {
    let server = Server::start();
    for more in ["", "Expect: 100-continue\r\n"] {
        let mut client = server.client();
        client.send(format!("POST {POST_JSON} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: 1000000000\r\n\r\n"));
        assert_eq!(client.response().status(), 413, "{more:?}");
    }
}

#[test]
fn a_chunked_body_is_counted_while_it_comes() {
    let server = Server::start();
    let mut client = server.client();
    client.send(format!("POST {POST_JSON} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    for _ in 0..5 {
        client.send(&chunk);
    }
    assert_eq!(client.response().status(), 413);
    assert_eq!(client.rest(), "");
}

/// A client that sends all of a large body before it reads must get the answer, not a reset connection.
#[test]
fn the_answer_survives_what_is_still_being_sent() {
    let server = Server::start();
    let mut client = server.client();
    client.send(post(POST_JSON, " ".repeat(600_000)));
    assert_eq!(client.response().status(), 413);
}

#[test]
fn a_head_above_16_kib_gets_431() {
    let server = Server::start();
    let mut client = server.client();
    client.send(format!("POST {POST_JSON} HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000)));
    let rest = client.rest();
    assert!(rest.starts_with("HTTP/1.1 431 "), "{rest}");
    let fits =
        format!("GET {} HTTP/1.1\r\nX-Long: {}\r\n\r\n", legacy("json", API_KEY, SECRET_KEY), "x".repeat(15_000));
    assert_eq!(server.ask(fits).said(), (200, SUCCESS));
}

fn hasty() -> Server {
    Server::with(|config| {
        config.header_timeout = Duration::from_millis(150);
        config.body_timeout = Duration::from_millis(150);
        config.idle_timeout = Duration::from_millis(400);
    })
}

/// How long it took until the server closed the connection, and what it said.
fn until_closed(client: &mut Client<std::net::TcpStream>) -> (Duration, String) {
    let began = Instant::now();
    let rest = client.rest();
    (began.elapsed(), rest)
}

#[test]
fn a_stalled_head_is_cut_off() {
    let server = hasty();
    for said in ["", "POST ", "POST / HTTP/1.1\r\nHost: x\r\n"] {
        let mut client = server.client();
        client.send(said);
        let (took, rest) = until_closed(&mut client);
        assert_eq!(rest, "", "after {said:?}");
        assert!(took >= Duration::from_millis(140), "not before its time: {took:?}");
    }
    let mut client = server.client();
    client.send(call(API_KEY, SECRET_KEY));
    assert_eq!(client.response().body, SUCCESS);
    client.send("POST / HT");
    assert_eq!(client.rest(), "", "a second head too");
}

/// A sender that adds a byte now and then gains no time by it.
#[test]
fn a_dripping_head_is_cut_off() {
    let server = hasty();
    let mut client = server.client();
    let stream = client.stream.get_ref().try_clone().expect("cloned");
    let began = Instant::now();
    let dripping = std::thread::spawn(move || {
        use std::io::Write;
        let mut stream = stream;
        while stream.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(10));
        }
    });
    client.send("GET /");
    client.rest();
    assert!(began.elapsed() < Duration::from_secs(20));
    dripping.join().expect("the sender notices");
}

#[test]
fn a_stalled_body_gets_408() {
    let server = hasty();
    let heads =
        ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{", "Content-Length: 100\r\n\r\n"];
    for head in heads {
        let mut client = server.client();
        client.send(format!("POST {POST_JSON} HTTP/1.1\r\nHost: x\r\n{head}"));
        let response = client.response();
        assert_eq!((response.status(), response.header("connection")), (408, Some("close")), "{head:?}");
        assert!(response.body.contains("did not arrive in time"), "{response:?}");
        assert_eq!(client.rest(), "");
    }
}

#[test]
fn an_idle_connection_is_closed_but_not_before_its_time() {
    let server = hasty();
    let mut client = server.client();
    client.send(call(API_KEY, SECRET_KEY));
    assert_eq!(client.response().body, SUCCESS);
    let (took, rest) = until_closed(&mut client);
    assert_eq!(rest, "");
    assert!(took >= Duration::from_millis(390), "idle is allowed longer than a head: {took:?}");
    server.await_metric("sodu_connections_cut_total{reason=\"too_slow\"} 1");
}

#[test]
fn further_clients_wait_until_one_leaves() {
    let server = Server::with(|config| {
        config.connections_max = 1;
        config.threads = 1;
    });
    let mut first = server.client();
    first.send(call(API_KEY, SECRET_KEY));
    assert_eq!(first.response().body, SUCCESS);
    let mut second = server.client();
    second.send(call(API_KEY, SECRET_KEY));
    second.stream.get_ref().set_read_timeout(Some(Duration::from_millis(200))).expect("a read timeout");
    let mut byte = [0];
    let waiting = second.stream.get_ref().peek(&mut byte).expect_err("nobody answers yet");
    assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
    second.stream.get_ref().set_read_timeout(Some(Duration::from_secs(30))).expect("a read timeout");
    drop(first);
    assert_eq!(second.response().body, SUCCESS);
}
