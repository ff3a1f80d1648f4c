//! Movements through whatever goes wrong on the way: no failure after one may have happened is told as a no.

use std::net::TcpStream;

use sodu_client::operator::{Command, Movement, Operator, OperatorError};
use sodu_client::{Fault, Settings};

use crate::service::{Act, Service, answer};

const TOKEN: &str = "sodu_0123456789abcdef0123456789abcdef01234567";

/// A charge of 350, as sodu answers it.
const MOVED: &str = r#"{"entry":{"account":9999,"number":3,"kind":"charge","amount":"350","posted_after":"36343",
"held_after":"0","balance_after":"36343","credit_limit":"0","status":"active","at":"2026-07-01T00:00:00.000000Z",
"recorded_at":"2026-07-01T00:00:00.000000Z","key":"k","reference":null,"reason":null,"metadata":{},"by":"gateway",
"hash":"00","a_newer_member":1},"account":{"id":9999,"currency":"VND","status":"frozen","balance":"36343",
"posted":"36343","held":"0","available":"36343","credit_limit":"0","last_entry":3},"replayed":true}"#;

fn problem(to: &mut TcpStream, status: u16, slug: &str) {
    let body = format!(r#"{{"type":"urn:sodu:problem:{slug}","slug":"{slug}","status":{status},"detail":"D."}}"#);
    answer(to, &format!("{status} No"), "Retry-After: 0\r\nContent-Type: application/problem+json\r\n", body);
}

const MOVES: Act = |to| answer(to, "200 OK", "", MOVED);
const GONE: Act = |_| {};
const GATEWAY: Act = |to| answer(to, "504 Gateway Timeout", "", "<h1>504</h1>");
const TROUBLE: Act = |to| answer(to, "500 Oh", "", "<h1>500</h1>");
const BUSY: Act = |to| problem(to, 503, "unavailable");
const UNKNOWN: Act = |to| problem(to, 503, "outcome_unknown");
const STRANGER: Act = |to| problem(to, 401, "unauthorized");
const REFUSED: Act = |to| problem(to, 409, "insufficient_credit");
const MISSING: Act = |to| answer(to, "404 Not Found", "", "<h1>404</h1>");

/// How a charge ends against a server that does `acts`: `moved`, `unknown`, `fault` or the slug of a problem.
async fn outcome(acts: &[Act]) -> String {
    let service = Service::that(acts);
    let settings = Settings { retries_max: 2, ..Settings::default() };
    let operator = Operator::with(&service.address, TOKEN, settings).expect("an operator");
    let command = Command::new(9999, Movement::Charge { amount: 350.into() });
    let done = operator.submit(&command).await;
    let header = format!("\r\nidempotency-key: {}\r\n", command.key);
    for request in service.requests() {
        assert!(request.to_ascii_lowercase().contains(&header), "each attempt carries the command's key: {request}");
    }
    assert!(!format!("{operator:?} {done:?}").contains(TOKEN));
    match done {
        Ok(_) => "moved".into(),
        Err(OperatorError::Problem(problem)) => problem.slug,
        Err(OperatorError::OutcomeUnknown { .. }) => "unknown".into(),
        Err(OperatorError::Fault(_)) => "fault".into(),
        Err(OperatorError::BadKey) => "bad key".into(),
    }
}

#[tokio::test]
async fn a_no_is_told_only_where_nothing_moved() {
    let cases: [(&[Act], &str); 15] = [
        (&[MOVES], "moved"),
        (&[BUSY, MOVES], "moved"),
        (&[GONE, GATEWAY, MOVES], "moved"),
        (&[REFUSED], "insufficient_credit"),
        (&[STRANGER], "unauthorized"),
        (&[BUSY], "unavailable"),
        (&[MISSING], "fault"),
        (&[|to| answer(to, "307 Elsewhere", "Location: /login\r\n", "")], "fault"),
        (&[GONE], "unknown"),
        (&[UNKNOWN], "unknown"),
        (&[TROUBLE], "unknown"),
        // What came after an attempt that may have moved money settles it only if it is about the key.
        (&[GONE, REFUSED], "insufficient_credit"),
        (&[GONE, STRANGER], "unknown"),
        (&[GATEWAY, STRANGER], "unknown"),
        (&[UNKNOWN, BUSY], "unknown"),
    ];
    for (index, (acts, expected)) in cases.into_iter().enumerate() {
        assert_eq!(outcome(acts).await, expected, "case {index}");
    }
}

#[tokio::test]
async fn what_was_never_sent_is_no_unknown_outcome() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let operator = Operator::new(&format!("http://{free}"), TOKEN).expect("an operator");
    let done = operator.submit(&Command::new(1, Movement::Topup { amount: 1.into() })).await;
    assert!(matches!(done, Err(OperatorError::Fault(Fault::Connection { .. }))), "{done:?}");
}

#[tokio::test]
async fn success_of_another_shape_is_not_taken_for_a_no() {
    let service = Service::that(&[|to| answer(to, "200 OK", "", "<h1>Hello</h1>")]);
    let operator = Operator::new(&service.address, TOKEN).expect("an operator");
    let done = operator.submit(&Command::new(1, Movement::Topup { amount: 1.into() })).await;
    assert!(matches!(done, Err(OperatorError::OutcomeUnknown { .. })), "{done:?}");
}
