//! A database that does not answer, dead or only standing still: a fault for everyone, in time, nothing done, and service by
//! itself when it is back.

use std::time::{Duration, Instant};

use store::{DatabaseUrl, Role};

use crate::common::*;
use crate::place::cluster::Cluster;

/// The longest that a call may take, with room for a busy machine.
const LIMIT: Duration = Duration::from_secs(12);

const CHARGE: (&str, &str, &str) = ("POST", "/v1/accounts/9999/charges", r#"{"amount":"93"}"#);

/// What operators ask of the API.
const CALLS: [(&str, &str, &str); 11] = [
    CHARGE,
    ("POST", "/v1/batch", r#"{"commands":[{"kind":"charge","account":9999,"amount":"93","key":"in-a-batch"}]}"#),
    ("POST", "/v1/accounts", r#"{"name":"Late"}"#),
    ("GET", "/v1/accounts", ""),
    ("GET", "/v1/accounts/9999", ""),
    ("GET", "/v1/accounts/9999/balance", ""),
    ("GET", "/v1/accounts/9999/entries", ""),
    ("GET", "/v1/accounts/9999/holds", ""),
    ("GET", "/v1/accounts/9999/keys/none", ""),
    ("GET", "/v1/totals", ""),
    ("GET", "/v1/audit", ""),
];

/// A server in front of a PostgreSQL that nobody else uses.
struct Alone {
    cluster: Cluster,
    server: Server,
    token: String,
}

impl Alone {
    fn start() -> Alone {
        let cluster = Cluster::start();
        let url = cluster.url("sodu", &cluster.database("template1"));
        let server = Server::with(|config| config.database = DatabaseUrl::parse(&url).expect("a URL"));
        let token = server.operator("anna", Role::Admin);
        let alone = Alone { cluster, server, token };
        alone.is_well();
        alone
    }

    fn is_ready(&self) -> bool {
        self.server.ops("/readyz").status() == 200
    }

    /// Sends a call of an operator; its status and its body.
    fn operator(&self, (method, path, body): (&str, &str, &str)) -> (u16, String) {
        let headers = format!("Authorization: Bearer {}\r\nIdempotency-Key: the-key\r\n", self.token);
        let (status, answer) = self.server.over_tcp(method, path, &headers, body);
        (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
    }

    /// The same through the socket, where nobody has to be looked up first.
    fn local(&self, (method, path, body): (&str, &str, &str)) -> u16 {
        let mut client = self.server.local();
        let length = body.len();
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nIdempotency-Key: the-key\r\n\r\n{body}"
        ));
        client.response().status()
    }

    fn is_well(&self) {
        assert!(self.is_ready());
        assert_eq!(self.server.ask(call(API_KEY, SECRET_KEY)).said(), (200, SUCCESS));
    }

    /// Every call, all at the same time, gets a 503 within its limit; and readiness tells.
    fn is_unavailable(&self) {
        std::thread::scope(|scope| {
            let timed = |name: String, status: &dyn Fn() -> u16| {
                let began = Instant::now();
                assert_eq!(status(), 503, "{name}");
                assert!(began.elapsed() < LIMIT, "{name} took {:?}", began.elapsed());
            };
            for asked in CALLS {
                let (tcp, socket) = (format!("{asked:?}"), format!("{asked:?} through the socket"));
                scope.spawn(move || timed(tcp, &|| self.operator(asked).0));
                scope.spawn(move || timed(socket, &|| self.local(asked)));
            }
            for _ in 0..8 {
                scope
                    .spawn(move || timed("GetBalance".into(), &|| self.server.ask(call(API_KEY, SECRET_KEY)).status()));
            }
            let path = legacy("xml", API_KEY, SECRET_KEY);
            scope.spawn(move || timed("GetBalance in XML".into(), &|| self.server.ask(get(&path)).status()));
        });
        let answer = self.server.ask(call(API_KEY, SECRET_KEY));
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
        let body = r#"{"Balance":0,"CodeResponse":"99","ErrorMessage":"The balance cannot be read right now, please try again in a moment"}"#;
        assert_eq!(answer.body, body, "a fault never looks like a refusal");
        let why = r#"{"ready":false,"why":"the database cannot be used right now; calls get 503 until it can"}"#;
        assert_eq!(self.server.ops("/readyz").said(), (503, why));
        assert_eq!(self.server.ops("/healthz").status(), 200, "a restart would not help");
    }

    /// It serves again by itself, and nothing of what got a 503 has happened.
    fn comes_back(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.is_ready() {
            assert!(Instant::now() < deadline, "the server does not come back");
        }
        self.is_well();
        let (status, charged) = self.operator(CHARGE);
        assert!(status == 201 && charged.contains(r#""replayed":false"#), "{status} {charged}");
        assert_eq!(self.server.ask(call(API_KEY, SECRET_KEY)).body, SUCCESS.replace("36693", "36600"));
        let report = self.server.store.verify(store::Against::default(), &mut |_| ()).expect("no fault");
        assert_eq!((report.accounts, report.findings), (1, Vec::new()));
    }
}

#[test]
fn a_stopped_database_is_a_503_in_time_and_service_comes_back_by_itself() {
    let alone = Alone::start();
    alone.cluster.kill();
    alone.is_unavailable();
    assert!(alone.cluster.serve(), "the database starts again");
    alone.comes_back();
}

#[test]
fn a_database_that_stands_still_is_a_503_in_time_and_service_comes_back_by_itself() {
    let alone = Alone::start();
    let paused = alone.cluster.pause();
    alone.is_unavailable();
    drop(paused);
    alone.comes_back();
}
