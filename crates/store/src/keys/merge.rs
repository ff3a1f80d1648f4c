//! Several runs of one level becoming one of the next, a piece at a time.

use rusqlite::Connection;

use super::page;
use super::run::Run;
use super::write::RunWriter;

/// A merge under way.
pub(super) struct Merge {
    level: u32,
    /// The newest first.
    inputs: Vec<Cursor>,
    writer: RunWriter,
    is_begun: bool,
}

/// How far an input has been read.
struct Cursor {
    run: u32,
    pages: u32,
    entries_left: i64,
    next_page: u32,
    page: Vec<u8>,
    at: usize,
    head: Option<(u128, i64)>,
}

impl Merge {
    /// `inputs` are the newest first.
    pub(super) fn new<'a>(level: u32, inputs: impl Iterator<Item = &'a Run>, writer: RunWriter) -> Merge {
        let cursor = |run: &Run| Cursor {
            run: run.id,
            pages: run.pages,
            entries_left: run.entries,
            next_page: 0,
            page: Vec::new(),
            at: 0,
            head: None,
        };
        Merge { level, inputs: inputs.map(cursor).collect(), writer, is_begun: false }
    }

    pub(super) fn level(&self) -> u32 {
        self.level
    }

    /// The entries that are still to be read.
    pub(super) fn len(&self) -> i64 {
        self.inputs.iter().map(|input| input.entries_left).sum()
    }

    /// The inputs with their lengths in pages, and the run that takes their place.
    pub(super) fn into_parts(self) -> (Vec<(u32, u32)>, RunWriter) {
        (self.inputs.iter().map(|input| (input.run, input.pages)).collect(), self.writer)
    }

    /// Reads about so many entries; true once all are read. Keys of refusals below `refusals_from` are dropped: those are
    /// gone, and whatever older runs say of such a key is of a refusal that went before.
    pub(super) fn step(&mut self, db: &Connection, entries: usize, refusals_from: i64) -> rusqlite::Result<bool> {
        if !self.is_begun {
            self.inputs.iter_mut().try_for_each(|input| input.advance(db))?;
            self.is_begun = true;
        }
        let mut read = 0;
        while read < entries {
            let heads = self.inputs.iter().filter_map(|input| input.head);
            // Of equal fingerprints the first is the newest, and min_by_key keeps the first.
            let Some((fingerprint, row)) = heads.min_by_key(|&(fingerprint, _)| fingerprint) else {
                return Ok(true);
            };
            for input in &mut self.inputs {
                if input.head.is_some_and(|(same, _)| same == fingerprint) {
                    input.advance(db)?;
                    read += 1;
                }
            }
            if row >= 0 || -row >= refusals_from {
                self.writer.push(db, fingerprint, row)?;
            }
        }
        Ok(false)
    }
}

impl Cursor {
    fn advance(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.entries_left -= i64::from(self.head.is_some());
        if self.at == page::len(&self.page) {
            if self.next_page == self.pages {
                self.head = None;
                return Ok(());
            }
            let kept = &mut self.page;
            page::read(db, self.run, self.next_page, |page| {
                kept.clear();
                kept.extend_from_slice(page);
            })?;
            self.next_page += 1;
            self.at = 0;
        }
        self.head = Some(page::entry(&self.page, self.at));
        self.at += 1;
        Ok(())
    }
}
