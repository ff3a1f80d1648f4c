//! A ledger on its way into a file of the embedded engine: entries with what they lead to and the index of their keys, then
//! everything else in one transaction.
//!
//! A transaction of entries is whole in itself: its rows, a run of its keys, and the watermark above them. One that was cut
//! off left nothing, and what the next attempt has to know it reads from the rows that are there.

use std::collections::HashMap;

use ledger::{AccountId, Entry, Hash, Kind, Minor, Target, Time};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::file::File;
use super::tables::{ACCOUNTS, Cell, HOLDS, REFUSALS, Table};
use super::{Heads, MoveError};
use crate::digest::{Scope, fingerprint, settled};
use crate::keys::{Keys, Shape};
use crate::load;
use crate::rows::{self, Links, Settles, damage};
use crate::statement::{self, Last};

/// How many entries one transaction takes: about those of a run of keys as a running ledger writes them.
pub(super) const BATCH_LEN: usize = 64 * 1024;

/// How many entries a piece of merging takes at the end.
const PIECE: usize = 64 * 1024;

/// What an attempt before this one may have written besides the log and the audit trail, which only grow.
const CLEAR: &str = "BEGIN IMMEDIATE; DELETE FROM delivery_attempts; DELETE FROM deliveries; DELETE FROM alerts; \
    DELETE FROM alert_contacts; DELETE FROM alert_rules; DELETE FROM operators; DELETE FROM credentials; \
    DELETE FROM open_holds; DELETE FROM accounts; DELETE FROM currencies;";

/// A file with what has arrived in it.
pub(super) struct Arrival {
    file: File,
    log: Log,
}

/// What is there, as far as what comes next leads back to it.
struct Log {
    keys: Keys,
    /// The last row.
    row: i64,
    last_time: Time,
    heads: HashMap<AccountId, Head>,
    /// The row of each open hold, and what is left of it.
    holds: HashMap<Target, (i64, Minor)>,
    /// The row of each charge or capture that was refunded, and how much of it was.
    given: HashMap<Target, (i64, Minor)>,
}

/// An account's last entry.
struct Head {
    number: u64,
    row: i64,
    held: Minor,
    hash: Hash,
}

/// Keys and the rows that they made.
type Notes = Vec<(u128, i64)>;

impl Arrival {
    /// Goes on from what is there.
    pub(super) fn new(file: File) -> Result<Arrival, MoveError> {
        let keys = Keys::load(&file.db, Shape::REAL).map_err(|error| file.failed(&error))?;
        let (heads, holds, given) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut log = Log { keys, row: 0, last_time: Time::default(), heads, holds, given };
        let failed = |error: rusqlite::Error| file.failed(&error);
        loop {
            let page = file.page(log.row).map_err(failed)?;
            if page.is_empty() {
                break;
            }
            page.iter().for_each(|stored| log.learn(stored.row, &stored.entry, stored.links));
        }
        // An attempt that came as far as that has left refusals behind its entries.
        let end = file.db.query_row(&format!("SELECT {}", rows::LOG_END), [], |row| row.get(0)).map_err(failed)?;
        log.row = end;
        Ok(Arrival { file, log })
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// The accounts that are there, with the number and the hash of their last entries.
    pub(super) fn heads(&self) -> Heads {
        self.log.heads.iter().map(|(&id, head)| (id, (head.number, head.hash))).collect()
    }

    /// Appends entries, all of them or none.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), MoveError> {
        let Arrival { file, log } = self;
        file.in_one(|db| log.append(db, entries))
    }

    /// Begins the one transaction for everything besides entries.
    pub(super) fn begin_rest(&self) -> Result<(), MoveError> {
        self.file.db.execute_batch(CLEAR).map_err(|error| self.file.failed(&error))
    }

    /// Writes rows of a table in that transaction.
    pub(super) fn put(&mut self, table: &Table, cells: Vec<Vec<Cell>>) -> Result<(), MoveError> {
        let (db, log) = (&self.file.db, &mut self.log);
        let put = if table.name == ACCOUNTS.name {
            log.put_accounts(db, cells)
        } else if table.name == HOLDS.name {
            log.put_holds(db, cells)
        } else if table.name == REFUSALS.name {
            log.put_refusals(db, cells)
        } else {
            insert(db, table, cells)
        };
        put.map_err(|error| self.file.failed(&error))
    }

    /// Commits it, and brings the index of keys to rest.
    pub(super) fn end_rest(&mut self) -> Result<(), MoveError> {
        let Arrival { file, log } = self;
        log.end(&file.db).map_err(|error| file.failed(&error))?;
        while log.keys.has_work() {
            file.in_one(|db| log.keys.work(db, PIECE))?;
        }
        Ok(())
    }
}

impl Log {
    /// Takes in an entry that lies in `row`.
    fn learn(&mut self, row: i64, entry: &Entry, links: Links) {
        self.row = row;
        self.last_time = self.last_time.max(entry.recorded_at);
        let head = Head { number: entry.number, row, held: entry.held_after, hash: entry.hash };
        self.heads.insert(entry.account, head);
        if entry.kind == Kind::Hold {
            self.holds.insert(Target { account: entry.account, number: entry.number }, (row, entry.amount));
        }
        let (Some(target), Some(Settles { target_row, settled })) = (entry.target, links.settles) else { return };
        if entry.kind == Kind::Refund {
            self.given.insert(target, (target_row, settled));
        } else if settled == Minor::ZERO {
            self.holds.remove(&target);
        } else {
            self.holds.insert(target, (target_row, settled));
        }
    }

    fn append(&mut self, db: &Connection, entries: &[Entry]) -> rusqlite::Result<()> {
        let mut notes = Notes::new();
        let mut insert = rows::entry_insert(db)?;
        for entry in entries {
            let (row, links) = (self.row + 1, self.links(db, entry)?);
            rows::insert_entry(db, &mut insert, row, entry, links)?;
            if let Some(key) = &entry.key {
                notes.push((fingerprint(load::scope(entry), key), row));
            }
            if let Some(target) = rows::settles(entry, links) {
                notes.push((settled(target), row));
            }
            self.learn(row, entry, links);
        }
        self.keep(db, notes)
    }

    /// What an entry leads to, as the embedded engine keeps it beside each.
    fn links(&self, db: &Connection, entry: &Entry) -> rusqlite::Result<Links> {
        let wrong = |what: &str| damage(format!("account {} entry {}: {what}", entry.account, entry.number));
        let before = self.heads.get(&entry.account);
        let settles = match (entry.kind, entry.target) {
            (Kind::Extend | Kind::Capture | Kind::Void | Kind::Expire, Some(target)) => {
                let (target_row, left) = *self.holds.get(&target).ok_or_else(|| wrong("it names no open hold"))?;
                let released = before.and_then(|head| head.held.minus(entry.held_after));
                let settled = released.and_then(|released| left.minus(released));
                Some(Settles { target_row, settled: settled.ok_or_else(|| wrong("what it leaves is no figure"))? })
            }
            (Kind::Refund, Some(target)) => {
                let (target_row, given) = match self.given.get(&target) {
                    Some(known) => *known,
                    None => (self.row_of(db, target)?.ok_or_else(|| wrong("it names no charge"))?, Minor::ZERO),
                };
                let settled = given.plus(entry.amount).ok_or_else(|| wrong("what is given back is no figure"))?;
                Some(Settles { target_row, settled })
            }
            _ => None,
        };
        Ok(Links { previous: before.map_or(0, |head| head.row), settles })
    }

    fn row_of(&self, db: &Connection, target: Target) -> rusqlite::Result<Option<i64>> {
        let Some(head) = self.heads.get(&target.account) else { return Ok(None) };
        let last = Last { account: target.account, number: head.number, row: head.row };
        Ok(statement::stored(db, last, target.number)?.map(|stored| stored.row))
    }

    /// Writes a run of keys, and that everything up to the last row is there.
    fn keep(&mut self, db: &Connection, mut notes: Notes) -> rusqlite::Result<()> {
        notes.sort_unstable_by_key(|&(fingerprint, row)| (fingerprint, row.abs()));
        let len = notes.len();
        let mut run = self.keys.begin();
        for (at, &(fingerprint, row)) in notes.iter().enumerate() {
            // Of one that comes twice the last counts.
            if notes.get(at + 1).is_none_or(|next| next.0 != fingerprint) {
                run.push(db, fingerprint, row)?;
            }
        }
        self.keys.complete(db, run)?;
        self.keys.work(db, len * 2)?;
        let mut update = db.prepare_cached("UPDATE meta SET value = ?2 WHERE name = ?1")?;
        update.execute(("watermark", self.row))?;
        update.execute(("last_row", self.row))?;
        update.execute(("last_time", self.last_time.micros()))?;
        Ok(())
    }

    fn put_accounts(&self, db: &Connection, cells: Vec<Vec<Cell>>) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT INTO accounts ({}, watch, posted, held, credit_limit, status, number, entry, at, hash) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, posted, held, credit_limit, status, number, id, at, hash \
             FROM entries WHERE id = ?9",
            ACCOUNTS.names()
        );
        let mut insert = db.prepare_cached(&sql)?;
        for mut row in cells {
            let head = account(&row).and_then(|id| self.heads.get(&id));
            let head = head.ok_or_else(|| damage(format!("account {:?} has no entries", row.first())))?;
            row.push(Cell::Number(head.row));
            insert.execute(params_from_iter(row.into_iter().map(value)))?;
        }
        Ok(())
    }

    fn put_holds(&self, db: &Connection, cells: Vec<Vec<Cell>>) -> rusqlite::Result<()> {
        let sql = format!("INSERT INTO open_holds ({}, entry) VALUES (?1, ?2, ?3, ?4, ?5)", HOLDS.names());
        let mut insert = db.prepare_cached(&sql)?;
        for mut row in cells {
            let number = row.get(1).and_then(number).and_then(|number| u64::try_from(number).ok());
            let target = account(&row).zip(number).map(|(account, number)| Target { account, number });
            let hold = target.and_then(|target| self.holds.get(&target));
            let (entry, _) = hold.ok_or_else(|| damage(format!("open hold {row:?} has no entry")))?;
            row.push(Cell::Number(*entry));
            insert.execute(params_from_iter(row.into_iter().map(value)))?;
        }
        Ok(())
    }

    /// Refusals come after the entries; that of a key which moved something later is of no more use, and stays behind.
    fn put_refusals(&mut self, db: &Connection, cells: Vec<Vec<Cell>>) -> rusqlite::Result<()> {
        let sql = format!("INSERT INTO refusals ({}, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", REFUSALS.names());
        let mut notes = Notes::new();
        for mut row in cells {
            let key =
                row.get(1).and_then(|cell| if let Cell::Text(key) = cell { ledger::Key::new(key).ok() } else { None });
            let (Some(account), Some(key)) = (account(&row), key) else {
                return Err(damage("a refusal's account or key is not one".into()));
            };
            let fingerprint = fingerprint(Scope::Account(account), &key);
            let at = Time::from_micros(row.get(5).and_then(number).unwrap_or(0));
            self.last_time = self.last_time.max(at);
            let is_known = match self.keys.find(db, fingerprint)? {
                Some(refusal @ ..0) => rows::refusal_at(db, -refusal)?.is_some_and(|known| known.at == at),
                known => known.is_some(),
            };
            if is_known {
                continue;
            }
            self.row += 1;
            notes.push((fingerprint, -self.row));
            row.push(Cell::Number(self.row));
            db.prepare_cached(&sql)?.execute(params_from_iter(row.into_iter().map(value)))?;
        }
        self.keep(db, notes)
    }

    fn end(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let at: Option<i64> = db.query_row("SELECT max(at) FROM audit", [], |row| row.get(0))?;
        self.last_time = self.last_time.max(Time::from_micros(at.unwrap_or(0)));
        self.keep(db, Notes::new())?;
        // Whose times are in the order of their accounts only; see `verify`.
        db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('moved_in', ?1)", params![self.row])?;
        db.execute_batch("COMMIT")
    }
}

fn insert(db: &Connection, table: &Table, cells: Vec<Vec<Cell>>) -> rusqlite::Result<()> {
    let places: Vec<String> = (1..=table.columns.len()).map(|place| format!("?{place}")).collect();
    let insert = if table.only_grows { "INSERT OR IGNORE" } else { "INSERT" };
    let sql = format!("{insert} INTO {} ({}) VALUES ({})", table.name, table.names(), places.join(", "));
    let mut insert = db.prepare_cached(&sql)?;
    cells.into_iter().try_for_each(|row| insert.execute(params_from_iter(row.into_iter().map(value))).map(drop))
}

fn account(row: &[Cell]) -> Option<AccountId> {
    row.first().and_then(number).and_then(|id| u32::try_from(id).ok()).and_then(AccountId::new)
}

fn number(cell: &Cell) -> Option<i64> {
    if let Cell::Number(number) = cell { Some(*number) } else { None }
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Number(number) => Value::Integer(number),
        Cell::Text(text) => Value::Text(text),
        Cell::Bytes(bytes) => Value::Blob(bytes),
    }
}
