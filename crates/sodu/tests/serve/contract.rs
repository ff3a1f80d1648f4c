//! What good and bad input gets: the published bodies, the codes in their order, and every refusal before them.

use std::time::Duration;

use ledger::{AccountId, Movement, Status, Time};
use store::CredentialChange;

use crate::common::*;

const BODY_99: &str = r#"{"Balance":0,"CodeResponse":"99","ErrorMessage":""#;

/// esms-wire, section 1: both published bodies, byte for byte.
#[test]
fn the_published_call_gets_the_published_answers() {
    let server = Server::start();
    let success = server.ask(call(API_KEY, SECRET_KEY));
    assert_eq!(success.said(), (200, SUCCESS));
    assert_eq!(success.status_line(), "HTTP/1.1 200 OK");
    assert_eq!(success.header("content-type"), Some("application/json; charset=utf-8"));
    let older = server.ask(get(&legacy("json", API_KEY, SECRET_KEY)));
    assert_eq!((older.body.as_str(), older.header("cache-control")), (SUCCESS, Some("no-store")));
    assert_eq!(server.ask(call(API_KEY, "wrong")).said(), (200, REFUSED));
}

#[test]
fn the_answer_follows_the_ledger() {
    let server = Server::start();
    let mut client = server.client();
    for (amount, expected) in [("0.5", "36693"), ("0.5", "36694"), ("99999963306", "100000000000")] {
        let amount = ledger::Amount::parse(amount, ledger::Currency::VND).expect("an amount");
        server.act(9999, Movement::Topup { amount });
        client.send(call(API_KEY, SECRET_KEY));
        let expected = format!(r#"{{"Balance":{expected},"CodeResponse":"100","UserID":9999}}"#);
        assert_eq!(client.response().said(), (200, expected.as_str()));
    }
}

/// What is promised to a hold is not the customer's to spend, from the moment of the hold to the instant of its end.
#[test]
fn the_answer_leaves_out_what_open_holds_have_promised() {
    let server = Server::start();
    let answers = |balance: u32| {
        let expected = format!(r#"{{"Balance":{balance},"CodeResponse":"100","UserID":9999}}"#);
        assert_eq!(server.ask(call(API_KEY, SECRET_KEY)).said(), (200, expected.as_str()));
    };
    let amount = ledger::Amount::parse("30000", ledger::Currency::VND).expect("an amount");
    server.act(9999, Movement::Hold { amount, expires_in: ledger::Lifetime::HOUR });
    answers(6693);
    server.pass(Duration::from_micros(3_599_999_999));
    answers(6693);
    server.pass(Duration::from_micros(1));
    answers(36693);
}

#[test]
fn a_balance_may_be_negative_or_shown_with_its_credit() {
    let server = Server::start();
    server.open(7, "-12.5");
    server.issue(7, "K7", "S7", |_| {});
    let balance = |server: &Server| server.ask(call("K7", "S7")).body;
    assert_eq!(balance(&server), r#"{"Balance":-13,"CodeResponse":"100","UserID":7}"#, "rounded down");
    let change = store::ProfileChange { shows_available: Some(true), ..Default::default() };
    block_on(server.store.change_account(
        actor(),
        AccountId::new(7).expect("an id"),
        store::AccountChange { profile: change, ..store::AccountChange::default() },
    ))
    .expect("changed");
    assert_eq!(balance(&server), r#"{"Balance":999987,"CodeResponse":"100","UserID":7}"#);
}

/// Every way to fail to prove oneself, in all four calls: the same bytes, however often.
#[test]
fn whoever_is_not_known_gets_the_same_bytes() {
    let server = Server::start();
    let in_an_hour = Time::from_micros(server.now().micros() + 3_600_000_000);
    server.issue(9999, "EXPIRED", SECRET_KEY, |new| new.expires_at = Some(in_an_hour));
    server.issue(9999, "REVOKED", SECRET_KEY, |_| {});
    for key in ["EXPIRED", "REVOKED"] {
        assert_eq!(server.ask(call(key, SECRET_KEY)).body, SUCCESS, "{key} works before");
    }
    let account = AccountId::new(9999).expect("an id");
    let revoke = CredentialChange { revoke: true, ..CredentialChange::default() };
    block_on(server.store.change_credential(actor(), account, "REVOKED", revoke)).expect("revoked");
    server.pass(Duration::from_secs(3600));
    let pairs = [("UNKNOWN", SECRET_KEY), (API_KEY, "wrong"), ("EXPIRED", SECRET_KEY), ("REVOKED", SECRET_KEY)];
    let mut bodies: Vec<String> = pairs.iter().map(|(api_key, secret_key)| keys(api_key, secret_key)).collect();
    let lower = SECRET_KEY.to_lowercase();
    bodies.extend([keys(API_KEY, &lower), keys("", ""), keys(API_KEY, ""), keys("", SECRET_KEY)]);
    for value in ["null", "1", "true", r#"["x"]"#, r#"{"x":1}"#] {
        bodies.push(format!(r#"{{"ApiKey":{value},"SecretKey":"{SECRET_KEY}"}}"#));
        bodies.push(format!(r#"{{"ApiKey":"{API_KEY}","SecretKey":{value}}}"#));
    }
    bodies.extend(["{}".into(), format!(r#"{{"ApiKey":"{API_KEY}"}}"#), format!(r#"{{"SecretKey":"{SECRET_KEY}"}}"#)]);
    let first = server.ask(call("UNKNOWN", "UNKNOWN"));
    assert_eq!(first.said(), (200, REFUSED));
    let mut client = server.client();
    for body in bodies.iter().chain(&bodies) {
        client.send(post(POST_JSON, body));
        let response = client.response();
        assert_eq!(response.said(), first.said(), "{body}");
        let headers = ["content-type", "content-length", "access-control-allow-origin", "connection"];
        for header in headers {
            assert_eq!(response.header(header), first.header(header), "{header} after {body}");
        }
    }
    for (api_key, secret_key) in pairs {
        assert_eq!(server.ask(get(&legacy("json", api_key, secret_key))).said(), (200, REFUSED), "{api_key}");
        let xml = "<MemberModel><Balance>0</Balance><ErrorMessage>Authorize Failed</ErrorMessage>\
                   <CodeResponse>101</CodeResponse></MemberModel>";
        assert_eq!(server.ask(get(&legacy("xml", api_key, secret_key))).said(), (200, xml), "{api_key}");
        let body = format!("<ApiModel><ApiKey>{api_key}</ApiKey><SecretKey>{secret_key}</SecretKey></ApiModel>");
        assert_eq!(server.ask(post(POST_XML, body)).said(), (200, xml), "{api_key}");
    }
    assert_eq!(server.ask(get(&legacy("json", "", ""))).said(), (200, REFUSED));
}

/// esms-wire, section 4: key and secret, then the address, then the status.
#[test]
fn codes_come_in_their_order() {
    let server = Server::start();
    let elsewhere = || vec!["203.0.113.0/24".parse().expect("a network")];
    let here = || vec!["127.0.0.0/8".parse().expect("a network")];
    server.open(5, "0");
    server.issue(5, "ELSEWHERE", "S", |new| new.cidrs = elsewhere());
    server.issue(5, "HERE", "S", |new| new.cidrs = here());
    let code = |api_key, secret_key| {
        let response = server.ask(call(api_key, secret_key));
        assert_eq!(response.status(), 200);
        response.body.split('"').nth(5).expect("a code").to_owned()
    };
    assert_eq!(code("HERE", "S"), "100");
    assert_eq!(code("ELSEWHERE", "S"), "140");
    assert_eq!(code("ELSEWHERE", "wrong"), "101");
    for status in [Status::Locked, Status::Closed] {
        server.set_status(5, status);
        assert_eq!(code("HERE", "S"), "102");
        assert_eq!(code("ELSEWHERE", "S"), "140");
        assert_eq!(code("HERE", "wrong"), "101");
    }
    let address = server.ask(call("ELSEWHERE", "S"));
    assert!(address.body.starts_with(r#"{"Balance":0,"CodeResponse":"140","ErrorMessage":"IP address"#), "{address:?}");
}

#[test]
fn a_malformed_body_gets_400_and_what_was_expected() {
    let server = Server::start();
    let nested = format!("{{\"x\":{}1{}}}", "[".repeat(64), "]".repeat(64));
    let json: [(&[u8], &str); 7] = [
        (b"", "is empty"),
        (b"ApiKey=1&SecretKey=2", "is not JSON"),
        (b"[]", "not an object"),
        (b"\"\"", "not an object"),
        (b"{\"ApiKey\":\"\xff\"}", "not UTF-8"),
        (nested.as_bytes(), "nested too deep"),
        (b"{\"ApiKey\":\"1\",\"ApiKey\":\"2\"}", "more than once"),
    ];
    for (body, expected) in json {
        let response = server.ask(post(POST_JSON, body));
        assert_eq!(response.status(), 400, "{expected}");
        assert!(response.body.starts_with(BODY_99), "{response:?}");
        assert!(response.body.contains(expected), "{response:?}");
    }
    let nested = format!("<ApiModel>{}{}</ApiModel>", "<x>".repeat(64), "</x>".repeat(64));
    let xml: [(&[u8], &str); 6] = [
        (b"", "is empty"),
        (b"{}", "not well-formed XML"),
        (b"<Other/>", "not ApiModel"),
        (b"<!DOCTYPE x [<!ENTITY y \"z\">]><ApiModel/>", "DOCTYPE"),
        (b"<ApiModel>\xff</ApiModel>", "not UTF-8"),
        (nested.as_bytes(), "nested too deep"),
    ];
    for (body, expected) in xml {
        let response = server.ask(post(POST_XML, body));
        assert_eq!(response.status(), 400, "{expected}");
        assert_eq!(response.header("content-type"), Some("application/xml; charset=utf-8"));
        assert!(response.body.starts_with("<MemberModel><Balance>0</Balance><ErrorMessage>The "), "{response:?}");
        assert!(response.body.contains(expected), "{response:?}");
        assert!(response.body.ends_with("<CodeResponse>99</CodeResponse></MemberModel>"), "{response:?}");
    }
}

#[test]
fn a_wrong_method_gets_405_with_what_is_allowed() {
    let server = Server::start();
    let legacy_json = legacy("json", API_KEY, SECRET_KEY);
    let post_allows = "POST, OPTIONS";
    let get_allows = "GET, HEAD, OPTIONS";
    let cases = [
        ("GET", POST_JSON, post_allows),
        ("PUT", POST_JSON, post_allows),
        ("DELETE", POST_XML, post_allows),
        ("POST", legacy_json.as_str(), get_allows),
        ("PATCH", legacy_json.as_str(), get_allows),
    ];
    for (method, path, allow) in cases {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}");
        let response = server.ask(request);
        assert_eq!((response.status(), response.header("allow")), (405, Some(allow)), "{method}");
        assert!(response.body.contains("This path takes") && response.body.contains("99"), "{response:?}");
        assert!(!response.body.contains(API_KEY));
    }
    let mut client = server.client();
    client.send(format!("HEAD {POST_JSON} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_eq!((client.head().status(), client.rest().as_str()), (405, ""));
}

#[test]
fn an_unknown_path_gets_404_and_the_right_one() {
    let server = Server::start();
    let long = format!("{}/extra", legacy("json", API_KEY, SECRET_KEY));
    let paths = ["/", "/v1/accounts", "/metrics", "/MainService.svc/json/SendMultipleMessage_V4_post_json/", &long];
    for path in paths {
        for request in [get(path).into_bytes(), post(path, "{}")] {
            let response = server.ask(request);
            assert_eq!(response.status(), 404, "{path}");
            assert_eq!(response.header("content-type"), Some("application/json; charset=utf-8"));
            assert!(response.body.starts_with(BODY_99), "{response:?}");
            assert!(response.body.contains("send POST /MainService.svc/json/GetBalance_json"), "{response:?}");
            assert!(!response.body.contains(API_KEY));
        }
    }
}

#[test]
fn the_older_calls_can_be_switched_off() {
    let server = Server::with(|config| config.legacy_get = false);
    for format in ["json", "xml"] {
        assert_eq!(server.ask(get(&legacy(format, API_KEY, SECRET_KEY))).status(), 404);
    }
    assert_eq!(server.ask(call(API_KEY, SECRET_KEY)).body, SUCCESS);
}

#[test]
fn use_of_a_credential_is_noted_but_not_its_refusal() {
    let server = Server::start();
    let account = AccountId::new(9999).expect("an id");
    server.issue(9999, "IDLE", "S", |_| {});
    server.ask(call(API_KEY, SECRET_KEY));
    server.ask(call("IDLE", "wrong"));
    let credentials = server.store.credentials(account).expect("readable");
    let used = |api_key: &str| credentials.iter().find(|one| one.api_key == api_key).and_then(|one| one.last_used_at);
    assert!(used(API_KEY).is_some());
    assert!(used("IDLE").is_none());
}
