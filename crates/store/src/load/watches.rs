//! What is watched, from disk into memory: usage from the accounts' rows, rules from their own table.

use ledger::{Account, Usage};
use rusqlite::Connection;

use crate::alerts;
use crate::memory::Accounts;
use crate::rows::damage;
use crate::watch::{self, Watches};

/// What an account used, as its row has it.
pub(super) fn usage(bytes: &[u8], account: &Account) -> rusqlite::Result<Usage> {
    if bytes.is_empty() {
        return Ok(Usage::new(account.number, account.at));
    }
    watch::decode(bytes).ok_or_else(|| damage(format!("row {} of accounts: watch is not one", account.id)))
}

/// What is watched gets its rules; rules of an account that is not watched would never be looked at.
pub(super) fn load_rules(db: &Connection, accounts: &Accounts, watches: &mut Watches) -> rusqlite::Result<()> {
    alerts::load(db, |account, ruled| {
        let slot = accounts.slot_of(account);
        let watch = slot.and_then(|slot| Some((slot, watches.get(slot)?.clone())));
        let (slot, mut watch) =
            watch.ok_or_else(|| damage(format!("account {account} has alert rules and is not watched")))?;
        watch.ruled = Some(Box::new(ruled));
        watches.set(slot, Some(watch));
        Ok(())
    })
}
