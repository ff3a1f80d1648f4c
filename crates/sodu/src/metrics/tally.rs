//! What one public thread counts: its answers by route and outcome, how long they took, and its open connections.
//!
//! Each thread adds to its own, so that no cache line travels between cores for a count; they are added up when read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::StatusCode;
use wire::{Code, Format};

use super::histogram::Histogram;

/// The counters of one public thread.
#[derive(Default)]
pub(crate) struct Tally {
    answers: [[AtomicU64; Outcome::ALL.len()]; Route::ALL.len()],
    seconds: [Histogram; Route::ALL.len()],
    opened: AtomicU64,
    closed: AtomicU64,
    cuts: [AtomicU64; Cut::ALL.len()],
}

impl Tally {
    /// Counts one answer.
    pub(crate) fn answered(&self, route: Route, outcome: Outcome, took: Duration) {
        self.answers[route as usize][outcome as usize].fetch_add(1, Relaxed);
        self.seconds[route as usize].record(took);
    }

    /// Counts a connection in.
    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    /// Counts a connection out.
    pub(crate) fn closed(&self) {
        self.closed.fetch_add(1, Relaxed);
    }

    /// Counts a connection that was ended for a reason.
    pub(crate) fn cut(&self, cut: Cut) {
        self.cuts[cut as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn cuts(&self, cut: Cut) -> u64 {
        self.cuts[cut as usize].load(Relaxed)
    }

    pub(super) fn connections(&self) -> u64 {
        let closed = self.closed.load(Relaxed);
        self.opened.load(Relaxed).saturating_sub(closed)
    }

    pub(super) fn seconds(&self, route: Route) -> &Histogram {
        &self.seconds[route as usize]
    }
}

/// Answers by route and outcome over all threads. Unknown paths have only the outcomes that occurred.
pub(super) fn requests(tallies: &[Arc<Tally>]) -> Vec<(Route, Outcome, u64)> {
    let pairs = Route::ALL.into_iter().flat_map(|route| Outcome::ALL.into_iter().map(move |outcome| (route, outcome)));
    let sum = |route: Route, outcome: Outcome| {
        tallies.iter().map(|tally| tally.answers[route as usize][outcome as usize].load(Relaxed)).sum()
    };
    pairs
        .map(|(route, outcome)| (route, outcome, sum(route, outcome)))
        .filter(|(route, _, answers)| *answers > 0 || *route != Route::Unknown)
        .collect()
}

/// The routes that are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    PostJson,
    PostXml,
    GetJson,
    GetXml,
    Unknown,
}

impl Route {
    pub(super) const ALL: [Route; 5] = [Route::PostJson, Route::PostXml, Route::GetJson, Route::GetXml, Route::Unknown];

    /// The label: a path with placeholders for the keys.
    pub(super) fn template(self) -> &'static str {
        match self {
            Route::PostJson => "/MainService.svc/json/GetBalance_json",
            Route::PostXml => "/MainService.svc/xml/GetBalance_json",
            Route::GetJson => "/MainService.svc/json/GetBalance/{ApiKey}/{SecretKey}",
            Route::GetXml => "/MainService.svc/xml/GetBalance/{ApiKey}/{SecretKey}",
            Route::Unknown => "other",
        }
    }
}

impl From<&wire::Route<'_>> for Route {
    fn from(route: &wire::Route<'_>) -> Route {
        match route {
            wire::Route::Post(Format::Json) => Route::PostJson,
            wire::Route::Post(Format::Xml) => Route::PostXml,
            wire::Route::Get(Format::Json, _) => Route::GetJson,
            wire::Route::Get(Format::Xml, _) => Route::GetXml,
        }
    }
}

/// What became of a request: an HTTP status and, but for a preflight, an eSMS code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Success,
    AuthorizeFailed,
    AccountLocked,
    AddressNotAllowed,
    Malformed,
    UnknownPath,
    WrongMethod,
    TooLarge,
    TooSlow,
    Unavailable,
    Preflight,
}

impl Outcome {
    pub(super) const ALL: [Outcome; 11] = [
        Outcome::Success,
        Outcome::AuthorizeFailed,
        Outcome::AccountLocked,
        Outcome::AddressNotAllowed,
        Outcome::Malformed,
        Outcome::UnknownPath,
        Outcome::WrongMethod,
        Outcome::TooLarge,
        Outcome::TooSlow,
        Outcome::Unavailable,
        Outcome::Preflight,
    ];

    /// The HTTP status that goes with it.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Outcome::Success | Outcome::AuthorizeFailed | Outcome::AccountLocked | Outcome::AddressNotAllowed => {
                StatusCode::OK
            }
            Outcome::Malformed => StatusCode::BAD_REQUEST,
            Outcome::UnknownPath => StatusCode::NOT_FOUND,
            Outcome::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Outcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Outcome::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Outcome::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Outcome::Preflight => StatusCode::NO_CONTENT,
        }
    }

    /// The eSMS code that goes with it; a preflight has none.
    pub(crate) fn code(self) -> Option<Code> {
        match self {
            Outcome::Success => Some(Code::Success),
            Outcome::AuthorizeFailed => Some(Code::AuthorizeFailed),
            Outcome::AccountLocked => Some(Code::AccountLocked),
            Outcome::AddressNotAllowed => Some(Code::AddressNotAllowed),
            Outcome::Malformed
            | Outcome::UnknownPath
            | Outcome::WrongMethod
            | Outcome::TooLarge
            | Outcome::TooSlow
            | Outcome::Unavailable => Some(Code::Unknown),
            Outcome::Preflight => None,
        }
    }
}

/// Why a connection was ended without, or after a mere HTTP, answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// The PROXY header or the TLS handshake took too long.
    GreetingTooSlow,
    /// A trusted proxy sent a broken PROXY header.
    ProxyHeader,
    /// The TLS handshake failed.
    Handshake,
    /// A request's head, or the next request, took too long.
    TooSlow,
    /// What came is not HTTP/1, or its head is too large.
    NotHttp,
}

impl Cut {
    pub(super) const ALL: [Cut; 5] =
        [Cut::GreetingTooSlow, Cut::ProxyHeader, Cut::Handshake, Cut::TooSlow, Cut::NotHttp];

    /// The label.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Cut::GreetingTooSlow => "greeting_too_slow",
            Cut::ProxyHeader => "proxy_header",
            Cut::Handshake => "tls_handshake",
            Cut::TooSlow => "too_slow",
            Cut::NotHttp => "not_http",
        }
    }
}
