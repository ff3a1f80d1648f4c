//! What a right pair of key and secret gives: the account's figures of that instant, and what narrows the pair.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::Guard;
use ledger::Time;

use crate::AccountNow;
use crate::credentials::{Credentials, Limits};
use crate::postgres::Used;

/// A credential whose key and secret were right, and its account's figures of this instant.
pub struct Grant<'a> {
    /// The account it speaks for.
    pub account: AccountNow,
    /// The instant, in ledger time.
    pub at: Time,
    pub(crate) credential: Known<'a>,
}

/// Where the credential is known from.
pub(crate) enum Known<'a> {
    /// This process's memory.
    Memory { slot: u32, limits: Option<Guard<Arc<Limits>>>, credentials: &'a Credentials },
    /// The database, just now.
    Database { limits: Limits, used: Used<'a> },
}

impl Grant<'_> {
    /// Whether it is neither revoked nor expired.
    pub fn is_live(&self) -> bool {
        let is_over = |limits: &Limits| limits.revoked || limits.expires_at.is_some_and(|end| end <= self.at);
        !self.limits().is_some_and(is_over)
    }

    /// Whether it may be used from `address`. IPv4-mapped IPv6 is compared as IPv4.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.limits().is_none_or(|limits| limits.admits(address))
    }

    /// Notes that it was used: at once in memory, on disk at most once a minute.
    pub fn note_use(&self) {
        match &self.credential {
            Known::Memory { slot, credentials, .. } => credentials.note_use(*slot, self.at),
            Known::Database { used, .. } => used.note(self.at),
        }
    }

    fn limits(&self) -> Option<&Limits> {
        match &self.credential {
            Known::Memory { limits, .. } => limits.as_deref().map(AsRef::as_ref),
            Known::Database { limits, .. } => Some(limits),
        }
    }
}
