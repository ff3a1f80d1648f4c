//! One eSMS client's connection: whose it is, TLS, and then requests until either side is done.
//!
//! What HTTP/1 means is hyper's business (keep-alive, pipelining, chunks, 100-continue, malformed heads); this file
//! bounds it in size and time. A client that is cut off while it still sends gets the answer first: closing at once
//! would throw the answer away with what was not read.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::caller::Source;
use super::proxy::{self, Unread};
use super::vigil::{Guard, Order, Watch};
use super::{Rules, answer};
use crate::metrics::{Cut, Tally};

/// The longest head of a request, in bytes.
const HEAD_LEN_MAX: usize = 16 * 1024;

/// What hyper may buffer of one connection, in bytes, either way.
const BUFFER_LEN_MAX: usize = 32 * 1024;

/// How much of what a client still sends is read and thrown away after it was told to stop, and how long that may take.
const LINGER_LEN_MAX: u64 = 1024 * 1024;
const LINGER_TIME_MAX: Duration = Duration::from_secs(2);

/// What the connections of one public thread share.
pub(super) struct Thread {
    pub(super) rules: Arc<Rules>,
    pub(super) tally: Arc<Tally>,
    pub(super) watch: Arc<Watch>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) http: http1::Builder,
}

/// What the requests of one connection share.
pub(super) struct Visit<'a> {
    pub(super) thread: &'a Thread,
    pub(super) source: Source,
    pub(super) guard: Guard,
    /// Whether the client may still be sending when the connection is closed.
    pub(super) lingers: AtomicBool,
}

/// HTTP/1 within our bounds.
pub(super) fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    // A client may shut its sending side down after its request and still wants the answer.
    http.half_close(true);
    // An answer is so short that copying it behind its head costs less than a vectored write does in the kernel.
    http.writev(false);
    http.max_header_size(HEAD_LEN_MAX).max_buf_size(BUFFER_LEN_MAX);
    http
}

/// Serves one connection from `peer` until it is closed.
pub(super) async fn serve(stream: TcpStream, peer: IpAddr, thread: &Thread) {
    // Fails only for a connection that is gone already.
    let _ = stream.set_nodelay(true);
    let guard = thread.watch.over();
    match tokio::time::timeout(thread.rules.header_timeout, greet(stream, peer, thread)).await {
        Err(_) => thread.tally.cut(Cut::GreetingTooSlow),
        Ok(Err(cut)) => thread.tally.cut(cut),
        Ok(Ok((Stream::Plain(stream), source))) => requests(stream, source, thread, guard).await,
        Ok(Ok((Stream::Tls(stream), source))) => requests(*stream, source, thread, guard).await,
    }
}

/// A connection that is ready for requests.
enum Stream {
    Plain(Unread),
    Tls(Box<tokio_rustls::server::TlsStream<Unread>>),
}

/// What comes before the first request: a PROXY header, if a trusted proxy sends one, and TLS, if that is configured.
async fn greet(stream: TcpStream, peer: IpAddr, thread: &Thread) -> Result<(Stream, Source), Cut> {
    let mut source = Source::new(peer, &thread.rules.trusted_proxies);
    let stream = if source.is_proxy() {
        let (stream, named) = proxy::read(stream).await.map_err(|_| Cut::ProxyHeader)?;
        if let Some(address) = named {
            source = Source::new(address, &thread.rules.trusted_proxies);
        }
        stream
    } else {
        Unread::new(stream)
    };
    match &thread.tls {
        None => Ok((Stream::Plain(stream), source)),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Ok((Stream::Tls(Box::new(stream)), source)),
            Err(_) => Err(Cut::Handshake),
        },
    }
}

async fn requests<IO>(stream: IO, source: Source, thread: &Thread, guard: Guard)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let visit = &Visit { thread, source, guard, lingers: AtomicBool::new(false) };
    let io = TokioIo::new(Noted { stream, visit });
    let service = service_fn(|request| answer::answer(visit, request));
    let mut connection = thread.http.serve_connection(io, service);
    let vigil = visit.guard.vigil();
    let mut finishing = false;
    let ended = std::future::poll_fn(|cx| {
        vigil.wake_by(cx.waker());
        match vigil.order() {
            Order::Serve => {}
            // hyper would close between two requests, and the one that comes would be lost without an answer.
            Order::Finish if finishing || vigil.is_being_asked() => {}
            Order::Finish => {
                finishing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Order::Leave => return Poll::Ready(None),
        }
        Pin::new(&mut connection).poll(cx).map(Some)
    });
    match ended.await {
        None => thread.tally.cut(Cut::TooSlow),
        Some(Ok(())) if !visit.lingers.load(Relaxed) => {}
        Some(Ok(())) => linger(connection.into_parts().io.into_inner().stream).await,
        Some(Err(error)) if error.is_parse() => {
            thread.tally.cut(Cut::NotHttp);
            linger(connection.into_parts().io.into_inner().stream).await;
        }
        // The client has gone.
        Some(Err(_)) => {}
    }
}

/// Closes our side and reads what the client has sent meanwhile, within bounds: if anything is unread when the socket
/// is closed, the kernel resets the connection, and the client may lose the answer that explains it.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let rest = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_LEN_MAX), &mut tokio::io::sink()).await
    };
    // Too slow, too much or gone: it is closed all the same.
    let _ = tokio::time::timeout(LINGER_TIME_MAX, rest).await;
}

/// A stream that notes when bytes come.
struct Noted<'a, IO> {
    stream: IO,
    visit: &'a Visit<'a>,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Noted<'_, IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.visit.guard.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Noted<'_, IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
