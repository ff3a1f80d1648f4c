//! The two files as the disk may have them after a power cut: every write that was synced, and none that was not.
//!
//! A disk may keep more than that, never less; a server that survives the least keeps its word. This cuts the WAL back
//! to its last synced length, and also takes back what was overwritten within that length since.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::trace::{Call, Event, File};

/// Both files, by what is certain and what is still under way.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    database: Kept,
    wal: Kept,
}

#[derive(Clone, Default)]
struct Kept {
    synced: Vec<u8>,
    under_way: Vec<Event>,
}

impl Disk {
    /// The files as a server that was stopped left them.
    pub(crate) fn read(database: &Path) -> Result<Disk> {
        let mut disk = Disk::default();
        disk.database.synced = fs::read(database)?;
        disk.wal.synced = fs::read(crate::server::beside(database, "-wal")).unwrap_or_default();
        Ok(disk)
    }

    /// Lets the next event of the trace happen.
    pub(crate) fn apply(&mut self, event: &Event) {
        match &event.call {
            Call::Write { file, .. } | Call::Fill { file, .. } | Call::Truncate { file, .. } => {
                self.file(*file).under_way.push(event.clone())
            }
            Call::Sync { file } => self.file(*file).sync(event.began),
            Call::Send { .. } | Call::Removal => {}
        }
    }

    /// Begins another trace, whose lines count from zero again: everything so far was before it.
    pub(crate) fn restart(&mut self) {
        for event in self.database.under_way.iter_mut().chain(&mut self.wal.under_way) {
            event.ended = 0;
        }
    }

    /// Cuts the power: what is left is written as the database at `to`.
    pub(crate) fn write(&self, to: &Path) -> Result<()> {
        fs::write(to, &self.database.synced)?;
        fs::write(crate::server::beside(to, "-wal"), &self.wal.synced)?;
        Ok(())
    }

    fn file(&mut self, file: File) -> &mut Kept {
        match file {
            File::Database => &mut self.database,
            File::Wal => &mut self.wal,
        }
    }
}

impl Kept {
    /// Makes certain what had ended when the sync began (at a line of its own).
    fn sync(&mut self, began: usize) {
        let (certain, later): (Vec<_>, Vec<_>) = self.under_way.drain(..).partition(|event| event.ended <= began);
        self.under_way = later;
        for event in certain {
            match event.call {
                Call::Write { offset, bytes, .. } => self.range(offset, bytes.len()).copy_from_slice(&bytes),
                Call::Fill { offset, length, .. } => self.range(offset, length).fill(0),
                Call::Truncate { length, .. } => self.synced.resize(length, 0),
                Call::Sync { .. } | Call::Send { .. } | Call::Removal => {}
            }
        }
    }

    /// That part of the file, which is made longer where it must be.
    fn range(&mut self, offset: usize, length: usize) -> &mut [u8] {
        let end = offset + length;
        if self.synced.len() < end {
            self.synced.resize(end, 0);
        }
        &mut self.synced[offset..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_is_there() {
        let file = File::Wal;
        let calls = [
            Call::Write { file, offset: 0, bytes: b"abcd".to_vec() },
            Call::Sync { file },
            Call::Write { file, offset: 2, bytes: b"XYZ".to_vec() },
            Call::Sync { file: File::Database },
        ];
        let mut disk = Disk::default();
        for (line, call) in calls.into_iter().enumerate() {
            disk.apply(&Event { began: line, ended: line, call });
        }
        assert_eq!(disk.wal.synced, b"abcd");
        disk.apply(&Event { began: 9, ended: 9, call: Call::Sync { file } });
        assert_eq!(disk.wal.synced, b"abXYZ");
    }
}
