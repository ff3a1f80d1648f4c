//! Hash maps for what needs no hashing: fingerprints are hashes already, and nobody outside chooses slots.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What is known by fingerprint.
pub(crate) type ByFingerprint<T> = HashMap<u128, T, BuildHasherDefault<Uniform>>;

/// What is known by slot.
pub(crate) type BySlot<T> = HashMap<u32, T, BuildHasherDefault<Uniform>>;

/// A fingerprint's lower half, which only finding collisions in BLAKE3 could make alike; or a slot, spread out.
#[derive(Default)]
pub(crate) struct Uniform(u64);

impl Hasher for Uniform {
    fn write_u128(&mut self, fingerprint: u128) {
        let [_, _, _, _, _, _, _, _, low @ ..] = fingerprint.to_be_bytes();
        self.0 = u64::from_be_bytes(low);
    }

    fn write_u32(&mut self, slot: u32) {
        // 2^64 over the golden ratio: neighbours end up far apart in both the upper and the lower bits.
        self.0 = u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints and slots are keys of these maps");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
