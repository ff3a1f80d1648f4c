//! The one writer: it takes what has gathered, decides each command in order, commits once, publishes, replies.
//!
//! It lies on a desk that one thread at a time works at. That is the writer's own thread, but for a caller who finds the desk
//! free and nobody else about: that one commits its few commands itself, since waking another thread and being woken again
//! costs half of what the sync costs.
//!
//! The order is the promise: nothing is published or answered before COMMIT has returned. Whatever fails drops the whole
//! batch, the database is opened anew, what is durable is made sure of and loaded, and only then is work taken again.
//! A panic here leaves the store unusable and says so; half-alive money is worse than a restart.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger::Time;
use rusqlite::{Connection, ErrorCode};

use crate::batch::Batch;
use crate::copier::is_of_sync;
use crate::credentials::write_uses;
use crate::follow::Source;
use crate::job::{Answer, Job};
use crate::load::{self, Head, Loaded};
use crate::log::Log;
use crate::shared::Shared;
use crate::{Fault, OpenError, schema};

/// The most commands that one commit takes.
const BATCH_LEN_MAX: usize = 8192;

/// The most commands that a caller commits on its own thread: whoever shares that thread waits little longer than for the
/// sync itself.
const ALONE_LEN_MAX: usize = 16;

/// How long the writer waits for work before it looks after what is written now and then.
const TICK: Duration = Duration::from_secs(1);

/// How long an end may go on writing what follows behind.
const END_MAX: Duration = Duration::from_secs(1);

/// How many last uses of credentials one transaction of an end writes.
const USES_AT_END: usize = 4096;

/// How long it waits between two attempts to get the database back.
const RECOVERY_PAUSE: Duration = Duration::from_millis(200);

/// The writer's own state.
pub(crate) struct Writer {
    log: Log,
    /// By slot.
    heads: Vec<Head>,
    loaded: Loaded,
    shared: Arc<Shared>,
    /// Whether the log's file need not grow any more, or cannot.
    is_log_long: bool,
    /// Whether the log is to be copied to its end, which waits for a sync: the writer's own thread does that.
    is_log_due: bool,
    /// What a caller's commit ran into; the writer's own thread gets the database back.
    trouble: Option<Trouble>,
}

/// Why the writer cannot go on with the connection it has.
enum Trouble {
    /// Before the commit: nothing happened.
    Before(rusqlite::Error),
    /// In the commit itself: nobody knows.
    Within(rusqlite::Error),
    /// At the start: what was loaded may not be durable.
    Unsettled(rusqlite::Error),
    /// What was copied into the database file may not be on disk.
    Unsynced(rusqlite::Error),
    /// Another process wrote into the database.
    Stranger,
}

/// Where the writer lies; empty once the store is closed.
pub(crate) type Desk = Mutex<Option<Writer>>;

/// Works at the desk until the queue is closed and empty, or the store is broken; takes the writer away at the end.
pub(crate) fn run(desk: &Desk, queue: &Receiver<Job>, shared: &Shared) {
    let mut last_tick = Instant::now();
    if !recovered(desk, queue) {
        return;
    }
    loop {
        shared.writer_comes();
        let first = match queue.recv_timeout(TICK) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        // Poisoned, a caller's commit has panicked: the store is broken, and says so.
        let Ok(mut seat) = desk.lock() else { break };
        let Some(writer) = seat.as_mut() else { break };
        let jobs = gather(first, queue);
        let len: usize = jobs.iter().map(|job| job.len).sum();
        writer.shared.queue_len.fetch_sub(len, Ordering::Relaxed);
        let tick = last_tick.elapsed() >= TICK;
        if tick {
            last_tick = Instant::now();
        }
        let trouble = match writer.trouble.take() {
            Some(trouble) => {
                jobs.into_iter().for_each(|job| job.turn_away(Fault::Unavailable));
                Some(trouble)
            }
            None if jobs.is_empty() && !tick => None,
            None => writer.commit(jobs, len, tick).or_else(|| writer.finish_log()),
        };
        if tick && trouble.is_none() {
            writer.lengthen_log();
        }
        if let Some(trouble) = trouble
            && !writer.recover(trouble, queue)
        {
            drop(seat.take());
            return;
        }
    }
    let Some(mut writer) = desk.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    if writer.trouble.is_none()
        && let Err(error) = writer.write_rest()
    {
        tracing::warn!(%error, "what follows behind the commits was not all written; the next start does that");
    }
}

/// Settles what the start could not, before anything else. False where the store was closed before that could be.
fn recovered(desk: &Desk, queue: &Receiver<Job>) -> bool {
    let Ok(mut seat) = desk.lock() else { return false };
    let Some(writer) = seat.as_mut() else { return false };
    let is_well = match writer.trouble.take() {
        Some(trouble) => writer.recover(trouble, queue),
        None => true,
    };
    if !is_well {
        drop(seat.take());
    }
    is_well
}

/// Commits a few commands on the caller's own thread, if nobody else is about; gives the job back otherwise.
///
/// True beside success means that the writer's own thread has to be woken: to get the database back, or for the log.
pub(crate) fn commit_alone(desk: &Desk, shared: &Shared, job: Job) -> Result<bool, Job> {
    let len = job.len;
    let is_crowded = len > ALONE_LEN_MAX
        || shared.queue_len.load(Ordering::Relaxed) != len
        || shared.last_callers.load(Ordering::Relaxed) > 1;
    if is_crowded {
        return Err(job);
    }
    let Ok(mut seat) = desk.try_lock() else { return Err(job) };
    let Some(writer) = seat.as_mut().filter(|writer| writer.trouble.is_none()) else { return Err(job) };
    shared.queue_len.fetch_sub(len, Ordering::Relaxed);
    writer.trouble = writer.commit(vec![job], len, false);
    Ok(writer.trouble.is_some() || writer.is_log_due)
}

impl Writer {
    pub(crate) fn new(
        db: Connection,
        heads: Vec<Head>,
        loaded: Loaded,
        shared: Arc<Shared>,
        settled: rusqlite::Result<()>,
    ) -> Result<Writer, OpenError> {
        let log = Log::new(db, &shared.url.path).map_err(|error| OpenError::Io(error.to_string()))?;
        let trouble = settled.err().map(Trouble::Unsettled);
        Ok(Writer { log, heads, loaded, shared, is_log_long: false, is_log_due: false, trouble })
    }

    /// One group commit. Every job is answered, whatever happens.
    fn commit(&mut self, jobs: Vec<Job>, len: usize, tick: bool) -> Option<Trouble> {
        self.shared.last_callers.store(jobs.len(), Ordering::Relaxed);
        let mut answers = Vec::with_capacity(jobs.len());
        let mut jobs = jobs.into_iter();
        let outcome = self.transact(&mut jobs, &mut answers, len, tick);
        let (verdict, trouble) = match outcome {
            Ok(()) => (Ok(()), None),
            Err(trouble @ Trouble::Within(_)) => (Err(Fault::OutcomeUnknown), Some(trouble)),
            Err(trouble) => (Err(Fault::Unavailable), Some(trouble)),
        };
        if trouble.is_some() {
            self.shared.commit_failures.fetch_add(1, Ordering::Relaxed);
            self.shared.writable.store(false, Ordering::Release);
        }
        for answer in answers {
            answer(verdict);
        }
        jobs.for_each(|job| job.turn_away(Fault::Unavailable));
        self.is_log_due |= trouble.is_none() && self.log.tend();
        trouble
    }

    /// Copies the log to its end, if that is due.
    fn finish_log(&mut self) -> Option<Trouble> {
        if std::mem::take(&mut self.is_log_due) { self.log.finish().err().map(Trouble::Unsynced) } else { None }
    }

    fn transact(
        &mut self,
        jobs: &mut std::vec::IntoIter<Job>,
        answers: &mut Vec<Answer>,
        len: usize,
        tick: bool,
    ) -> Result<(), Trouble> {
        let now = (self.shared.clock)().max(Time::from_micros(self.shared.last_time.load(Ordering::Relaxed)));
        let is_lone = !tick && len <= ALONE_LEN_MAX;
        if !self.log.begin(is_lone).map_err(Trouble::Before)? {
            return Err(Trouble::Stranger);
        }
        let db = self.log.db();
        let mut batch = Batch::new(db, &self.shared, &self.heads, &self.loaded, now);
        for job in jobs.by_ref() {
            answers.push((job.run)(Ok(&mut batch)).map_err(Trouble::Before)?);
        }
        if tick {
            batch.look_after().map_err(Trouble::Before)?;
        }
        let done = batch.finish();
        done.write_heard(db).map_err(Trouble::Before)?;
        done.write_behind(db, &self.shared, &self.heads, &mut self.loaded).map_err(Trouble::Before)?;
        if tick {
            self.loaded.follower.tidy(db).map_err(Trouble::Before)?;
            self.mark_end().map_err(Trouble::Before)?;
        }
        let committing = Instant::now();
        self.log.commit(is_lone).map_err(Trouble::Within)?;
        // Durable from here on: publish first, so that whoever hears the answer and reads, reads it.
        done.publish(&mut self.heads, &mut self.loaded, &self.shared);
        if len > 0 {
            self.shared.count_commit(len, committing.elapsed());
        }
        Ok(())
    }

    /// Leaves the trace that tells a log whose end was cut off, if the log has grown since the last one.
    fn mark_end(&mut self) -> rusqlite::Result<()> {
        let Loaded { last_row, marked_row, .. } = &mut self.loaded;
        if marked_row < last_row {
            self.log.db().prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'last_row'")?.execute([*last_row])?;
            *marked_row = *last_row;
        }
        Ok(())
    }

    /// Once, a second after the start: a command line that opens the database itself has ended by then.
    fn lengthen_log(&mut self) {
        if !std::mem::replace(&mut self.is_log_long, true)
            && let Err(error) = schema::lengthen_log(&self.shared.url.beside("-wal"))
        {
            tracing::debug!(%error, "the log grows with its commits, which makes them slower");
        }
    }

    /// Writes what a start would have to replay, as far as that is quick, in pieces that each are a transaction.
    fn write_rest(&mut self) -> rusqlite::Result<()> {
        let until = Instant::now() + END_MAX;
        let mut are_uses_left = true;
        // Also where nothing is left but the mark.
        while self.log.begin(false)? {
            self.mark_end()?;
            are_uses_left = are_uses_left && write_uses(self.log.db(), &self.shared, USES_AT_END)?;
            if self.loaded.follower.is_behind() {
                let source = Source::new(&self.shared, &self.heads);
                self.loaded.follower.write_rest(self.log.db(), source, self.loaded.last_row)?;
            }
            self.log.commit(false)?;
            if !(are_uses_left || self.loaded.follower.is_behind()) || Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    /// Gets the database back, turning away whatever arrives meanwhile. False where that cannot be.
    fn recover(&mut self, trouble: Trouble, queue: &Receiver<Job>) -> bool {
        // Before a part of the log was copied, whether beside the writer or before a reader's snapshot was in the way, all
        // of it is copied again after a sync that failed.
        let is_in_the_way = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        let mut is_all_copied_again = matches!(&trouble, Trouble::Unsettled(error) if !is_in_the_way(error));
        match &trouble {
            Trouble::Unsynced(error) => return self.ends_unsynced(error),
            Trouble::Stranger => {
                self.shared.breaks(
                    "another process wrote into the database while this one owned it; stop whatever did, then run \
                     `sodu verify` before serving again",
                );
                return false;
            }
            Trouble::Before(error) => {
                tracing::error!(%error, "a batch failed before its commit; nothing of it happened")
            }
            Trouble::Within(error) => tracing::error!(%error, "a commit failed; its outcome is not known yet"),
            Trouble::Unsettled(error) => {
                tracing::error!(%error, "balances are served as they were read; movements wait until the log is settled")
            }
        }
        let mut logged = String::new();
        loop {
            match self.reopen() {
                Ok(()) => {
                    tracing::info!("the database is back; movements are taken again");
                    self.shared.writer_comes();
                    self.shared.writable.store(true, Ordering::Release);
                    return true;
                }
                Err(error) if !is_all_copied_again && error.downcast_ref().is_some_and(is_of_sync) => {
                    return self.ends_unsynced(&error);
                }
                Err(error) => {
                    is_all_copied_again &= !error.downcast_ref().is_some_and(is_in_the_way);
                    let error = error.to_string();
                    if error != logged {
                        tracing::error!(%error, "the database cannot be used; trying on");
                        logged = error;
                    }
                }
            }
            let until = Instant::now() + RECOVERY_PAUSE;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                match queue.recv_timeout(left) {
                    Ok(job) => {
                        self.shared.queue_len.fetch_sub(job.len, Ordering::Relaxed);
                        job.turn_away(Fault::Unavailable);
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return false,
                }
            }
        }
    }

    /// Nobody can say what of the database file is on disk; that all of it is in the log, the next start makes use of.
    fn ends_unsynced(&self, error: &dyn std::fmt::Display) -> bool {
        self.log.keep();
        self.shared.breaks(&format!(
            "the database file could not be synced ({error}); look after the disk, close whatever else has the database \
             open, then start again: the log has all that was acknowledged, and a start copies it anew"
        ));
        false
    }

    /// A new connection, with everything in the log copied into the database and synced, and memory brought up to it.
    fn reopen(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        if !self.log.db().is_autocommit() {
            // Whatever it says: the connection is given up, and what it had not committed goes with it.
            drop(self.log.db().execute_batch("ROLLBACK"));
        }
        // What it still reads could not be copied, nor what is being copied.
        self.log.stop()?;
        let db = schema::open_writer(&self.shared.url.path)?;
        schema::settle(&db)?;
        let before = self.loaded.last_row;
        let loaded = load::load(&self.shared, &mut self.heads)?;
        if loaded.last_row < before {
            return Err("entries that were durable are gone from the database".into());
        }
        self.shared.last_time.fetch_max(loaded.last_time.micros(), Ordering::Relaxed);
        self.log = Log::new(db, &self.shared.url.path)?;
        self.loaded = loaded;
        (self.is_log_long, self.is_log_due) = (false, false);
        Ok(())
    }
}

/// The jobs that wait, as many as one commit takes.
fn gather(first: Option<Job>, queue: &Receiver<Job>) -> Vec<Job> {
    let mut jobs: Vec<Job> = first.into_iter().collect();
    let mut len: usize = jobs.iter().map(|job| job.len).sum();
    while len < BATCH_LEN_MAX
        && let Ok(job) = queue.try_recv()
    {
        len += job.len;
        jobs.push(job);
    }
    jobs
}
