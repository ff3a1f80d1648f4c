//! Whose request it is: sockets, trusted proxies, and everyone who only claims to be one.

use std::net::IpAddr;

use crate::common::*;

const OFFICE: &str = "198.51.100.7";

/// A server that trusts these networks, with a key that may be used from the office only.
fn server(trusted: &[&str]) -> Server {
    let trusted: Vec<_> = trusted.iter().map(|network| network.parse().expect("a network")).collect();
    let server = Server::with(|config| config.trusted_proxies = trusted);
    server.issue(9999, "OFFICE", "S", |new| {
        new.cidrs =
            vec![format!("{OFFICE}/32").parse().expect("a network"), "2001:db8::/32".parse().expect("a network")];
    });
    server
}

/// The code that the office's key gets with these bytes in front of the request and these lines in its head.
fn code(server: &Server, front: &[u8], lines: &str) -> String {
    let body = keys("OFFICE", "S");
    let request =
        format!("POST {POST_JSON} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len());
    let response = server.ask([front, request.as_bytes()].concat());
    assert_eq!(response.status(), 200, "{response:?}");
    response.body.split('"').nth(5).expect("a code").to_owned()
}

/// A PROXY protocol header, version 2 (section 2.2): command, family and protocol, addresses.
fn proxy(command: u8, source: &str) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.push(0x20 | command);
    match source.parse().expect("an address") {
        IpAddr::V4(address) => {
            header.extend([0x11, 0, 12 + 4]);
            header.extend(address.octets());
            header.extend([127, 0, 0, 1]);
        }
        IpAddr::V6(address) => {
            header.extend([0x21, 0, 36 + 4]);
            header.extend(address.octets());
            header.extend([0; 16]);
        }
    }
    header.extend([0x12, 0x34, 0x1f, 0x90]);
    // A type-length-value that says nothing (PP2_TYPE_NOOP).
    header.extend([0x04, 0, 1, 0]);
    header
}

#[test]
fn a_forged_address_is_ignored() {
    let server = server(&[]);
    assert_eq!(code(&server, b"", ""), "140");
    assert_eq!(code(&server, b"", &format!("X-Forwarded-For: {OFFICE}\r\n")), "140");
    assert_eq!(code(&server, b"", &format!("X-Real-IP: {OFFICE}\r\nForwarded: for={OFFICE}\r\n")), "140");
    let mut client = server.client();
    client.send([proxy(1, OFFICE), call("OFFICE", "S")].concat());
    assert!(client.rest().starts_with("HTTP/1.1 400 Bad Request"), "a PROXY header is no request");
    let other = self::server(&["192.0.2.0/24"]);
    assert_eq!(code(&other, b"", &format!("X-Forwarded-For: {OFFICE}\r\n")), "140", "others are trusted, not we");
}

#[test]
fn a_trusted_proxy_forwards_for_the_right_most_address_that_is_not_its_own() {
    let server = server(&["127.0.0.0/8", "10.0.0.0/8"]);
    for lines in [
        format!("X-Forwarded-For: {OFFICE}\r\n"),
        format!("X-Forwarded-For: 203.0.113.5, {OFFICE}\r\n"),
        format!("X-Forwarded-For: 203.0.113.5\r\nx-forwarded-for: {OFFICE}, 10.0.0.3\r\n"),
        format!("X-Forwarded-For: {OFFICE}:5712\r\n"),
        format!("X-Forwarded-For: ::ffff:{OFFICE}\r\n"),
        "X-Forwarded-For: [2001:db8::1]:443\r\n".to_owned(),
    ] {
        assert_eq!(code(&server, b"", &lines), "100", "{lines}");
    }
    for lines in [
        String::new(),
        format!("X-Forwarded-For: {OFFICE}, 203.0.113.5\r\n"),
        format!("X-Forwarded-For: {OFFICE}, unknown\r\n"),
        format!("X-Forwarded-For: {OFFICE}\r\nX-Forwarded-For: garbage\r\n"),
    ] {
        assert_eq!(code(&server, b"", &lines), "140", "{lines}");
    }
}

#[test]
fn a_trusted_proxy_may_speak_the_proxy_protocol() {
    let server = server(&["127.0.0.0/8"]);
    for source in [OFFICE, "2001:db8::9", &format!("::ffff:{OFFICE}")] {
        assert_eq!(code(&server, &proxy(1, source), ""), "100", "{source}");
    }
    assert_eq!(code(&server, &proxy(1, "203.0.113.5"), ""), "140");
    assert_eq!(code(&server, &proxy(0, OFFICE), ""), "140", "LOCAL is the proxy itself");
    let lines = format!("X-Forwarded-For: {OFFICE}\r\n");
    assert_eq!(code(&server, &proxy(1, "203.0.113.5"), &lines), "140", "who comes through it is not trusted");
    assert_eq!(code(&server, &proxy(1, "127.0.0.9"), &lines), "100", "unless it is a proxy too");
}

#[test]
fn a_proxy_header_may_come_in_pieces_and_stay_for_the_whole_connection() {
    let server = server(&["127.0.0.1"].map(|_| "127.0.0.1/32"));
    let mut client = server.client();
    for byte in proxy(1, OFFICE) {
        client.send([byte]);
    }
    for _ in 0..2 {
        client.send(call("OFFICE", "S"));
        assert_eq!(client.response().body, SUCCESS);
    }
}

#[test]
fn a_broken_proxy_header_ends_the_connection() {
    let server = server(&["127.0.0.0/8"]);
    let mut version_1_in_2 = proxy(1, OFFICE);
    version_1_in_2[12] = 0x11;
    let mut too_short = proxy(1, OFFICE);
    too_short[15] = 4;
    let mut too_long = proxy(1, OFFICE);
    too_long[14] = 0xff;
    for header in [version_1_in_2, too_short, too_long] {
        let mut client = server.client();
        client.send([header, call("OFFICE", "S")].concat());
        assert_eq!(client.rest(), "");
    }
    server.await_metric("sodu_connections_cut_total{reason=\"proxy_header\"} 3");
}
