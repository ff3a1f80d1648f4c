//! What is worth telling of a commit, decided and written within it: alerts, and to whom each has to be delivered.
//!
//! An alert that is on disk is delivered, whatever happens afterwards; one that is not, tells of what never happened. Only
//! accounts that are watched come here.

use ledger::{AccountId, Entry, Event, Level, Minor, Standing, Status, ends_refusals};
use rusqlite::params;

use crate::alerts;
use crate::batch::{Batch, Done};
use crate::happened::{self, AlertEvent};
use crate::statement;
use crate::watch::{Ruled, Series, Watch};

/// How many accounts one second's tick reminds at most.
const REMINDERS_MAX: usize = 1000;

impl Batch<'_> {
    /// Adds an entry that has been folded in to what is known of a watched account; `before` was available before it.
    pub(crate) fn watch_entry(&mut self, slot: u32, entry: &Entry, before: Minor) -> rusqlite::Result<()> {
        let now = self.now;
        let draft = self.watched(slot);
        let Some(Watch { usage, ruled, calm_down_to }) = draft.watch.as_deref_mut() else { return Ok(()) };
        usage.add(entry);
        draft.is_watch_changed = true;
        let Some(ruled) = ruled else {
            *calm_down_to = Some(Minor::LEAST);
            return Ok(());
        };
        let standing = Standing { available: draft.account.available(), usage, now };
        if ruled.refused.is_some() && ends_refusals(entry, before) {
            ruled.refused = None;
            draft.is_heard = true;
        }
        let crossing = ruled.cross(&standing);
        draft.is_heard |= crossing.is_some();
        *calm_down_to = ruled.rules.calm_down_to(ruled.reached, &standing);
        let event = Event::of(entry).filter(|event| ruled.rules.events.has(*event));
        if let Some(Some(told)) = crossing {
            self.tell(slot, &told)?;
        }
        if let Some(event) = event
            && let Some(told) = self.told(slot, entry, event)?
        {
            self.tell(slot, &told)?;
        }
        Ok(())
    }

    /// Notes that an account was refused for want of credit, and tells of the first time since money came in.
    pub(crate) fn watch_refusal(&mut self, slot: u32, amount: Minor) -> rusqlite::Result<()> {
        let now = self.now;
        let draft = self.watched(slot);
        let ruled = draft.watch.as_deref_mut().and_then(|watch| watch.ruled.as_deref_mut());
        let Some(ruled) = ruled.filter(|ruled| ruled.rules.events.has(Event::ChargeRefused)) else { return Ok(()) };
        (draft.is_watch_changed, draft.is_heard) = (true, true);
        if let Some(series) = &mut ruled.refused {
            series.count += 1;
            return Ok(());
        }
        ruled.refused = Some(Series { since: now, amount, count: 1 });
        ruled.remind_at = ruled.remind_at.or(alerts::remind_at(&ruled.rules, now));
        self.tell(slot, &AlertEvent::ChargeRefused { amount, count: 1, since: now })
    }

    /// Tells of what was done to a key, where that is wanted.
    pub(crate) fn watch_key(&mut self, account: AccountId, event: Event, told: &AlertEvent) -> rusqlite::Result<()> {
        let Some(slot) = self.slot_of(account) else { return Ok(()) };
        let ruled = self.watched(slot).watch.as_ref().and_then(|watch| watch.ruled.as_ref());
        if ruled.is_some_and(|ruled| ruled.rules.events.has(event)) { self.tell(slot, told) } else { Ok(()) }
    }

    /// Tells those again whose time has come and whose account is still as they were told.
    pub(crate) fn remind(&mut self) -> rusqlite::Result<()> {
        let now = self.now;
        let due = self.shared.watches().due(now, REMINDERS_MAX);
        for slot in due {
            let draft = self.watched(slot);
            let Some(Watch { usage, ruled: Some(ruled), calm_down_to }) = draft.watch.as_deref_mut() else { continue };
            (draft.is_watch_changed, draft.is_heard) = (true, true);
            // What was used leaves the last day with time alone.
            let standing = Standing { available: draft.account.available(), usage, now };
            let crossing = ruled.cross(&standing).flatten();
            *calm_down_to = ruled.rules.calm_down_to(ruled.reached, &standing);
            let is_over = draft.account.status == Status::Closed;
            ruled.remind_at = alerts::remind_at(&ruled.rules, now).filter(|_| ruled.is_pressing() && !is_over);
            let told = crossing.or_else(|| ruled.reminder()).filter(|_| !is_over);
            if let Some(told) = told {
                self.tell(slot, &told)?;
            }
        }
        Ok(())
    }

    /// What an entry of a kind that is an event tells.
    fn told(&mut self, slot: u32, entry: &Entry, event: Event) -> rusqlite::Result<Option<AlertEvent>> {
        let by = || entry.by.as_str().to_owned();
        let reason = || entry.reason.as_ref().map(|reason| reason.as_str().to_owned());
        Ok(match event {
            Event::HoldExpired => {
                let hold = entry.target.map_or(0, |target| target.number);
                let made = statement::stored(self.db, self.draft(slot).last(), hold)?;
                let made_at = made.map_or(entry.at, |made| made.entry.at);
                Some(AlertEvent::HoldExpired { hold, released: entry.amount, made_at })
            }
            Event::AccountLocked => Some(AlertEvent::AccountLocked { by: by(), reason: reason() }),
            Event::AdjustmentMade => {
                let reason = reason().unwrap_or_default();
                Some(AlertEvent::AdjustmentMade { amount: entry.amount, by: by(), reason })
            }
            Event::ChargeRefused | Event::KeyIssued | Event::KeyRevoked | Event::Recovered => None,
        })
    }

    /// Writes an alert and its deliveries.
    pub(crate) fn tell(&mut self, slot: u32, event: &AlertEvent) -> rusqlite::Result<()> {
        let (db, now, shared) = (self.db, self.now, self.shared);
        let draft = self.watched(slot);
        let account = &draft.account;
        let runway = draft.watch.as_ref().and_then(|watch| watch.usage.runway(account.available(), now));
        let last_topup = draft.watch.as_ref().and_then(|watch| watch.usage.last_topup);
        let facts = happened::facts(account, runway, last_topup, event);
        let (id, name) = (account.id, happened::name(account, now, event, &facts));
        db.prepare_cached("INSERT INTO alerts (name, account, at, event, facts) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![name, id.get(), now.micros(), event.name(), facts])?;
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

impl Ruled {
    /// Brings what is reached up to `standing`: `None` where nothing changes, otherwise what that tells, if anything.
    fn cross(&mut self, standing: &Standing<'_>) -> Option<Option<AlertEvent>> {
        let after = self.rules.reached(self.reached, standing);
        if after == self.reached {
            return None;
        }
        let levels: Vec<Level> = after.since(self.reached).filter_map(|n| self.rules.levels.get(n).copied()).collect();
        self.reached = after;
        if after.is_empty() {
            self.remind_at = self.remind_at.filter(|_| self.refused.is_some());
            let since = self.low_since.take().filter(|_| self.rules.events.has(Event::Recovered));
            return Some(since.map(|since| AlertEvent::Recovered { since }));
        }
        if levels.is_empty() {
            return Some(None);
        }
        self.low_since.get_or_insert(standing.now);
        self.remind_at = alerts::remind_at(&self.rules, standing.now);
        Some(Some(AlertEvent::CreditLow { levels }))
    }

    fn is_pressing(&self) -> bool {
        !self.reached.is_empty() || self.refused.is_some()
    }

    /// What people are told again.
    fn reminder(&self) -> Option<AlertEvent> {
        match (self.reached.is_empty(), self.low_since, self.refused) {
            (false, Some(since), _) => Some(AlertEvent::StillLow { since }),
            (_, _, Some(Series { since, amount, count })) => Some(AlertEvent::ChargeRefused { amount, count, since }),
            _ => None,
        }
    }
}
