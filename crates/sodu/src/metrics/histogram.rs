//! A latency histogram of relaxed atomics: one addition to a bucket and one to the sum per observation.
//!
//! The bounds are fixed, from a GetBalance answered at once (tens of microseconds) to a caller who waits for a full
//! queue. Buckets are kept apart and added up only when they are read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The upper bounds of all buckets but the last, in microseconds.
pub(super) const BOUNDS_US: [u64; 13] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Counts by latency, the last bucket being everything above the bounds.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    /// Counts one observation.
    pub(super) fn record(&self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.iter().position(|bound| took_us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The buckets and the sum in nanoseconds over several histograms.
    pub(super) fn sum<'a>(parts: impl Iterator<Item = &'a Histogram>) -> ([u64; BOUNDS_US.len() + 1], u64) {
        let mut buckets = [0; BOUNDS_US.len() + 1];
        let mut sum_ns = 0;
        for part in parts {
            buckets.iter_mut().zip(&part.buckets).for_each(|(sum, bucket)| *sum += bucket.load(Relaxed));
            sum_ns += part.sum_ns.load(Relaxed);
        }
        (buckets, sum_ns)
    }
}
