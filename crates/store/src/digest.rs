//! The digests of the store: what a secret is known as, and how a key is found.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use ledger::{AccountId, Key};
use sha2::{Digest, Sha256};

/// What is kept of a key and its secret: SHA-256 over both, each with its length before it, so that no other pair of
/// texts runs together to the same bytes.
pub(crate) fn of(api_key: &str, secret_key: &str) -> [u8; 32] {
    let mut sha = Sha256::new();
    for text in [api_key, secret_key] {
        sha.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        sha.update(text.as_bytes());
    }
    sha.finalize().into()
}

/// The fingerprint under which a key is looked up: 128 bits of BLAKE3 over its scope and itself. Equal fingerprints are
/// taken for equal keys; a collision costs 2^64 hashes and would only make its author's own second key count as reused.
pub(crate) fn fingerprint(scope: Scope, key: &Key) -> u128 {
    let scope = match scope {
        Scope::Platform => 0,
        Scope::Account(id) => id.get(),
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(&scope.to_le_bytes()).update(key.as_str().as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(first)
}

/// Where an idempotency key is unique.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// The key of an opening: the account does not exist yet.
    Platform,
    /// The key of a movement.
    Account(AccountId),
}

/// What is known by fingerprint.
pub(crate) type ByFingerprint<T> = HashMap<u128, T, BuildHasherDefault<Uniform>>;

/// Fingerprints are hashes: half of one is as good as a hash of it, and nobody can choose them all alike without finding
/// what collides in BLAKE3.
#[derive(Default)]
pub(crate) struct Uniform(u64);

impl Hasher for Uniform {
    fn write_u128(&mut self, fingerprint: u128) {
        let [_, _, _, _, _, _, _, _, low @ ..] = fingerprint.to_be_bytes();
        self.0 = u64::from_be_bytes(low);
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are keys of these maps");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
