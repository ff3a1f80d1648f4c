//! What the log has and the derived tables do not have yet: keys with their rows, and which accounts got entries.
//!
//! Keys are dealt by their first byte, so that taking a full generation out costs nothing at once: each share is sorted
//! when its turn to be written comes, and is found in meanwhile.

use crate::maps::ByFingerprint;

const SHARES: usize = 256;

/// Some rows' worth of the log.
pub(crate) struct Generation {
    shares: Box<[ByFingerprint<i64>]>,
    pub(crate) touched: Slots,
    /// Rows of the log that it covers: what a start has to replay.
    pub(crate) rows: usize,
}

impl Generation {
    pub(crate) fn new() -> Generation {
        let shares = std::iter::repeat_with(ByFingerprint::default).take(SHARES).collect();
        Generation { shares, touched: Slots::default(), rows: 0 }
    }

    pub(crate) fn insert(&mut self, fingerprint: u128, row: i64) {
        self.shares[share(fingerprint)].insert(fingerprint, row);
    }

    pub(crate) fn find(&self, fingerprint: u128) -> Option<i64> {
        self.shares[share(fingerprint)].get(&fingerprint).copied()
    }

    /// All keys in ascending order, a share at a time; `None` after the last.
    pub(crate) fn sorted(&self, share: usize) -> Option<Vec<(u128, i64)>> {
        let share = self.shares.get(share)?;
        let mut keys: Vec<(u128, i64)> = share.iter().map(|(&fingerprint, &row)| (fingerprint, row)).collect();
        keys.sort_unstable();
        Some(keys)
    }
}

fn share(fingerprint: u128) -> usize {
    usize::from(fingerprint.to_be_bytes()[0])
}

/// A set of slots: a bit each.
#[derive(Default)]
pub(crate) struct Slots {
    words: Vec<u64>,
}

impl Slots {
    pub(crate) fn insert(&mut self, slot: u32) {
        let (word, bit) = place(slot);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
    }

    /// The first slot that is not below `from`.
    pub(crate) fn next(&self, from: u32) -> Option<u32> {
        let (first, bit) = place(from);
        let mut mask = !(bit - 1);
        for (word, bits) in self.words.iter().enumerate().skip(first) {
            let left = bits & mask;
            if left != 0 {
                return u32::try_from(word * 64).ok().map(|slot| slot + left.trailing_zeros());
            }
            mask = u64::MAX;
        }
        None
    }
}

fn place(slot: u32) -> (usize, u64) {
    (usize::try_from(slot / 64).expect("a 64-bit machine"), 1 << (slot % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_out_in_order() {
        let mut slots = Slots::default();
        let put = [0, 1, 63, 64, 65, 200, 4095, 100_000];
        put.iter().rev().for_each(|&slot| slots.insert(slot));
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(slot) = slots.next(from) {
            found.push(slot);
            from = slot + 1;
        }
        assert_eq!(found, put);
    }

    #[test]
    fn keys_come_out_in_order_and_the_last_row_counts() {
        let mut generation = Generation::new();
        let fingerprint = |n: u8| u128::from_be_bytes([n.wrapping_mul(37); 16]);
        (0..=255).for_each(|n| generation.insert(fingerprint(n), 1));
        generation.insert(fingerprint(7), -2);
        let shares = (0..).map_while(|share| generation.sorted(share));
        let keys: Vec<_> = shares.flatten().collect();
        assert!(keys.is_sorted() && keys.len() == 256);
        assert_eq!(generation.find(fingerprint(7)), Some(-2));
        assert!(keys.contains(&(fingerprint(7), -2)));
    }
}
