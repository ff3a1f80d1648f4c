//! What watched accounts used, added up anew from their entries.

use std::collections::BTreeMap;

use ledger::{AccountId, Entry, Minor, Usage};
use rusqlite::Connection;

use crate::{schema, watch};

/// What is found wrong of one.
pub(crate) const DIFFERS: &str = "what the account used differs from its entries";
pub(crate) const UNREADABLE: &str = "what the account used does not read as such";

/// The watched accounts, each with what its row says and what its entries have said so far.
#[derive(Default)]
pub(crate) struct Watches(BTreeMap<AccountId, Watched>);

struct Watched {
    stored: Usage,
    folded: Usage,
    /// Of all its entries: that of a watch may lie before the first that it counts.
    last_topup: Option<Minor>,
}

impl Watches {
    /// Reads them, and gives the accounts whose row does not read as one.
    pub(crate) fn read(db: &Connection) -> rusqlite::Result<(Watches, Vec<Option<AccountId>>)> {
        let (mut all, mut unreadable) = (Watches::default(), Vec::new());
        if !schema::has_watches(db)? {
            return Ok((all, unreadable));
        }
        // One that is empty begins when the ledger is loaded next.
        let mut select = db.prepare("SELECT id, watch FROM accounts WHERE watch IS NOT NULL AND length(watch) > 0")?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let account = row.get(0).ok().and_then(AccountId::new);
            let stored = row.get_ref(1)?.as_blob().ok().and_then(watch::decode);
            match (account, stored) {
                (Some(account), Some(stored)) => all.insert(account, stored),
                (account, _) => unreadable.push(account),
            }
        }
        Ok((all, unreadable))
    }

    /// Puts in what an account's row says that it used.
    pub(crate) fn insert(&mut self, account: AccountId, stored: Usage) {
        let folded = Usage::new(stored.after, stored.since);
        self.0.insert(account, Watched { stored, folded, last_topup: None });
    }

    /// Adds an entry that follows from those before it; false where the account's row says otherwise.
    pub(crate) fn add(&mut self, entry: &Entry) -> bool {
        let Some(watched) = self.0.get_mut(&entry.account) else { return true };
        let Watched { stored, folded, last_topup } = watched;
        if entry.number > stored.after {
            folded.add(entry);
        }
        let mut alone = Usage::new(0, entry.at);
        alone.add(entry);
        *last_topup = alone.last_topup.or(*last_topup);
        if entry.number != stored.number {
            return true;
        }
        // One from before its first entry is known, or not.
        let is_topup_right = stored.last_topup == *last_topup || (stored.last_topup, folded.last_topup) == (None, None);
        let hours = folded.hours().eq(stored.hours());
        self.0.remove(&entry.account);
        is_topup_right && hours
    }
}
