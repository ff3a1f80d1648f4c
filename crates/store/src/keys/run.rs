//! The complete runs: their filters and fences in memory, their pages on disk.
//!
//! This is all that reading the index takes. `verify` has a list of its own, on its own connection, and brings it up to
//! date in each of its read transactions: a complete run never changes, so that only new ones have to be read.

use std::ops::Range;

use rusqlite::{Connection, Row};

use super::filter::Filter;
use super::page;
use crate::rows::damage;

/// One run, as far as it is in memory.
pub(super) struct Run {
    pub(super) id: u32,
    pub(super) level: u32,
    pub(super) entries: i64,
    pub(super) pages: u32,
    parts: Vec<Part>,
    /// The first fence of each part, close together for the search.
    firsts: Vec<u64>,
    part_len: u32,
}

/// Some pages of a run: the filter of all their keys, and the first eight bytes of each page's first.
pub(super) struct Part {
    filter: Filter,
    fences: Box<[u64]>,
}

impl Part {
    pub(super) fn of(fingerprints: &[u128], fences: &[u64]) -> Part {
        Part { filter: Filter::of(fingerprints), fences: fences.into() }
    }
}

impl Run {
    pub(super) fn new(id: u32, level: u32, entries: i64, pages: u32, part_len: u32, parts: Vec<Part>) -> Run {
        let firsts = parts.iter().map(|part| part.fences[0]).collect();
        Run { id, level, entries, pages, parts, firsts, part_len }
    }

    fn find(&self, db: &Connection, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        let fence = fence(fingerprint);
        for part in self.parts_around(fence) {
            let Part { filter, fences } = &self.parts[part];
            if !filter.may_hold(fingerprint) {
                continue;
            }
            for at in around(fences, fence) {
                let page = number(part) * self.part_len + number(at);
                let found = page::read(db, self.id, page, |page| page::find(page, fingerprint))?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Has the processor fetch the block of the filter that is probably asked.
    pub(super) fn approach(&self, fingerprint: u128) {
        if let Some(part) = self.parts.get(self.part_foretold(fence(fingerprint))) {
            part.filter.approach(fingerprint);
        }
    }

    /// The parts that may hold what `fence` belongs to: nearly always the one that was foretold, since fingerprints are spread
    /// evenly.
    fn parts_around(&self, fence: u64) -> Range<usize> {
        let firsts = &self.firsts;
        let guess = self.part_foretold(fence);
        let begins_before = firsts.get(guess).is_some_and(|&first| first < fence);
        if begins_before && firsts.get(guess + 1).is_none_or(|&next| fence < next) {
            guess..guess + 1
        } else {
            around(firsts, fence)
        }
    }

    fn part_foretold(&self, fence: u64) -> usize {
        let len = u64::try_from(self.firsts.len()).expect("a length");
        usize::try_from(((fence >> 32) * len) >> 32).expect("less than the number of parts")
    }
}

/// All complete runs, the newest first.
#[derive(Default)]
pub(crate) struct Runs {
    runs: Vec<Run>,
}

impl Runs {
    pub(crate) fn load(db: &Connection) -> rusqlite::Result<Runs> {
        let mut runs = Runs::default();
        runs.refresh(db)?;
        Ok(runs)
    }

    /// Brings the list up to what the database has at this instant: a caller that goes on reading does so in one read
    /// transaction with this, so that no page is gone by then.
    pub(crate) fn refresh(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut select = db.prepare_cached("SELECT id, level, entries, pages, part_len FROM key_runs")?;
        let listed = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
        let listed: Vec<(u32, u32, i64, u32, u32)> = select.query_map([], listed)?.collect::<rusqlite::Result<_>>()?;
        self.runs.retain(|run| listed.iter().any(|listed| listed.0 == run.id));
        for (id, level, entries, pages, part_len) in listed {
            if !self.runs.iter().any(|run| run.id == id) {
                let parts = parts(db, id)?;
                let len: usize = parts.iter().map(|part| part.fences.len()).sum();
                if len != index(pages) || parts.iter().any(|part| part.fences.is_empty()) {
                    return Err(damage(format!("run {id} of the key index has {pages} pages, and fences for {len}")));
                }
                self.add(Run::new(id, level, entries, pages, part_len, parts));
            }
        }
        Ok(())
    }

    pub(crate) fn find(&self, db: &Connection, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        for run in &self.runs {
            let found = run.find(db, fingerprint)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    /// A level's runs are newer than those of the next, and within a level they are in the order of their ids: its merges
    /// are made one after the other.
    pub(super) fn add(&mut self, run: Run) {
        let age = |run: &Run| (run.level, u32::MAX - run.id);
        let at = self.runs.partition_point(|known| age(known) < age(&run));
        self.runs.insert(at, run);
    }

    pub(super) fn take(&mut self, id: u32) {
        self.runs.retain(|run| run.id != id);
    }
}

fn parts(db: &Connection, run: u32) -> rusqlite::Result<Vec<Part>> {
    let mut select =
        db.prepare_cached("SELECT fences, filter FROM key_filters WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
    let part = |row: &Row<'_>| {
        let (fences, rest) = row.get_ref(0)?.as_blob()?.as_chunks::<8>();
        let fences = fences.iter().map(|fence| u64::from_be_bytes(*fence)).collect();
        let filter = Filter::from_bytes(row.get_ref(1)?.as_blob()?).filter(|_| rest.is_empty());
        let filter = filter.ok_or_else(|| damage(format!("a filter of run {run} of the key index is none")))?;
        Ok(Part { filter, fences })
    };
    select.query_map([page::id(run, 0), page::id(run + 1, 0)], part)?.collect()
}

pub(super) fn write_part(db: &Connection, run: u32, number: u32, part: &Part) -> rusqlite::Result<()> {
    let fences: Vec<u8> = part.fences.iter().flat_map(|fence| fence.to_be_bytes()).collect();
    db.prepare_cached("INSERT INTO key_filters (id, fences, filter) VALUES (?1, ?2, ?3)")?
        .execute((page::id(run, number), fences, part.filter.to_bytes()))
        .map(drop)
}

/// Lists a run whose pages and parts are written.
pub(super) fn list(db: &Connection, run: &Run) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO key_runs (id, level, entries, pages, part_len) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((run.id, run.level, run.entries, run.pages, run.part_len))
        .map(drop)
}

/// Removes the parts of a run below `until`.
pub(super) fn remove_parts(db: &Connection, run: u32, until: u32) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM key_filters WHERE id >= ?1 AND id < ?2")?
        .execute((page::id(run, 0), page::id(run, until)))
        .map(drop)
}

/// The places of those that may hold what `fence` belongs to: the last that begins before it and, however unlikely, all that
/// begin with it.
fn around(fences: &[u64], fence: u64) -> Range<usize> {
    let end = fences.partition_point(|&first| first <= fence);
    let start = fences[..end].partition_point(|&first| first < fence);
    start.saturating_sub(1)..end
}

/// The first eight bytes of a fingerprint.
pub(super) fn fence(fingerprint: u128) -> u64 {
    u64::from_be_bytes(*fingerprint.to_be_bytes().first_chunk().expect("16 bytes"))
}

pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).expect("a 64-bit machine")
}

pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a run has fewer than 2^32 pages")
}
