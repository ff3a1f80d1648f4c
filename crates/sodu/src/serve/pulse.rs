//! Whether the threads of a server still come round.
//!
//! A thread that answers callers beats every second, from within what it answers them by: a beat shows that its runtime gives
//! turns, and so that it accepts and answers. At its limit on connections, or with a slow client, it beats all the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a thread beats.
const INTERVAL: Duration = Duration::from_secs(1);

/// The beats of all threads that answer.
pub(crate) struct Pulse {
    began: Instant,
    threads: Mutex<Vec<Thread>>,
}

struct Thread {
    name: String,
    kind: Kind,
    beat_ms: Arc<AtomicU64>,
}

/// What a thread does between two beats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Answers from memory.
    Public,
    /// May commit, and so wait for the disk.
    Operator,
}

/// For how long threads of each kind may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Those that answer eSMS clients.
    pub public: Duration,
    /// The writer, and those that answer operators.
    pub writer: Duration,
}

/// One thread's beat.
pub(crate) struct Beat {
    began: Instant,
    at_ms: Arc<AtomicU64>,
}

impl Pulse {
    pub(crate) fn new() -> Pulse {
        Pulse { began: Instant::now(), threads: Mutex::default() }
    }

    /// A beat for the thread of that name.
    pub(crate) fn beat(&self, name: impl Into<String>, kind: Kind) -> Beat {
        let at_ms = Arc::new(AtomicU64::new(ms(self.began)));
        let thread = Thread { name: name.into(), kind, beat_ms: Arc::clone(&at_ms) };
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Beat { began: self.began, at_ms }
    }

    /// A thread that has been silent for too long: its name, and for how long.
    pub(crate) fn silent(&self, limits: Limits) -> Option<(String, Duration)> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |thread: &Thread| {
            Duration::from_millis(ms(self.began).saturating_sub(thread.beat_ms.load(Ordering::Relaxed)))
        };
        let limit = |thread: &Thread| match thread.kind {
            Kind::Public => limits.public,
            Kind::Operator => limits.writer,
        };
        let found = threads.iter().find(|thread| since(thread) > limit(thread))?;
        Some((found.name.clone(), since(found)))
    }
}

impl Beat {
    /// Beats for ever.
    pub(crate) async fn go_on(self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            self.at_ms.store(ms(self.began), Ordering::Relaxed);
        }
    }
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
