//! The index of idempotency keys on disk: from a fingerprint to the row that it made.
//!
//! Fingerprints are random, so a B-tree of them would have nearly every page rewritten by every generation. Here they lie in
//! *runs*: sorted, written once from front to back, never changed. A generation of keys becomes a run of level 0; when a
//! level has [`Shape::fan_out`] runs, they are merged into one of the next level, and a key is written once a level. A
//! run's filter and fences are in memory, so that a key that is nowhere costs no read and one that is there costs about one.
//!
//! Flushing, merging and removing go on in bounded pieces inside the commits that append to the log. What is in memory
//! here changes with the transaction that writes it; when one fails, the whole of it is dropped and loaded anew.

mod filter;
mod merge;
mod page;
mod run;
mod write;

use std::collections::VecDeque;

use rusqlite::Connection;

use merge::Merge;
pub(crate) use run::Runs;
pub(crate) use write::RunWriter;

/// The sizes of everything; tests have smaller ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Entries of a page. With 168 of 24 bytes a row fills one page of SQLite's.
    pub(crate) page_len: usize,
    /// Pages of a part: what one filter is for.
    pub(crate) part_len: usize,
    /// Runs of a level that become one of the next.
    pub(crate) fan_out: usize,
}

impl Shape {
    pub(crate) const REAL: Shape = Shape { page_len: 168, part_len: 64, fan_out: 8 };
}

/// How many pages are removed at a time, so that the inner pages of the table are not rewritten for each.
const REMOVED_AT_ONCE: u32 = 8;

/// The writer's side of the index.
pub(crate) struct Keys {
    shape: Shape,
    runs: Runs,
    /// Run ids only grow: a run that was ever complete is gone only once a newer one has its keys.
    next_id: u32,
    merges: Vec<Merge>,
    garbage: VecDeque<Garbage>,
    /// Entries that may be removed, and are not yet.
    removable: usize,
}

/// Pages that belong to no complete run and none under way.
struct Garbage {
    run: u32,
    next_page: u32,
    pages: u32,
}

impl Keys {
    /// Reads the complete runs; what was under way when the process ended is garbage.
    pub(crate) fn load(db: &Connection, shape: Shape) -> rusqlite::Result<Keys> {
        let runs = Runs::load(db)?;
        let mut next_id = runs.iter().map(|run| run.id + 1).max().unwrap_or(1);
        let mut garbage = VecDeque::new();
        let mut first = page::first_after(db, 0)?;
        while let Some((run, next_page)) = first {
            if !runs.iter().any(|known| known.id == run) {
                garbage.push_back(Garbage { run, next_page, pages: page::count(db, run)? });
                next_id = next_id.max(run + 1);
            }
            first = page::first_after(db, run)?;
        }
        Ok(Keys { shape, runs, next_id, merges: Vec::new(), garbage, removable: 0 })
    }

    /// The row of a key: the newest run's that has one.
    pub(crate) fn find(&self, db: &Connection, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        self.runs.find(db, fingerprint)
    }

    /// Has the processor fetch what finding that key takes first.
    pub(crate) fn approach(&self, fingerprint: u128) {
        self.runs.iter().for_each(|run| run.approach(fingerprint));
    }

    /// A run of level 0, to be filled in ascending order.
    pub(crate) fn begin(&mut self) -> RunWriter {
        self.begin_at(0)
    }

    /// Adds a run that is whole: from this transaction on its keys are found.
    pub(crate) fn complete(&mut self, db: &Connection, run: RunWriter) -> rusqlite::Result<()> {
        if let Some(run) = run.finish(db)? {
            self.runs.add(run);
        }
        Ok(())
    }

    /// Whether there is anything to merge or to remove.
    pub(crate) fn has_work(&self) -> bool {
        !self.merges.is_empty() || !self.garbage.is_empty() || self.full_level().is_some()
    }

    /// The entries that the merges under way, and those that wait, have still to read.
    pub(crate) fn work_len(&mut self) -> i64 {
        self.begin_merges();
        self.merges.iter().map(Merge::len).sum()
    }

    /// Merges so many entries in each level that is full, and removes as many of what is merged.
    pub(crate) fn work(&mut self, db: &Connection, entries: usize) -> rusqlite::Result<()> {
        self.begin_merges();
        self.remove(db, entries)?;
        if self.merges.is_empty() {
            return Ok(());
        }
        // Refusals go in the order of their rows: every one below the first that stands is gone.
        let refusals_from: Option<i64> =
            db.prepare_cached("SELECT min(id) FROM refusals")?.query_row([], |row| row.get(0))?;
        let refusals_from = refusals_from.unwrap_or(i64::MAX);
        let mut going_on = Vec::with_capacity(self.merges.len());
        for mut merge in std::mem::take(&mut self.merges) {
            if merge.step(db, entries, refusals_from)? {
                self.replace(db, merge)?;
            } else {
                going_on.push(merge);
            }
        }
        self.merges = going_on;
        Ok(())
    }

    /// Whether nothing lies on disk but complete runs, and no level is full.
    #[cfg(test)]
    pub(crate) fn is_at_rest(&self, db: &Connection) -> rusqlite::Result<bool> {
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let pages: u32 = self.runs.iter().map(|run| run.pages).sum();
        let parts: usize = self.runs.iter().map(|run| run::index(run.pages).div_ceil(self.shape.part_len)).sum();
        Ok(!self.has_work()
            && count("SELECT count(*) FROM key_pages")? == i64::from(pages)
            && count("SELECT count(*) FROM key_filters")? == i64::try_from(parts).expect("few")
            && count("SELECT count(*) FROM key_runs")? == i64::try_from(self.runs.iter().count()).expect("few"))
    }

    fn begin_at(&mut self, level: u32) -> RunWriter {
        let id = self.next_id;
        self.next_id += 1;
        RunWriter::new(id, level, self.shape)
    }

    fn begin_merges(&mut self) {
        while let Some(level) = self.full_level() {
            let writer = self.begin_at(level + 1);
            let inputs = self.runs.iter().filter(|run| run.level == level);
            self.merges.push(Merge::new(level, inputs, writer));
        }
    }

    /// A level that is full, and of which no merge is under way.
    fn full_level(&self) -> Option<u32> {
        let is_merging = |level: u32| self.merges.iter().any(|merge| merge.level() == level);
        let len = |level: u32| self.runs.iter().filter(|run| run.level == level).count();
        let mut levels = self.runs.iter().map(|run| run.level);
        levels.find(|&level| !is_merging(level) && len(level) >= self.shape.fan_out)
    }

    /// Puts the merged run in the place of those that it was merged from.
    fn replace(&mut self, db: &Connection, merge: Merge) -> rusqlite::Result<()> {
        let (inputs, writer) = merge.into_parts();
        for (run, pages) in inputs {
            db.prepare_cached("DELETE FROM key_runs WHERE id = ?1")?.execute([run])?;
            self.runs.take(run);
            self.garbage.push_back(Garbage { run, next_page: 0, pages });
        }
        self.complete(db, writer)
    }

    fn remove(&mut self, db: &Connection, entries: usize) -> rusqlite::Result<()> {
        let at_once = self.shape.page_len * run::index(REMOVED_AT_ONCE);
        self.removable += entries;
        while self.removable >= at_once
            && let Some(garbage) = self.garbage.front_mut()
        {
            self.removable -= at_once;
            let until = (garbage.next_page + REMOVED_AT_ONCE).min(garbage.pages);
            page::remove(db, garbage.run, until)?;
            // The last part goes with the last page: where no page is left, nothing is.
            let parts = if until == garbage.pages { u32::MAX } else { until / run::number(self.shape.part_len) };
            run::remove_parts(db, garbage.run, parts)?;
            garbage.next_page = until;
            if until == garbage.pages {
                self.garbage.pop_front();
            }
        }
        if self.garbage.is_empty() {
            self.removable = 0;
        }
        Ok(())
    }
}
