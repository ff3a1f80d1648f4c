//! A PostgreSQL database that a move has to itself, on one session: what it may be used for, its marks, and what it holds to
//! be taken along.
//!
//! The lock that keeps every node away lives and dies with the session (see `own`). Everything here is done on it, so that
//! nothing can be done without the lock.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use ledger::{AccountId, Entry};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Row;

use super::rows::{self, entry_columns};
use super::session::{Connector, Error, Session, unproven};
use super::{own, schema, verify};
use crate::moving::marks::{self, Mark};
use crate::moving::tables::{Cell, Kind, Table};
use crate::moving::{Figures, MoveError, Side};
use crate::{Against, OpenError, PostgresUrl, Progress, VerifyReport};

/// Rows read at a time.
const PAGE_LEN: usize = 4096;

/// How long a server may take over the first words.
const PATIENCE: Duration = Duration::from_secs(20);

const ENTRIES: &str =
    concat!("SELECT ", entry_columns!(), " FROM entries e ORDER BY e.recorded_at, e.account, e.number");

/// What tells one database of one server from every other.
const IDENTITY: &str = "SELECT oid::text || ' ' || datname || ' ' || pg_postmaster_start_time()::text FROM pg_database \
    WHERE datname = current_database()";

const IS_EMPTY: &str = "SELECT NOT (EXISTS (SELECT FROM entries) OR EXISTS (SELECT FROM accounts) \
    OR EXISTS (SELECT FROM operators) OR EXISTS (SELECT FROM audit))";

const ADD: &str = "INSERT INTO moves (number, way, peer, begun_at) \
    SELECT coalesce(max(number), 0) + 1, $1, $2, $3 FROM moves";

const NOTE: &str =
    "UPDATE moves SET accounts = $1, entries = $2, root = $3 WHERE number = (SELECT max(number) FROM moves)";

const END: &str = "UPDATE moves SET ended_at = $1 WHERE number = (SELECT max(number) FROM moves)";

/// No program that does not look for marks may write either, whatever version it is of.
const BAR: &str = "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA sodu FROM CURRENT_USER";

/// The database, until this is dropped.
pub(crate) struct Remote {
    runtime: Runtime,
    pub(super) session: Session,
    side: Side,
}

impl Remote {
    /// Connects, and no more.
    pub(crate) fn connect(url: &PostgresUrl, side: Side) -> Result<Remote, OpenError> {
        let io = |error: std::io::Error| OpenError::Io(format!("cannot start what talks to PostgreSQL: {error}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(io)?;
        let connector = Connector::new(url.clone()).map_err(OpenError::Io)?;
        let session = runtime.block_on(async {
            let made = tokio::time::timeout(PATIENCE, connector.session_to_move()).await;
            made.unwrap_or_else(|_| Err(Error::Unreachable("it does not answer".into())))
        });
        Ok(Remote { session: session?, runtime, side })
    }

    /// Has it alone from here on; a target gets its schema.
    pub(crate) fn take(&self) -> Result<(), OpenError> {
        let Remote { runtime, session, side } = self;
        let taken = || runtime.block_on(own::alone(session)).map_err(OpenError::from);
        crate::moving::patiently(|| taken()?.map_err(|owner| OpenError::Owned { owner }))?;
        runtime.block_on(schema::ready(session, *side == Side::Target)).map(drop)
    }

    /// Whether another one is this very database, however its URL is written.
    pub(crate) fn is_same(&self, other: &Remote) -> Result<bool, MoveError> {
        let identity = |of: &Remote| {
            of.wait(async {
                let row = of.session.row(IDENTITY, &[]).await?;
                Ok(row.map(|row| row.try_get::<_, String>(0)).transpose()?)
            })
        };
        Ok(identity(self)? == identity(other)?)
    }

    pub(crate) fn mark(&self) -> Result<Option<Mark>, MoveError> {
        self.wait(own::mark(&self.session))
    }

    /// Whether nothing was ever done here.
    pub(crate) fn is_empty(&self) -> Result<bool, MoveError> {
        self.wait(async { Ok(self.session.row(IS_EMPTY, &[]).await?.map_or(Ok(false), |row| row.try_get(0))?) })
    }

    /// Marks it as one whose ledger is on its way in.
    pub(crate) fn begin_arrival(&self, from: &str, at: &str) -> Result<(), MoveError> {
        self.in_one(async |session| {
            session.say(&format!("CREATE TABLE IF NOT EXISTS {}", marks::TABLE)).await?;
            session.execute(ADD, &[&marks::FROM, &from, &at]).await.map(drop)
        })
    }

    /// Keeps what has arrived, whole and proven.
    pub(crate) fn note(&self, figures: Figures) -> Result<(), MoveError> {
        self.in_one(async |session| note(session, figures).await)
    }

    /// Marks it as one whose ledger went to `to`, and takes every right to write from its own user.
    pub(crate) fn leave(&self, to: &str, figures: Figures, at: &str) -> Result<(), MoveError> {
        self.in_one(async |session| {
            session.say(&format!("CREATE TABLE IF NOT EXISTS {}", marks::TABLE)).await?;
            session.execute(ADD, &[&marks::TO, &to, &at]).await?;
            note(session, figures).await?;
            session.execute(END, &[&at]).await?;
            session.say(BAR).await
        })
    }

    /// From here on it may be used.
    pub(crate) fn end_arrival(&self, at: &str) -> Result<(), MoveError> {
        self.in_one(async |session| session.execute(END, &[&at]).await.map(drop))
    }

    pub(crate) fn verify(&self, told: &mut (dyn FnMut(Progress) + Send)) -> Result<VerifyReport, MoveError> {
        self.wait(verify::verify(&self.session, Against::default(), told))
    }

    /// All entries in the order of the times at which they were written, some at a time.
    pub(crate) fn entries(&self, each: &mut dyn FnMut(Vec<Entry>) -> Result<(), MoveError>) -> Result<(), MoveError> {
        self.stream(ENTRIES, rows::entry, each)
    }

    /// The accounts that are watched.
    pub(crate) fn watched(&self) -> Result<Vec<AccountId>, MoveError> {
        let mut all = Vec::new();
        let sql = "SELECT id FROM accounts WHERE metered OR ruled";
        self.stream(sql, |row| rows::id_at(row, 0), &mut |mut ids| {
            all.append(&mut ids);
            Ok(())
        })?;
        Ok(all)
    }

    /// All rows of a table in their order, some at a time.
    pub(crate) fn rows(
        &self,
        table: &Table,
        each: &mut dyn FnMut(Vec<Vec<Cell>>) -> Result<(), MoveError>,
    ) -> Result<(), MoveError> {
        let columns: Vec<String> = table.columns.iter().map(|(name, kind)| read_as(name, *kind)).collect();
        let sql = format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), table.name, table.order);
        let cells = |row: &Row| {
            let cells = table.columns.iter().enumerate().map(|(at, (_, kind))| cell(row, at, *kind));
            cells.collect::<Result<Vec<Cell>, Error>>()
        };
        self.stream(&sql, cells, each)
    }

    /// The rows of a statement as they come. The server waits while nobody reads on.
    pub(super) fn stream<T>(
        &self,
        sql: &str,
        read: impl Fn(&Row) -> Result<T, Error>,
        each: &mut dyn FnMut(Vec<T>) -> Result<(), MoveError>,
    ) -> Result<(), MoveError> {
        let mut rows = pin!(self.wait(self.session.stream(sql))?);
        loop {
            let page: Vec<Row> = self.wait(async { Ok(rows.as_mut().take(PAGE_LEN).try_collect().await?) })?;
            let is_last = page.len() < PAGE_LEN;
            let read: Result<Vec<T>, Error> = page.iter().map(&read).collect();
            each(read.map_err(|error| self.failed(&error))?)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// One transaction, which is durable when this returns.
    pub(super) fn in_one(&self, work: impl AsyncFnOnce(&Session) -> Result<(), Error>) -> Result<(), MoveError> {
        self.wait(async {
            self.session.say("BEGIN").await?;
            work(&self.session).await?;
            commit(&self.session).await
        })
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, MoveError> {
        self.runtime.block_on(work).map_err(|error| self.failed(&error))
    }

    pub(super) fn failed(&self, error: &Error) -> MoveError {
        MoveError::Failed { side: self.side, why: error.to_string() }
    }
}

/// Commits; a warning with it says that it may not have reached the standbys.
pub(super) async fn commit(session: &Session) -> Result<(), Error> {
    let warnings = session.warnings();
    session.say("COMMIT").await?;
    if session.warnings() == warnings { Ok(()) } else { Err(unproven()) }
}

async fn note(session: &Session, figures: Figures) -> Result<(), Error> {
    let Figures { accounts, entries, root } = figures;
    let root = marks::hex(root);
    session.execute(NOTE, &[&marks::count(accounts), &marks::count(entries), &root]).await.map(drop)
}

fn read_as(name: &str, kind: Kind) -> String {
    match kind {
        Kind::Big | Kind::Int | Kind::Small => format!("{name}::int8"),
        Kind::Flag => format!("{name}::int4::int8"),
        Kind::Text | Kind::Bytes => name.to_owned(),
    }
}

fn cell(row: &Row, at: usize, kind: Kind) -> Result<Cell, Error> {
    let cell = match kind {
        Kind::Big | Kind::Int | Kind::Small | Kind::Flag => row.try_get::<_, Option<i64>>(at)?.map(Cell::Number),
        Kind::Text => row.try_get::<_, Option<String>>(at)?.map(Cell::Text),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Cell::Bytes),
    };
    Ok(cell.unwrap_or(Cell::Null))
}
