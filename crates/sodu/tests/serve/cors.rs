//! Browsers: the preflight before a POST, and an answer that any origin may read but no browser credential goes with.

use crate::common::*;

#[test]
fn a_preflight_is_answered_on_every_route() {
    let server = Server::start();
    let older = legacy("json", API_KEY, SECRET_KEY);
    for (path, methods) in [(POST_JSON, "POST, OPTIONS"), (POST_XML, "POST, OPTIONS"), (&older, "GET, HEAD, OPTIONS")] {
        let response = server.ask(format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-own\r\n\r\n"
        ));
        assert_eq!(response.said(), (204, ""), "{path}");
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        assert_eq!(response.header("access-control-allow-methods"), Some(methods));
        assert_eq!(response.header("access-control-allow-headers"), Some("content-type,x-own"));
        assert_eq!(response.header("access-control-max-age"), Some("86400"));
        assert_eq!(response.header("access-control-allow-credentials"), None);
        assert_eq!(response.header("allow"), Some(methods));
    }
    let without = server.ask(format!("OPTIONS {POST_JSON} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(without.header("access-control-allow-headers").is_some_and(|list| list.contains("Content-Type")));
    assert_eq!(server.ask("OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n").status(), 404);
}

#[test]
fn every_answer_may_be_read_by_any_origin() {
    let server = Server::start();
    let requests = [
        call(API_KEY, SECRET_KEY),
        call(API_KEY, "wrong"),
        post(POST_JSON, "not JSON"),
        post(POST_XML, ""),
        get("/").into_bytes(),
        get(POST_JSON).into_bytes(),
        get(&legacy("xml", API_KEY, SECRET_KEY)).into_bytes(),
    ];
    for request in requests {
        let response = server.ask(&request);
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{response:?}");
        assert_eq!(response.header("access-control-allow-credentials"), None);
        assert_eq!(response.header("set-cookie"), None);
    }
}
