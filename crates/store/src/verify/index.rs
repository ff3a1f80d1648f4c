//! What `verify` asks of the log's rows and of the index of keys: no row is gone, and every key leads to what it did.

use ledger::{AccountId, Key, Time};
use rusqlite::Transaction;

use super::{Fold, PAGE_LEN};
use crate::digest::{Scope, fingerprint, settled};
use crate::keys::Runs;
use crate::load;
use crate::rows::{self, Stored};

impl<'a> Fold<'a> {
    /// Begins a page's read transaction: until it ends, everything that is read is of one instant, and no page of the
    /// index goes away because runs are merged meanwhile.
    pub(super) fn begin_page(&mut self) -> rusqlite::Result<Transaction<'a>> {
        let transaction = self.db.unchecked_transaction()?;
        match self.keys.refresh(self.db) {
            Err(rusqlite::Error::FromSqlConversionFailure(_, _, damage)) => {
                self.keys = Runs::default();
                self.find(None, None, damage.to_string());
            }
            refreshed => refreshed?,
        }
        Ok(transaction)
    }

    /// Where the index of keys leads; nowhere where it is damaged.
    fn leads_to(&self, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        match self.keys.find(self.db, fingerprint) {
            Err(rusqlite::Error::FromSqlConversionFailure(..)) => Ok(None),
            found => found,
        }
    }

    /// The rows between two entries must be refusals; where none stands any more, it must have been old enough to go.
    /// `from` is the time of the entry before the gap.
    pub(super) fn check_gap(&mut self, before: i64, next: i64, from: Time) -> rusqlite::Result<()> {
        let missing = next - before - 1;
        if missing <= 0 {
            return Ok(());
        }
        let refused: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM refusals WHERE id > ?1 AND id < ?2")?
            .query_row([before, next], |row| row.get(0))?;
        if refused < missing && from >= self.refusals_lapsed {
            let what = format!("{} rows of the log between {before} and {next} are gone", missing - refused);
            self.find(None, None, what);
        }
        Ok(())
    }

    pub(super) fn check_key(&mut self, stored: &Stored) -> rusqlite::Result<()> {
        let entry = &stored.entry;
        let Some(key) = &entry.key else {
            return Ok(());
        };
        if stored.row > self.watermark {
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
        let Some(target) = stored.settles().filter(|_| stored.row <= self.watermark) else {
            return Ok(());
        };
        // A later refund may be the newest by now.
        if self.leads_to(settled(target))?.is_none_or(|row| row < stored.row) {
            let what = format!("entry {} does not lead to it as the newest about it", target.number);
            self.find(Some(stored.entry.account), Some(stored.entry.number), what);
        }
        Ok(())
    }

    /// Every refusal must still read as one, and its key lead to it or to something newer.
    pub(super) fn check_refusals(&mut self, end: i64) -> rusqlite::Result<()> {
        let mut before = 0;
        loop {
            let at_one_instant = self.begin_page()?;
            let mut select = self.db.prepare_cached(
                "SELECT id, account, key FROM refusals WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
            )?;
            let mut found = select.query([before, end, PAGE_LEN])?;
            let begun_at = before;
            while let Some(row) = found.next()? {
                before = row.get(0)?;
                self.check_refusal(before, AccountId::new(row.get(1)?), Key::new(row.get_ref(2)?.as_str()?).ok())?;
            }
            at_one_instant.finish()?;
            if before == begun_at {
                return Ok(());
            }
        }
    }

    fn check_refusal(&mut self, id: i64, account: Option<AccountId>, key: Option<Key>) -> rusqlite::Result<()> {
        let (Some(whose), Some(key), Some(_)) = (account, key, rows::refusal_at(self.db, id)?) else {
            self.find(account, None, format!("refusal in row {id} does not read as one"));
            return Ok(());
        };
        if id > self.watermark {
            return Ok(());
        }
        let leads_to = self.leads_to(fingerprint(Scope::Account(whose), &key))?;
        if leads_to.is_none_or(|row| row.abs() < id) {
            self.find(account, None, format!("the key of the refusal in row {id} does not lead to it"));
        }
        Ok(())
    }
}
