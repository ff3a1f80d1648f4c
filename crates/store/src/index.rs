//! A hash table of slot numbers that many threads read while one thread adds to it, without a lock.
//!
//! It keeps no keys: a cell is a slot number, and the caller compares against what lies in that slot of its own vector.
//! What a slot number leaves of the cell's 32 bits is a part of the hash, so that hardly any wrong slot is looked at.
//! Nothing is ever removed. Only one thread may add; the types do not enforce that, the single writer does.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::memory::to_index;

/// Tables of a power of two of cells. A cell holds slot + 1 in as many low bits as its table's positions have, and above them
/// those bits of the hash; or 0 while it is empty.
pub(crate) struct Index {
    /// Each at the number of those bits. What the last one has outgrown stays, for whoever reads it still: all of that together
    /// is smaller than the last one.
    tables: [OnceLock<Box<[AtomicU32]>>; 33],
    last: AtomicUsize,
    len: AtomicUsize,
}

impl Index {
    /// An empty table with room for `len` slots before it grows.
    pub(crate) fn with_room(len: usize) -> Index {
        let index =
            Index { tables: [const { OnceLock::new() }; 33], last: AtomicUsize::new(0), len: AtomicUsize::new(0) };
        index.go_on_in(empty_cells(len));
        index
    }

    /// How many slots it finds.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The first slot under `hash` for which `is_wanted` says yes.
    pub(crate) fn find(&self, hash: u32, is_wanted: impl Fn(u32) -> bool) -> Option<u32> {
        let cells = self.cells();
        let mask = mask(cells);
        let mut at = home(hash, mask);
        loop {
            // Acquire pairs with the release of `place`: whoever sees the number sees what was put into the slot before.
            let cell = cells[to_index(at)].load(Ordering::Acquire);
            let slot = (cell & mask).checked_sub(1)?;
            if cell & !mask == hash & !mask && is_wanted(slot) {
                return Some(slot);
            }
            at = (at + 1) & mask;
        }
    }

    /// Has the processor fetch the cell where whoever looks under `hash` begins.
    pub(crate) fn approach(&self, hash: u32) {
        let cells = self.cells();
        std::hint::black_box(cells[to_index(home(hash, mask(cells)))].load(Ordering::Relaxed));
    }

    /// Adds `slot` under `hash`, growing first where the table would be more than half full; `hash_of` gives the hashes of
    /// the slots that are already in.
    pub(crate) fn add(&self, hash: u32, slot: u32, hash_of: impl Fn(u32) -> u32) {
        // Only one thread adds, so a load and a store do; at a locked instruction, the processor would wait for the cell that the
        // slot before this one went to. Release: whoever sees the number finds what lies in every slot below it.
        let len = self.len.load(Ordering::Relaxed) + 1;
        self.len.store(len, Ordering::Release);
        let cells = self.cells();
        if len * 2 <= cells.len() {
            return place(cells, hash, slot);
        }
        let grown = empty_cells(len);
        let mask = mask(cells);
        for taken in cells.iter().filter_map(|cell| (cell.load(Ordering::Relaxed) & mask).checked_sub(1)) {
            place(&grown, hash_of(taken), taken);
        }
        place(&grown, hash, slot);
        self.go_on_in(grown);
    }

    fn cells(&self) -> &[AtomicU32] {
        self.tables[self.last.load(Ordering::Acquire)].get().expect("the last table is there")
    }

    fn go_on_in(&self, cells: Box<[AtomicU32]>) {
        let bits = to_index(cells.len().trailing_zeros());
        assert!(self.tables[bits].set(cells).is_ok(), "a table grows");
        // Release pairs with the acquire of `cells`: whoever sees the table sees what was placed in it.
        self.last.store(bits, Ordering::Release);
    }
}

fn empty_cells(len: usize) -> Box<[AtomicU32]> {
    let cells = (len * 2).next_power_of_two().max(64);
    std::iter::repeat_with(|| AtomicU32::new(0)).take(cells).collect()
}

fn place(cells: &[AtomicU32], hash: u32, slot: u32) {
    let mask = mask(cells);
    let mut at = home(hash, mask);
    while cells[to_index(at)].load(Ordering::Relaxed) != 0 {
        at = (at + 1) & mask;
    }
    cells[to_index(at)].store(hash & !mask | (slot + 1), Ordering::Release);
}

/// The bits of a position. Half of the cells stay empty, so that every slot + 1 fits into them, too.
fn mask(cells: &[AtomicU32]) -> u32 {
    u32::try_from(cells.len() - 1).expect("twice as many cells as there can be account numbers")
}

/// Account numbers are often consecutive, and read and loaded in order: they stay neighbours here, which spares a cache
/// miss each. Folding the upper half in keeps numbers apart that differ only there.
fn home(hash: u32, mask: u32) -> u32 {
    (hash ^ (hash >> 16)) & mask
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn every_slot_is_found_through_growth_and_collisions() {
        let index = Index::with_room(0);
        for slot in 0..10_000_u32 {
            index.add(slot % 1_000, slot, |slot| slot % 1_000);
        }
        for slot in 0..10_000_u32 {
            assert_eq!(index.find(slot % 1_000, |found| found == slot), Some(slot));
        }
        assert_eq!(index.find(5, |_| false), None);
        assert_eq!(index.find(70_000, |found| found == 70_000), None);
    }

    #[test]
    fn readers_never_miss_what_was_added_before_they_looked() {
        let index = Index::with_room(0);
        let added = AtomicU32::new(0);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let sure = added.load(Ordering::Acquire);
                    if let Some(last) = sure.checked_sub(1) {
                        assert_eq!(index.find(last, |found| found == last), Some(last));
                        assert_eq!(index.find(last / 2, |found| found == last / 2), Some(last / 2));
                    }
                }
            });
            for slot in 0..100_000_u32 {
                index.add(slot, slot, |slot| slot);
                added.store(slot + 1, Ordering::Release);
            }
            done.store(true, Ordering::Release);
        });
    }
}
