//! One GetBalance request, from its head to its answer.
//!
//! The order of checks is the contract's (esms-wire, section 4): key and secret, then the caller's address, then the
//! account's status. Unknown, wrong, revoked and expired credentials take the same path and get the same bytes. The
//! path of a request may carry keys: it is only ever matched here, never shown.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response};
use ledger::Status;
use store::Grant;
use wire::{Answer, Keys, Money, Route};

use super::body::{self, Unreadable};
use super::connection::Visit;
use super::reply::{Body, Reply};
use crate::metrics::{self, Outcome};

/// Answers one request; every way ends in an answer.
pub(super) async fn answer(visit: &Visit<'_>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let began = Instant::now();
    visit.guard.asked();
    let (Parts { method, uri, headers, .. }, body) = request.into_parts();
    let route =
        wire::route(uri.path()).filter(|route| visit.thread.rules.legacy_get || matches!(route, Route::Post(_)));
    let label = route.as_ref().map_or(metrics::Route::Unknown, metrics::Route::from);
    let reply = match &route {
        None => Reply::unknown_path(),
        Some(route) if method == Method::OPTIONS => Reply::preflight(route),
        Some(route) if !takes(route, &method) => Reply::wrong_method(route),
        Some(route) if visit.thread.rules.node.stopping.load(Ordering::Relaxed) => Reply::stopping(route.format()),
        Some(Route::Get(format, keys)) => balance(visit, &keys.decode(), &headers).await.on(*format),
        Some(Route::Post(format)) => {
            let reply = posted(visit, *format, &headers, body).await;
            return Ok(visit.done(label, began, reply, headers));
        }
    };
    if !body.is_end_stream() {
        visit.lingers.store(true, Ordering::Relaxed);
    }
    Ok(visit.done(label, began, reply.not_kept(), headers))
}

/// Whether calls on that route are made with that method.
fn takes(route: &Route<'_>, method: &Method) -> bool {
    match route {
        Route::Post(_) => method == Method::POST,
        Route::Get(..) => method == Method::GET || method == Method::HEAD,
    }
}

/// A call with the keys in its body.
async fn posted(visit: &Visit<'_>, format: wire::Format, headers: &HeaderMap, body: Incoming) -> Reply {
    match body::read(body, visit.thread.rules.body_timeout).await {
        Ok(body) => match wire::read(format, &body) {
            Ok(keys) => balance(visit, &keys, headers).await.on(format),
            Err(malformed) => Said { outcome: Outcome::Malformed, answer: malformed.into() }.on(format),
        },
        Err(unreadable) => {
            visit.lingers.store(true, Ordering::Relaxed);
            match unreadable {
                Unreadable::TooLarge => Reply::too_large(format),
                Unreadable::TooSlow => Reply::too_slow(format),
                Unreadable::Broken => Reply::broken_off(format),
            }
        }
    }
}

/// What the holder of these keys hears.
async fn balance(visit: &Visit<'_>, keys: &Keys<'_>, headers: &HeaderMap) -> Said {
    let rules = &visit.thread.rules;
    let store = &rules.node.store;
    let Ok(grant) = store.authenticate(&keys.api_key, &keys.secret_key).await else { return Said::unavailable() };
    let Some(grant) = grant.filter(Grant::is_live) else { return Said::no(Outcome::AuthorizeFailed) };
    if !grant.admits(visit.source.caller(headers, &rules.trusted_proxies)) {
        return Said::no(Outcome::AddressNotAllowed);
    }
    let account = &grant.account;
    match account.status {
        Status::Active => {}
        Status::Locked | Status::Closed => return Said::no(Outcome::AccountLocked),
    }
    grant.note_use();
    let figure = if account.shows_available { account.available() } else { account.balance() };
    let balance = Money { minor: figure.public(account.currency), scale: account.currency.public_decimals() };
    Said { outcome: Outcome::Success, answer: Answer::Balance { balance, user_id: account.id.get() } }
}

/// An answer that does not know its format yet.
struct Said {
    outcome: Outcome,
    answer: Answer<'static>,
}

impl Said {
    /// The database does not answer: a fault, which a refusal of the contract must never look like.
    fn unavailable() -> Said {
        let message = "The balance cannot be read right now, please try again in a moment";
        let answer = Answer::Refused { code: wire::Code::Unknown, message };
        Said { outcome: Outcome::Unavailable, answer }
    }

    fn no(outcome: Outcome) -> Said {
        Said { outcome, answer: Answer::refused(outcome.code().unwrap_or(wire::Code::Unknown)) }
    }

    fn on(self, format: wire::Format) -> Reply {
        Reply::new(self.outcome, format, self.answer)
    }
}

impl Visit<'_> {
    /// Counts the reply and makes it a response, in the memory of the request's headers.
    fn done(&self, route: metrics::Route, began: Instant, reply: Reply, headers: HeaderMap) -> Response<Body> {
        let outcome = reply.outcome();
        let response = reply.into_response(headers);
        self.thread.tally.answered(route, outcome, began.elapsed());
        self.guard.answered();
        response
    }
}
