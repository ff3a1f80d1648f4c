//! The operator API: every way to read and move credit, as JSON over HTTP.
//!
//! The command line speaks these routes and nothing else, through the server's Unix socket or in its own process (see
//! `door`), so that there is one path to the money. Who calls is said by whoever lets the request in, as a [`Caller`];
//! a request without one gets no further. Rules and figures come from the ledger through the store; this module only
//! parses, asks and shows.
//!
//! Deliberately absent: the eSMS calls (`public`), health and metrics (`ops`), and any state of its own.

mod accounts;
mod batch;
mod chores;
mod commands;
mod credentials;
mod entries;
mod fields;
mod members;
mod movements;
mod problem;
mod query;
mod refused;
mod sheet;
mod show;
mod totals;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use hyper::body::Bytes;
use jiff::tz::TimeZone;
use ledger::{AccountId, Actor, Command};
use store::{AccountNow, Fault, Outcome, Store};

use crate::metrics::Metrics;
pub(crate) use chores::verified;
use problem::{Problem, Slug};

/// The longest body that a route takes, in bytes.
const BODY_LEN_MAX: usize = 64 * 1024;
/// The longest body of a batch, in bytes.
const BATCH_LEN_MAX: usize = 8 * 1024 * 1024;

/// Who calls, as a request extension that whoever accepts the request sets: entries name it for ever.
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

/// The operator API over `store`. A date without a time in a request means that day in `zone`.
pub fn router(store: Store, metrics: Arc<Metrics>, zone: TimeZone) -> axum::Router {
    axum::Router::new()
        .route("/v1/accounts", get(accounts::list).post(accounts::open))
        .route("/v1/accounts/{id}", get(accounts::show).patch(accounts::change))
        .route("/v1/accounts/{id}/balance", get(accounts::balance))
        .route("/v1/accounts/{id}/entries", get(entries::list))
        .route("/v1/accounts/{id}/entries/{number}", get(entries::show))
        .route("/v1/accounts/{id}/statement", get(entries::statement))
        .route("/v1/totals", get(totals::totals))
        .route("/v1/accounts/{id}/credentials", get(credentials::list).post(credentials::add))
        .route("/v1/accounts/{id}/credentials/{api_key}", patch(credentials::change).delete(credentials::revoke))
        .route("/v1/accounts/{id}/topups", post(movements::top_up))
        .route("/v1/accounts/{id}/charges", post(movements::charge))
        .route("/v1/accounts/{id}/adjustments", post(movements::adjust))
        .route("/v1/accounts/{id}/holds", get(movements::holds).post(movements::hold))
        .route("/v1/accounts/{id}/holds/{hold}/captures", post(movements::capture))
        .route("/v1/accounts/{id}/holds/{hold}/void", post(movements::void))
        .route("/v1/accounts/{id}/holds/{hold}/extend", post(movements::extend))
        .route("/v1/accounts/{id}/refunds", post(movements::refund))
        .route("/v1/accounts/{id}/keys/{key}", get(movements::key))
        .route("/v1/transfers", post(movements::transfer))
        .route("/v1/batch", post(batch::batch).layer(DefaultBodyLimit::max(BATCH_LEN_MAX)))
        .route("/v1/verify", post(chores::verify))
        .route("/v1/backup", post(chores::backup))
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_route)
        .layer(middleware::from_fn(known_caller))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(Api { store, metrics, zone })
}

/// What the routes share.
#[derive(Clone)]
struct Api {
    store: Store,
    metrics: Arc<Metrics>,
    zone: TimeZone,
}

impl Api {
    /// The account as it is now.
    fn account(&self, id: AccountId) -> Result<AccountNow, Problem> {
        self.store.account(id).ok_or_else(|| refused::unknown_account(id))
    }

    /// Reads from the disk, on a thread that may block.
    async fn read<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, Fault> + Send + 'static,
    {
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || work(&store)).await;
        read.expect("a read does not panic, and nothing cancels it").map_err(refused::of_fault)
    }

    /// Has the ledger decide one command; durable when this returns.
    async fn submit(&self, command: Command) -> Result<Outcome, Problem> {
        let id = command.account;
        let outcomes = self.store.submit(vec![command]).await.map_err(refused::of_fault)?;
        let outcome = outcomes.into_iter().next().expect("each command has its outcome");
        outcome.map_err(|refused| {
            self.metrics.refused(refused.refusal.slug());
            refused::movement(id, &refused)
        })
    }
}

/// What a path names: an account, and something of it (an entry's number, an API key).
struct Place {
    account: AccountId,
    part: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Place, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::malformed("the path is not UTF-8 after percent-decoding"))?;
        let param = |wanted: fn(&str) -> bool| {
            params.iter().find(|(name, _)| wanted(name)).map_or("", |(_, value)| value).to_owned()
        };
        Ok(Place { account: fields::account_id(&param(|name| name == "id"))?, part: param(|name| name != "id") })
    }
}

/// A request's body, at most [`BODY_LEN_MAX`] bytes of it.
struct Body(Bytes);

/// The body of a batch, at most [`BATCH_LEN_MAX`] bytes of it.
struct Whole(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body, Problem> {
        body(request, state, BODY_LEN_MAX).await.map(Body)
    }
}

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Whole, Problem> {
        body(request, state, BATCH_LEN_MAX).await.map(Whole)
    }
}

/// Reads a body whole; the route's layer keeps it to `len_max` bytes.
async fn body<S: Send + Sync>(request: Request, state: &S, len_max: usize) -> Result<Bytes, Problem> {
    match Bytes::from_request(request, state).await {
        Ok(bytes) => Ok(bytes),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Problem::new(Slug::BodyTooLarge, format!("A body may have {len_max} bytes.")))
        }
        Err(_) => Err(Problem::malformed("the body ended before it was whole")),
    }
}

/// Lets no request in whose caller nobody vouches for, whatever its route.
async fn known_caller(request: Request, next: Next) -> Response {
    if request.extensions().get::<Caller>().is_none() {
        return stranger().into_response();
    }
    next.run(request).await
}

fn stranger() -> Problem {
    Problem::new(
        Slug::Unauthorized,
        "Nobody vouches for this caller; use the command line, or the server's Unix socket.",
    )
}

async fn no_route() -> Problem {
    Problem::new(Slug::NotFound, "There is no such route; the operator API lies under /v1/accounts.")
}

async fn wrong_method() -> Problem {
    Problem::new(Slug::MethodNotAllowed, "This route exists with other methods; the Allow header names them.")
}
