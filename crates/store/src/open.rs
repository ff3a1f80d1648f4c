//! The opening of an account: its entry and its profile, together.

use ledger::{Account, AccountId, Command, Facts, Key, Movement, Verdict, decide};
use rusqlite::params;

use crate::batch::Batch;
use crate::digest::{self, Scope};
use crate::memory::Traits;
use crate::perform::Found;
use crate::rows;
use crate::{ChangeError, NewAccount, Outcome};

impl Batch<'_> {
    /// Whether an account was opened under that key before.
    pub(crate) fn is_opened_under(&self, key: Option<&Key>) -> rusqlite::Result<bool> {
        Ok(self.find(key.map(|key| digest::fingerprint(Scope::Platform, key)))?.is_some())
    }

    /// Opens an account: its entry and its profile together.
    pub(crate) fn open(&mut self, new: &NewAccount) -> rusqlite::Result<Result<Outcome, ChangeError>> {
        let Some((currency_id, currency)) = self.shared.accounts.currency_by_code(&new.currency) else {
            return Ok(Err(ChangeError::UnknownCurrency));
        };
        let fingerprint = new.key.as_ref().map(|key| digest::fingerprint(Scope::Platform, key));
        let found = self.find(fingerprint)?;
        let earlier_id = found.as_ref().and_then(Found::account);
        let Some(id) = new.id.or(earlier_id).or_else(|| self.free_id()) else {
            return Ok(Err(ChangeError::AccountExists));
        };
        let command = Command {
            account: id,
            movement: Movement::Open { currency, credit_limit: new.credit_limit },
            key: new.key.clone(),
            reference: None,
            reason: None,
            metadata: ledger::Metadata::default(),
            by: new.by.clone(),
        };
        let existing = self.slot_of(id).map(|slot| self.draft(slot).account.clone());
        let earlier = found.as_ref().map(Found::earlier);
        let facts = Facts { account: existing.as_ref(), to: None, named: None, earlier };
        let entry = match (decide(&facts, &command, self.now), found) {
            (Ok(Verdict::Replay), Some(Found::Entry(stored))) => {
                return Ok(Ok(Outcome { entry: stored.entry, replayed: true }));
            }
            (Ok(Verdict::Replay), _) => {
                unreachable!("the rules replay only what was found, and no opening's refusal is kept")
            }
            (Ok(Verdict::Entry { entry, .. }), _) => entry,
            (Err(ledger::Refusal::AccountExists), _) => return Ok(Err(ChangeError::AccountExists)),
            (Err(ledger::Refusal::KeyReused { .. }), _) => return Ok(Err(ChangeError::KeyReused)),
            (Err(refusal), _) => return Ok(Err(ChangeError::Refused(refusal))),
        };
        if self.is_external_id_taken(new.external_id.as_deref(), id)? {
            return Ok(Err(ChangeError::AccountExists));
        }
        let traits = Traits { currency: currency_id, shows_available: false, metered: false, is_watched: false };
        self.write_opening(&entry, fingerprint, traits, |batch, account| batch.insert_account(new, account, traits))?;
        Ok(Ok(Outcome { entry, replayed: false }))
    }

    fn insert_account(&self, new: &NewAccount, account: &Account, traits: Traits) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO accounts (id, currency, posted, held, credit_limit, status, number, entry, at, hash, opened_at, \
                 name, external_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                account.id.get(),
                traits.currency,
                account.posted.units(),
                account.held.units(),
                account.credit_limit.units(),
                account.status.code(),
                rows::number(account.number),
                self.next_row(),
                account.at.micros(),
                account.hash.0.as_slice(),
                account.at.micros(),
                new.name,
                new.external_id
            ])?;
        Ok(())
    }

    /// The number after the greatest, or the first gap once the greatest is taken.
    fn free_id(&self) -> Option<AccountId> {
        let greatest = self.done.opened.iter().map(|id| id.get()).chain([self.loaded.last_account]).max().unwrap_or(0);
        greatest
            .checked_add(1)
            .and_then(AccountId::new)
            .or_else(|| (1..=AccountId::MAX).filter_map(AccountId::new).find(|&id| self.slot_of(id).is_none()))
    }
}
