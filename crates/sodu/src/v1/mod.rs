//! The operator API: every way to read and move credit, as JSON over HTTP.
//!
//! The command line speaks these routes and nothing else, through the server's Unix socket or in its own process (see
//! `door`), so that there is one path to the money; programs on other machines speak them over TCP, with an operator's
//! token. Rules and figures come from the ledger through the store; this module only parses, asks and shows.
//!
//! Deliberately absent: the eSMS calls (`public`), health and metrics (`ops`), and any state of its own.

mod accounts;
mod alerts;
mod audit;
mod batch;
mod chores;
mod commands;
mod credentials;
mod currencies;
mod deliveries;
mod entries;
mod fields;
mod imports;
mod login;
mod members;
mod movements;
mod openapi;
mod operators;
mod problem;
mod query;
mod refused;
mod request;
mod runway;
mod sheet;
mod show;
mod totals;
mod written;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use hyper::body::Bytes;
use jiff::tz::TimeZone;
use ledger::{AccountId, Actor, Command, Time};
use store::{AccountNow, Fault, Outcome, Role, Store};

use crate::metrics::Metrics;
pub(crate) use chores::verified;
pub use openapi::document;
use problem::{Problem, Slug};

/// The longest body that a route takes, in bytes.
const BODY_LEN_MAX: usize = 64 * 1024;
/// The longest body of a batch, in bytes.
const BATCH_LEN_MAX: usize = 8 * 1024 * 1024;

/// Who calls, as a request extension: entries and the audit trail name it for ever. Whoever accepts a request sets it to
/// vouch for a caller, who then may do everything; otherwise the caller's token says who it is.
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

/// Every route, and the role that it needs: there is no route without one.
fn routes() -> Vec<Route> {
    use Role::{Admin, Money, Read};
    vec![
        Route::get("/v1/accounts", Read, accounts::list),
        Route::post("/v1/accounts", Admin, accounts::open),
        Route::get("/v1/accounts/{id}", Read, accounts::show),
        Route::patch("/v1/accounts/{id}", Admin, accounts::change),
        Route::get("/v1/accounts/{id}/balance", Read, accounts::balance),
        Route::get("/v1/accounts/{id}/entries", Read, entries::list),
        Route::get("/v1/accounts/{id}/entries/{number}", Read, entries::show),
        Route::get("/v1/accounts/{id}/statement", Read, entries::statement),
        Route::get("/v1/accounts/{id}/holds", Read, movements::holds),
        Route::get("/v1/accounts/{id}/keys/{key}", Read, movements::key),
        Route::get("/v1/totals", Read, totals::totals),
        Route::get("/v1/accounts/{id}/credentials", Read, credentials::list),
        Route::post("/v1/accounts/{id}/credentials", Admin, credentials::add),
        Route::patch("/v1/accounts/{id}/credentials/{api_key}", Admin, credentials::change),
        Route::delete("/v1/accounts/{id}/credentials/{api_key}", Admin, credentials::revoke),
        Route::get("/v1/accounts/{id}/alerts", Admin, alerts::show),
        Route::put("/v1/accounts/{id}/alerts", Admin, alerts::set),
        Route::delete("/v1/accounts/{id}/alerts", Admin, alerts::clear),
        Route::get("/v1/runway", Read, runway::list),
        Route::get("/v1/deliveries", Read, deliveries::list),
        Route::get("/v1/deliveries/{id}", Read, deliveries::show),
        Route::post("/v1/deliveries/{id}/resend", Admin, deliveries::resend),
        Route::post("/v1/accounts/{id}/topups", Money, movements::top_up),
        Route::post("/v1/accounts/{id}/charges", Money, movements::charge),
        Route::post("/v1/accounts/{id}/holds", Money, movements::hold),
        Route::post("/v1/accounts/{id}/holds/{hold}/captures", Money, movements::capture),
        Route::post("/v1/accounts/{id}/holds/{hold}/void", Money, movements::void),
        Route::post("/v1/accounts/{id}/holds/{hold}/extend", Money, movements::extend),
        Route::post("/v1/accounts/{id}/refunds", Money, movements::refund),
        Route::post("/v1/transfers", Money, movements::transfer),
        Route::post("/v1/batch", Money, batch::batch).with_body_max(BATCH_LEN_MAX),
        Route::post("/v1/accounts/{id}/adjustments", Admin, movements::adjust),
        Route::post("/v1/imports", Admin, imports::import).with_body_max(BATCH_LEN_MAX),
        Route::get("/v1/currencies", Read, currencies::list),
        Route::post("/v1/currencies", Admin, currencies::add),
        Route::get("/v1/operators", Admin, operators::list),
        Route::post("/v1/operators", Admin, operators::add),
        Route::delete("/v1/operators/{name}", Admin, operators::revoke),
        Route::get("/v1/audit", Admin, audit::list),
        Route::get("/v1/openapi.json", Read, openapi::show),
        Route::post("/v1/verify", Admin, chores::verify),
        Route::post("/v1/backup", Admin, chores::backup),
    ]
}

/// The operator API over `store`. A date without a time in a request means that day in `zone`.
pub fn router(store: Store, metrics: Arc<Metrics>, zone: TimeZone) -> axum::Router {
    let all = axum::Router::new();
    routes()
        .into_iter()
        .fold(all, |router, route| {
            let reaches = middleware::from_fn_with_state(route.role, login::reaches);
            router.route(route.path, route.handler.route_layer(reaches))
        })
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_route)
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(middleware::from_fn_with_state((request::Ids::new(), store.clone()), request::identify))
        .with_state(Api { store, metrics, zone })
}

/// Method, path and least role of every route, for whoever holds all of them to a rule.
pub fn roles() -> Vec<(Method, &'static str, Role)> {
    routes().into_iter().map(|route| (route.method, route.path, route.role)).collect()
}

/// One line of the table.
struct Route {
    method: Method,
    path: &'static str,
    role: Role,
    handler: MethodRouter<Api>,
}

impl Route {
    fn get<T: 'static>(path: &'static str, role: Role, handler: impl Handler<T, Api>) -> Route {
        Route { method: Method::GET, path, role, handler: get(handler) }
    }

    fn post<T: 'static>(path: &'static str, role: Role, handler: impl Handler<T, Api>) -> Route {
        Route { method: Method::POST, path, role, handler: post(handler) }
    }

    fn put<T: 'static>(path: &'static str, role: Role, handler: impl Handler<T, Api>) -> Route {
        Route { method: Method::PUT, path, role, handler: put(handler) }
    }

    fn patch<T: 'static>(path: &'static str, role: Role, handler: impl Handler<T, Api>) -> Route {
        Route { method: Method::PATCH, path, role, handler: patch(handler) }
    }

    fn delete<T: 'static>(path: &'static str, role: Role, handler: impl Handler<T, Api>) -> Route {
        Route { method: Method::DELETE, path, role, handler: delete(handler) }
    }

    /// With another bound for its body than [`BODY_LEN_MAX`].
    fn with_body_max(self, len_max: usize) -> Route {
        Route { handler: self.handler.layer(DefaultBodyLimit::max(len_max)), ..self }
    }
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
    async fn account(&self, id: AccountId) -> Result<AccountNow, Problem> {
        let account = self.store.account(id).await.map_err(refused::of_fault)?;
        account.ok_or_else(|| refused::unknown_account(id))
    }

    /// How many holds of an account are open.
    async fn open_hold_count(&self, id: AccountId) -> Result<usize, Problem> {
        self.store.open_hold_count(id).await.map_err(refused::of_fault)
    }

    /// Ledger time.
    async fn now(&self) -> Result<Time, Problem> {
        self.store.now().await.map_err(refused::of_fault)
    }

    /// The store to change something in, under the id of the request that is being answered.
    fn changes(&self) -> Store {
        request::current().map_or_else(|| self.store.clone(), |id| self.store.in_request(id))
    }

    /// Reads from the disk, on a thread that may block.
    async fn read<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, Fault> + Send + 'static,
    {
        let (store, span) = (self.store.clone(), request::span());
        let read = tokio::task::spawn_blocking(move || span.in_scope(|| work(&store))).await;
        read.expect("a read does not panic, and nothing cancels it").map_err(refused::of_fault)
    }

    /// Has the ledger decide one command; durable when this returns.
    async fn submit(&self, command: Command) -> Result<Outcome, Problem> {
        let id = command.account;
        let outcomes = self.changes().submit(vec![command]).await.map_err(refused::of_fault)?;
        let outcome = outcomes.into_iter().next().expect("each command has its outcome");
        outcome.map_err(|refused| {
            self.metrics.refused(refused.refusal.slug());
            refused::movement(id, &refused)
        })
    }
}

/// Begins all of them before it waits for the first, so that what they ask a database for shares a round trip.
async fn together<T, F: Future<Output = T>>(futures: impl Iterator<Item = F>) -> Vec<T> {
    let mut begun = Vec::new();
    for future in futures {
        let mut future = Box::pin(future);
        let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        begun.push(match first {
            Poll::Ready(done) => Ok(done),
            Poll::Pending => Err(future),
        });
    }
    let mut all = Vec::with_capacity(begun.len());
    for future in begun {
        all.push(match future {
            Ok(done) => done,
            Err(waits) => waits.await,
        });
    }
    all
}

/// What a path names: an account, and something of it (an entry's number, an API key).
struct Place {
    account: AccountId,
    part: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Place, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| not_utf8())?;
        let param = |wanted: fn(&str) -> bool| {
            params.iter().find(|(name, _)| wanted(name)).map_or("", |(_, value)| value).to_owned()
        };
        Ok(Place { account: fields::account_id(&param(|name| name == "id"))?, part: param(|name| name != "id") })
    }
}

fn not_utf8() -> Problem {
    Problem::malformed("the path is not UTF-8 after percent-decoding")
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

/// A body that is JSON already.
fn json(text: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

async fn no_route() -> Problem {
    Problem::new(
        Slug::NotFound,
        "There is no such route; an account's movements go to /v1/accounts/{id}/topups, charges, holds, refunds and \
         adjustments, several to /v1/transfers and /v1/batch; see also accounts, totals, currencies, operators, audit.",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(Slug::MethodNotAllowed, "This route exists with other methods; the Allow header names them.")
}
