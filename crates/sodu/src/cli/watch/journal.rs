//! The history file: what is known, line by line, so that a restart neither repeats nor loses a warning.
//!
//! Lines of JSON are appended; what is to be told is synced before it is sent. Now and then, and at each start, the
//! file is written anew beside itself and takes its own place. A last line that a crash tore off is left out. While the
//! disk is full, watching goes on from memory, and the first line that can be written again brings all of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::memory::{Line, Memory};
use super::own::{self, NotOwned, Owned};

/// The format; another one is not read.
const VERSION: u32 = 1;
/// So many lines are appended at least before the file is written anew.
const LINES_MAX: usize = 4096;

/// A history file, owned by this process; or nothing but memory.
pub struct Journal {
    path: Option<PathBuf>,
    file: Option<File>,
    /// Lines since the file was written anew.
    appended: usize,
    /// Whether the file lacks something that is known.
    behind: bool,
    _owned: Option<Owned>,
}

/// Why a history file cannot be used.
#[derive(Debug)]
pub enum NotOpened {
    /// Another process watches with it.
    Owned(String),
    /// It is something else.
    Foreign,
    /// It cannot be read or made.
    Io(io::Error),
}

/// Whether a line must be on the disk before anything is done about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Now,
    Later,
}

impl Journal {
    /// One that keeps nothing.
    pub fn none() -> Journal {
        Journal { path: None, file: None, appended: 0, behind: false, _owned: None }
    }

    /// Takes the file at `path` for this process and reads what is known; how many lines could not be read.
    ///
    /// # Errors
    /// [`NotOpened`]. A full disk is none: that is said with the first line that cannot be written.
    pub fn open(path: &Path) -> Result<(Journal, Memory, usize), NotOpened> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.or_else(|error| if is_full(&error) { Ok(()) } else { Err(NotOpened::Io(error)) })?;
        }
        let owned = match own::take(&beside(path, "lock")) {
            Ok(owned) => Some(owned),
            Err(NotOwned::By(owner)) => return Err(NotOpened::Owned(owner)),
            Err(NotOwned::Io(error)) if is_full(&error) => None,
            Err(NotOwned::Io(error)) => return Err(NotOpened::Io(error)),
        };
        let (memory, unread) = match fs::read(path) {
            Ok(bytes) => read(&bytes).ok_or(NotOpened::Foreign)?,
            Err(error) if error.kind() == ErrorKind::NotFound => (Memory::default(), 0),
            Err(error) => return Err(NotOpened::Io(error)),
        };
        let mut journal = Journal { path: Some(path.to_owned()), file: None, appended: 0, behind: true, _owned: owned };
        match journal.rewrite(&memory) {
            Err(error) if !is_full(&error) => Err(NotOpened::Io(error)),
            _ => Ok((journal, memory, unread)),
        }
    }

    /// Whether it is time to write the file anew; the caller forgets what is old before.
    pub(super) fn is_long(&self) -> bool {
        self.appended >= LINES_MAX
    }

    /// Adds a line, which `memory` has taken already.
    pub(super) fn append(&mut self, line: &Line, durable: Durable, memory: &Memory) -> io::Result<()> {
        if self.path.is_none() {
            return Ok(());
        }
        if self.behind || self.is_long() {
            return self.rewrite(memory);
        }
        // After a failure nobody knows where the line ends; what is written anew does not ask.
        self.behind = true;
        if let Some(file) = &mut self.file {
            file.write_all(text(line).as_bytes())?;
            if durable == Durable::Now {
                file.sync_data()?;
            }
        }
        self.behind = false;
        self.appended += 1;
        Ok(())
    }

    /// Writes the file anew, whole or not at all.
    fn rewrite(&mut self, memory: &Memory) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        self.behind = true;
        let new = beside(path, "new");
        let written = write_new(&new, memory).and_then(|file| fs::rename(&new, path).map(|()| file));
        if written.is_err() {
            // It would take room that others need now.
            let _ = fs::remove_file(&new);
        }
        self.file = Some(written?);
        // The new name must outlive a power cut too.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        self.behind = false;
        self.appended = 0;
        Ok(())
    }
}

fn write_new(path: &Path, memory: &Memory) -> io::Result<File> {
    let mut file = BufWriter::new(OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?);
    for line in std::iter::once(Line::SoduWatch(VERSION)).chain(memory.lines()) {
        file.write_all(text(&line).as_bytes())?;
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file)
}

/// What the lines say, and how many say nothing; `None` where the file is no history of ours.
fn read(bytes: &[u8]) -> Option<(Memory, usize)> {
    let mut memory = Memory::default();
    let mut unread = 0;
    for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        match serde_json::from_slice::<Line>(text) {
            Ok(Line::SoduWatch(VERSION)) => {}
            Ok(_) | Err(_) if index == 0 && !text.is_empty() => return None,
            Ok(line) => memory.take(line),
            // The last line ends with a line feed, so that nothing follows it, or it was torn off.
            Err(_) => unread += usize::from(!text.is_empty()),
        }
    }
    Some((memory, unread))
}

fn text(line: &Line) -> String {
    let mut text = serde_json::to_string(line).expect("a line has no maps but of texts");
    text.push('\n');
    text
}

/// `watch.jsonl` becomes `watch.jsonl.lock`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::super::judge::State;
    use super::super::memory::{Outcome, Poll};
    use super::*;

    fn poll(second: i64) -> Line {
        Line::Poll(Poll {
            account: "shop".into(),
            at: jiff::Timestamp::from_second(1_785_308_400 + second).expect("an instant"),
            outcome: Outcome::Good { balance: (10_000 - second).into(), user_id: 7 },
            state: State::default(),
            notices: Vec::new(),
        })
    }

    /// What a watcher does with a step.
    fn step(journal: &mut Journal, memory: &mut Memory, line: Line) {
        memory.take(line.clone());
        journal.append(&line, Durable::Later, memory).expect("there is room");
    }

    #[test]
    fn what_was_appended_is_read_back_without_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/er/watch.jsonl");
        let (mut journal, mut memory, unread) = Journal::open(&path).expect("a new file");
        assert_eq!((unread, memory.known("shop")), (0, None));
        for second in 0..3 {
            step(&mut journal, &mut memory, poll(second));
        }
        drop(journal);
        let whole = fs::read(&path).expect("the file");
        // However much of the last line a crash left.
        let begin = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
        for end in begin..whole.len() - 1 {
            fs::write(&path, &whole[..end]).expect("written");
            let (mut journal, mut memory, unread) = Journal::open(&path).expect("the file");
            assert_eq!(unread, usize::from(end > begin));
            assert_eq!(memory.known("shop").expect("it was polled").samples.len(), 2);
            step(&mut journal, &mut memory, poll(9));
            drop(journal);
            let (_, again, unread) = Journal::open(&path).expect("the file");
            assert_eq!((unread, again), (0, memory));
        }
    }

    #[test]
    fn the_file_stays_short() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("watch.jsonl");
        let (mut journal, mut memory, _) = Journal::open(&path).expect("a new file");
        for second in 0..10_000 {
            if journal.is_long() {
                memory.prune(jiff::Timestamp::MIN, |_| true);
            }
            step(&mut journal, &mut memory, poll(second * 60));
        }
        drop(journal);
        let lines = fs::read_to_string(&path).expect("the file").lines().count();
        assert!(lines <= LINES_MAX + 2, "{lines}");
        let (_, again, _) = Journal::open(&path).expect("the file");
        assert_eq!(again, memory);
    }

    #[test]
    fn one_process_owns_it_and_no_other_file_is_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("watch.jsonl");
        let (journal, ..) = Journal::open(&path).expect("a new file");
        let Err(NotOpened::Owned(owner)) = Journal::open(&path) else { panic!("it is owned twice") };
        assert!(owner.starts_with(&format!("process {} (", std::process::id())), "{owner}");
        drop(journal);
        for foreign in ["{}\n", "a letter", "{\"sodu_watch\":2}\n"] {
            fs::write(&path, foreign).expect("written");
            assert!(matches!(Journal::open(&path), Err(NotOpened::Foreign)), "{foreign}");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), foreign);
        }
        // What a crash left of a first start.
        fs::write(&path, "").expect("written");
        Journal::open(&path).expect("an empty file");
    }

    #[test]
    fn what_cannot_be_written_is_kept_and_written_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("watch.jsonl");
        let (mut journal, mut memory, _) = Journal::open(&path).expect("a new file");
        // Writing to this device fails as on a full disk (full(4)).
        journal.file = Some(OpenOptions::new().write(true).open("/dev/full").expect("the device"));
        memory.take(poll(0));
        let error = journal.append(&poll(0), Durable::Now, &memory).expect_err("it is full");
        assert!(is_full(&error), "{error}");
        step(&mut journal, &mut memory, poll(1));
        drop(journal);
        let (_, again, _) = Journal::open(&path).expect("the file");
        assert_eq!(again, memory);
    }
}
