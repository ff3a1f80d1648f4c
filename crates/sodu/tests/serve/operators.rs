//! The operator's side: health, readiness, metrics, and the socket beside the database.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::common::*;

#[test]
fn health_and_readiness_are_told() {
    let server = Server::start();
    assert_eq!(server.ops("/healthz").said(), (200, "ok\n"));
    assert_eq!(server.ops("/readyz").said(), (200, r#"{"ready":true}"#));
}

#[test]
fn metrics_tell_what_was_answered_and_what_the_ledger_does() {
    let server = Server::start();
    for secret_key in [SECRET_KEY, SECRET_KEY, "wrong"] {
        server.ask(call(API_KEY, secret_key));
    }
    server.ask(get(&legacy("xml", API_KEY, SECRET_KEY)));
    server.ask(get("/nowhere"));
    let change = store::ProfileChange { metered: Some(true), ..Default::default() };
    block_on(server.store.change_account(
        actor(),
        ledger::AccountId::new(9999).expect("an id"),
        store::AccountChange { profile: change, ..store::AccountChange::default() },
    ))
    .expect("changed");
    server.ops("/healthz");
    let response = server.ops("/metrics");
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let public = |route: &str, code: &str, status: &str| {
        format!("sodu_requests_total{{face=\"public\",route=\"{route}\",code=\"{code}\",status=\"{status}\"}}")
    };
    for expected in [
        format!("{} 2", public("/MainService.svc/json/GetBalance_json", "100", "200")),
        format!("{} 1", public("/MainService.svc/json/GetBalance_json", "101", "200")),
        format!("{} 0", public("/MainService.svc/json/GetBalance_json", "99", "503")),
        format!("{} 1", public("/MainService.svc/xml/GetBalance/{ApiKey}/{SecretKey}", "100", "200")),
        format!("{} 1", public("other", "99", "404")),
        r#"sodu_requests_total{face="operator",route="/healthz",status="200"} 1"#.into(),
        r#"sodu_request_seconds_count{face="public",route="/MainService.svc/json/GetBalance_json"} 3"#.into(),
        "sodu_writable 1".into(),
        "sodu_queue_length 0".into(),
        "sodu_commit_failures_total 0".into(),
        r#"sodu_account_balance{account="9999",currency="VND"} 36693"#.into(),
        r#"sodu_account_available{account="9999",currency="VND"} 1036693"#.into(),
        format!("sodu_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(response.body.lines().any(|line| line == expected), "{expected} is missing in\n{}", response.body);
    }
    // Counted once a second where the accounts are not in memory.
    server.await_metric("sodu_accounts 1");
    let commits = response.body.lines().find_map(|line| line.strip_prefix("sodu_commits_total ")).expect("a count");
    assert!(commits.parse::<u64>().is_ok_and(|commits| commits >= 3), "{commits}");
}

#[test]
fn every_line_of_the_metrics_is_well_formed() {
    let server = Server::start();
    server.ask(call(API_KEY, SECRET_KEY));
    let text = server.ops("/metrics").body;
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().expect("a name").to_owned();
        } else if !line.starts_with("# HELP ") {
            assert!(line.starts_with(&family), "{line} stands in the family {family}");
            let figure = line.rsplit(' ').next().expect("a figure");
            assert!(figure.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn the_socket_is_the_owners_alone_and_serves_the_api() {
    let server = Server::start();
    let socket = &server.bound().socket;
    let mode = std::fs::metadata(socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = server.local();
    client.send(get("/v1/accounts/9999"));
    let response = client.response();
    assert_eq!(response.status(), 200, "{response:?}");
    let account: Value = serde_json::from_str(&response.body).expect("JSON");
    assert_eq!(account["posted"], Value::from("36693"));
    client.send(get("/readyz"));
    assert_eq!(client.response().status(), 200);
    client.send(get("/metrics"));
    let metrics = client.response().body;
    let expected = r#"sodu_requests_total{face="operator",route="/v1/accounts/{id}",status="200"} 1"#;
    assert!(metrics.lines().any(|line| line == expected), "{metrics}");
}

/// The kernel says who calls; the entry keeps it.
#[test]
fn who_moved_money_over_the_socket_is_recorded() {
    let server = Server::start();
    let mut client = server.local();
    let body = r#"{"amount":"5"}"#;
    client.send(format!(
        "POST /v1/accounts/9999/topups HTTP/1.1\r\nHost: x\r\nIdempotency-Key: t-1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let response = client.response();
    assert_eq!(response.status(), 201, "{response:?}");
    let entry = server.store.entry(ledger::AccountId::new(9999).expect("an id"), 3).expect("readable").expect("there");
    let me = sodu::ops::local_actor(rustix::process::getuid().as_raw());
    assert_eq!(entry.by, me);
    assert_eq!(server.ask(call(API_KEY, SECRET_KEY)).body, SUCCESS.replace("36693", "36698"), "and is seen at once");
}
