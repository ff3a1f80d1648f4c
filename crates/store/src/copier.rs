//! The thread that copies the log into the database file while commits go on.
//!
//! SQLite lets a copy run beside one who writes, but the end of the log, which grows meanwhile, has to be copied by the
//! writer itself (see `log.rs`), and only that copy waits for a sync of the database file. What was copied before is not
//! copied again. So a sync that fails, after which nobody can say what of it the disk has, ends all copying: the log still
//! holds everything, and the next start copies it from its beginning. Where this thread cannot work, the writer copies all,
//! which is only slower.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ffi};

use crate::schema;

/// The thread, which has to be stopped at the end.
pub(crate) struct Copier {
    /// Room for one: whoever is at work already will see what has come meanwhile.
    nudges: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    copying: Arc<Copying>,
}

/// What whoever copies holds on to.
#[derive(Default)]
struct Copying {
    /// Locked meanwhile; in it lies the error of a sync of the thread's that failed, until the writer takes it.
    turn: Mutex<Option<rusqlite::Error>>,
    /// Whether a sync has failed, after which nobody copies any more.
    has_failed: AtomicBool,
}

impl Copier {
    pub(crate) fn start(path: &Path) -> Copier {
        let (nudges, nudged) = sync_channel(1);
        let copying = Arc::new(Copying::default());
        let (path, also_copying) = (path.to_owned(), Arc::clone(&copying));
        let thread =
            std::thread::Builder::new().name("copier".into()).spawn(move || run(&path, &nudged, &also_copying));
        if let Err(error) = &thread {
            tracing::warn!(%error, "the log is copied by the writer alone, which makes its callers wait longer");
        }
        Copier { nudges: Some(nudges), thread: thread.ok(), copying }
    }

    /// Has the thread copy what there is.
    pub(crate) fn nudge(&self) {
        if let Some(nudges) = &self.nudges {
            // Full, it knows already.
            let _ = nudges.try_send(());
        }
    }

    /// Whether a sync has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.copying.has_failed.load(Ordering::Acquire)
    }

    /// Copies what there is on the writer's connection, unless the thread is at it just now. The error is that of a sync,
    /// by whichever of the two.
    pub(crate) fn copy(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut failed = match self.copying.turn.try_lock() {
            Ok(failed) => failed,
            Err(TryLockError::Poisoned(failed)) => failed.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        match failed.take() {
            Some(error) => Err(error),
            None => self.copying.copy(db),
        }
    }

    /// Waits until the thread has ended. The error is that of a sync.
    pub(crate) fn stop(&mut self) -> rusqlite::Result<()> {
        drop(self.nudges.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that copies the log had panicked");
        }
        match self.copying.turn.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Whether a sync failed, of the log or of the database file.
pub(crate) fn is_of_sync(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_IOERR_FSYNC)
}

fn run(path: &Path, nudged: &Receiver<()>, copying: &Copying) {
    let mut kept = None;
    while nudged.recv().is_ok() {
        let db = match kept.take().map_or_else(|| schema::open_copier(path), Ok) {
            Ok(db) => db,
            Err(error) => {
                tracing::debug!(%error, "the log cannot be copied beside its writer");
                continue;
            }
        };
        let mut failed = copying.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if copying.has_failed.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = copying.copy(&db) {
            tracing::error!(%error, "the database file could not be synced");
            *failed = Some(error);
            return;
        }
        kept = Some(db);
    }
}

impl Copying {
    /// Copies what is in the log into the database file, as far as nobody reads what was there before, and syncs that file
    /// if this was all. The error is that of a sync; what fails otherwise leaves the log as it was, to be copied later.
    fn copy(&self, db: &Connection) -> rusqlite::Result<()> {
        let copied =
            db.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)").and_then(|mut copy| copy.query_row([], |_| Ok(())));
        match copied {
            Err(error) if is_of_sync(&error) => {
                self.has_failed.store(true, Ordering::Release);
                Err(error)
            }
            Err(error) => {
                tracing::debug!(%error, "the log grows on, since it cannot be copied");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
