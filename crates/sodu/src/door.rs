//! How a command reaches the operator API: through the server that owns the database, or in its own process.
//!
//! A server listens on a Unix socket beside the database. Where nobody does, the command takes the database's lock
//! itself and asks the same router, without a network. Either way it is the same routes with the same rules: nothing
//! here parses, decides or retries a movement. A database is created only for whoever asks for that.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Response, header};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use ledger::Actor;
use serde_json::Value;
use store::{DatabaseUrl, OpenError, Options, Store};
use tokio::net::UnixStream;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::ops;
use crate::v1::{self, Caller};

/// How long a command waits for a server that is starting or stopping, or for another command.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it looks again meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Whether a command may bring a database into being.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Create {
    /// It sets a ledger up (opens an account, adds a currency or an operator), or serves.
    IfMissing,
    /// Anything else: a mistyped path must not look like an empty ledger.
    Never,
}

/// One request to the operator API.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// GET, POST, PATCH or DELETE.
    pub method: Method,
    /// Path and query, percent-encoded; see [`encode`].
    pub path: String,
    /// The idempotency key, for what takes one.
    pub key: Option<&'a str>,
    /// The body; none where there is nothing to say.
    pub body: Option<Value>,
}

impl Call<'_> {
    /// A request for what is at `path`.
    pub fn get(path: String) -> Call<'static> {
        Call { method: Method::GET, path, key: None, body: None }
    }
}

/// An answer of the operator API, whole.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body: what was asked for, or a problem document.
    pub json: Value,
}

impl Answer {
    /// Whether it is what was asked for.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An open way to the operator API of one database.
pub struct Door {
    way: Way,
    url: DatabaseUrl,
}

enum Way {
    Server { requests: SendRequest<Body>, socket: PathBuf },
    Own { router: axum::Router, store: Store, caller: Caller },
}

impl Door {
    /// Finds the server of the configured database, or opens the database in this process.
    pub async fn open(config: &Config, create: Create) -> Result<Door, DoorError> {
        let url = config.database.clone();
        let socket = ops::socket_path(config);
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(requests) = connect(&socket).await {
                return Ok(Door { way: Way::Server { requests, socket }, url });
            }
            let opening = config.clone();
            let opened = tokio::task::spawn_blocking(move || open_store(&opening, create)).await;
            match opened.expect("opening a store does not panic, and nothing cancels it") {
                Ok(store) => return Ok(Door::within(config, store)),
                // Its owner may be a server that does not listen yet or no longer, or a command that ends in a moment.
                Err(OpenError::Owned { .. }) if Instant::now() < until => tokio::time::sleep(LOOK_AGAIN).await,
                Err(error) => return Err(DoorError::Unopened { url, error }),
            }
        }
    }

    /// The operator API over a store that this process has open already.
    pub fn within(config: &Config, store: Store) -> Door {
        let url = store.url();
        let router = v1::router(store.clone(), Arc::new(Metrics::new()), config.time_zone.clone());
        Door { way: Way::Own { router, store, caller: Caller(local_user()) }, url }
    }

    /// What is behind it, for people.
    pub fn target(&self) -> String {
        match &self.way {
            Way::Server { socket, .. } => format!("server at {} (database {})", socket.display(), self.url),
            Way::Own { .. } => format!("database {}", self.url),
        }
    }

    /// Whether opening it created the database.
    pub fn created(&self) -> bool {
        match &self.way {
            Way::Server { .. } => false,
            Way::Own { store, .. } => store.created(),
        }
    }

    /// Asks and waits for the whole answer.
    pub async fn call(&mut self, call: Call<'_>) -> Result<Answer, DoorError> {
        let key = call.key;
        let response = self.send(call).await.map_err(|Cut| DoorError::lost(key))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|_| DoorError::lost(key))?.to_bytes();
        let json = serde_json::from_slice(&body).map_err(|_| DoorError::lost(key))?;
        Ok(Answer { status, json })
    }

    /// Asks for long work and hears of its progress (done, total) until its report or problem comes.
    pub async fn follow(&mut self, call: Call<'_>, mut progress: impl FnMut(u64, u64)) -> Result<Answer, DoorError> {
        let response = self.send(call).await.map_err(|Cut| DoorError::CutOff)?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut text: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| DoorError::CutOff)?;
            text.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                if let Some(answer) = told(&line, &mut progress) {
                    return Ok(answer);
                }
            }
        }
        // An answer without lines is a problem document: nothing was begun.
        let json = serde_json::from_slice(&text).map_err(|_| DoorError::CutOff)?;
        Ok(Answer { status, json })
    }

    /// Asks for a stream and hands its bytes on as they come; a problem document is given back instead.
    pub async fn copy<E: From<DoorError>>(
        &mut self,
        call: Call<'_>,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Option<Answer>, E> {
        let response = self.send(call).await.map_err(|Cut| DoorError::Lost)?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        if !(200..300).contains(&status) {
            let text = body.collect().await.map_err(|_| DoorError::Lost)?.to_bytes();
            let json = serde_json::from_slice(&text).map_err(|_| DoorError::Lost)?;
            return Ok(Some(Answer { status, json }));
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| DoorError::CutOff)?;
            sink(frame.data_ref().map_or(&[], |data| data.as_ref()))?;
        }
        Ok(None)
    }

    /// Gives the database up again, or the connection.
    pub async fn close(self) {
        if let Way::Own { store, router, .. } = self.way {
            drop(router);
            let closing = tokio::task::spawn_blocking(move || store.close()).await;
            closing.expect("closing a store does not panic, and nothing cancels it");
        }
    }

    async fn send(&mut self, call: Call<'_>) -> Result<Response<Body>, Cut> {
        let mut request = Request::builder().method(call.method).uri(call.path).header(header::HOST, "sodu");
        if let Some(key) = call.key {
            request = request.header("idempotency-key", key);
        }
        let body = match call.body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).expect("keys are checked and paths encoded before they get here");
        match &mut self.way {
            Way::Server { requests, .. } => {
                requests.ready().await.map_err(|_| Cut)?;
                requests.send_request(request).await.map(|response| response.map(Body::new)).map_err(|_| Cut)
            }
            Way::Own { router, caller, .. } => {
                request.extensions_mut().insert(caller.clone());
                let Ok(response) = router.clone().oneshot(request).await;
                Ok(response)
            }
        }
    }
}

/// Opens the configured database to serve it, with the same patience for a command that ends in a moment; a server that
/// owns it already is told at once.
pub fn open_to_serve(config: &Config) -> Result<Store, DoorError> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let served = || std::os::unix::net::UnixStream::connect(ops::socket_path(config)).is_ok();
        match open_store(config, Create::IfMissing) {
            Ok(store) => return Ok(store),
            Err(OpenError::Owned { .. }) if std::time::Instant::now() < until && !served() => {
                std::thread::sleep(LOOK_AGAIN);
            }
            Err(OpenError::Owned { owner }) if served() => {
                return Err(DoorError::Served { url: config.database.clone(), owner });
            }
            Err(error) => return Err(DoorError::Unopened { url: config.database.clone(), error }),
        }
    }
}

/// Opens the configured database in this process; `create` also makes the folder that it lies in.
pub fn open_store(config: &Config, create: Create) -> Result<Store, OpenError> {
    let create = create == Create::IfMissing;
    let file = config.database.as_file().map(|file| file.path.as_path());
    let folder = file.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    if let (true, Some(folder)) = (create, folder) {
        let io = |error| OpenError::Io(format!("cannot make the folder {}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    Store::open(Options {
        url: config.database.clone(),
        create,
        clock: crate::clock::system(),
        queue_len_max: config.queue_len_max,
        refusal_days: config.refusal_days,
        refusals_per_second: config.refusals_per_second,
        connections_max: config.database_connections,
        alert_targets: config.alerts.targets.iter().map(|(name, _)| name.clone()).collect(),
    })
}

/// `text` as one segment of a path, or one value of a query.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn local_user() -> Actor {
    ops::local_actor(rustix::process::getuid().as_raw())
}

async fn connect(socket: &Path) -> Option<SendRequest<Body>> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // An error of the connection is the error of the request that runs on it, which says so itself.
    tokio::spawn(connection);
    Some(requests)
}

/// What one line of a long answer says: progress, or (as an answer) how it ended.
fn told(line: &[u8], progress: &mut impl FnMut(u64, u64)) -> Option<Answer> {
    let mut line: Value = serde_json::from_slice(line).ok()?;
    if let (Some(done), Some(total)) = (line["progress"]["done"].as_u64(), line["progress"]["total"].as_u64()) {
        progress(done, total);
        return None;
    }
    match (line["report"].take(), line["problem"].take()) {
        (Value::Null, Value::Null) => None,
        (Value::Null, problem) => {
            let status = problem["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
            Some(Answer { status, json: problem })
        }
        (report, _) => Some(Answer { status: 200, json: report }),
    }
}

/// The connection ended before the answer did.
struct Cut;

/// Why the operator API gave no answer.
#[derive(Debug)]
pub enum DoorError {
    /// No server listens, and the database did not open here; nothing happened.
    Unopened {
        /// The database.
        url: DatabaseUrl,
        /// Why.
        error: OpenError,
    },
    /// A server owns the database that this process wanted to serve; nothing happened.
    Served {
        /// The database.
        url: DatabaseUrl,
        /// What that server wrote about itself.
        owner: String,
    },
    /// The server went away; nothing that was asked for moves money, so asking again is safe.
    Lost,
    /// The server went away while it was moving money under that key, which may have happened.
    OutcomeUnknown {
        /// The idempotency key.
        key: String,
    },
    /// Long work ended without its report, which proves nothing.
    CutOff,
}

impl DoorError {
    fn lost(key: Option<&str>) -> DoorError {
        match key {
            Some(key) => DoorError::OutcomeUnknown { key: key.to_owned() },
            None => DoorError::Lost,
        }
    }

    /// The stable name that programs read.
    pub fn slug(&self) -> &'static str {
        match self {
            DoorError::Unopened { error: OpenError::Missing, .. } => "no_database",
            DoorError::Unopened { error: OpenError::Owned { .. }, .. } | DoorError::Served { .. } => "database_in_use",
            DoorError::Unopened { error: OpenError::Moved { .. }, .. } => "ledger_moved",
            DoorError::Unopened { error: OpenError::Arriving { .. }, .. } => "move_unfinished",
            DoorError::Unopened {
                error: OpenError::Foreign | OpenError::Newer { .. } | OpenError::Damaged(_) | OpenError::Io(_),
                ..
            } => "database_unusable",
            DoorError::Lost | DoorError::CutOff => "server_lost",
            DoorError::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }
}

impl fmt::Display for DoorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DoorError::Unopened { url, error: OpenError::Missing } => write!(
                f,
                "There is no database at {url}; `sodu account open` or `sodu serve` makes one, --database names another."
            ),
            DoorError::Unopened { url, error: OpenError::Owned { owner } } => write!(
                f,
                "The database {url} is in use by {owner}, which does not answer on its socket; if it is starting or \
                 stopping, try again in a moment."
            ),
            DoorError::Served { url, owner } => write!(
                f,
                "The database {url} is served by {owner} already; one process owns a database at a time. Stop that one, \
                 or name another database with --database. Nothing was changed."
            ),
            DoorError::Unopened { url, error } => write!(f, "The database {url} cannot be opened: {error}."),
            DoorError::Lost => f.write_str("The server went away before it answered; try again."),
            DoorError::OutcomeUnknown { key } => write!(
                f,
                "The server went away before it answered, so it may have happened. Repeat the same command with \
                 --idempotency-key {key}: it is done once, whatever happened now."
            ),
            DoorError::CutOff => {
                f.write_str("The server went away before it reported; this proves nothing, try again.")
            }
        }
    }
}

impl std::error::Error for DoorError {}
