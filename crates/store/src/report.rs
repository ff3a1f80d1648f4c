//! What a verification of either engine finds, and what may be kept of it for a later one.

use std::path::Path;

use ledger::{AccountId, Hash};

use crate::links::{self, Links};

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyReport {
    /// Accounts folded.
    pub accounts: u64,
    /// Entries read.
    pub entries: u64,
    /// BLAKE3 over number, last entry and last link of every account, in the order of their numbers.
    pub root: Hash,
    /// What is wrong, in the order of the log; empty where all is well. At most a thousand.
    pub findings: Vec<Finding>,
    /// By account, the number and the hash of its last entry.
    links: Links,
}

impl VerifyReport {
    pub(crate) fn new(entries: u64, links: Links, findings: Vec<Finding>) -> VerifyReport {
        let accounts = u64::try_from(links.len()).unwrap_or(u64::MAX);
        VerifyReport { accounts, entries, root: links::root(&links), findings, links }
    }

    /// Keeps every account's last link and the root in a new file, for a later [`crate::Store::verify`] to hold the ledger
    /// against. Errors are sentences.
    pub fn save(&self, to: &Path) -> Result<(), String> {
        links::save(&self.links, to)
    }
}

/// The links that an earlier verification saved.
#[derive(Default)]
pub struct Against(Links);

impl Against {
    pub(crate) fn into_links(self) -> Links {
        self.0
    }

    /// Reads the file that [`VerifyReport::save`] wrote. Errors are sentences.
    pub fn read(from: &Path) -> Result<Against, String> {
        links::read(from).map(Against)
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The account it is about.
    pub account: Option<AccountId>,
    /// The entry it is about.
    pub number: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

/// How far something long has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Entries or pages done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}
