//! The end of holds by themselves: the entries that stand before any other of their account.

use crate::{Account, Actor, Entry, Hash, Hold, Kind, Metadata, Target, Time, canonical};

/// The expire entries of `due` holds of `account`, recorded at `now`.
///
/// `due` is every open hold of the account with `expires_at` ≤ `now`, in the order of (`expires_at`, number). An expire
/// entry takes effect at its hold's end, whenever it is written; nobody commanded it, so it is by `ledger`.
pub fn expire(account: &Account, due: &[Hold], now: Time) -> Vec<Entry> {
    let mut after = account.clone();
    let by = Actor::new("ledger").expect("a short name");
    let mut entries = Vec::with_capacity(due.len());
    for hold in due {
        let mut entry = Entry {
            account: account.id,
            number: after.number.saturating_add(1),
            kind: Kind::Expire,
            amount: hold.left,
            posted_after: after.posted,
            held_after: after.held.minus(hold.left).expect("what is held includes every open hold"),
            credit_limit: after.credit_limit,
            status: after.status,
            // No entry of the account is later than a hold that was open beside it.
            at: hold.expires_at.max(after.at),
            recorded_at: now.max(hold.expires_at).max(after.at),
            expires_at: None,
            target: Some(Target { account: account.id, number: hold.number }),
            currency: None,
            key: None,
            content: None,
            reference: None,
            reason: None,
            metadata: Metadata::default(),
            by: by.clone(),
            hash: Hash::default(),
        };
        entry.hash = canonical::link(after.hash, &entry);
        after.number = entry.number;
        after.held = entry.held_after;
        after.at = entry.at;
        after.hash = entry.hash;
        entries.push(entry);
    }
    entries
}
