//! Time limits of connections without a timer each: one sweep a thread wakes what has waited too long.
//!
//! A timer that is armed and cancelled for every request costs more than answering it. So a connection only notes what
//! it waits for and since when, in steps of the sweep (a tenth of the shorter limit), and the sweep, which runs a few
//! times a second at most, looks at all of them. Body limits are kept where bodies are read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Looks after the connections of one thread.
pub(super) struct Watch {
    began: Instant,
    /// Milliseconds since `began`, as of the last sweep.
    now_ms: AtomicU64,
    interval: Duration,
    head_max_ms: u64,
    idle_max_ms: u64,
    connections: Mutex<Connections>,
    closed: Notify,
}

#[derive(Default)]
struct Connections {
    open: HashMap<u64, Arc<Vigil>>,
    last: u64,
    draining: bool,
}

/// What one connection waits for, and what it is told.
pub(super) struct Vigil {
    /// Milliseconds by its watch, times four, plus the [`Phase`].
    since_and_phase: AtomicU64,
    order: AtomicU8,
    waker: OnceLock<Waker>,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The next request.
    Idle = 0,
    /// The first byte on a new connection.
    New = 1,
    /// The rest of a request's head.
    Head = 2,
    /// Us.
    Answer = 3,
}

/// What a connection is told by its watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Go on.
    Serve = 0,
    /// Answer what is being asked, then close.
    Finish = 1,
    /// Close at once: it has waited too long.
    Leave = 2,
}

impl Watch {
    pub(super) fn new(head_max: Duration, idle_max: Duration) -> Watch {
        let ms = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let interval = (head_max.min(idle_max) / 10).clamp(Duration::from_millis(5), Duration::from_secs(1));
        // Times are known to one interval, so limits are kept to one interval more: never cut off early.
        let head_max_ms = ms(head_max + interval);
        let idle_max_ms = ms(idle_max + interval);
        Watch {
            began: Instant::now(),
            now_ms: AtomicU64::new(0),
            interval,
            head_max_ms,
            idle_max_ms,
            connections: Mutex::default(),
            closed: Notify::new(),
        }
    }

    /// Takes a new connection in; it is looked after until the guard is dropped.
    pub(super) fn over(self: &Arc<Watch>) -> Guard {
        let mut connections = self.lock();
        connections.last += 1;
        let order = if connections.draining { Order::Finish } else { Order::Serve };
        let vigil = Arc::new(Vigil {
            since_and_phase: AtomicU64::new(self.now_ms.load(Relaxed) << 2 | Phase::New as u64),
            order: AtomicU8::new(order as u8),
            waker: OnceLock::new(),
        });
        let id = connections.last;
        connections.open.insert(id, Arc::clone(&vigil));
        Guard { watch: Arc::clone(self), id, vigil }
    }

    /// Tells connections to leave that have waited too long, for ever.
    pub(super) async fn sweep(&self) {
        let mut ticks = tokio::time::interval(self.interval);
        loop {
            ticks.tick().await;
            let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.now_ms.store(now_ms, Relaxed);
            for vigil in self.lock().open.values() {
                if self.is_overdue(vigil, now_ms) {
                    vigil.tell(Order::Leave);
                }
            }
        }
    }

    fn is_overdue(&self, vigil: &Vigil, now_ms: u64) -> bool {
        let state = vigil.since_and_phase.load(Relaxed);
        let waited_ms = now_ms.saturating_sub(state >> 2);
        match state & 3 {
            phase if phase == Phase::Idle as u64 => waited_ms > self.idle_max_ms,
            phase if phase == Phase::Answer as u64 => false,
            _ => waited_ms > self.head_max_ms,
        }
    }

    /// Tells every connection, also those to come, to finish.
    pub(super) fn drain(&self) {
        let mut connections = self.lock();
        connections.draining = true;
        connections.open.values().for_each(|vigil| vigil.tell(Order::Finish));
    }

    /// Waits until no connection is open.
    pub(super) async fn all_closed(&self) {
        while !self.lock().open.is_empty() {
            self.closed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vigil {
    /// What the connection is to do.
    pub(super) fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            0 => Order::Serve,
            1 => Order::Finish,
            _ => Order::Leave,
        }
    }

    /// Whether a request has begun to come, and its head is not complete.
    pub(super) fn is_being_asked(&self) -> bool {
        self.since_and_phase.load(Relaxed) & 3 == Phase::Head as u64
    }

    /// Remembers whom to wake; the task of a connection stays the same, so the first one holds.
    pub(super) fn wake_by(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Relaxed);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

/// A connection's place among those that are looked after.
pub(super) struct Guard {
    watch: Arc<Watch>,
    id: u64,
    vigil: Arc<Vigil>,
}

impl Guard {
    pub(super) fn vigil(&self) -> &Vigil {
        &self.vigil
    }

    /// Bytes have come: if none were waited for, a head has begun. The first one has its time from the connect on.
    pub(super) fn received(&self) {
        let state = self.vigil.since_and_phase.load(Relaxed);
        if state & 3 == Phase::Idle as u64 {
            self.enter(Phase::Head);
        } else if state & 3 == Phase::New as u64 {
            self.vigil.since_and_phase.store(state & !3 | Phase::Head as u64, Relaxed);
        }
    }

    /// A whole head has come.
    pub(super) fn asked(&self) {
        self.enter(Phase::Answer);
    }

    /// The answer is given.
    pub(super) fn answered(&self) {
        self.enter(Phase::Idle);
    }

    fn enter(&self, phase: Phase) {
        self.vigil.since_and_phase.store(self.watch.now_ms.load(Relaxed) << 2 | phase as u64, Relaxed);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watch.lock().open.remove(&self.id);
        self.watch.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_depend_on_what_is_waited_for() {
        let watch = Arc::new(Watch::new(Duration::from_millis(100), Duration::from_millis(1000)));
        let guard = watch.over();
        let overdue_at = |ms| watch.is_overdue(guard.vigil(), ms);
        assert!(!overdue_at(100), "never early");
        assert!(overdue_at(111), "a new connection waits for its first head");
        watch.now_ms.store(90, Relaxed);
        guard.received();
        assert!(guard.vigil().is_being_asked());
        assert!(overdue_at(111), "a first byte gains no time");
        watch.now_ms.store(500, Relaxed);
        guard.asked();
        assert!(!overdue_at(1_000_000), "we are the ones to be waited for");
        guard.answered();
        assert!(!overdue_at(1500));
        assert!(overdue_at(1511));
        watch.now_ms.store(600, Relaxed);
        guard.received();
        watch.now_ms.store(650, Relaxed);
        guard.received();
        assert!(overdue_at(711), "the head began with its first byte");
    }

    #[test]
    fn connections_are_told_to_finish_and_forgotten_when_they_close() {
        let watch = Arc::new(Watch::new(Duration::from_secs(1), Duration::from_secs(1)));
        let early = watch.over();
        watch.drain();
        let late = watch.over();
        assert_eq!((early.vigil().order(), late.vigil().order()), (Order::Finish, Order::Finish));
        late.vigil().tell(Order::Leave);
        late.vigil().tell(Order::Finish);
        assert_eq!(late.vigil().order(), Order::Leave);
        drop((early, late));
        assert!(watch.lock().open.is_empty());
    }
}
