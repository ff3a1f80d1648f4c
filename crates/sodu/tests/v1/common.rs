//! A ledger of its own for each test, its router, and a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use jiff::tz::TimeZone;
use ledger::{Actor, Time};
use serde_json::Value;
use sodu::metrics::Metrics;
use sodu::v1::{self, Caller};
use store::{Options, Store};
use tower::ServiceExt;

use crate::described::{self, Exchange};
use crate::place::Place;

/// 2026-07-29T07:00:00Z
pub(crate) const START_US: i64 = 1_785_308_400_000_000;

pub(crate) struct Api {
    pub(crate) place: Place,
    pub(crate) store: Store,
    pub(crate) metrics: Arc<Metrics>,
    clock: Arc<AtomicI64>,
    router: axum::Router,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// A ledger in `place` that tells `clock`'s time.
pub(crate) fn store(place: &Place, clock: Arc<AtomicI64>) -> Store {
    place.tell_time(clock.load(Ordering::SeqCst));
    Store::open(options(place, clock)).expect("a new database")
}

pub(crate) fn options(place: &Place, clock: Arc<AtomicI64>) -> Options {
    Options {
        url: place.url(),
        create: true,
        clock: Arc::new(move || Time::from_micros(clock.load(Ordering::SeqCst))),
        queue_len_max: 32_768,
        refusal_days: 30,
        refusals_per_second: 1000,
        connections_max: 8,
        alert_targets: Vec::new(),
    }
}

impl Api {
    pub(crate) fn new() -> Api {
        Api::keeping_refusals(1000)
    }

    /// One that keeps so many refusals of an account within a second.
    pub(crate) fn keeping_refusals(refusals_per_second: u32) -> Api {
        let place = Place::new();
        let clock = Arc::new(AtomicI64::new(START_US));
        place.tell_time(START_US);
        let options = Options { refusals_per_second, ..options(&place, Arc::clone(&clock)) };
        let store = Store::open(options).expect("a new database");
        let metrics = Arc::new(Metrics::new());
        let router = v1::router(store.clone(), Arc::clone(&metrics), TimeZone::fixed(jiff::tz::offset(7)));
        Api { place, store, metrics, clock, router }
    }

    /// With account 1 ("One", credit limit 500) and 100 on it.
    pub(crate) async fn with_account() -> Api {
        let api = Api::new();
        api.post("/v1/accounts", "open-1", r#"{"id":1,"name":"One","credit_limit":"500"}"#).await.expect(201);
        api.post("/v1/accounts/1/topups", "topup-1", r#"{"amount":"100"}"#).await.expect(201);
        api
    }

    pub(crate) fn sleep(&self, seconds: i64) {
        let before = self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
        self.place.tell_time(before + seconds * 1_000_000);
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &str) -> Answer {
        self.call("POST", path, &[("idempotency-key", key)], body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &str) -> Answer {
        self.call("PATCH", path, &[], body).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).expect("a request");
        request.extensions_mut().insert(Caller(Actor::new("local:anna").expect("a name")));
        self.exchange(request, body).await
    }

    /// Sends a request without a body.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.exchange(request, "").await
    }

    /// Sends `request`, whose body is `sent`, and holds what comes back against the OpenAPI document.
    async fn exchange(&self, request: Request<Body>, sent: &str) -> Answer {
        let (method, target) = (request.method().to_string(), request.uri().to_string());
        let response = self.router.clone().oneshot(request).await.expect("routers do not fail");
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        described::check(&Exchange {
            method: &method,
            target: &target,
            sent,
            status: head.status.as_u16(),
            headers: &head.headers,
            text: &text,
        });
        Answer { status: head.status.as_u16(), headers: head.headers, text, json }
    }
}

impl Answer {
    /// Fails the test unless the answer has that status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Fails the test unless this is a whole problem document with that status and slug; gives its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, slug: &str) -> &str {
        assert_eq!((self.status, self.json["slug"].as_str()), (status, Some(slug)), "{}", self.text);
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["type"], format!("urn:sodu:problem:{slug}"));
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(self.json["title"].as_str().is_some_and(|title| !title.is_empty()));
        self.json["detail"].as_str().expect("a detail")
    }

    /// The body without the hashes of its entries, which `ledger` tests.
    pub(crate) fn without_hashes(&self) -> Value {
        let mut json = self.json.clone();
        drop_hashes(&mut json);
        json
    }
}

fn drop_hashes(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(hash) = members.remove("hash") {
                let hash = hash.as_str().expect("a hash is text");
                assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
            }
            members.values_mut().for_each(drop_hashes);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_hashes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
