//! HTTP as clients may speak it: versions, connections, pipelining, chunks, HEAD.

use std::io::Write;
use std::net::Shutdown;

use crate::common::*;

#[test]
fn many_requests_go_over_one_connection() {
    let server = Server::start();
    let mut client = server.client();
    for secret_key in [SECRET_KEY, "wrong", SECRET_KEY] {
        client.send(call(API_KEY, secret_key));
        assert_eq!(client.response().body == SUCCESS, secret_key == SECRET_KEY);
        client.send(get(&legacy("json", API_KEY, secret_key)));
        assert_eq!(client.response().body == SUCCESS, secret_key == SECRET_KEY);
        client.send(get("/"));
        assert_eq!(client.response().status(), 404);
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start();
    let mut client = server.client();
    let mut all = Vec::new();
    for turn in 0..100 {
        all.extend(call(API_KEY, if turn % 3 == 0 { "wrong" } else { SECRET_KEY }));
        all.extend(get(&legacy("json", API_KEY, SECRET_KEY)).as_bytes());
    }
    client.send(all);
    for turn in 0..100 {
        assert_eq!(client.response().body, if turn % 3 == 0 { REFUSED } else { SUCCESS }, "{turn}");
        assert_eq!(client.response().body, SUCCESS, "{turn}");
    }
}

#[test]
fn a_body_may_come_in_chunks_and_in_pieces() {
    let server = Server::start();
    let body = keys(API_KEY, SECRET_KEY);
    let mut client = server.client();
    client.send(format!("POST {POST_JSON} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for piece in body.as_bytes().chunks(7) {
        client.send(format!("{:x};ext=1\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    client.send("0\r\nX-Trailer: 1\r\n\r\n");
    assert_eq!(client.response().said(), (200, SUCCESS));
    for byte in call(API_KEY, SECRET_KEY) {
        client.send([byte]);
    }
    assert_eq!(client.response().said(), (200, SUCCESS), "on the same connection, byte by byte");
}

#[test]
fn http_1_0_closes_unless_it_is_asked_not_to() {
    let server = Server::start();
    let body = keys(API_KEY, SECRET_KEY);
    let length = body.len();
    let mut client = server.client();
    client.send(format!("POST {POST_JSON} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"));
    let response = client.response();
    assert_eq!(response.status_line(), "HTTP/1.0 200 OK");
    assert_eq!((response.body.as_str(), client.rest().as_str()), (SUCCESS, ""));
    let mut client = server.client();
    let keep = format!("POST {POST_JSON} HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: {length}\r\n\r\n{body}");
    client.send(&keep);
    assert_eq!(client.response().body, SUCCESS);
    client.send(&keep);
    assert_eq!(client.response().body, SUCCESS);
}

#[test]
fn a_client_may_close_its_side_after_the_request() {
    let server = Server::start();
    for request in [call(API_KEY, SECRET_KEY), get(&legacy("json", API_KEY, SECRET_KEY)).into_bytes()] {
        let mut client = server.client();
        client.send(request);
        client.stream.get_mut().flush().expect("flushed");
        client.stream.get_ref().shutdown(Shutdown::Write).expect("shut down");
        assert_eq!(client.response().said(), (200, SUCCESS));
        assert_eq!(client.rest(), "");
    }
}

#[test]
fn head_gets_the_head_of_a_get() {
    let server = Server::start();
    let mut client = server.client();
    client.send(format!("HEAD {} HTTP/1.1\r\nHost: x\r\n\r\n", legacy("json", API_KEY, SECRET_KEY)));
    let head = client.head();
    assert_eq!((head.status(), head.header("content-length")), (200, Some("52")));
    assert_eq!(SUCCESS.len(), 52);
    client.send(call(API_KEY, SECRET_KEY));
    assert_eq!(client.response().said(), (200, SUCCESS), "no body came in between");
}

#[test]
fn what_is_not_http_gets_400() {
    let server = Server::start();
    for nonsense in ["\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", "GET\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
        let mut client = server.client();
        client.send(nonsense);
        client.stream.get_ref().shutdown(Shutdown::Write).expect("shut down");
        assert!(client.rest().starts_with("HTTP/1.1 400 "), "{nonsense:?}");
    }
    let smuggled = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n";
    let mut client = server.client();
    client.send(smuggled);
    assert!(client.rest().starts_with("HTTP/1.1 400 "));
}
