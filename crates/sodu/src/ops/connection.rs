//! One operator's connection, over TCP, TLS or the socket: requests go to an axum router until either side is done.
//!
//! Says who calls by a request extension, and nothing else about the request; what is allowed is the router's business.

use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;
use tracing::debug;

use crate::v1::Caller;

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Visit {
    /// How long a connection may stay without a complete request.
    pub(super) timeout: Duration,
    /// Becomes true when the server stops.
    pub(super) stopped: watch::Receiver<bool>,
    /// Held as long as the connection is open.
    pub(super) held: mpsc::Sender<()>,
}

impl Visit {
    /// Answers requests with `router`; when the server stops, the one in flight is the last.
    pub(super) async fn serve<IO>(self, io: IO, router: axum::Router, caller: Option<Caller>)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Visit { timeout, mut stopped, held } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            if let Some(caller) = &caller {
                request.extensions_mut().insert(caller.clone());
            }
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(timeout)
            .half_close(true)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = stop(&mut stopped) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "an operator's connection broke off");
        }
        drop(held);
    }
}

/// Resolves when the server stops.
pub(super) async fn stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to say so.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
