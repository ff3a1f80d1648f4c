//! The digests of the store: what a secret is known as, and how a key is found.

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

/// What [`Key`] allows.
const KEY_LEN_MAX: usize = 128;

/// The fingerprint under which a key is looked up: 128 bits of BLAKE3 over its scope and itself. Equal fingerprints are
/// taken for equal keys; a collision costs 2^64 hashes and would only make its author's own second key count as reused.
pub(crate) fn fingerprint(scope: Scope, key: &Key) -> u128 {
    let scope = match scope {
        Scope::Platform => 0,
        Scope::Account(id) => id.get(),
    };
    // In one piece on the stack, since the hash of a short text costs less than an incremental hasher's set-up.
    let mut text = [0; 4 + KEY_LEN_MAX];
    let len = 4 + key.as_str().len();
    text[..4].copy_from_slice(&scope.to_le_bytes());
    text[4..len].copy_from_slice(key.as_str().as_bytes());
    u128::from_be_bytes(*blake3::hash(&text[..len]).as_bytes().first_chunk().expect("32 bytes"))
}

/// Where an idempotency key is unique.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// The key of an opening: the account does not exist yet.
    Platform,
    /// The key of a movement.
    Account(AccountId),
}
