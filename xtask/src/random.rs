//! A small generator of random numbers (SplitMix64) whose seed can be printed and replayed.
//!
//! For choosing load and for test keys that need not be secret. Nothing that a server hands out is made here.

use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A seed that differs from run to run, of a length that is easily typed again.
    pub(crate) fn fresh_seed() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index into something of `length`, which is not zero.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("under a usize")
    }

    /// A minor-unit amount from 1 to `greatest`.
    pub(crate) fn amount(&mut self, greatest: u64) -> i64 {
        i64::try_from(1 + self.below(greatest)).expect("amounts asked for are small")
    }

    /// True `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// `digits` (at most 32) upper-case hexadecimal digits, the form of an eSMS key.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = format!("{:016X}{:016X}", self.next(), self.next());
        text.truncate(digits);
        text
    }
}
