//! Through the server's Unix socket callers hear the same, byte for byte, as in the server's own process.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use sodu::config::Config;
use sodu::serve::{self, PortChoice};

use crate::common::{Api, START_US, store};
use crate::place::Place;

const REQUESTS: [(&str, &str, &str, &str); 14] = [
    ("POST", "/v1/accounts", "o", r#"{"id":7,"name":"Seven","credit_limit":"10"}"#),
    ("POST", "/v1/accounts/7/topups", "t", r#"{"amount":"100","reference":"r"}"#),
    ("POST", "/v1/accounts/7/topups", "t", r#"{"amount":"100","reference":"r"}"#),
    ("POST", "/v1/accounts/7/topups", "t", r#"{"amount":"101"}"#),
    ("POST", "/v1/accounts/7/charges", "c", r#"{"amount":"111"}"#),
    ("POST", "/v1/accounts/7/charges", "c", r#"{"amount":"111"}"#),
    ("POST", "/v1/accounts/7/adjustments", "a", r#"{"amount":"-5","reason":"why"}"#),
    ("POST", "/v1/accounts/7/credentials", "k", r#"{"api_key":"K","secret_key":"0123456789abcdef"}"#),
    ("PATCH", "/v1/accounts/7", "", r#"{"status":"locked","reason":"late"}"#),
    ("GET", "/v1/accounts/7/entries?limit=2", "", ""),
    ("GET", "/v1/accounts?query=seven", "", ""),
    ("GET", "/v1/accounts/8", "", ""),
    ("PUT", "/v1/accounts/7", "", "{}"),
    ("POST", "/v1/verify", "", ""),
];

#[test]
fn the_socket_answers_like_the_router() {
    let place = Place::new();
    let ledger = store(&place, Arc::new(AtomicI64::new(START_US)));
    let any_port = || "127.0.0.1:0".parse().expect("an address");
    let config = Config { database: ledger.url(), listen: any_port(), ops_listen: any_port(), ..Config::default() };
    let server = serve::start(&config, ledger, PortChoice::Exact).expect("a server");
    let socket = server.bound().socket.clone();

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let api = Api::new();
    for (method, path, key, body) in REQUESTS {
        let mut headers = vec![("x-request-id", "r")];
        headers.extend((!key.is_empty()).then_some(("idempotency-key", key)));
        let here = runtime.block_on(api.call(method, path, &headers, body));
        let (status, text) = over(&socket, method, path, key, body);
        assert_eq!(status, here.status, "{method} {path}");
        // The socket knows its caller from the kernel, and entries and their hashes say so.
        let me = sodu::ops::local_actor(rustix::process::getuid().as_raw());
        let text = text.replace(&format!("\"by\":\"{}\"", me.as_str()), "\"by\":\"local:anna\"");
        assert_eq!(masked(&text), masked(&here.text), "{method} {path} {body}");
    }
    server.stop();
    assert!(!socket.exists());
}

/// `text` with the hashes made equal.
fn masked(text: &str) -> String {
    let hex = |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('"').map(|part| if hex(&part) { "HASH" } else { part }).collect::<Vec<_>>().join("\"")
}

fn over(socket: &Path, method: &str, path: &str, key: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).expect("a listening socket");
    let key = if key.is_empty() { String::new() } else { format!("idempotency-key: {key}\r\n") };
    let length = body.len();
    // In one piece: an answer that needs no body may come, and the connection end, before a second piece is written.
    let request = format!("{method} {path} HTTP/1.0\r\nx-request-id: r\r\n{key}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head[9..12].parse().expect("a status"), body.to_owned())
}
