//! What follows behind the commits: account rows and the index of keys.
//!
//! A commit only appends entries. Rewriting the touched account rows and the random pages of a key index in each commit
//! would cost more than the entries themselves, so both are gathered in memory until a generation is full, then written
//! in their own order, a bounded piece with each further commit. Until a generation is wholly on disk, the watermark stays
//! below it, and a start replays the entries above the watermark. A generation's length bounds that replay.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use crate::memory::Accounts;

/// How many rows of the log a generation takes. Two generations at most are unwritten, and replaying them takes well
/// under a second.
const GENERATION_LEN: usize = 128 * 1024;

/// The least number of rows that a commit writes, once there are any to write: fewer would rewrite the same page again
/// and again.
const PIECE_LEN_MIN: usize = 64;

/// The unwritten part of the derived tables.
pub(crate) struct Follower {
    active: Generation,
    writing: Option<Writing>,
}

#[derive(Default)]
struct Generation {
    /// Key fingerprints and their rows.
    keys: HashMap<u128, i64>,
    /// Slots of accounts with entries.
    touched: HashSet<u32>,
    /// Rows of the log that it covers: what a start has to replay.
    rows: usize,
}

/// A full generation on its way to disk; its keys are found here until the last of them is written.
struct Writing {
    /// Everything up to this row is on disk when it is done.
    upto: i64,
    found: HashMap<u128, i64>,
    keys: Vec<(u128, i64)>,
    accounts: Vec<u32>,
    /// How many of each are durable.
    keys_done: usize,
    accounts_done: usize,
}

/// What a commit has written of the generation; counted only once the commit is durable.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    keys: usize,
    accounts: usize,
}

impl Follower {
    pub(crate) fn new() -> Follower {
        Follower { active: Generation::default(), writing: None }
    }

    /// Notes that the log grew by so many durable rows.
    pub(crate) fn note_rows(&mut self, rows: usize) {
        self.active.rows += rows;
    }

    /// Notes what a key did in a durable commit.
    pub(crate) fn note_key(&mut self, fingerprint: u128, row: i64) {
        self.active.keys.insert(fingerprint, row);
    }

    /// Notes that an account got an entry.
    pub(crate) fn note_account(&mut self, slot: u32) {
        self.active.touched.insert(slot);
    }

    /// The row that a key made: an entry's, or negative a refusal's.
    pub(crate) fn find_key(&self, db: &Connection, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        let unwritten =
            self.active.keys.get(&fingerprint).or_else(|| self.writing.as_ref()?.found.get(&fingerprint)).copied();
        if unwritten.is_some() {
            return Ok(unwritten);
        }
        db.prepare_cached("SELECT row FROM keys WHERE fingerprint = ?1")?
            .query_row([fingerprint.to_be_bytes()], |row| row.get(0))
            .optional()
    }

    /// Writes the next piece as part of the transaction under way, which appends `rows` rows to the log: more
    /// than it gathers, so that a generation is written before the next is full.
    pub(crate) fn write_piece(
        &self,
        db: &Connection,
        accounts: &Accounts,
        hashes: impl Fn(u32) -> (i64, [u8; 32]),
        rows: usize,
    ) -> rusqlite::Result<Written> {
        let Some(writing) = &self.writing else {
            return Ok(Written::default());
        };
        let piece = (rows * 2).max(PIECE_LEN_MIN);
        let keys = &writing.keys[writing.keys_done..];
        let keys = &keys[..piece.min(keys.len())];
        let mut insert = db.prepare_cached("INSERT OR REPLACE INTO keys (fingerprint, row) VALUES (?1, ?2)")?;
        for (fingerprint, row) in keys {
            insert.execute(params![fingerprint.to_be_bytes(), row])?;
        }
        let touched = &writing.accounts[writing.accounts_done..];
        let touched = &touched[..piece.min(touched.len())];
        let mut update = db.prepare_cached(
            "UPDATE accounts SET posted = ?2, held = ?3, credit_limit = ?4, status = ?5, number = ?6, entry = ?7, at = ?8, \
             hash = ?9 WHERE id = ?1",
        )?;
        for &slot in touched {
            let (figures, (at, hash)) = (accounts.figures(slot), hashes(slot));
            update.execute(params![
                accounts.id_of(slot).get(),
                figures.posted.units(),
                figures.held.units(),
                figures.credit_limit.units(),
                figures.status.code(),
                crate::rows::number(figures.number),
                figures.row,
                at,
                hash.as_slice()
            ])?;
        }
        let written = Written { keys: keys.len(), accounts: touched.len() };
        if writing.is_done_with(written) {
            db.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'watermark'")?.execute([writing.upto])?;
        }
        Ok(written)
    }

    /// Counts what a durable commit wrote, and starts the next generation where this one is full. `last_row` is the last
    /// row of that commit.
    pub(crate) fn committed(&mut self, written: Written, accounts: &Accounts, last_row: i64) {
        if let Some(writing) = &mut self.writing {
            if writing.is_done_with(written) {
                self.writing = None;
            } else {
                writing.keys_done += written.keys;
                writing.accounts_done += written.accounts;
            }
        }
        if self.writing.is_none() && self.active.rows >= GENERATION_LEN {
            let full = std::mem::take(&mut self.active);
            let mut keys: Vec<(u128, i64)> = full.keys.iter().map(|(&fingerprint, &row)| (fingerprint, row)).collect();
            keys.sort_unstable();
            let mut touched: Vec<u32> = full.touched.into_iter().collect();
            touched.sort_unstable_by_key(|&slot| accounts.id_of(slot));
            self.writing = Some(Writing {
                upto: last_row,
                found: full.keys,
                keys,
                accounts: touched,
                keys_done: 0,
                accounts_done: 0,
            });
        }
    }
}

impl Writing {
    fn is_done_with(&self, written: Written) -> bool {
        self.keys_done + written.keys == self.keys.len() && self.accounts_done + written.accounts == self.accounts.len()
    }
}
