//! One connection to the primary: how it is made, the statements it knows, and what it heard by the way.
//!
//! Statements are sent as their futures are first polled, and the server carries them out in that order: several of them
//! joined cost one round trip.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::{BoxFuture, join_all, select_ok};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Row, RowStream, Statement};

use super::own;
use super::tls::Tls;
use super::url::{PostgresUrl, Protection};
use crate::OpenError;

/// The parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How long a server may take until it can be asked something, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What every session begins with. A node that is paused inside a transaction gives its accounts up after the idle
/// timeout; no statement waits for ever; and a server whose default would acknowledge what is not durable is overruled.
const SETTINGS: &str = "SET search_path = sodu, pg_catalog; SET default_transaction_isolation = 'read committed'; \
    SET client_min_messages = warning; SET idle_in_transaction_session_timeout = '4s'; SET statement_timeout = '4s'; \
    SET lock_timeout = '1s'; SET default_transaction_read_only = off; \
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// What a move changes of that: it goes on for as long as there is something to take along, and sorts all of it.
const TO_MOVE: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'; \
    SET work_mem = '64MB'";

/// Whether commits wait for standbys.
pub(super) const STANDBYS: &str = "SELECT current_setting('synchronous_standby_names') <> ''";

/// What commits something where nothing was written: it waits for the standbys as every commit does, so that what was read
/// before it is durable when it returns.
pub(super) const MARK: &str = "SELECT pg_logical_emit_message(true, 'sodu', '')";

/// What a warning with a commit means.
pub(super) fn unproven() -> Error {
    Error::Unreachable("a commit came with a warning: it may not have reached the standbys".into())
}

/// Why something could not be done in the database.
#[derive(Debug)]
pub(super) enum Error {
    /// The server or the way to it; what it says.
    Db(tokio_postgres::Error),
    /// What a row says is impossible.
    Damage(String),
    /// No connection could be made; a sentence.
    Unreachable(String),
    /// The ledger is being moved, or is elsewhere.
    Barred(OpenError),
}

impl Error {
    /// Whether the transaction lost against another one, and the same again may go well.
    pub(super) fn is_conflict(&self) -> bool {
        let lost = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        matches!(self, Error::Db(error) if error.code().is_some_and(|code| lost.contains(code)))
    }

    /// Whether a lock that others hold was not to be had in time; nothing happened.
    pub(super) fn is_locked_out(&self) -> bool {
        matches!(self, Error::Db(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// Whether the connection is of no use any more: it is gone, or its server takes no writes.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Error::Db(error) => match error.code() {
                // Class 08: connection exceptions; 57P: the server shuts down; 25006: it became a standby.
                Some(code) => {
                    code.code().starts_with("08")
                        || code.code().starts_with("57P")
                        || code.code() == "25006"
                        || code.code() == "25P03"
                }
                None => {
                    error.is_closed()
                        || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
                }
            },
            Error::Unreachable(_) | Error::Barred(_) => true,
            Error::Damage(_) => false,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Error {
        Error::Db(error)
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> OpenError {
        match error {
            Error::Barred(bar) => bar,
            Error::Db(_) | Error::Damage(_) | Error::Unreachable(_) => OpenError::Io(error.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The server's message alone; its detail may repeat a row.
            Error::Db(error) => match error.as_db_error() {
                Some(said) => write!(f, "{} ({})", said.message(), said.code().code()),
                None => match std::error::Error::source(error) {
                    Some(cause) => write!(f, "{error}: {cause}"),
                    None => error.fmt(f),
                },
            },
            Error::Damage(what) | Error::Unreachable(what) => f.write_str(what),
            Error::Barred(bar) => bar.fmt(f),
        }
    }
}

/// Makes sessions.
pub(super) struct Connector {
    url: PostgresUrl,
    tls: Option<Tls>,
}

impl Connector {
    /// Errors are sentences.
    pub(super) fn new(url: PostgresUrl) -> Result<Connector, String> {
        let tls = match url.protection() {
            Protection::Plain => None,
            Protection::Tls { roots } => Some(Tls::new(roots.as_deref())?),
        };
        Ok(Connector { url, tls })
    }

    /// A session of a node with whichever of the servers takes writes, if the ledger is there.
    pub(super) async fn session(&self) -> Result<Session, Error> {
        let session = self.connect().await?;
        let answer = session.client.simple_query(&format!("{SETTINGS}; {}", own::SHARE)).await?;
        own::bar(&session, &answer).await?.map_or(Ok(session), |bar| Err(Error::Barred(bar)))
    }

    /// A session of a move, which no node may have beside it: see [`own::alone`].
    pub(super) async fn session_to_move(&self) -> Result<Session, Error> {
        let session = self.connect().await?;
        session.say(SETTINGS).await?;
        session.say(TO_MOVE).await?;
        Ok(session)
    }

    /// Asks all servers at once: one whose connections are taken by a machine on which nothing answers any more, as those of a
    /// paused one are, keeps nobody from the others.
    async fn connect(&self) -> Result<Session, Error> {
        let servers = self.url.servers().map_err(Error::Unreachable)?;
        let sessions = servers.into_iter().map(|server| Box::pin(self.connect_in_time(server)));
        select_ok(sessions).await.map(|(session, _)| session)
    }

    /// The driver's own limit ends with the TCP connection; this one covers all up to the server's first answer.
    async fn connect_in_time(&self, config: Config) -> Result<Session, Error> {
        let time_max = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        let silent = || Error::Unreachable("a server took the connection and then said nothing".into());
        timeout(time_max, self.connect_to(config)).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn connect_to(&self, mut config: Config) -> Result<Session, Error> {
        if config.get_application_name().is_none() {
            config.application_name("sodu");
        }
        // A server that went away without a word is noticed within seconds.
        config.keepalives(true).keepalives_idle(Duration::from_secs(5)).keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(10));
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        match &self.tls {
            Some(tls) => {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok(Session::new(client, connection))
            }
            None => plain(&config).await,
        }
    }
}

async fn plain(config: &Config) -> Result<Session, Error> {
    let mut config = config.clone();
    config.ssl_mode(tokio_postgres::config::SslMode::Disable);
    let (client, connection) = config.connect(NoTls).await?;
    Ok(Session::new(client, connection))
}

/// A connection that takes writes.
pub(super) struct Session {
    pub(super) client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    /// How many warnings the server sent.
    warnings: Arc<AtomicU64>,
}

impl Session {
    fn new<S, T>(client: Client, connection: Connection<S, T>) -> Session
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let warnings = Arc::new(AtomicU64::new(0));
        tokio::spawn(drive(connection, Arc::clone(&warnings)));
        Session { client, statements: Mutex::default(), warnings }
    }

    /// Has the server know these statements, so that those of one round trip are sent in their order.
    pub(super) async fn know(&self, sql: &[&'static str]) -> Result<(), Error> {
        let new = sql.iter().copied().filter(|sql| !self.statements().contains_key(sql));
        let prepared = join_all(new.map(async |sql| (sql, self.client.prepare(sql).await))).await;
        for (sql, statement) in prepared {
            self.statements().insert(sql, statement?);
        }
        Ok(())
    }

    /// The rows of a statement.
    pub(super) async fn rows(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        let rows = self.client.query_raw(&statement, params.iter().map(|param| Hidden(*param))).await?;
        Ok(rows.try_collect().await?)
    }

    /// The row of a statement, if it has one.
    pub(super) async fn row(&self, sql: &'static str, params: Params<'_>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// The rows of a statement as they come, however many there are.
    pub(super) async fn stream(&self, sql: &str) -> Result<RowStream, Error> {
        let none: [Hidden<'_>; 0] = [];
        Ok(self.client.query_raw(sql, none).await?)
    }

    /// Carries a statement out that is made for the occasion; how many rows it touched.
    pub(super) async fn write(&self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        Ok(self.client.execute_raw(sql, params.iter().map(|param| Hidden(*param))).await?)
    }

    /// Carries a statement out; how many rows it touched.
    pub(super) async fn execute(&self, sql: &'static str, params: Params<'_>) -> Result<u64, Error> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute_raw(&statement, params.iter().map(|param| Hidden(*param))).await?)
    }

    /// Commands without parameters and rows, such as BEGIN.
    pub(super) async fn say(&self, sql: &str) -> Result<(), Error> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// How many warnings came so far: one that comes with a COMMIT says that it may not be replicated.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Acquire)
    }

    /// Where commits wait for standbys, makes one: whoever is no primary any more cannot, and what was read before it is
    /// durable.
    pub(super) async fn prove_primary(&self) -> Result<(), Error> {
        let has_standbys = self.row(STANDBYS, &[]).await?.map_or(Ok(false), |row| row.try_get(0))?;
        if !has_standbys {
            return Ok(());
        }
        let warnings = self.warnings();
        self.execute(MARK, &[]).await?;
        if self.warnings() == warnings { Ok(()) } else { Err(unproven()) }
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements().insert(sql, statement.clone());
        Ok(statement)
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has statements carried out in their order, all of them sent before the first answer.
///
/// Where one cannot even be sent, those behind it are not sent either: a COMMIT never follows a write that is missing.
pub(super) async fn in_order<T>(
    mut sent: Vec<BoxFuture<'_, Result<T, Error>>>,
) -> Result<Vec<Result<T, Error>>, Error> {
    let mut answers: Vec<Option<Result<T, Error>>> = Vec::new();
    answers.resize_with(sent.len(), || None);
    let mut is_first_look = true;
    poll_fn(|cx| {
        for (statement, answer) in sent.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(result) = statement.as_mut().poll(cx) {
                let is_unsent = is_first_look && result.is_err();
                *answer = Some(result);
                if is_unsent {
                    return Poll::Ready(());
                }
            }
        }
        is_first_look = false;
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    if is_first_look {
        let unsent = answers.into_iter().flatten().find_map(Result::err);
        return unsent.map_or_else(|| Ok(Vec::new()), Err);
    }
    Ok(answers.into_iter().flatten().collect())
}

/// A parameter that does not show itself: the library would tell keys and digests to a log that is fine enough.
struct Hidden<'a>(&'a (dyn ToSql + Sync));

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Hidden<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql_checked(ty, out)
    }

    fn accepts(_: &Type) -> bool {
        // Asked of the value itself, above.
        true
    }

    to_sql_checked!();
}

/// Moves bytes between the connection and whoever waits for them, and counts warnings: a message comes to notice here
/// before the answer that follows it reaches its caller.
async fn drive<S, T>(mut connection: Connection<S, T>, warnings: Arc<AtomicU64>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                tracing::warn!(message = notice.message(), severity = notice.severity(), "PostgreSQL says");
                warnings.fetch_add(1, Ordering::Release);
            }
            Some(Ok(_)) => {}
            // Whoever waits for an answer hears of it there.
            Some(Err(_)) | None => return,
        }
    }
}
