//! Reads a request's body whole, bounded in size and time.
//!
//! Nearly every body has arrived together with its head, so the time limit is armed only where there is something to
//! wait for, and a body that came in one piece is not copied.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use tokio::time::Sleep;

/// Why a body was not read to its end.
pub(super) enum Unreadable {
    /// Longer than [`wire::BODY_LEN_MAX`], or about to be, by its Content-Length.
    TooLarge,
    /// Not complete in time.
    TooSlow,
    /// Ended before its end, or its chunks are malformed.
    Broken,
}

/// The whole body. A client that waits for `100 Continue` gets it here, at the first read, and so not before its
/// Content-Length was found fit.
pub(super) async fn read(mut body: Incoming, time_max: Duration) -> Result<Bytes, Unreadable> {
    let length_max = wire::BODY_LEN_MAX as u64;
    if body.size_hint().lower() > length_max {
        return Err(Unreadable::TooLarge);
    }
    let mut limit = None;
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    while !body.is_end_stream() {
        let Some(piece) = piece(&mut body, &mut limit, time_max).await? else { break };
        if first.len().max(whole.len()) + piece.len() > wire::BODY_LEN_MAX {
            return Err(Unreadable::TooLarge);
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(if whole.is_empty() { first } else { whole.into() })
}

/// The next piece, empty where it is none of the body itself; `None` at the end.
async fn piece(
    body: &mut Incoming,
    limit: &mut Option<Pin<Box<Sleep>>>,
    time_max: Duration,
) -> Result<Option<Bytes>, Unreadable> {
    poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
        Poll::Ready(None) => Poll::Ready(Ok(None)),
        Poll::Ready(Some(Ok(frame))) => Poll::Ready(Ok(Some(frame.into_data().unwrap_or_default()))),
        Poll::Ready(Some(Err(_))) => Poll::Ready(Err(Unreadable::Broken)),
        Poll::Pending => {
            let limit = limit.get_or_insert_with(|| Box::pin(tokio::time::sleep(time_max)));
            limit.as_mut().poll(cx).map(|()| Err(Unreadable::TooSlow))
        }
    })
    .await
}
