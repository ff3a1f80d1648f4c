//! Writing a run from front to back, whole pages only: the rest waits in memory for the next commit.

use rusqlite::Connection;

use super::run::{self, Part, Run};
use super::{Shape, page};

/// A run that is not complete yet: nobody looks into it.
pub(crate) struct RunWriter {
    id: u32,
    level: u32,
    shape: Shape,
    page: Vec<u8>,
    pages: u32,
    entries: i64,
    /// Of the part under way.
    fingerprints: Vec<u128>,
    fences: Vec<u64>,
    parts: Vec<Part>,
}

impl RunWriter {
    pub(super) fn new(id: u32, level: u32, shape: Shape) -> RunWriter {
        RunWriter {
            id,
            level,
            shape,
            page: Vec::new(),
            pages: 0,
            entries: 0,
            fingerprints: Vec::new(),
            fences: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Appends an entry; its fingerprint is above all before it.
    pub(crate) fn push(&mut self, db: &Connection, fingerprint: u128, row: i64) -> rusqlite::Result<()> {
        if page::len(&self.page) == self.shape.page_len {
            self.write_page(db)?;
        }
        if self.page.is_empty() {
            if self.fences.len() == self.shape.part_len {
                self.write_part(db)?;
            }
            self.fences.push(run::fence(fingerprint));
        }
        page::push(&mut self.page, fingerprint, row);
        self.fingerprints.push(fingerprint);
        self.entries += 1;
        Ok(())
    }

    /// Writes what is left, and lists the run. None where it would be empty.
    pub(super) fn finish(mut self, db: &Connection) -> rusqlite::Result<Option<Run>> {
        if self.entries == 0 {
            return Ok(None);
        }
        self.write_page(db)?;
        self.write_part(db)?;
        let run = Run::new(self.id, self.level, self.entries, self.pages, run::number(self.shape.part_len), self.parts);
        run::list(db, &run)?;
        Ok(Some(run))
    }

    fn write_page(&mut self, db: &Connection) -> rusqlite::Result<()> {
        page::write(db, self.id, self.pages, &self.page)?;
        self.pages += 1;
        self.page.clear();
        Ok(())
    }

    fn write_part(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let part = Part::of(&self.fingerprints, &self.fences);
        run::write_part(db, self.id, run::number(self.parts.len()), &part)?;
        self.parts.push(part);
        self.fingerprints.clear();
        self.fences.clear();
        Ok(())
    }
}
