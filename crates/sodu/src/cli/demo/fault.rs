//! `--fault`: a listener before the server's own that spoils every answer, to show how a client takes it.
//!
//! It stands before the server and is no setting of it, so that no `sodu serve` can be told to misbehave and GetBalance
//! has no branch for it. It takes the address and the certificate that clients were to meet, speaks HTTP to them, and asks
//! the server, which then listens on a port of its own, for what it passes on late or in half.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use clap::ValueEnum;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use wire::{Answer, BODY_LEN_MAX, Code, Format};

use crate::config::Config;
use crate::serve::{self, Bound, PortChoice};
use crate::tls;

/// What is wrong with every answer to an eSMS client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Fault {
    /// It comes after 2 minutes, when clients with a time-out have gone
    Slow,
    /// Half of it comes, then the connection is closed
    Cut,
    /// Status 503 and code 99, as from a server that cannot answer for a moment
    #[value(name = "503")]
    Unavailable,
    /// A page for people, with status 200, as from a firewall or a Wi-Fi login
    Html,
}

/// Longer than the time-outs that clients have unless somebody changes them: 10 to 100 seconds. Whoever has none gets the
/// answer in the end.
const SLOW: Duration = Duration::from_secs(120);
/// How long to wait after an accept that failed for want of files or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Please wait</title></head>\n<body><h1>Please wait</h1>\n\
                    <p>This site is checking your connection.</p></body></html>\n";

impl Fault {
    /// What a call gets to see.
    pub(super) fn effect(self) -> &'static str {
        match self {
            Fault::Slow => "the answer after 2 minutes",
            Fault::Cut => "half of the answer, then the end of the connection",
            Fault::Unavailable => "status 503 and code 99",
            Fault::Html => "a page of HTML with status 200",
        }
    }

    /// Its name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Where clients meet the fault.
pub(super) struct Front {
    fault: Fault,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Front {
    /// Takes the place that `config` has for eSMS clients, and moves the server to one behind it.
    pub(super) fn before(config: &mut Config, fault: Fault) -> anyhow::Result<Front> {
        let tls = config.tls.take().map(|files| tls::server(&files)).transpose()?.map(TlsAcceptor::from);
        let mut listeners = serve::listeners(config.listen, PortChoice::NextFree, 1, "--listen")?;
        let listener = listeners.pop().expect("one listener was asked for");
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Front { fault, address: listener.local_addr()?, listener, tls })
    }

    /// Where everything is, as clients see it.
    pub(super) fn bound(&self, server: &Bound) -> Bound {
        Bound { public: self.address, tls: self.tls.is_some(), ..server.clone() }
    }

    /// Spoils what `server` answers, for ever.
    pub(super) async fn serve(self, server: SocketAddr) {
        let listener = tokio::net::TcpListener::from_std(self.listener).expect("it does not block, as tokio wants it");
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(connection(stream, self.tls.clone(), self.fault, server))),
                Err(_) => tokio::time::sleep(BACK_OFF).await,
            }
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, fault: Fault, server: SocketAddr) {
    match tls {
        None => requests(stream, fault, server).await,
        // A client that does not trust the certificate leaves here, which it says itself.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                requests(stream, fault, server).await;
            }
        }
    }
}

async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin, fault: Fault, server: SocketAddr) {
    let service = service_fn(move |request| spoiled(fault, server, request));
    // An error is a client that has gone, or the cut itself.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Body = Either<Full<Bytes>, Half>;
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What the client gets for its request. An error ends the connection without an answer.
async fn spoiled(fault: Fault, server: SocketAddr, request: Request<Incoming>) -> Result<Response<Body>, AnyError> {
    let (head, body) = request.into_parts();
    // Read in any case: if something is unread when the connection is closed, the kernel takes the answer back with it.
    let body = Limited::new(body, BODY_LEN_MAX).collect().await?.to_bytes();
    let whole = |bytes| Either::Left(Full::new(bytes));
    Ok(match fault {
        Fault::Slow => {
            tokio::time::sleep(SLOW).await;
            answer(server, head, body).await?.map(whole)
        }
        Fault::Cut => answer(server, head, body).await?.map(|bytes| Either::Right(Half::of(&bytes))),
        Fault::Unavailable => {
            let format = wire::route(head.uri.path()).map_or(Format::Json, |route| route.format());
            unavailable(format)?.map(whole)
        }
        Fault::Html => {
            let html = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
            html.body(Bytes::from_static(PAGE.as_bytes()))?.map(whole)
        }
    })
}

/// What the server answers.
async fn answer(server: SocketAddr, head: Parts, body: Bytes) -> Result<Response<Bytes>, AnyError> {
    let stream = TokioIo::new(TcpStream::connect(server).await?);
    let (mut requests, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let (head, body) = requests.send_request(Request::from_parts(head, Full::new(body))).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// As the server itself says it while it restarts.
fn unavailable(format: Format) -> Result<Response<Bytes>, AnyError> {
    let message = "The service is restarting, please try again in a moment";
    let mut body = Vec::new();
    wire::write(format, &Answer::Refused { code: Code::Unknown, message }, &mut body);
    let response = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
    let response = response.header(header::CONTENT_TYPE, format.content_type()).header(header::RETRY_AFTER, "1");
    Ok(response.body(body.into())?)
}

/// The first half of an answer, and then the end of the connection.
struct Half {
    half: Option<Bytes>,
    was_waited_for: bool,
}

impl Half {
    fn of(answer: &Bytes) -> Half {
        Half { half: Some(answer.slice(..answer.len() / 2)), was_waited_for: false }
    }
}

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !std::mem::replace(&mut self.was_waited_for, true) {
            // hyper sends what it has when a body makes it wait, and throws it away when one fails.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}
