//! What one commit does: gathers the facts of each command, lets the rules decide, and writes what they decided.
//!
//! Nothing here touches published state; [`Done::publish`] does, after the commit.

use ledger::{Account, AccountId, Command, Earlier, Facts, Movement, Time, Verdict, canonical, decide};
use rusqlite::{Connection, params};

use crate::digest::{self, Scope};
use crate::follow::Source;
use crate::load::{self, Head, Loaded};
use crate::maps::{ByFingerprint, BySlot};
use crate::memory::{Limits, Traits};
use crate::rows::{self, Stored};
use crate::shared::Shared;
use crate::{AccountNow, ChangeError, NewAccount, Outcome, Refused};

/// How many last uses one second's tick writes at most.
const TICK_LEN_MAX: usize = 1000;

/// The transaction under way.
pub(crate) struct Batch<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) shared: &'a Shared,
    pub(crate) now: Time,
    heads: &'a [Head],
    loaded: &'a Loaded,
    pub(crate) done: Done,
}

/// What becomes true with the commit.
#[derive(Default)]
pub(crate) struct Done {
    drafts: BySlot<Draft>,
    /// Accounts that do not exist yet; their slots follow those that do, in this order.
    opened: Vec<AccountId>,
    keys: ByFingerprint<i64>,
    /// Rows appended to the log.
    rows: usize,
    pub(crate) credentials: Vec<NewSlot>,
    pub(crate) limits: Vec<(u32, Limits)>,
    now: Time,
}

/// An account as this commit leaves it.
struct Draft {
    account: Account,
    /// The row of its last entry.
    row: i64,
    traits: Traits,
    is_changed: bool,
}

/// A credential that does not exist yet.
pub(crate) struct NewSlot {
    pub(crate) api_key: String,
    pub(crate) digest: [u8; 32],
    pub(crate) account: u32,
    pub(crate) limits: Limits,
}

/// What a key did before.
enum Found {
    Entry(Box<Stored>),
    Refusal(rows::StoredRefusal),
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        db: &'a Connection,
        shared: &'a Shared,
        heads: &'a [Head],
        loaded: &'a Loaded,
        now: Time,
    ) -> Batch<'a> {
        Batch { db, shared, now, heads, loaded, done: Done { now, ..Done::default() } }
    }

    /// Decides a command on an existing account and writes what comes of it.
    pub(crate) fn perform(&mut self, command: &Command) -> rusqlite::Result<Result<Outcome, Refused>> {
        let Some(slot) = self.slot_of(command.account) else {
            let refusal = ledger::Refusal::UnknownAccount;
            return Ok(Err(Refused { refusal, replayed_from: None, account: None }));
        };
        let fingerprint = command.key.as_ref().map(|key| digest::fingerprint(Scope::Account(command.account), key));
        let found = self.find(fingerprint)?;
        let now = self.now;
        let account = &self.draft(slot).account;
        let facts = Facts { account: Some(account), earlier: found.as_ref().map(Found::earlier) };
        match (decide(&facts, command, now), found) {
            (Ok(Verdict::Replay), Some(Found::Entry(stored))) => {
                Ok(Ok(Outcome { entry: stored.entry, replayed: true }))
            }
            (Ok(Verdict::Replay), Some(Found::Refusal(then))) => Ok(Err(Refused {
                refusal: then.refusal,
                replayed_from: Some(then.at),
                account: Some(self.account_now(slot)),
            })),
            (Ok(Verdict::Replay), None) => unreachable!("the rules replay only what was found"),
            (Ok(Verdict::Entries(entries)), _) => {
                let mut last = None;
                for entry in entries {
                    self.append(slot, &entry, fingerprint)?;
                    last = Some(entry);
                }
                let entry = last.expect("a verdict of entries has one");
                Ok(Ok(Outcome { entry, replayed: false }))
            }
            (Err(refusal), _) => {
                if let (true, Some(key), Some(fingerprint)) = (refusal.burns_key(), &command.key, fingerprint) {
                    let row = self.next_row();
                    let content = canonical::content(command);
                    rows::insert_refusal(self.db, row, command, key, content, &refusal, self.now)?;
                    self.done.keys.insert(fingerprint, -row);
                    self.done.rows += 1;
                }
                Ok(Err(Refused { refusal, replayed_from: None, account: Some(self.account_now(slot)) }))
            }
        }
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
            metadata: ledger::Metadata::default(),
            by: new.by.clone(),
        };
        let existing = self.slot_of(id).map(|slot| self.draft(slot).account.clone());
        let facts = Facts { account: existing.as_ref(), earlier: found.as_ref().map(Found::earlier) };
        let entry = match (decide(&facts, &command, self.now), found) {
            (Ok(Verdict::Replay), Some(Found::Entry(stored))) => {
                return Ok(Ok(Outcome { entry: stored.entry, replayed: true }));
            }
            (Ok(Verdict::Replay), _) => {
                unreachable!("the rules replay only what was found, and no opening's refusal is kept")
            }
            (Ok(Verdict::Entries(mut entries)), _) => entries.pop().expect("a verdict of entries has one"),
            (Err(ledger::Refusal::AccountExists), _) => return Ok(Err(ChangeError::AccountExists)),
            (Err(ledger::Refusal::KeyReused { .. }), _) => return Ok(Err(ChangeError::KeyReused)),
            (Err(refusal), _) => return Ok(Err(ChangeError::Refused(refusal))),
        };
        if self.is_external_id_taken(new.external_id.as_deref(), id)? {
            return Ok(Err(ChangeError::AccountExists));
        }
        let slot = u32::try_from(self.shared.accounts.len() + self.done.opened.len()).expect("account numbers are u32");
        let account = Account::opened_by(&entry).map_err(|broken| rows::damage(broken.to_string()))?;
        let traits = Traits { currency: currency_id, shows_available: false, metered: false };
        self.insert_account(new, &account, traits)?;
        self.done.opened.push(id);
        self.done.drafts.insert(slot, Draft { account, row: 0, traits, is_changed: true });
        self.write_entry(slot, &entry, fingerprint)?;
        Ok(Ok(Outcome { entry, replayed: false }))
    }

    /// The account's state as this transaction leaves it so far.
    pub(crate) fn account_now(&mut self, slot: u32) -> AccountNow {
        let Draft { account, traits, .. } = self.draft(slot);
        AccountNow {
            id: account.id,
            currency: account.currency,
            posted: account.posted,
            held: account.held,
            credit_limit: account.credit_limit,
            status: account.status,
            number: account.number,
            shows_available: traits.shows_available,
            metered: traits.metered,
        }
    }

    pub(crate) fn slot_of(&self, id: AccountId) -> Option<u32> {
        self.shared.accounts.slot_of(id).or_else(|| {
            let at = self.done.opened.iter().position(|&opened| opened == id)?;
            u32::try_from(self.shared.accounts.len() + at).ok()
        })
    }

    /// Changes settings that are no part of the ledger.
    pub(crate) fn set_traits(&mut self, slot: u32, change: impl FnOnce(&mut Traits)) -> Traits {
        let draft = self.draft(slot);
        change(&mut draft.traits);
        draft.is_changed = true;
        draft.traits
    }

    pub(crate) fn is_external_id_taken(&self, external_id: Option<&str>, but_by: AccountId) -> rusqlite::Result<bool> {
        let Some(external_id) = external_id else {
            return Ok(false);
        };
        self.db
            .prepare_cached("SELECT 1 FROM accounts WHERE external_id = ?1 AND id <> ?2")?
            .exists(params![external_id, but_by.get()])
    }

    /// Writes what is written now and then: last uses of credentials.
    pub(crate) fn look_after(&mut self) -> rusqlite::Result<()> {
        for slot in self.shared.some_uses(TICK_LEN_MAX) {
            let used = self.shared.credentials.get(slot).take_last_used().map(Time::micros);
            self.db
                .prepare_cached("UPDATE credentials SET last_used_at = ?2 WHERE id = ?1")?
                .execute(params![i64::from(slot) + 1, used])?;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Done {
        self.done
    }

    fn draft(&mut self, slot: u32) -> &mut Draft {
        self.done.drafts.entry(slot).or_insert_with(|| {
            let figures = self.shared.accounts.figures(slot);
            Draft {
                account: load::draft(&self.shared.accounts, self.heads, slot),
                row: figures.row,
                traits: figures.traits,
                is_changed: false,
            }
        })
    }

    fn next_row(&self) -> i64 {
        self.loaded.last_row + i64::try_from(self.done.rows).expect("a batch is small") + 1
    }

    fn append(&mut self, slot: u32, entry: &ledger::Entry, fingerprint: Option<u128>) -> rusqlite::Result<()> {
        // The fold is written apart from the decision: an entry that does not fold is a bug, and must not reach the disk.
        let folded = self.draft(slot).account.apply(entry);
        folded.map_err(|broken| rows::damage(format!("account {}: {broken}", entry.account)))?;
        self.write_entry(slot, entry, fingerprint)
    }

    fn write_entry(&mut self, slot: u32, entry: &ledger::Entry, fingerprint: Option<u128>) -> rusqlite::Result<()> {
        let row = self.next_row();
        let draft = self.draft(slot);
        let previous = std::mem::replace(&mut draft.row, row);
        draft.is_changed = true;
        rows::insert_entry(self.db, row, entry, previous)?;
        if let Some(fingerprint) = fingerprint {
            self.done.keys.insert(fingerprint, row);
        }
        self.done.rows += 1;
        Ok(())
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

    fn find(&self, fingerprint: Option<u128>) -> rusqlite::Result<Option<Found>> {
        let Some(fingerprint) = fingerprint else {
            return Ok(None);
        };
        let row = match self.done.keys.get(&fingerprint) {
            Some(&row) => Some(row),
            None => self.loaded.follower.find_key(self.db, fingerprint)?,
        };
        match row {
            None => Ok(None),
            Some(row) if row > 0 => {
                let stored = rows::entry_at(self.db, row)?;
                let stored =
                    stored.ok_or_else(|| rows::damage(format!("a key names row {row} of entries, which is gone")))?;
                Ok(Some(Found::Entry(Box::new(stored))))
            }
            Some(row) => {
                let lapsed_before = Time::from_micros(self.now.micros().saturating_sub(self.shared.refusal_us));
                let refusal = rows::refusal_at(self.db, -row)?;
                Ok(refusal.filter(|refusal| refusal.at >= lapsed_before).map(Found::Refusal))
            }
        }
    }
}

impl Found {
    fn earlier(&self) -> Earlier {
        match self {
            // An entry under a key always has its content; the zero digest equals that of no command.
            Found::Entry(stored) => Earlier {
                content: stored.entry.content.unwrap_or(ledger::Content([0; 16])),
                number: Some(stored.entry.number),
            },
            Found::Refusal(refusal) => Earlier { content: refusal.content, number: None },
        }
    }

    fn account(&self) -> Option<AccountId> {
        match self {
            Found::Entry(stored) => Some(stored.entry.account),
            Found::Refusal(_) => None,
        }
    }
}

impl Done {
    /// Writes a piece of what follows behind, if anything was appended at all: a commit of replays costs no sync.
    pub(crate) fn write_behind(
        &self,
        db: &Connection,
        shared: &Shared,
        heads: &[Head],
        loaded: &mut Loaded,
    ) -> rusqlite::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let last_row = loaded.last_row + i64::try_from(self.rows).expect("a batch is small");
        db.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'last_row'")?.execute([last_row])?;
        loaded.lapse.remove_some(db, self.now.micros().saturating_sub(shared.refusal_us), self.rows)?;
        loaded.follower.write_piece(db, Source::new(shared, heads), self.rows)
    }

    /// Makes the durable commit visible to every reader.
    pub(crate) fn publish(self, heads: &mut Vec<Head>, loaded: &mut Loaded, shared: &Shared) {
        for id in &self.opened {
            let slot = u32::try_from(shared.accounts.len()).expect("account numbers are u32");
            let draft = &self.drafts[&slot];
            shared.accounts.add(*id, &load::figures(&draft.account, draft.row, draft.traits));
            load::set_head(heads, slot, &draft.account);
            loaded.last_account = loaded.last_account.max(id.get());
        }
        for (slot, draft) in self.drafts {
            if !draft.is_changed {
                continue;
            }
            shared.accounts.publish(slot, &load::figures(&draft.account, draft.row, draft.traits));
            load::set_head(heads, slot, &draft.account);
            loaded.follower.note_account(slot);
        }
        for (fingerprint, row) in self.keys {
            loaded.follower.note_key(fingerprint, row);
        }
        for new in self.credentials {
            shared.credentials.add(&new.api_key, new.digest, new.account, new.limits, None);
        }
        for (slot, limits) in self.limits {
            shared.credentials.set_limits(slot, limits);
        }
        if self.rows > 0 {
            loaded.last_row += i64::try_from(self.rows).expect("a batch is small");
            loaded.follower.note_rows(self.rows, loaded.last_row);
            shared.last_time.fetch_max(self.now.micros(), std::sync::atomic::Ordering::Relaxed);
        }
    }
}
