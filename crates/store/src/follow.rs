//! What follows behind the commits: account rows and the index of keys.
//!
//! A commit only appends entries. Rewriting the touched account rows and an index of keys in each commit would cost more
//! than the entries themselves, so both are gathered in memory until a generation is full, then written in their own order,
//! a bounded piece with each further commit. Until a generation is wholly on disk, the watermark stays below it, and a
//! start replays the entries above the watermark. A generation's length bounds that replay.
//!
//! What is noted here changes with the transaction that writes it; when one fails, all of it is dropped and loaded anew.

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use ledger::Time;
use rusqlite::{Connection, params};

use crate::generation::Generation;
use crate::keys::{Keys, RunWriter, Shape};
use crate::load::{self, Head};
use crate::memory::Accounts;
use crate::shared::Shared;
use crate::watch::{self, Watches};

/// The sizes of what follows; tests have smaller ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// How many rows of the log a generation takes. Two generations at most are unwritten, and replaying them takes well
    /// under a second.
    pub(crate) generation_len: usize,
    /// An end leaves so many rows to be replayed by the next start, a hundredth of a second's work, rather than write a
    /// run of keys for them: many short lives in a row would fill the index with small runs.
    pub(crate) left_at_end_max: usize,
    pub(crate) shape: Shape,
}

impl Sizes {
    const REAL: Sizes = Sizes { generation_len: 128 * 1024, left_at_end_max: 4096, shape: Shape::REAL };
}

/// Of everything that follows, so many are written for each row appended: more than one, so that a generation is written
/// before the next is full, and a level of runs merged before it is full again.
const PACE: usize = 2;

/// The least number of account rows that are written at a time. They lie side by side, some twenty to a page: written by
/// twos, with each lone commit, they would have each page rewritten ten times. This is every 32nd lone commit, which
/// then rewrites three pages where all accounts are in use, and what is replayed grows by 32 rows.
const ACCOUNTS_AT_ONCE: usize = 64;

/// How much one transaction writes of what is left at the end.
const END_PIECE: usize = 16 * 1024;

/// The entries that an end may merge: more would keep it waiting.
const MERGED_AT_END_MAX: i64 = 64 * 1024;

/// Entries merged in each level by a second's tick, so that an idle ledger comes to rest in few runs.
const IDLE_PACE: usize = 16 * 1024;

/// The derived tables and what they lack.
pub(crate) struct Follower {
    sizes: Sizes,
    active: Generation,
    writing: Option<Writing>,
    keys: Keys,
}

/// A full generation on its way to disk; its keys are found here until all of them are written.
struct Writing {
    /// Everything up to this row is on disk when it is done.
    upto: i64,
    generation: Generation,
    run: RunWriter,
    /// The share of keys that is being written, and how many of it are.
    sorted: Vec<(u128, i64)>,
    sorted_done: usize,
    next_share: usize,
    are_keys_done: bool,
    /// Account rows that may be written, and are not yet.
    accounts_due: usize,
    /// The first slot that is not written; none once all are.
    next_slot: Option<u32>,
}

/// Where account rows come from: what is published, and so durable.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) watches: &'a Mutex<Watches>,
    pub(crate) heads: &'a [Head],
    /// No durable row is later.
    pub(crate) last_time: Time,
}

impl<'a> Source<'a> {
    pub(crate) fn new(shared: &'a Shared, heads: &'a [Head]) -> Source<'a> {
        let last_time = Time::from_micros(shared.last_time.load(Ordering::Relaxed));
        Source { accounts: &shared.accounts, watches: &shared.watches, heads, last_time }
    }
}

impl Source<'_> {
    /// What a watched account used, as its row keeps it.
    fn watch(&self, slot: u32) -> Option<Vec<u8>> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.get(slot).map(|watch| watch::encode(&watch.usage))
    }
}

impl Follower {
    pub(crate) fn load(db: &Connection) -> rusqlite::Result<Follower> {
        Follower::load_with(db, Sizes::REAL)
    }

    fn load_with(db: &Connection, sizes: Sizes) -> rusqlite::Result<Follower> {
        Ok(Follower { sizes, active: Generation::new(), writing: None, keys: Keys::load(db, sizes.shape)? })
    }

    /// Notes what a key did in a durable commit.
    pub(crate) fn note_key(&mut self, fingerprint: u128, row: i64) {
        self.active.insert(fingerprint, row);
    }

    /// Notes that an account got an entry.
    pub(crate) fn note_account(&mut self, slot: u32) {
        self.active.touched.insert(slot);
    }

    /// Notes that the log grew by so many durable rows, up to `last_row`, and starts the next generation where this one is
    /// full.
    pub(crate) fn note_rows(&mut self, rows: usize, last_row: i64) {
        self.active.rows += rows;
        if self.active.rows >= self.sizes.generation_len {
            self.begin_writing(last_row);
        }
    }

    /// The row that a key made: an entry's, or negative a refusal's. That refusal may have been removed.
    pub(crate) fn find_key(&self, db: &Connection, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        match self.find_unwritten(fingerprint) {
            None => self.keys.find(db, fingerprint),
            found => Ok(found),
        }
    }

    /// The same, among the rows above the watermark.
    pub(crate) fn find_unwritten(&self, fingerprint: u128) -> Option<i64> {
        self.active.find(fingerprint).or_else(|| self.writing.as_ref()?.generation.find(fingerprint))
    }

    /// Has the processor fetch what finding that key takes first.
    pub(crate) fn approach_key(&self, fingerprint: u128) {
        std::hint::black_box(self.find_unwritten(fingerprint));
        self.keys.approach(fingerprint);
    }

    /// Writes the next piece as part of the transaction under way, which appends `rows` rows to the log.
    pub(crate) fn write_piece(&mut self, db: &Connection, source: Source<'_>, rows: usize) -> rusqlite::Result<()> {
        self.write(db, source, rows * PACE)?;
        self.keys.work(db, rows * PACE)
    }

    /// Goes on with merging when there is time.
    pub(crate) fn tidy(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.keys.has_work() { self.keys.work(db, IDLE_PACE) } else { Ok(()) }
    }

    /// Whether an end still has something to write.
    pub(crate) fn is_behind(&mut self) -> bool {
        self.writing.is_some() || self.active.rows > self.sizes.left_at_end_max || self.is_little_to_merge()
    }

    /// Writes a piece of what an end leaves to be written.
    pub(crate) fn write_rest(&mut self, db: &Connection, source: Source<'_>, last_row: i64) -> rusqlite::Result<()> {
        if self.active.rows > self.sizes.left_at_end_max {
            self.begin_writing(last_row);
        }
        if self.writing.is_some() {
            return self.write(db, source, END_PIECE);
        }
        self.keys.work(db, END_PIECE)
    }

    fn is_little_to_merge(&mut self) -> bool {
        (1..=MERGED_AT_END_MAX).contains(&self.keys.work_len())
    }

    fn begin_writing(&mut self, last_row: i64) {
        if self.writing.is_some() {
            return;
        }
        let generation = std::mem::replace(&mut self.active, Generation::new());
        let next_slot = generation.touched.next(0);
        self.writing = Some(Writing {
            upto: last_row,
            generation,
            run: self.keys.begin(),
            sorted: Vec::new(),
            sorted_done: 0,
            next_share: 0,
            are_keys_done: false,
            accounts_due: 0,
            next_slot,
        });
    }

    fn write(&mut self, db: &Connection, source: Source<'_>, pace: usize) -> rusqlite::Result<()> {
        let Some(writing) = &mut self.writing else {
            return Ok(());
        };
        writing.write_keys(db, pace)?;
        writing.write_accounts(db, source, pace)?;
        if writing.are_keys_done
            && writing.next_slot.is_none()
            && let Some(done) = self.writing.take()
        {
            self.keys.complete(db, done.run)?;
            let mut update = db.prepare_cached("UPDATE meta SET value = max(value, ?2) WHERE name = ?1")?;
            update.execute(("watermark", done.upto))?;
            update.execute(("last_time", source.last_time.micros()))?;
        }
        Ok(())
    }
}

impl Writing {
    fn write_keys(&mut self, db: &Connection, pace: usize) -> rusqlite::Result<()> {
        let mut left = pace;
        while left > 0 && !self.are_keys_done {
            let some = &self.sorted[self.sorted_done..];
            let some = &some[..left.min(some.len())];
            for &(fingerprint, row) in some {
                self.run.push(db, fingerprint, row)?;
            }
            left -= some.len();
            self.sorted_done += some.len();
            if self.sorted_done == self.sorted.len() {
                match self.generation.sorted(self.next_share) {
                    Some(sorted) => (self.sorted, self.sorted_done) = (sorted, 0),
                    None => self.are_keys_done = true,
                }
                self.next_share += 1;
            }
        }
        Ok(())
    }

    fn write_accounts(&mut self, db: &Connection, source: Source<'_>, pace: usize) -> rusqlite::Result<()> {
        self.accounts_due += pace;
        if self.accounts_due < ACCOUNTS_AT_ONCE {
            return Ok(());
        }
        let mut update = db.prepare_cached(
            "UPDATE accounts SET posted = ?2, held = ?3, credit_limit = ?4, status = ?5, number = ?6, entry = ?7, at = ?8, \
             hash = ?9, watch = ifnull(?10, watch) WHERE id = ?1",
        )?;
        while let Some(slot) = self.next_slot
            && self.accounts_due > 0
        {
            let (figures, head) = (source.accounts.figures(slot), &source.heads[load::index(slot)]);
            update.execute(params![
                source.accounts.id_of(slot).get(),
                figures.posted.units(),
                figures.held.units(),
                figures.credit_limit.units(),
                figures.status.code(),
                crate::rows::number(figures.number),
                figures.row,
                head.at,
                head.hash.as_slice(),
                if figures.traits.is_watched { source.watch(slot) } else { None }
            ])?;
            self.accounts_due -= 1;
            self.next_slot = self.generation.touched.next(slot + 1);
        }
        Ok(())
    }
}
