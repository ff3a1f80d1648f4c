//! The writer's connection: one transaction after the other, and the log that they leave.
//!
//! Callers who come one by one are spared two things here. Between their commits a read transaction stays open, so that the
//! next one neither gives its place in the log up nor takes a new one, which is four of six locks; and since nobody may
//! write from a snapshot that is not the last, SQLite itself then finds out whether a stranger wrote. And the log is copied
//! into the database by a thread beside (see `copier.rs`): what is left to do while callers wait is its end.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, TransactionState, ffi};

use crate::copier::Copier;
use crate::schema::{self, LOG_PAGES};

/// For so many commits the same read transaction stays open; nothing behind it can be copied meanwhile.
const HELD_MAX: usize = 64;

/// How many pages of log wait before copying begins, and between two times that something is copied.
const COPIED_FROM: u32 = 1000;
const COPIED_AT_ONCE: u32 = 250;

/// Whatever has more than one row: while it has not come to its end, its read transaction is open.
const HELD: &str = "SELECT value FROM meta";

/// A connection that writes, alone.
pub(crate) struct Log {
    copier: Copier,
    db: Connection,
    data_version: i64,
    /// How many commits the read transaction that is open has outlived.
    held: usize,
    /// Why there is none, where there should be one.
    unheld: Option<rusqlite::Error>,
    /// Pages in the log, as of the last commit.
    pages: Arc<AtomicU32>,
    /// The same, as they were seen last.
    pages_seen: u32,
    /// At so many there is something to copy.
    pages_due: u32,
}

impl Log {
    pub(crate) fn new(mut db: Connection, path: &Path) -> rusqlite::Result<Log> {
        let pages = Arc::new(AtomicU32::new(0));
        let noted = Arc::clone(&pages);
        // In the place of SQLite's own hook, which copies all that there is while the caller waits.
        db.wal_hook(Some(move |_: &mut Wal, pages| {
            noted.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let data_version = data_version(&db)?;
        let copier = Copier::start(path);
        Ok(Log { copier, db, data_version, held: 0, unheld: None, pages, pages_seen: 0, pages_due: COPIED_FROM })
    }

    pub(crate) fn db(&self) -> &Connection {
        &self.db
    }

    /// Opens a transaction that writes; false where somebody else has written since the last one. With `is_lone`, others
    /// like it are expected to follow.
    pub(crate) fn begin(&mut self, is_lone: bool) -> rusqlite::Result<bool> {
        if let Some(error) = self.unheld.take() {
            return Err(error);
        }
        if self.is_held() {
            match self.execute("BEGIN IMMEDIATE") {
                Ok(()) => {
                    if !is_lone || self.held >= HELD_MAX {
                        self.let_go()?;
                    }
                    return Ok(true);
                }
                Err(error) if is_outdated(&error) => return Ok(false),
                // Somebody is about to write, and without a snapshot there is time to wait for what comes of it.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => self.let_go()?,
                Err(error) => return Err(error),
            }
        }
        self.execute("BEGIN IMMEDIATE")?;
        Ok(data_version(&self.db)? == self.data_version)
    }

    /// Commits: on disk when it returns.
    pub(crate) fn commit(&mut self, is_lone: bool) -> rusqlite::Result<()> {
        self.execute("COMMIT")?;
        self.held += 1;
        if is_lone && !self.is_held() {
            // This commit is durable, whatever comes of that.
            self.unheld = self.hold().err();
        }
        Ok(())
    }

    /// Has some of the log copied by the thread beside, if that is due. True where its end is due, too, or where the thread
    /// has failed: see `finish`.
    pub(crate) fn tend(&mut self) -> bool {
        if self.copier.has_failed() {
            return true;
        }
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.pages_seen {
            self.pages_due = COPIED_FROM;
        }
        self.pages_seen = pages;
        if pages < self.pages_due {
            return false;
        }
        self.pages_due = pages + COPIED_AT_ONCE;
        if pages < LOG_PAGES {
            self.copier.nudge();
        }
        pages >= LOG_PAGES
    }

    /// Copies the log to its end, which can be begun anew only if nobody writes meanwhile. The error is that of a sync,
    /// after which the log must stay as it is until the next start.
    pub(crate) fn finish(&mut self) -> rusqlite::Result<()> {
        // A read transaction that does not end is only in the way.
        drop(self.let_go());
        self.copier.copy(&self.db)
    }

    /// Ends what goes on beside and between commits. The error is that of a sync, as above.
    pub(crate) fn stop(&mut self) -> rusqlite::Result<()> {
        // A read transaction that does not end ends with its connection.
        drop(self.let_go());
        self.copier.stop()
    }

    /// Gives the read transaction up that is kept between commits.
    pub(crate) fn let_go(&mut self) -> rusqlite::Result<()> {
        self.held = 0;
        if self.is_held() { self.db.prepare_cached(HELD)?.query([]).map(drop) } else { Ok(()) }
    }

    /// Has the log stay as it is when the database is closed.
    pub(crate) fn keep(&self) {
        if let Err(error) = schema::keep_log(&self.db) {
            tracing::error!(%error, "the log may not stay as it is");
        }
    }

    fn hold(&mut self) -> rusqlite::Result<()> {
        self.held = 0;
        let mut select = self.db.prepare_cached(HELD)?;
        let mut rows = select.query([])?;
        rows.next()?;
        if data_version(&self.db)? != self.data_version {
            // Somebody wrote since the commit, which the next one will find out.
            return Ok(());
        }
        // Dropped, they would end the statement; so it goes back among the cached ones as it is, until `let_go`.
        std::mem::forget(rows);
        Ok(())
    }

    fn is_held(&self) -> bool {
        !matches!(self.db.transaction_state(None::<&str>), Ok(TransactionState::None))
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(drop)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the database file could not be synced; the next start copies the log anew");
            self.keep();
        }
    }
}

fn data_version(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

fn is_outdated(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_BUSY_SNAPSHOT)
}
