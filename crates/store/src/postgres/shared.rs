//! What the lanes, the readers and the chores of one node share.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger::Time;
use tokio::sync::Notify;

use super::batch::Batch;
use super::pool::Pool;
use super::schema;
use super::session::Error;
use super::url::PostgresUrl;
use crate::Options;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// One node's shared state. Nothing in it decides anything.
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) refusal_us: i64,
    pub(super) refusals_per_second: u32,
    /// The operator's own targets of alerts.
    pub(super) alert_targets: Arc<[String]>,
    /// By which deliveries say that this node has taken them.
    pub(super) node: i64,
    /// Whether what waits shares a round trip; only a benchmark says no.
    pub(super) gathers: bool,
    /// Whether what is read waits for a commit that proves its server the primary; only a proof of that proof says no.
    pub(super) proves_reads: bool,
    /// Commands that wait for a lane.
    pub(super) queue_len: AtomicUsize,
    pub(super) writable: AtomicBool,
    pub(super) commits: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) commit_us: AtomicU64,
    pub(super) commit_failures: AtomicU64,
    /// Accounts at the last look, for a gauge.
    pub(super) accounts: AtomicU64,
    /// The schema's version at the last look.
    schema: AtomicI64,
    /// Last uses of credentials that are still to be written, by credential.
    uses: Mutex<HashMap<i64, Time>>,
    /// Told when this node has written something to deliver.
    pub(super) alerts_written: Notify,
}

impl Shared {
    pub(super) fn new(pool: Pool, options: &Options, url: &PostgresUrl) -> Shared {
        Shared {
            pool,
            refusal_us: i64::from(options.refusal_days).saturating_mul(MICROS_A_DAY),
            refusals_per_second: options.refusals_per_second,
            alert_targets: options.alert_targets.as_slice().into(),
            // Seeded by the system's generator.
            node: i64::from_ne_bytes(RandomState::new().hash_one(std::process::id()).to_ne_bytes()),
            gathers: url.gathers(),
            proves_reads: !url.allows_stale_reads(),
            queue_len: AtomicUsize::new(0),
            writable: AtomicBool::new(true),
            commits: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            commit_us: AtomicU64::new(0),
            commit_failures: AtomicU64::new(0),
            accounts: AtomicU64::new(0),
            schema: AtomicI64::new(schema::VERSION),
            uses: Mutex::default(),
            alerts_written: Notify::new(),
        }
    }

    /// Wakes whoever delivers, where a transaction that is durable has something for them.
    pub(super) fn tell_of(&self, batch: &Batch) {
        if batch.has_alerts {
            self.alerts_written.notify_one();
        }
    }

    /// Says once, in the log, that the database cannot be used.
    pub(super) fn goes_wrong(&self, error: &Error) {
        if self.writable.swap(false, Ordering::AcqRel) {
            tracing::error!(%error, "the database cannot be used; trying on");
        }
    }

    /// Says once, in the log, that it can be used again.
    pub(super) fn is_well(&self) {
        if !self.writable.swap(true, Ordering::AcqRel) {
            tracing::info!("the database is back; movements are taken again");
        }
    }

    /// Says once, in the log, that a newer program has changed the schema. What a change adds, this one leaves alone, and so
    /// it goes on; but it could not start any more.
    pub(super) fn sees_schema(&self, found: i64) {
        if self.schema.swap(found, Ordering::AcqRel) != found && found > schema::VERSION {
            let known = schema::VERSION;
            tracing::warn!(
                found,
                known,
                "a newer sodu has changed the schema; this one serves on, and cannot start again"
            );
        }
    }

    pub(super) fn count_commit(&self, commands: usize, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(u64::try_from(commands).unwrap_or(0), Ordering::Relaxed);
        self.commit_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Notes that a credential was used in that minute.
    pub(super) fn note_use(&self, credential: i64, minute: Time) {
        self.uses().insert(credential, minute);
    }

    /// The last use that this node knows and has not written yet.
    pub(super) fn last_use(&self, credential: i64) -> Option<Time> {
        self.uses().get(&credential).copied()
    }

    pub(super) fn take_uses(&self) -> HashMap<i64, Time> {
        std::mem::take(&mut self.uses())
    }

    fn uses(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Time>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
