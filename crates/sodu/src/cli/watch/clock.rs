//! The time that a watcher lives by. The release binary has the system's; tests build a watcher with one that they step.

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Now, in whole milliseconds.
    fn now(&self) -> Timestamp;

    /// Waits until `at`, or wakes earlier. `is_idle` says that nothing else is waited for meanwhile, no answer and no
    /// delivery: only then may a clock that is stepped take its next step.
    fn sleep_until(&self, at: Timestamp, is_idle: bool) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The system's clock.
pub struct System;

/// The longest that is slept at once: a machine that was suspended, or whose clock was set, notices within this time.
const NAP: Duration = Duration::from_secs(30);

impl Clock for System {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn sleep_until(&self, at: Timestamp, _is_idle: bool) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let left = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
        Box::pin(tokio::time::sleep(left.min(NAP)))
    }
}
