//! The operator API over TCP: tokens, roles, request ids, and what of them is left behind.

use serde_json::{Value, json};
use store::Role;

use crate::common::*;

impl Server {
    /// Adds an operator through the socket; the token.
    pub(crate) fn operator(&self, name: &str, role: Role) -> String {
        let body = json!({ "name": name, "role": role.name() }).to_string();
        let mut client = self.local();
        client.send(post("/v1/operators", body));
        let added = client.response();
        assert_eq!(added.status(), 201, "{added:?}");
        text(&json_of(&added), "token").to_owned()
    }

    /// The whole answer over TCP, its status first, to a request with those headers.
    pub(crate) fn over_tcp(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut client = Client::connect(self.bound().ops);
        let length = body.len();
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ));
        let answer = client.rest();
        (answer[9..12].parse().expect("a status"), answer)
    }
}

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).expect("JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {value}"))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The problem document at the end of a whole answer.
fn problem(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("a JSON document")
}

#[test]
fn nobody_gets_in_without_a_token_that_works() {
    let server = Server::start();
    let token = server.operator("anna", Role::Admin);
    let other = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    for headers in [
        String::new(),
        bearer(""),
        bearer("sodu_"),
        bearer(&other),
        bearer(&token.to_uppercase()),
        bearer(&format!("{token}0")),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("{0}{0}", bearer(&token)),
    ] {
        for path in ["/v1/accounts", "/v1/accounts/9999", "/v1/nowhere", "/", POST_JSON] {
            let (status, answer) = server.over_tcp("GET", path, &headers, "");
            assert_eq!(status, 401, "{headers} {path}: {answer}");
            assert!(answer.to_lowercase().contains("\r\nwww-authenticate: bearer\r\n"), "{answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
            assert_eq!(text(&problem(&answer), "slug"), "unauthorized");
        }
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let (status, answer) =
            server.over_tcp("GET", "/v1/accounts", &format!("Authorization: {scheme} {token}\r\n"), "");
        assert_eq!(status, 200, "{answer}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.over_tcp("GET", path, "", "").0, 200, "{path} needs no token");
    }
}

/// The least role that a route must need, written down apart from the table of routes.
fn expected_role(method: &str, path: &str) -> Role {
    const MOVEMENTS: [&str; 9] =
        ["topups", "charges", "holds", "captures", "void", "extend", "refunds", "transfers", "batch"];
    let last = path.rsplit('/').next().unwrap_or_default();
    match method {
        "GET" if path.starts_with("/v1/audit") || path.starts_with("/v1/operators") => Role::Admin,
        // Contacts are people.
        "GET" if path.ends_with("/alerts") => Role::Admin,
        "GET" => Role::Read,
        _ if MOVEMENTS.contains(&last) => Role::Money,
        _ => Role::Admin,
    }
}

/// The route as a path of things that mostly do not exist, so that going through all of them changes nothing.
fn filled(template: &str) -> String {
    let segment = |part: &str| match part {
        "{id}" => "9999".to_owned(),
        part if part.starts_with('{') => "1".to_owned(),
        part => part.to_owned(),
    };
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_lets_in_the_roles_that_reach_it_and_no_other() {
    let server = Server::start();
    let tokens = Role::ALL.map(|role| (role, server.operator(role.name(), role)));
    let routes = sodu::v1::roles();
    assert!(routes.len() >= 22, "all routes are here");
    for (method, path, needed) in routes {
        assert_eq!(needed, expected_role(method.as_str(), path), "{method} {path}");
        for (role, token) in &tokens {
            let (status, answer) = server.over_tcp(method.as_str(), &filled(path), &bearer(token), "{}");
            if *role >= needed {
                assert!(![401, 403, 405].contains(&status), "{role:?} {method} {path}: {answer}");
                continue;
            }
            assert_eq!(status, 403, "{role:?} {method} {path}: {answer}");
            let problem = problem(&answer);
            assert_eq!(text(&problem, "slug"), "forbidden");
            assert_eq!((text(&problem, "needs"), text(&problem, "role")), (needed.name(), role.name()));
            assert!(text(&problem, "detail").contains(needed.name()), "{problem}");
        }
        assert_eq!(server.over_tcp(method.as_str(), &filled(path), "", "{}").0, 401, "{method} {path} without a token");
    }
    let head = server.over_tcp("HEAD", "/v1/operators", &bearer(&tokens[1].1), "");
    assert_eq!(head.0, 403, "HEAD needs what GET needs");
    assert_eq!(server.over_tcp("DELETE", "/v1/accounts", &bearer(&tokens[0].1), "").0, 405);
    assert_eq!(server.over_tcp("GET", "/v1/nowhere", &bearer(&tokens[0].1), "").0, 404);
}

#[test]
fn a_batch_is_no_way_around_the_roles() {
    let server = Server::start();
    let batch = r#"{"commands":[{"kind":"adjust","account":9999,"key":"a","amount":"1000","reason":"mine"},
        {"kind":"charge","account":9999,"key":"c","amount":"93"}]}"#;
    let outcomes = |token: &str| {
        let (status, answer) = server.over_tcp("POST", "/v1/batch", &bearer(token), batch);
        assert_eq!(status, 200, "{answer}");
        problem(&answer)["outcomes"].take()
    };
    let by_money = outcomes(&server.operator("gateway", Role::Money));
    assert_eq!((&by_money[0]["status"], &by_money[1]["status"]), (&json!(403), &json!(201)), "{by_money}");
    let refused = &by_money[0]["problem"];
    assert_eq!((text(refused, "slug"), text(refused, "needs")), ("forbidden", "admin"));
    assert_eq!(server.ask(call(API_KEY, SECRET_KEY)).body, SUCCESS.replace("36693", "36600"));
    // The key of what was forbidden is not used up.
    let by_admin = outcomes(&server.operator("boss", Role::Admin));
    assert_eq!((&by_admin[0]["status"], &by_admin[1]["status"]), (&json!(201), &json!(200)), "{by_admin}");
    assert_eq!(server.ask(call(API_KEY, SECRET_KEY)).body, SUCCESS.replace("36693", "37600"));
    let trail = server.store.audit(&store::AuditQuery::default(), 100).expect("no fault").items;
    let last = trail.last().expect("a row");
    assert_eq!((&*last.action, &*last.actor), ("account.adjust", "operator:boss"));
    assert!(last.request_id.is_some());
}

#[test]
fn a_revoked_token_stops_with_the_next_request_of_the_same_connection() {
    let server = Server::start();
    let (admin, token) = (server.operator("boss", Role::Admin), server.operator("anna", Role::Read));
    let request = format!("GET /v1/accounts/9999/balance HTTP/1.1\r\nHost: x\r\n{}\r\n", bearer(&token));
    let mut client = Client::connect(server.bound().ops);
    client.send(&request);
    assert_eq!(client.response().status(), 200);
    let (status, answer) = server.over_tcp("DELETE", "/v1/operators/anna", &bearer(&admin), "");
    assert_eq!(status, 200, "{answer}");
    client.send(&request);
    assert_eq!(client.response().status(), 401);
    // Operators can take all rights from themselves; whoever owns the socket gives new ones.
    assert_eq!(server.over_tcp("DELETE", "/v1/operators/boss", &bearer(&admin), "").0, 200);
    assert_eq!(server.over_tcp("GET", "/v1/operators", &bearer(&admin), "").0, 401);
    let next = server.operator("boss-2", Role::Admin);
    assert_eq!(server.over_tcp("GET", "/v1/operators", &bearer(&next), "").0, 200);
}

#[test]
fn what_an_operator_does_is_kept_under_their_name() {
    let server = Server::start();
    let token = server.operator("anna", Role::Money);
    let headers = format!("{}Idempotency-Key: t-1\r\nX-Request-Id: req-1\r\n", bearer(&token));
    let (status, answer) = server.over_tcp("POST", "/v1/accounts/9999/topups", &headers, r#"{"amount":"5"}"#);
    assert_eq!(status, 201, "{answer}");
    let entry = server.store.entry(ledger::AccountId::new(9999).expect("an id"), 3).expect("readable").expect("there");
    assert_eq!(entry.by.as_str(), "operator:anna");
    assert_eq!(server.ask(call(API_KEY, SECRET_KEY)).body, SUCCESS.replace("36693", "36698"));
}

#[test]
fn every_answer_carries_the_id_of_its_request() {
    let server = Server::start();
    let token = server.operator("anna", Role::Read);
    let id = |answer: &str| {
        let lines = answer.lines().filter_map(|line| line.strip_prefix("x-request-id: "));
        let ids: Vec<&str> = lines.collect();
        assert_eq!(ids.len(), 1, "{answer}");
        ids[0].to_owned()
    };
    let own = "X-Request-Id: \"a~b\"\r\n";
    for (path, with) in [("/v1/accounts", bearer(&token)), ("/v1/accounts/5", bearer(&token)), ("/v1/x", String::new())]
    {
        let (_, answer) = server.over_tcp("GET", path, &format!("{with}{own}"), "");
        assert_eq!(id(&answer), "\"a~b\"");
        let (_, one) = server.over_tcp("GET", path, &with, "");
        let (_, other) = server.over_tcp("GET", path, &with, "");
        assert_ne!(id(&one), id(&other), "made ids are new");
        if !answer.starts_with("HTTP/1.1 200") {
            assert_eq!(text(&problem(&answer), "request_id"), "\"a~b\"");
            assert_eq!(text(&problem(&one), "request_id"), id(&one));
        }
    }
    let long = format!("X-Request-Id: {}\r\n", "a".repeat(129));
    for bad in ["X-Request-Id: two words\r\n", "X-Request-Id:\r\n", "X-Request-Id: a\r\nX-Request-Id: b\r\n", &long] {
        let (status, answer) = server.over_tcp("GET", "/v1/accounts", &format!("{}{bad}", bearer(&token)), "");
        assert_eq!((status, text(&problem(&answer), "slug")), (400, "malformed"), "{bad}");
        assert!(id(&answer).contains('-'), "a made one: {answer}");
    }
    let healthy = server.over_tcp("GET", "/healthz", own, "").1;
    assert!(!healthy.contains("x-request-id"), "health is not /v1: {healthy}");
}

#[test]
fn a_fault_is_logged_under_the_id_of_its_request() {
    let server = Server::start();
    let token = server.operator("anna", Role::Admin);
    server.store.close();
    let headers = format!("{}X-Request-Id: fault-7c1\r\nIdempotency-Key: k\r\n", bearer(&token));
    let (status, answer) = server.over_tcp("POST", "/v1/accounts/9999/topups", &headers, r#"{"amount":"5"}"#);
    assert_eq!((status, text(&problem(&answer), "slug")), (503, "unavailable"));
    let logged = logged();
    let line = logged.lines().find(|line| line.contains("fault-7c1")).expect("a line of the log");
    assert!(line.contains("unavailable") && line.contains("503"), "{line}");
}

#[test]
fn no_token_and_no_secret_is_left_in_the_log_or_the_database() {
    let server = Server::start();
    let token = server.operator("anna", Role::Admin);
    let headers = bearer(&token);
    let (status, issued) = server.over_tcp("POST", "/v1/accounts/9999/credentials", &headers, "{}");
    assert_eq!(status, 201, "{issued}");
    let issued = problem(&issued);
    server.over_tcp("GET", "/v1/accounts", &headers, "");
    server.over_tcp("GET", &format!("/v1/{token}"), "", "");
    server.over_tcp("GET", &format!("/v1/operators/{token}"), &format!("Authorization: {token}\r\n"), "");
    server.over_tcp("POST", "/v1/operators", &headers, &format!(r#"{{"name":"{token}","role":"{token}"}}"#));
    let (_, metrics) = server.over_tcp("GET", "/metrics", "", "");
    let (running, place) = server.into_running();
    running.stop();
    let (kept, logged) = (place.kept(), logged());
    assert!(kept.contains("anna") && logged.contains("listening"), "there is something to look at");
    for (what, held) in [("database", &kept), ("log", &logged), ("metrics", &metrics)] {
        for secret in [&token[5..], text(&issued, "secret_key")] {
            assert!(!held.contains(secret), "the {what} holds {secret}");
        }
    }
    for (what, held) in [("log", &logged), ("metrics", &metrics)] {
        assert!(!held.contains(text(&issued, "api_key")), "the {what} holds a key");
    }
}
