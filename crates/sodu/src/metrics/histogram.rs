//! A latency histogram of relaxed atomics: one addition to a bucket and one to the sum per observation.
//!
//! The bounds are fixed, from a GetBalance answered at once (tens of microseconds) to a caller who waits for a full
//! queue. Buckets are kept apart and added up only when they are read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::exposition::Exposition;

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

impl Exposition {
    /// One histogram: the sum of `parts`.
    pub(super) fn histogram<'a>(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        parts: impl Iterator<Item = &'a Histogram>,
    ) {
        let (buckets, sum_ns) = Histogram::sum(parts);
        let mut cumulated = 0;
        for (index, bucket) in buckets.iter().enumerate() {
            cumulated += bucket;
            let bound = BOUNDS_US.get(index).map_or("+Inf".to_owned(), |bound| seconds(*bound * 1000));
            self.write(format_args!("{name}_bucket"));
            self.labels(labels.iter().copied().chain([("le", bound.as_str())]));
            self.write(format_args!(" {cumulated}\n"));
        }
        self.sample(&format!("{name}_sum"), labels, seconds(sum_ns));
        self.sample(&format!("{name}_count"), labels, cumulated);
    }
}

/// Nanoseconds as a decimal of seconds, without trailing zeros.
pub(crate) fn seconds(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(0), "0");
        assert_eq!(seconds(50), "0.00000005");
        assert_eq!(seconds(1_500_000_000), "1.5");
        assert_eq!(seconds(10_000_000_000), "10");
    }
}
