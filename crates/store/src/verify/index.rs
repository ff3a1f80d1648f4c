//! What `verify` asks of the log's rows and of the index of keys: no row is gone, and every key leads to what it did.

use ledger::{AccountId, Key, Time};
use rusqlite::{OptionalExtension, Transaction};

use super::Fold;
use crate::digest::{Scope, fingerprint, settled};
use crate::keys::Runs;
use crate::load;
use crate::rows::{self, Damage, Stored};

impl<'a> Fold<'a> {
    /// Begins a page's read transaction: until it ends, everything that is read is of one instant, and no page of the
    /// index goes away because runs are merged meanwhile.
    pub(super) fn begin_page(&mut self) -> rusqlite::Result<Transaction<'a>> {
        let transaction = self.db.unchecked_transaction()?;
        if let Err(Damage(what)) = rows::sound(self.keys.refresh(self.db))? {
            self.keys = Runs::default();
            self.find(None, None, what);
        }
        Ok(transaction)
    }

    /// Where the index of keys leads; nowhere where it is damaged.
    fn leads_to(&self, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        Ok(rows::sound(self.keys.find(self.db, fingerprint))?.unwrap_or(None))
    }

    /// The rows between two entries must be refusals; where none stands any more, it must have been old enough to go.
    /// `from` is the time of the entry before the gap. Whose row is gone is not known any more: the entry before it is named.
    pub(super) fn check_gap(&mut self, before: i64, next: i64, from: Time) -> rusqlite::Result<()> {
        let missing = next - before - 1;
        if missing <= 0 {
            return Ok(());
        }
        let refused: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM refusals WHERE id > ?1 AND id < ?2")?
            .query_row([before, next], |row| row.get(0))?;
        // Refusals that came from another database lie behind its entries, whatever their time.
        let from = if before < self.records.moved_in { Time::default() } else { from };
        if refused < missing && from >= self.records.refusals_lapsed {
            let what = self.gone(before, next)?;
            self.find(None, None, what);
        }
        Ok(())
    }

    /// Which rows between two are neither an entry nor a refusal, in words.
    fn gone(&self, before: i64, next: i64) -> rusqlite::Result<String> {
        let mut select = self.db.prepare_cached("SELECT id FROM refusals WHERE id > ?1 AND id < ?2 ORDER BY id")?;
        let standing = select.query_map([before, next], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        let bounds: Vec<i64> = [before].into_iter().chain(standing).chain([next]).collect();
        let holes = bounds.windows(2).filter(|pair| pair[1] - pair[0] > 1);
        let named = |pair: &[i64]| match (pair[0] + 1, pair[1] - 1) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first} to {last}"),
        };
        let holes = holes.map(named).collect::<Vec<_>>().join(", ");
        let last = "SELECT account, number FROM entries WHERE id <= ?1 ORDER BY id DESC LIMIT 1";
        let last =
            self.db.prepare_cached(last)?.query_row([before], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let after = last.map(|(account, number): (i64, i64)| format!("after entry {number} of account {account}"));
        let after = after.unwrap_or_else(|| "at its beginning".to_owned());
        Ok(format!("row {holes} of the log, {after}, is gone: an entry or a refusal"))
    }

    pub(super) fn check_key(&mut self, stored: &Stored) -> rusqlite::Result<()> {
        let entry = &stored.entry;
        let Some(key) = &entry.key else {
            return Ok(());
        };
        if stored.row > self.records.watermark {
            return Ok(());
        }
        if self.leads_to(fingerprint(load::scope(entry), key))? != Some(stored.row) {
            self.find(Some(entry.account), Some(entry.number), "its idempotency key does not lead to it".into());
        }
        Ok(())
    }

    /// What ended a hold, or was refunded of a charge last, must be found by the entry that it is about; else money could be
    /// given back twice.
    pub(super) fn check_newest(&mut self, stored: &Stored) -> rusqlite::Result<()> {
        let Some(target) = stored.settles().filter(|_| stored.row <= self.records.watermark) else {
            return Ok(());
        };
        // A later refund may be the newest by now.
        if self.leads_to(settled(target))?.is_none_or(|row| row < stored.row) {
            let what = format!("entry {} does not lead to it as the newest about it", target.number);
            self.find(Some(stored.entry.account), Some(stored.entry.number), what);
        }
        Ok(())
    }

    /// Every refusal of a page of the log must still read as one, and its key lead to it or to something newer.
    pub(super) fn check_refusals(&mut self, after: i64, upto: i64) -> rusqlite::Result<()> {
        let mut select =
            self.db.prepare_cached("SELECT id, account, key FROM refusals WHERE id > ?1 AND id <= ?2 ORDER BY id")?;
        let mut found = select.query([after, upto])?;
        while let Some(row) = found.next()? {
            let key = row.get_ref(2)?.as_str().ok().and_then(|key| Key::new(key).ok());
            self.check_refusal(row.get(0)?, row.get(1).ok().and_then(AccountId::new), key)?;
        }
        Ok(())
    }

    fn check_refusal(&mut self, id: i64, account: Option<AccountId>, key: Option<Key>) -> rusqlite::Result<()> {
        let refusal = rows::sound(rows::refusal_at(self.db, id))?;
        let (Some(whose), Some(key), Ok(Some(_))) = (account, key, refusal) else {
            self.find(account, None, format!("refusal in row {id} does not read as one"));
            return Ok(());
        };
        if id > self.records.watermark {
            return Ok(());
        }
        let leads_to = self.leads_to(fingerprint(Scope::Account(whose), &key))?;
        if leads_to.is_none_or(|row| row.abs() < id) {
            self.find(account, None, format!("the key of the refusal in row {id} does not lead to it"));
        }
        Ok(())
    }
}
