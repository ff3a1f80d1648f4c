//! What is worth telling of a transaction, decided and written within it: alerts, and to whom each has to be delivered.
//!
//! What accounts used comes with their rows, in the lock itself. Their rules are asked for only where a row says that there
//! are some, so that all other accounts are decided on without a look at them.

use std::collections::BTreeSet;

use futures_util::future::join;
use ledger::{AccountId, Entry, Event, Minor, Time};

use super::alerts;
use super::batch::{Batch, Draft};
use super::facts::wanted;
use super::rows;
use super::session::{Error, Params, Session};
use crate::AlertEvent;
use crate::happened::{self, Written};
use crate::hear::Heard;
use crate::rows::number;

/// When holds were made.
const MADE: &str = "SELECT e.account, e.number, e.at FROM unnest($1::int4[], $2::int8[]) AS n (account, number) \
    JOIN entries e ON e.account = n.account AND e.number = n.number";

pub(super) const HEARD: &str = "UPDATE alert_rules r SET reached = n.reached, low_since = n.low_since, remind_at = n.remind_at, \
    refused_since = n.refused_since, refused_amount = n.refused_amount, refused_count = n.refused_count \
    FROM unnest($1::int4[], $2::int2[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[]) \
    AS n (account, reached, low_since, remind_at, refused_since, refused_amount, refused_count) \
    WHERE r.account = n.account";

/// An alert, and a delivery for each contact that its account has now and each of the operator's targets, in that order.
pub(super) const TELL: &str = "WITH told AS (INSERT INTO alerts (account, name, at, event, facts) \
    SELECT n.account, n.name, $1::int8, n.event, n.facts FROM unnest($2::int4[], $3::text[], $4::text[], $5::text[]) \
    WITH ORDINALITY AS n (account, name, event, facts, ord) ORDER BY n.ord RETURNING id, account) \
    INSERT INTO deliveries (alert, account, target, due_at) SELECT told.id, told.account, t.target, $1::int8 \
    FROM told CROSS JOIN LATERAL (\
    SELECT c.channel || ':' || c.address AS target, 0 AS whose, c.number::int8 AS number FROM alert_contacts c \
    WHERE c.account = told.account \
    UNION ALL SELECT 'operator:' || o.name, 1, o.number FROM unnest($6::text[]) WITH ORDINALITY AS o (name, number)) t \
    ORDER BY told.id, t.whose, t.number";

/// Reads what those of `accounts` want to hear that have rules; all of them are locked.
pub(super) async fn gather(session: &Session, batch: &mut Batch, accounts: &BTreeSet<AccountId>) -> Result<(), Error> {
    let ruled = accounts.iter().filter_map(|id| batch.drafts.get(id)).filter(|draft| draft.ruled);
    let ruled: Vec<&Draft> = ruled.collect();
    if ruled.is_empty() {
        return Ok(());
    }
    let ids: Vec<i32> = ruled.iter().map(|draft| rows::int(draft.account.id)).collect();
    let due = ruled.iter().flat_map(|draft| draft.due.iter().map(|hold| (rows::int(draft.account.id), hold.number)));
    let (of, holds): (Vec<i32>, Vec<i64>) = due.map(|(account, hold)| (account, number(hold))).unzip();
    let (rules, made) =
        join(session.rows(alerts::RULES, &[&ids]), wanted(!of.is_empty(), session.rows(MADE, &[&of, &holds]))).await;
    for row in rules? {
        let (id, ruled) = alerts::ruled(&row)?;
        let watch = batch.drafts.get_mut(&id).and_then(|draft| draft.watch.as_mut());
        let watch = watch.ok_or_else(|| Error::Damage(format!("account {id} has alert rules and is not watched")))?;
        watch.ruled = Some(Box::new(ruled));
    }
    for row in made? {
        let made_at = Time::from_micros(row.try_get(2)?);
        batch.made_at.insert((rows::id_at(&row, 0)?, rows::number_at(&row, 1)?), made_at);
    }
    Ok(())
}

impl Batch {
    /// Takes an entry in that has been folded into its account, of which so much was available `before`.
    pub(super) fn watch_entry(&mut self, entry: &Entry, before: Minor) {
        let (id, now) = (entry.account, self.now);
        let Some(draft) = self.drafts.get_mut(&id) else { return };
        let Some(watch) = draft.watch.as_deref_mut() else { return };
        let Heard { is_changed, told, event } = watch.hear(entry, &draft.account, before, now);
        draft.is_heard |= is_changed;
        let hold = entry.target.map_or(0, |target| target.number);
        let made_at = self.made_at.get(&(id, hold)).copied().unwrap_or(entry.at);
        let event = event.and_then(|event| AlertEvent::of_entry(entry, event, made_at));
        [told, event].into_iter().flatten().for_each(|told| self.tell(id, &told));
    }

    /// Notes that an account was refused for want of credit, and tells of the first time since money came in.
    pub(super) fn watch_refusal(&mut self, id: AccountId, amount: Minor) {
        let now = self.now;
        let Some(draft) = self.drafts.get_mut(&id) else { return };
        let Some(watch) = draft.watch.as_deref_mut() else { return };
        let heard = watch.hear_refusal(amount, now);
        draft.is_heard |= heard.is_changed;
        heard.told.into_iter().for_each(|told| self.tell(id, &told));
    }

    /// Tells of what was done to a key, where that is wanted.
    pub(super) fn watch_key(&mut self, id: AccountId, event: Event, told: &AlertEvent) {
        let watch = self.drafts.get(&id).and_then(|draft| draft.watch.as_ref());
        if watch.is_some_and(|watch| watch.wants(event)) {
            self.tell(id, told);
        }
    }

    /// Tells an account's people again, where the time for it has come.
    pub(super) fn remind(&mut self, id: AccountId) {
        let now = self.now;
        let Some(draft) = self.drafts.get_mut(&id) else { return };
        let Some(watch) = draft.watch.as_deref_mut() else { return };
        // Another node may have done it before this one had the lock.
        let remind_at = watch.ruled.as_ref().and_then(|ruled| ruled.remind_at);
        if remind_at.is_none_or(|at| at > now) {
            return;
        }
        let told = watch.remind(&draft.account, now);
        draft.is_heard = true;
        told.into_iter().for_each(|told| self.tell(id, &told));
    }

    /// Has an alert written with the rest.
    pub(super) fn tell(&mut self, id: AccountId, event: &AlertEvent) {
        let Some(draft) = self.drafts.get(&id) else { return };
        let usage = draft.watch.as_ref().map(|watch| &watch.usage);
        self.made.alerts.push((id, happened::written(&draft.account, usage, self.now, event)));
        self.has_alerts = true;
    }
}

/// What rules have reached, once an account and transaction.
#[derive(Default)]
pub(super) struct HeardRows {
    pub(super) account: Vec<i32>,
    reached: Vec<i16>,
    low_since: Vec<Option<i64>>,
    remind_at: Vec<Option<i64>>,
    refused_since: Vec<Option<i64>>,
    refused_amount: Vec<Option<i64>>,
    refused_count: Vec<Option<i64>>,
}

impl HeardRows {
    pub(super) fn add(&mut self, draft: &Draft) {
        let Some(ruled) = draft.watch.as_ref().and_then(|watch| watch.ruled.as_ref()) else { return };
        self.account.push(rows::int(draft.account.id));
        self.reached.push(i16::from(ruled.reached.bits()));
        self.low_since.push(ruled.low_since.map(Time::micros));
        self.remind_at.push(ruled.remind_at.map(Time::micros));
        self.refused_since.push(ruled.refused.map(|series| series.since.micros()));
        self.refused_amount.push(ruled.refused.map(|series| series.amount.units()));
        self.refused_count.push(ruled.refused.map(|series| number(series.count)));
    }

    pub(super) async fn write(&self, session: &Session) -> Result<u64, Error> {
        let columns: Params<'_> = &[
            &self.account,
            &self.reached,
            &self.low_since,
            &self.remind_at,
            &self.refused_since,
            &self.refused_amount,
            &self.refused_count,
        ];
        session.execute(HEARD, columns).await
    }
}

/// Alerts.
#[derive(Default)]
pub(super) struct AlertRows<'a> {
    pub(super) account: Vec<i32>,
    name: Vec<&'a str>,
    event: Vec<&'a str>,
    facts: Vec<&'a str>,
}

impl<'a> AlertRows<'a> {
    pub(super) fn add(&mut self, account: AccountId, written: &'a Written) {
        self.account.push(rows::int(account));
        self.name.push(&written.name);
        self.event.push(written.event);
        self.facts.push(&written.facts);
    }

    pub(super) async fn write(&self, session: &Session, now: &i64, targets: &[String]) -> Result<u64, Error> {
        session.execute(TELL, &[now, &self.account, &self.name, &self.event, &self.facts, &targets]).await
    }
}
