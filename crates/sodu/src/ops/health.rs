//! `/healthz`, `/readyz` and `/metrics`, and the count of what operators are answered.
//!
//! Alive means that the process answers at all; ready means that it takes movements and is not about to stop. A ledger
//! that cannot be written is not a reason to restart the process, so only readiness speaks of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use store::Store;

use crate::metrics;
use crate::serve::Node;

/// `api`, with health and metrics beside it, which need no token.
pub(super) fn beside(api: Router, node: &Arc<Node>) -> Router {
    // Every answer is counted by the template of its route.
    api.merge(routes(node)).layer(middleware::from_fn_with_state(Arc::clone(node), count))
}

fn routes(node: &Arc<Node>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(node))
}

async fn ready(State(node): State<Arc<Node>>) -> Response {
    let why = if node.stopping.load(Ordering::SeqCst) {
        "the server is stopping"
    } else if !node.store.stats().writable {
        unwritable(&node.store)
    } else {
        return axum::Json(json!({"ready": true})).into_response();
    };
    (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({"ready": false, "why": why}))).into_response()
}

/// What is so while the ledger takes no movements.
pub(crate) fn unwritable(store: &Store) -> &'static str {
    match store {
        Store::Sqlite(_) => "the ledger cannot be written right now; balances are still answered",
        Store::Postgres(_) => "the database cannot be used right now; calls get 503 until it can",
    }
}

async fn metrics(State(node): State<Arc<Node>>) -> Response {
    // A database that does not answer takes these figures away from the scrape, and nothing else.
    let metered = node.store.metered_accounts().await.unwrap_or_default();
    // Some of it lies on disk.
    let rendered = tokio::task::spawn_blocking(move || node.metrics.render(&node.store, &metered)).await;
    let text = rendered.expect("counting does not panic, and nothing cancels it");
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

async fn count(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = matched.as_ref().map_or("other", MatchedPath::as_str);
    node.metrics.answered(route, response.status().as_u16(), began.elapsed());
    response
}
