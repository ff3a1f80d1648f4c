//! The system's clock, as the release binary gives it to the store; tests give another.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ledger::Time;
use store::Clock;

/// Microseconds since 1970 UTC by the system's clock. That ledger time never goes back is the store's business.
pub fn system() -> Clock {
    Arc::new(|| {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
    })
}
