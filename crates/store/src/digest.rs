//! The digests of the store: what a secret is known as, and how a key is found.

use ledger::{AccountId, Key, Target};
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

/// What is kept of an operator's token: SHA-256.
pub(crate) fn of_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The fingerprint under which a key is looked up: 128 bits of BLAKE3 over its scope and itself. Equal fingerprints are
/// taken for equal keys; a collision costs 2^64 hashes and would only make its author's own second key count as reused.
pub(crate) fn fingerprint(scope: Scope, key: &Key) -> u128 {
    let scope = match scope {
        Scope::Platform => 0,
        Scope::Account(id) => id.get(),
    };
    digest(scope, key.as_str().as_bytes())
}

/// The fingerprint under which the newest word on an entry is looked up: the last refund of a charge or capture, what ended
/// a hold. No key has a zero byte in it.
pub(crate) fn settled(of: Target) -> u128 {
    let mut text = [0; 9];
    text[1..].copy_from_slice(&of.number.to_le_bytes());
    digest(of.account.get(), &text)
}

fn digest(scope: u32, text: &[u8]) -> u128 {
    // In one piece on the stack, since the hash of a short text costs less than an incremental hasher's set-up.
    let mut form = [0; 4 + KEY_LEN_MAX];
    form[..4].copy_from_slice(&scope.to_le_bytes());
    form[4..4 + text.len()].copy_from_slice(text);
    u128::from_be_bytes(*blake3::hash(&form[..4 + text.len()]).as_bytes().first_chunk().expect("32 bytes"))
}

/// The longest text that has a fingerprint, in bytes.
const KEY_LEN_MAX: usize = 128;

/// Where an idempotency key is unique.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// The key of an opening: the account does not exist yet.
    Platform,
    /// The key of a movement.
    Account(AccountId),
}
