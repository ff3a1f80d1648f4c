//! What a request is known as: in its answer, in the audit trail and in the log, so that the three can be put together.
//!
//! The id is the caller's own, or a made one. It belongs to the task that answers the request: whoever writes a problem
//! document, a change or a line of the log asks for it here, and no handler has to pass it on. No span of the log is opened
//! before something may be logged, since that costs a charge more than deciding it does.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use store::{RequestId, Store};
use tracing::{Span, info_span, warn};

use super::login;
use super::problem::{Problem, Slug};

/// The header that carries it, both ways.
const HEADER: &str = "x-request-id";

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The request that is being answered; none outside of one.
pub(super) fn current() -> Option<RequestId> {
    CURRENT.try_with(RequestId::clone).ok()
}

/// The span of the log for what the request that is being answered does on another thread.
pub(super) fn span() -> Span {
    current().map_or_else(Span::none, |id| info_span!("request", request_id = id.as_str()))
}

/// Runs `work`, on whatever thread, as part of the request `id`.
pub(super) fn within<T>(id: Option<RequestId>, work: impl FnOnce() -> T) -> T {
    match id {
        Some(id) => CURRENT.sync_scope(id, work),
        None => work(),
    }
}

/// Makes ids that no other process makes, short enough to be read out.
#[derive(Clone)]
pub(super) struct Ids {
    process: u64,
    next: Arc<AtomicU64>,
}

impl Ids {
    pub(super) fn new() -> Ids {
        // Random anew for each process, and for each of these.
        Ids { process: RandomState::new().hash_one("sodu"), next: Arc::new(AtomicU64::new(1)) }
    }

    fn make(&self) -> RequestId {
        let text = format!("{:016x}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed));
        RequestId::new(&text).expect("hex digits, a dash and digits")
    }
}

/// Answers every request under its id, from callers who are known, and notes in the log which of them ended in a fault.
pub(super) async fn identify(State((ids, store)): State<(Ids, Store)>, mut request: Request, next: Next) -> Response {
    let (id, malformed) = match given(request.headers()) {
        Ok(id) => (id.unwrap_or_else(|| ids.make()), None),
        Err(problem) => (ids.make(), Some(problem)),
    };
    let answer = async {
        let known = match malformed {
            Some(problem) => Err(problem),
            None => login::known_caller(&store, &mut request).await,
        };
        match known {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    let mut response = CURRENT.scope(id.clone(), answer).await;
    let value = HeaderValue::from_str(id.as_str()).expect("visible ASCII");
    response.headers_mut().insert(HEADER, value);
    if response.status().is_server_error() {
        let slug = response.extensions().get().copied().map_or("", Slug::name);
        warn!(request_id = id.as_str(), status = response.status().as_u16(), slug, "a request ended in a fault");
    }
    response
}

fn given(headers: &HeaderMap) -> Result<Option<RequestId>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let id = value.to_str().ok().and_then(RequestId::new).filter(|_| values.next().is_none());
    let wrong = || Problem::malformed("X-Request-Id, where it is sent, is 1 to 128 visible ASCII characters, once");
    id.map(Some).ok_or_else(wrong)
}
