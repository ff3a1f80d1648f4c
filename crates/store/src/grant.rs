//! What a right pair of key and secret gives: the account's figures of that instant, and what narrows the pair.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::Guard;
use ledger::Time;

use crate::AccountNow;
use crate::credentials::{CredentialSlot, Limits};
use crate::shared::Shared;

/// A credential whose key and secret were right, and its account's figures of this instant.
pub struct Grant<'a> {
    /// The account it speaks for.
    pub account: AccountNow,
    pub(crate) slot: u32,
    pub(crate) credential: &'a CredentialSlot,
    pub(crate) limits: Option<Guard<Arc<Limits>>>,
    pub(crate) shared: &'a Shared,
}

impl Grant<'_> {
    /// Whether it is neither revoked nor expired at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        let limits = self.limits.as_ref();
        limits.is_none_or(|limits| !limits.revoked && limits.expires_at.is_none_or(|end| now < end))
    }

    /// Whether it may be used from `address`. IPv4-mapped IPv6 is compared as IPv4.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.limits.as_ref().is_none_or(|limits| limits.admits(address))
    }

    /// Notes that it was used at `now`: at once in memory, on disk at most once a minute.
    pub fn note_use(&self, now: Time) {
        if self.credential.note_use(now) {
            // Fails only once the writer has ended; the use is then known to nobody, as after a crash.
            self.shared.uses.send(self.slot).unwrap_or_default();
        }
    }
}
