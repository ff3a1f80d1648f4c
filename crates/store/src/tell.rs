//! What is worth telling of a commit of the embedded engine, written within it: alerts, and to whom each has to be delivered.
//!
//! An alert that is on disk is delivered, whatever happens afterwards; one that is not, tells of what never happened. Only
//! accounts that are watched come here.

use ledger::{AccountId, Entry, Event, Minor, Time};
use rusqlite::params;

use crate::alerts;
use crate::batch::{Batch, Done};
use crate::happened::{self, AlertEvent, Written};
use crate::hear::Heard;
use crate::statement;

/// How many accounts one second's tick reminds at most.
const REMINDERS_MAX: usize = 1000;

impl Batch<'_> {
    /// Adds an entry that has been folded in to what is known of a watched account; `before` was available before it.
    pub(crate) fn watch_entry(&mut self, slot: u32, entry: &Entry, before: Minor) -> rusqlite::Result<()> {
        let now = self.now;
        let draft = self.watched(slot);
        let Some(watch) = draft.watch.as_deref_mut() else { return Ok(()) };
        draft.is_watch_changed = true;
        let Heard { is_changed, told, event } = watch.hear(entry, &draft.account, before, now);
        draft.is_heard |= is_changed;
        if let Some(told) = told {
            self.tell(slot, &told)?;
        }
        let Some(event) = event else { return Ok(()) };
        let made_at = if event == Event::HoldExpired { self.made_at(slot, entry)? } else { entry.at };
        match AlertEvent::of_entry(entry, event, made_at) {
            Some(told) => self.tell(slot, &told),
            None => Ok(()),
        }
    }

    /// Notes that an account was refused for want of credit, and tells of the first time since money came in.
    pub(crate) fn watch_refusal(&mut self, slot: u32, amount: Minor) -> rusqlite::Result<()> {
        let now = self.now;
        let draft = self.watched(slot);
        let Some(watch) = draft.watch.as_deref_mut() else { return Ok(()) };
        let heard = watch.hear_refusal(amount, now);
        draft.is_watch_changed |= heard.is_changed;
        draft.is_heard |= heard.is_changed;
        heard.told.map_or(Ok(()), |told| self.tell(slot, &told))
    }

    /// Tells of what was done to a key, where that is wanted.
    pub(crate) fn watch_key(&mut self, account: AccountId, event: Event, told: &AlertEvent) -> rusqlite::Result<()> {
        let Some(slot) = self.slot_of(account) else { return Ok(()) };
        let is_wanted = self.watched(slot).watch.as_ref().is_some_and(|watch| watch.wants(event));
        if is_wanted { self.tell(slot, told) } else { Ok(()) }
    }

    /// Tells those again whose time has come and whose account is still as they were told.
    pub(crate) fn remind(&mut self) -> rusqlite::Result<()> {
        let now = self.now;
        let due = self.shared.watches().due(now, REMINDERS_MAX);
        for slot in due {
            let draft = self.watched(slot);
            let Some(watch) = draft.watch.as_deref_mut() else { continue };
            (draft.is_watch_changed, draft.is_heard) = (true, true);
            if let Some(told) = watch.remind(&draft.account, now) {
                self.tell(slot, &told)?;
            }
        }
        Ok(())
    }

    /// When the hold was made that ended with `entry`.
    fn made_at(&mut self, slot: u32, entry: &Entry) -> rusqlite::Result<Time> {
        let hold = entry.target.map_or(0, |target| target.number);
        let made = statement::stored(self.db, self.draft(slot).last(), hold)?;
        Ok(made.map_or(entry.at, |made| made.entry.at))
    }

    /// Writes an alert and its deliveries.
    pub(crate) fn tell(&mut self, slot: u32, event: &AlertEvent) -> rusqlite::Result<()> {
        let (db, now, shared) = (self.db, self.now, self.shared);
        let draft = self.watched(slot);
        let id = draft.account.id;
        let Written { name, event, facts } =
            happened::written(&draft.account, draft.watch.as_ref().map(|watch| &watch.usage), now, event);
        db.prepare_cached("INSERT INTO alerts (name, account, at, event, facts) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![name, id.get(), now.micros(), event, facts])?;
        let alert = db.last_insert_rowid();
        let operators = shared.alert_targets.iter().map(|name| format!("operator:{name}"));
        let contacts = alerts::contacts(db, id)?;
        let mut insert =
            db.prepare_cached("INSERT INTO deliveries (alert, account, target, due_at) VALUES (?1, ?2, ?3, ?4)")?;
        for target in contacts.iter().map(alerts::Contact::target).chain(operators) {
            insert.execute(params![alert, id.get(), target, now.micros()])?;
        }
        self.done.has_alerts = true;
        Ok(())
    }
}

impl Done {
    /// Keeps what rules have reached, once an account and commit.
    pub(crate) fn write_heard(&self, db: &rusqlite::Connection) -> rusqlite::Result<()> {
        if !self.is_any_watched {
            return Ok(());
        }
        for draft in self.drafts.values().filter(|draft| draft.is_heard) {
            if let Some(ruled) = draft.watch.as_ref().and_then(|watch| watch.ruled.as_ref()) {
                alerts::keep(db, draft.account.id, ruled)?;
            }
        }
        Ok(())
    }
}
