//! What the writer and everybody else have in common: the published state, and counters.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::credentials::Credentials;
use crate::holds::Holds;
use crate::memory::Accounts;
use crate::operators::Tokens;
use crate::watch::Watches;
use crate::{Clock, SqliteUrl};

/// One store's shared state.
pub(crate) struct Shared {
    pub(crate) url: SqliteUrl,
    pub(crate) clock: Clock,
    pub(crate) refusal_us: i64,
    /// How many refusals of one account are kept within one second.
    pub(crate) refusals_per_second: u32,
    /// Changed by the writer alone, together with the figures that they are part of.
    pub(crate) holds: Mutex<Holds>,
    pub(crate) watches: Mutex<Watches>,
    pub(crate) accounts: Accounts,
    pub(crate) credentials: Credentials,
    pub(crate) tokens: Tokens,
    /// The greatest durable time, in microseconds: ledger time never falls behind it.
    pub(crate) last_time: AtomicI64,
    /// Whether movements are taken.
    pub(crate) writable: AtomicBool,
    pub(crate) queue_len: AtomicUsize,
    /// How many callers the last commit answered: more than one, and there are some who share a sync.
    pub(crate) last_callers: AtomicUsize,
    pub(crate) commits: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) commit_us: AtomicU64,
    pub(crate) commit_failures: AtomicU64,
    /// When the store was opened.
    pub(crate) opened: Instant,
    /// How long after that the writer last came round, in milliseconds.
    pub(crate) writer_came_ms: AtomicU64,
    /// The operator's own targets, by name: each alert is to be delivered to them too.
    pub(crate) alert_targets: Vec<String>,
    /// Woken by each commit that wrote something to deliver.
    pub(crate) alerts_written: Notify,
    /// Why the store can never write again, once it cannot.
    pub(crate) broken: watch::Sender<Option<String>>,
}

impl Shared {
    /// Says for good that nothing is written any more, and why.
    pub(crate) fn breaks(&self, why: &str) {
        tracing::error!(why, "the store is broken");
        self.writable.store(false, Ordering::Release);
        self.broken.send_replace(Some(why.to_owned()));
    }

    /// The writer is about to look for work.
    pub(crate) fn writer_comes(&self) {
        self.writer_came_ms.store(self.open_ms(), Ordering::Relaxed);
    }

    pub(crate) fn open_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn count_commit(&self, commands: usize, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(u64::try_from(commands).unwrap_or(0), Ordering::Relaxed);
        self.commit_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watches(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells everyone when whoever works at the desk panics.
pub(crate) struct PanicGuard<'a>(pub(crate) &'a Shared);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.breaks("the writer panicked; this is a bug, restart and report it");
        }
    }
}
