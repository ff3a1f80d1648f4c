//! What one commit does: gathers the facts of each command, lets the rules decide, and writes what they decided.
//!
//! Nothing here touches published state; [`Done::publish`] does, after the commit.

use std::collections::HashMap;

use ledger::{Account, AccountId, Currency, Entry, Minor, Time};
use rusqlite::{CachedStatement, Connection, params};

use crate::AccountNow;
use crate::credentials::{Limits, write_uses};
use crate::digest;
use crate::follow::Source;
use crate::holds::OpenHold;
use crate::load::{self, Head, Loaded};
use crate::maps::{ByFingerprint, BySlot};
use crate::memory::{Second, Traits};
use crate::operators::TokenChange;
use crate::rows::{self, Links, Settles};
use crate::shared::Shared;
use crate::statement::Last;
use crate::watch::{Calm, Watch};

/// How many ends of holds one second's tick writes at most.
const TICK_LEN_MAX: usize = 1000;

/// How many last uses of credentials it writes at most. Each rewrites a page where few credentials are in use, callers wait
/// meanwhile, and until it is written memory knows it.
const USES_LEN_MAX: usize = 250;

/// The transaction under way.
pub(crate) struct Batch<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) shared: &'a Shared,
    pub(crate) now: Time,
    pub(crate) heads: &'a [Head],
    pub(crate) loaded: &'a Loaded,
    pub(crate) done: Done,
    /// Of [`rows::entry_insert`], from the first entry on.
    insert: Option<CachedStatement<'a>>,
}

/// What becomes true with the commit.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) drafts: BySlot<Draft>,
    /// Accounts that do not exist yet; their slots follow those that do, in this order.
    pub(crate) opened: Vec<AccountId>,
    /// What keys did, and the newest words on entries (see [`digest::settled`]).
    pub(crate) keys: ByFingerprint<i64>,
    /// Rows appended to the log.
    pub(crate) rows: usize,
    /// By slot, how many refusals this commit keeps.
    pub(crate) refused: BySlot<u32>,
    pub(crate) credentials: Vec<NewSlot>,
    pub(crate) limits: Vec<(u32, Limits)>,
    pub(crate) tokens: Vec<TokenChange>,
    pub(crate) currencies: Vec<Currency>,
    /// Whether the audit trail got a row.
    pub(crate) is_audited: bool,
    /// Whether a watched account was looked at closely.
    pub(crate) is_any_watched: bool,
    /// Whether there is something to deliver.
    pub(crate) has_alerts: bool,
    now: Time,
}

/// An account as this commit leaves it.
pub(crate) struct Draft {
    pub(crate) account: Account,
    /// The row of its last entry.
    pub(crate) row: i64,
    pub(crate) traits: Traits,
    pub(crate) is_changed: bool,
    /// Its holds that this commit makes, changes or (`None`) ends.
    pub(crate) holds: HashMap<u64, Option<OpenHold>>,
    /// As published before this commit.
    no_end_before: Second,
    /// Whether every hold that is due has had its expire entry.
    is_expired: bool,
    /// Where the account is watched, and this commit has only spent so far.
    calm: Option<Calm>,
    /// Where it is watched, and more has happened.
    pub(crate) watch: Option<Box<Watch>>,
    pub(crate) is_watch_changed: bool,
    /// Whether what its rules have reached is to be kept with this commit.
    pub(crate) is_heard: bool,
}

impl Draft {
    /// Where its last entry lies.
    pub(crate) fn last(&self) -> Last {
        Last { account: self.account.id, number: self.account.number, row: self.row }
    }
}

/// A credential that does not exist yet.
pub(crate) struct NewSlot {
    pub(crate) api_key: String,
    pub(crate) digest: [u8; 32],
    pub(crate) account: u32,
    pub(crate) limits: Limits,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        db: &'a Connection,
        shared: &'a Shared,
        heads: &'a [Head],
        loaded: &'a Loaded,
        now: Time,
    ) -> Batch<'a> {
        Batch { db, shared, now, heads, loaded, done: Done { now, ..Done::default() }, insert: None }
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

    /// Gives the holds of an account that have ended their expire entries, at most `len_max` of them. No other entry of the
    /// account may come before all have theirs (law 4).
    pub(crate) fn expire_due(&mut self, slot: u32, len_max: usize) -> rusqlite::Result<()> {
        let now = self.now;
        let draft = self.draft(slot);
        if draft.is_expired || Second::of(now) < draft.no_end_before {
            return Ok(());
        }
        // What this commit itself has put on hold ends later than now.
        draft.is_expired = true;
        let due = self.shared.holds().due(slot, now, len_max);
        let holds: Vec<_> = due.iter().map(|due| due.hold).collect();
        let entries = ledger::expire(&self.draft(slot).account, &holds, now);
        for (entry, due) in entries.iter().zip(due) {
            let settles = Settles { target_row: due.row, settled: Minor::ZERO };
            self.append(slot, entry, None, Some(settles))?;
            self.draft(slot).holds.insert(due.hold.number, None);
        }
        Ok(())
    }

    /// Writes what is written now and then: holds that have ended, last uses of credentials, reminders.
    pub(crate) fn look_after(&mut self) -> rusqlite::Result<()> {
        let due = self.shared.holds().due_slots(self.now, TICK_LEN_MAX);
        let full = self.done.rows + TICK_LEN_MAX;
        for slot in due {
            // Many accounts with many holds each must not make one long commit that every caller waits for.
            self.expire_due(slot, full.saturating_sub(self.done.rows))?;
        }
        write_uses(self.db, self.shared, USES_LEN_MAX)?;
        self.remind()
    }

    pub(crate) fn finish(self) -> Done {
        self.done
    }

    pub(crate) fn draft(&mut self, slot: u32) -> &mut Draft {
        self.done.drafts.entry(slot).or_insert_with(|| {
            let figures = self.shared.accounts.figures(slot);
            let watched = || self.shared.watches().calm(slot);
            Draft {
                account: load::draft(&self.shared.accounts, self.heads, slot),
                row: figures.row,
                traits: figures.traits,
                is_changed: false,
                holds: HashMap::new(),
                no_end_before: figures.no_end_before,
                is_expired: false,
                calm: if figures.traits.is_watched { watched() } else { None },
                watch: None,
                is_watch_changed: false,
                is_heard: false,
            }
        })
    }

    /// An open hold of an account, as this transaction leaves it so far.
    pub(crate) fn open_hold(&mut self, slot: u32, number: u64) -> Option<OpenHold> {
        match self.draft(slot).holds.get(&number) {
            Some(changed) => *changed,
            None => self.shared.holds().get(slot, number),
        }
    }

    pub(crate) fn next_row(&self) -> i64 {
        self.loaded.last_row + i64::try_from(self.done.rows).expect("a batch is small") + 1
    }

    /// Folds an entry in and writes it; `fingerprint` is its key's.
    pub(crate) fn append(
        &mut self,
        slot: u32,
        entry: &Entry,
        fingerprint: Option<u128>,
        settles: Option<Settles>,
    ) -> rusqlite::Result<()> {
        // The fold is written apart from the decision: an entry that does not fold is a bug, and must not reach the disk.
        let draft = self.draft(slot);
        let watched = (draft.calm.is_some() || draft.watch.is_some()).then(|| draft.account.available());
        let folded = draft.account.apply(entry);
        folded.map_err(|broken| rows::damage(format!("account {}: {broken}", entry.account)))?;
        self.write_entry(slot, entry, fingerprint, settles)?;
        let Some(before) = watched else { return Ok(()) };
        let draft = self.draft(slot);
        let available = draft.account.available();
        let is_calm = draft.calm.as_mut().is_some_and(|calm| calm.takes(entry, available));
        if is_calm { Ok(()) } else { self.watch_entry(slot, entry, before) }
    }

    /// The account's draft with its watch whole, where it is watched.
    pub(crate) fn watched(&mut self, slot: u32) -> &mut Draft {
        let shared = self.shared;
        self.done.is_any_watched = true;
        let draft = self.draft(slot);
        if let Some(calm) = draft.calm.take() {
            draft.watch = shared.watches().whole(slot, &calm);
            // With what was spent before.
            draft.is_watch_changed = true;
        }
        draft
    }

    fn write_entry(
        &mut self,
        slot: u32,
        entry: &Entry,
        fingerprint: Option<u128>,
        settles: Option<Settles>,
    ) -> rusqlite::Result<()> {
        let row = self.next_row();
        let draft = self.draft(slot);
        let links = Links { previous: std::mem::replace(&mut draft.row, row), settles };
        draft.is_changed = true;
        let insert = match &mut self.insert {
            Some(insert) => insert,
            unknown => unknown.insert(rows::entry_insert(self.db)?),
        };
        rows::insert_entry(self.db, insert, row, entry, links)?;
        self.done.keys.extend(fingerprint.map(|fingerprint| (fingerprint, row)));
        self.done.keys.extend(rows::settles(entry, links).map(|target| (digest::settled(target), row)));
        self.done.rows += 1;
        Ok(())
    }

    /// Puts a new account in, whose entry and row are written with it.
    pub(crate) fn write_opening(
        &mut self,
        entry: &Entry,
        fingerprint: Option<u128>,
        traits: Traits,
        write_row: impl FnOnce(&Batch<'_>, &Account) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let slot = u32::try_from(self.shared.accounts.len() + self.done.opened.len()).expect("account numbers are u32");
        let account = Account::opened_by(entry).map_err(|broken| rows::damage(broken.to_string()))?;
        write_row(self, &account)?;
        self.done.opened.push(account.id);
        let draft = Draft {
            account,
            row: 0,
            traits,
            is_changed: true,
            holds: HashMap::new(),
            no_end_before: Second::NEVER,
            is_expired: true,
            calm: None,
            watch: None,
            is_watch_changed: false,
            is_heard: false,
        };
        self.done.drafts.insert(slot, draft);
        self.write_entry(slot, entry, fingerprint, None)
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
        self.write_holds(db)?;
        loaded.lapse.remove_some(db, self.now.micros().saturating_sub(shared.refusal_us), self.rows)?;
        loaded.follower.write_piece(db, Source::new(shared, heads), self.rows)
    }

    /// Holds that a commit touches often, as a campaign's captures do, are written once.
    fn write_holds(&self, db: &Connection) -> rusqlite::Result<()> {
        for draft in self.drafts.values() {
            for (&number, hold) in &draft.holds {
                match hold {
                    Some(open) => rows::keep_hold(db, draft.account.id, &open.hold, open.row)?,
                    None => rows::remove_hold(db, draft.account.id, number)?,
                }
            }
        }
        Ok(())
    }

    /// Makes the durable commit visible to every reader.
    pub(crate) fn publish(self, heads: &mut Vec<Head>, loaded: &mut Loaded, shared: &Shared) {
        for id in &self.opened {
            let slot = u32::try_from(shared.accounts.len()).expect("account numbers are u32");
            let draft = &self.drafts[&slot];
            shared.accounts.add(*id, &load::figures(&draft.account, draft.row, draft.traits, Second::NEVER));
            load::set_head(heads, slot, &draft.account);
            loaded.last_account = loaded.last_account.max(id.get());
        }
        let mut holds = shared.holds();
        let mut watches = None;
        for (slot, draft) in self.drafts {
            if draft.is_watch_changed {
                watches.get_or_insert_with(|| shared.watches()).set(slot, draft.watch.map(|watch| *watch));
            } else if let Some(calm) = &draft.calm {
                watches.get_or_insert_with(|| shared.watches()).spend(slot, calm);
            }
            if !draft.is_changed {
                continue;
            }
            let is_ended_otherwise = !draft.holds.is_empty();
            draft.holds.into_iter().for_each(|(number, hold)| holds.set(slot, number, hold));
            let no_end_before = if is_ended_otherwise { holds.no_end_before(slot) } else { draft.no_end_before };
            let figures = load::figures(&draft.account, draft.row, draft.traits, no_end_before);
            shared.accounts.publish(slot, &figures);
            load::set_head(heads, slot, &draft.account);
            loaded.follower.note_account(slot);
        }
        drop((holds, watches));
        for (fingerprint, row) in self.keys {
            loaded.follower.note_key(fingerprint, row);
        }
        loaded.refused.add(self.now, self.refused);
        for new in self.credentials {
            shared.credentials.add(&new.api_key, new.digest, new.account, new.limits, None);
        }
        for (slot, limits) in self.limits {
            shared.credentials.set_limits(slot, limits);
        }
        self.currencies.into_iter().for_each(|currency| shared.accounts.add_currency(currency));
        shared.tokens.publish(self.tokens);
        if self.has_alerts {
            shared.alerts_written.notify_one();
        }
        if self.is_audited {
            shared.last_time.fetch_max(self.now.micros(), std::sync::atomic::Ordering::Relaxed);
        }
        if self.rows > 0 {
            loaded.last_row += i64::try_from(self.rows).expect("a batch is small");
            loaded.follower.note_rows(self.rows, loaded.last_row);
            shared.last_time.fetch_max(self.now.micros(), std::sync::atomic::Ordering::Relaxed);
        }
    }
}
