//! A file of the embedded engine that a move has to itself: what it may be used for, its marks, and what it holds to be taken
//! along.

use ledger::AccountId;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::marks::{self, Mark};
use super::tables::{Cell, Kind, Table};
use super::{Figures, MoveError, Side, Told};
use crate::own::{self, Owned};
use crate::rows::{self, Stored};
use crate::{Against, OpenError, SqliteUrl, VerifyReport, schema, verify};

/// Rows read at a time.
const PAGE_LEN: i64 = 4096;

/// The file, owned until this is dropped.
pub(super) struct File {
    pub(super) db: Connection,
    side: Side,
    _owned: Owned,
}

impl File {
    /// Takes the file; `side` is what it is to this move.
    pub(super) fn open(url: &SqliteUrl, side: Side) -> Result<File, OpenError> {
        match side {
            Side::Source if !url.path.exists() => return Err(OpenError::Missing),
            Side::Source => {}
            Side::Target => schema::create_folder(&url.path)?,
        }
        let owned = super::patiently(|| own::take(&url.beside(".lock")))?;
        if side == Side::Target && !url.path.exists() {
            schema::create_file(&url.path)?;
        }
        let db = schema::open_to_move(&url.path)?;
        // What a killed server left in the log may not be durable yet; what is taken along and acknowledged has to be.
        schema::settle(&db).map_err(|error| schema::unsettled(&error))?;
        Ok(File { db, side, _owned: owned })
    }

    /// What the last move left as its mark.
    pub(super) fn mark(&self) -> Result<Option<Mark>, MoveError> {
        last_mark(&self.db).map_err(|error| self.failed(&error))
    }

    /// Whether nothing was ever done here.
    pub(super) fn is_empty(&self) -> Result<bool, MoveError> {
        let sql = "SELECT NOT (EXISTS (SELECT 1 FROM entries) OR EXISTS (SELECT 1 FROM accounts) \
                   OR EXISTS (SELECT 1 FROM operators) OR EXISTS (SELECT 1 FROM audit))";
        self.db.query_row(sql, [], |row| row.get(0)).map_err(|error| self.failed(&error))
    }

    /// Marks it as one whose ledger is on its way in.
    pub(super) fn begin_arrival(&self, from: &str, at: &str) -> Result<(), MoveError> {
        self.in_one(|db| {
            db.execute_batch(&format!("CREATE TABLE IF NOT EXISTS {}", marks::TABLE))?;
            db.execute(ADD, params![marks::FROM, from, at])?;
            schema::bar(db)
        })
    }

    /// Keeps what has arrived, whole and proven.
    pub(super) fn note(&self, figures: Figures) -> Result<(), MoveError> {
        let Figures { accounts, entries, root } = figures;
        let (accounts, entries, root) = (marks::count(accounts), marks::count(entries), marks::hex(root));
        self.in_one(|db| db.execute(NOTE, params![accounts, entries, root]).map(drop))
    }

    /// Marks it as one whose ledger went to `to`.
    pub(super) fn leave(&self, to: &str, figures: Figures, at: &str) -> Result<(), MoveError> {
        let Figures { accounts, entries, root } = figures;
        self.in_one(|db| {
            db.execute_batch(&format!("CREATE TABLE IF NOT EXISTS {}", marks::TABLE))?;
            db.execute(ADD, params![marks::TO, to, at])?;
            db.execute(NOTE, params![marks::count(accounts), marks::count(entries), marks::hex(root)])?;
            db.execute(END, [at])?;
            schema::bar(db)
        })
    }

    /// From here on it may be used.
    pub(super) fn end_arrival(&self, at: &str) -> Result<(), MoveError> {
        self.in_one(|db| {
            db.execute(END, [at])?;
            schema::unbar(db)
        })
    }

    pub(super) fn verify(&self, told: Told<'_>) -> Result<VerifyReport, MoveError> {
        verify::verify(&self.db, Against::default(), told).map_err(|error| self.failed(&error))
    }

    /// All entries in their order, some at a time.
    pub(super) fn entries(
        &self,
        each: &mut dyn FnMut(Vec<ledger::Entry>) -> Result<(), MoveError>,
    ) -> Result<(), MoveError> {
        let mut after = 0;
        loop {
            let page = self.page(after).map_err(|error| self.failed(&error))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.row;
            each(page.into_iter().map(|stored| stored.entry).collect())?;
        }
    }

    pub(super) fn page(&self, after: i64) -> rusqlite::Result<Vec<Stored>> {
        let sql = format!("SELECT {} FROM entries WHERE id > ?1 ORDER BY id LIMIT {PAGE_LEN}", rows::ENTRY);
        self.db.prepare_cached(&sql)?.query_map([after], rows::entry)?.collect()
    }

    /// The accounts that are watched.
    pub(super) fn watched(&self) -> Result<Vec<AccountId>, MoveError> {
        let ids = || -> rusqlite::Result<Vec<Option<AccountId>>> {
            let mut select = self.db.prepare("SELECT id FROM accounts WHERE watch IS NOT NULL")?;
            select.query_map([], |row| row.get(0).map(AccountId::new))?.collect()
        };
        Ok(ids().map_err(|error| self.failed(&error))?.into_iter().flatten().collect())
    }

    /// All rows of a table in their order, some at a time.
    pub(super) fn rows(
        &self,
        table: &Table,
        each: &mut dyn FnMut(Vec<Vec<Cell>>) -> Result<(), MoveError>,
    ) -> Result<(), MoveError> {
        let sql = format!("SELECT {} FROM {} ORDER BY {}", table.names(), table.name, table.order);
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut select = self.db.prepare(&sql).map_err(failed)?;
        let mut found = select.query([]).map_err(failed)?;
        let mut some = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let cells = table.columns.iter().enumerate().map(|(at, (_, kind))| cell(row.get_ref(at)?, *kind));
            some.push(cells.collect::<rusqlite::Result<Vec<Cell>>>().map_err(failed)?);
            if some.len() == usize::try_from(PAGE_LEN).unwrap_or(usize::MAX) {
                each(std::mem::take(&mut some))?;
            }
        }
        each(some)
    }

    /// One transaction.
    pub(super) fn in_one<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, MoveError> {
        let done = || {
            let transaction = self.db.unchecked_transaction()?;
            let done = work(&self.db)?;
            transaction.commit()?;
            Ok(done)
        };
        done().map_err(|error: rusqlite::Error| self.failed(&error))
    }

    pub(super) fn failed(&self, error: &rusqlite::Error) -> MoveError {
        MoveError::Failed { side: self.side, why: rows::said(error) }
    }
}

const ADD: &str =
    "INSERT INTO moves (number, way, peer, begun_at) SELECT ifnull(max(number), 0) + 1, ?1, ?2, ?3 FROM moves";

const NOTE: &str =
    "UPDATE moves SET accounts = ?1, entries = ?2, root = ?3 WHERE number = (SELECT max(number) FROM moves)";

const END: &str = "UPDATE moves SET ended_at = ?1 WHERE number = (SELECT max(number) FROM moves)";

/// What the last move of a file left as its mark.
pub(crate) fn last_mark(db: &Connection) -> rusqlite::Result<Option<Mark>> {
    let is_there = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'moves')";
    if !db.query_row(is_there, [], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let mark = |row: &rusqlite::Row<'_>| {
        Ok(Mark {
            way: row.get(0)?,
            peer: row.get(1)?,
            begun_at: row.get(2)?,
            ended_at: row.get(3)?,
            figures: marks::figures(row.get(4)?, row.get(5)?, row.get::<_, Option<String>>(6)?.as_deref()),
        })
    };
    db.query_row(marks::LAST, [], mark).optional()
}

fn cell(value: ValueRef<'_>, kind: Kind) -> rusqlite::Result<Cell> {
    Ok(match (value, kind) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(number), Kind::Big | Kind::Int | Kind::Small | Kind::Flag) => Cell::Number(number),
        (ValueRef::Blob(bytes), Kind::Bytes) => Cell::Bytes(bytes.to_vec()),
        (ValueRef::Text(_), Kind::Text) => Cell::Text(value.as_str()?.to_owned()),
        (ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_), _) => {
            return Err(rows::damage("a column holds what it cannot".into()));
        }
    })
}
