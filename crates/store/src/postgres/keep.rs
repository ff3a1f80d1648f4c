//! The second half of a transaction: what was decided is written, a statement a table, and committed, in one round trip.

use futures_util::future::BoxFuture;
use ledger::{Currency, Entry, Hold, Key, Minor, Reason, Reference, Time};
use serde_json::{Map, Value};

use super::batch::{Batch, Burnt, Draft, Made, Noted};
use super::rows;
use super::session::{Error, MARK, Session, in_order, unproven};
use super::tell::{AlertRows, HEARD, HeardRows, TELL};
use crate::rows::{metadata_json, number};
use crate::{RequestId, watch};

const ENTRIES: &str = "INSERT INTO entries SELECT * FROM unnest($1::int4[], $2::int8[], $3::int2[], $4::int8[], $5::int8[], \
    $6::int8[], $7::int8[], $8::int2[], $9::int8[], $10::int8[], $11::int8[], $12::int4[], $13::int8[], $14::text[], \
    $15::int2[], $16::text[], $17::bytea[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bytea[])";

/// A key that is used again after its refusal lapsed may be refused anew.
const REFUSALS: &str = "INSERT INTO refusals SELECT * FROM unnest($1::int4[], $2::text[], $3::bytea[], $4::text[], \
    $5::text[], $6::int8[], $7::text[]) ON CONFLICT (account, key) DO UPDATE SET content = excluded.content, \
    slug = excluded.slug, facts = excluded.facts, at = excluded.at, actor = excluded.actor";

const ACCOUNTS: &str = "UPDATE accounts a SET posted = n.posted, held = n.held, credit_limit = n.credit_limit, \
    status = n.status, number = n.number, at = n.at, hash = n.hash, refused_second = n.second, refused = n.refused, \
    watch = n.watch \
    FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int2[], $6::int8[], $7::int8[], $8::bytea[], \
    $9::int8[], $10::int4[], $11::bytea[]) \
    AS n (id, posted, held, credit_limit, status, number, at, hash, second, refused, watch) WHERE a.id = n.id";

const HOLDS: &str = "INSERT INTO open_holds SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[]) \
    ON CONFLICT (account, number) DO UPDATE SET remaining = excluded.remaining, expires_at = excluded.expires_at";

const ENDED: &str = "DELETE FROM open_holds h USING unnest($1::int4[], $2::int8[]) AS n (account, number) \
    WHERE h.account = n.account AND h.number = n.number";

/// Whoever writes into the audit trail is alone at it until the commit, so that its numbers have no gaps. It is the last
/// lock that a transaction takes.
pub(super) const ALONE: &str = "SELECT pg_advisory_xact_lock(8388002217265783149)";

const AUDIT: &str = "INSERT INTO audit SELECT last.id + n.ord, greatest($1, last.at), n.actor, n.action, n.subject, n.detail, \
    n.request_id FROM (SELECT coalesce(max(id), 0) AS id, coalesce(max(at), 0) AS at FROM audit) last, \
    unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY \
    AS n (actor, action, subject, detail, request_id, ord)";

const STATEMENTS: [&str; 10] = [ENTRIES, REFUSALS, ACCOUNTS, HOLDS, ENDED, HEARD, TELL, ALONE, AUDIT, MARK];

/// What became of a commit.
pub(super) enum Commit {
    /// All of it is durable.
    Done,
    /// None of it happened.
    Refused(Error),
    /// Nobody knows.
    Unknown(Error),
}

impl Batch {
    /// Writes what was decided since the last time, without a commit.
    pub(super) async fn flush(&mut self, session: &Session) -> Result<(), Error> {
        session.know(&STATEMENTS).await?;
        let rows = Rows::of(self);
        in_order(rows.writes(session)).await?.into_iter().try_for_each(|written| written.map(drop))?;
        self.made = Made::default();
        self.drafts.values_mut().for_each(Draft::is_written);
        Ok(())
    }

    /// Writes what was decided and commits it.
    ///
    /// No timeout of the server ends the COMMIT: a wait for the standby that is cut short returns as if all were well, with
    /// a warning, and any warning makes the outcome unknown.
    pub(super) async fn commit(&mut self, session: &Session) -> Commit {
        if let Err(error) = session.know(&STATEMENTS).await {
            return Commit::Refused(error);
        }
        let rows = Rows::of(self);
        let warnings = session.warnings();
        let mut sent = rows.writes(session);
        if sent.is_empty() && self.has_standbys {
            sent.push(Box::pin(session.execute(MARK, &[])));
        }
        // Sent behind the writes: where one of them failed the server has nothing left to commit.
        sent.push(Box::pin(async { session.say("SET LOCAL statement_timeout = 0").await.map(|()| 0) }));
        sent.push(Box::pin(async { session.say("COMMIT").await.map(|()| 0) }));
        let mut answers = match in_order(sent).await {
            Ok(answers) => answers,
            Err(error) => return Commit::Refused(error),
        };
        let committed = answers.pop().unwrap_or(Ok(0));
        let failed = answers.into_iter().find_map(Result::err);
        match (failed, committed) {
            (None, Ok(_)) if session.warnings() == warnings => Commit::Done,
            (None, Ok(_)) => Commit::Unknown(unproven()),
            // The server itself said no to a write, or to the commit, and the transaction has ended without it.
            (Some(error), Ok(_)) => Commit::Refused(error),
            (None, Err(error)) if error.is_conflict() => Commit::Refused(error),
            (_, Err(error)) => Commit::Unknown(error),
        }
    }
}

/// Everything to be written, a column a list, as the statements take it.
#[derive(Default)]
struct Rows<'a> {
    entries: EntryRows<'a>,
    refusals: RefusalRows<'a>,
    accounts: AccountRows<'a>,
    holds: (Vec<i32>, Vec<i64>, Vec<i64>, Vec<i64>),
    ended: (Vec<i32>, Vec<i64>),
    heard: HeardRows,
    alerts: AlertRows<'a>,
    alert_targets: &'a [String],
    audit: AuditRows<'a>,
    now: i64,
}

/// Entries to be written.
#[derive(Default)]
pub(super) struct EntryRows<'a> {
    account: Vec<i32>,
    number: Vec<i64>,
    kind: Vec<i16>,
    figures: [Vec<i64>; 4],
    status: Vec<i16>,
    at: Vec<i64>,
    recorded_at: Vec<i64>,
    expires_at: Vec<Option<i64>>,
    target_account: Vec<Option<i32>>,
    target_number: Vec<Option<i64>>,
    currency: Vec<Option<String>>,
    scale: Vec<Option<i16>>,
    key: Vec<Option<&'a str>>,
    content: Vec<Option<&'a [u8]>>,
    reference: Vec<Option<&'a str>>,
    reason: Vec<Option<&'a str>>,
    metadata: Vec<Option<String>>,
    actor: Vec<&'a str>,
    hash: Vec<&'a [u8]>,
}

#[derive(Default)]
struct RefusalRows<'a> {
    account: Vec<i32>,
    key: Vec<&'a str>,
    content: Vec<&'a [u8]>,
    slug: Vec<&'static str>,
    facts: Vec<String>,
    at: Vec<i64>,
    actor: Vec<&'a str>,
}

#[derive(Default)]
struct AccountRows<'a> {
    id: Vec<i32>,
    figures: [Vec<i64>; 3],
    status: Vec<i16>,
    number: Vec<i64>,
    at: Vec<i64>,
    hash: Vec<&'a [u8]>,
    second: Vec<i64>,
    refused: Vec<i32>,
    watch: Vec<Option<Vec<u8>>>,
}

#[derive(Default)]
struct AuditRows<'a> {
    actor: Vec<&'a str>,
    action: Vec<&'a str>,
    subject: Vec<&'a str>,
    detail: Vec<&'a str>,
    request_id: Vec<Option<&'a str>>,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a Batch) -> Rows<'a> {
        let entries = EntryRows::of(&batch.made.entries);
        let (now, alert_targets) = (batch.now.micros(), &batch.alert_targets);
        let mut rows = Rows { entries, now, alert_targets, ..Rows::default() };
        batch.made.refusals.iter().for_each(|burnt| rows.refusals.add(burnt, batch.now));
        batch.made.audit.iter().for_each(|noted| rows.audit.add(noted));
        batch.made.alerts.iter().for_each(|(account, written)| rows.alerts.add(*account, written));
        batch.drafts.values().filter(|draft| draft.is_heard).for_each(|draft| rows.heard.add(draft));
        for draft in batch.drafts.values().filter(|draft| draft.is_changed) {
            rows.accounts.add(draft);
            let id = rows::int(draft.account.id);
            for (&hold, state) in &draft.holds {
                rows.add_hold(id, hold, state.as_ref());
            }
        }
        rows
    }

    fn add_hold(&mut self, account: i32, hold: u64, state: Option<&Hold>) {
        match state {
            Some(open) => {
                self.holds.0.push(account);
                self.holds.1.push(number(hold));
                self.holds.2.push(open.left.units());
                self.holds.3.push(open.expires_at.micros());
            }
            None => {
                self.ended.0.push(account);
                self.ended.1.push(number(hold));
            }
        }
    }

    /// The statements, each sent when it is first polled; none for a table that gets nothing.
    fn writes<'s>(&'s self, session: &'s Session) -> Vec<BoxFuture<'s, Result<u64, Error>>> {
        let mut all: Vec<BoxFuture<'s, Result<u64, Error>>> = Vec::new();
        if !self.entries.account.is_empty() {
            all.push(Box::pin(self.entries.write(session)));
        }
        if !self.refusals.account.is_empty() {
            all.push(Box::pin(self.refusals.write(session)));
        }
        if !self.accounts.id.is_empty() {
            all.push(Box::pin(self.accounts.write(session)));
        }
        if !self.holds.0.is_empty() {
            let (account, number, left, end) = &self.holds;
            all.push(Box::pin(async move { session.execute(HOLDS, &[account, number, left, end]).await }));
        }
        if !self.ended.0.is_empty() {
            let (account, number) = &self.ended;
            all.push(Box::pin(async move { session.execute(ENDED, &[account, number]).await }));
        }
        if !self.heard.account.is_empty() {
            all.push(Box::pin(self.heard.write(session)));
        }
        if !self.alerts.account.is_empty() {
            all.push(Box::pin(self.alerts.write(session, &self.now, self.alert_targets)));
        }
        if !self.audit.actor.is_empty() {
            all.push(Box::pin(session.execute(ALONE, &[])));
            all.push(Box::pin(self.audit.write(session, &self.now)));
        }
        all
    }
}

impl<'a> EntryRows<'a> {
    pub(super) fn of(entries: &'a [Entry]) -> EntryRows<'a> {
        let mut rows = EntryRows::default();
        entries.iter().for_each(|entry| rows.add(entry));
        rows
    }

    fn add(&mut self, entry: &'a Entry) {
        self.account.push(rows::int(entry.account));
        self.number.push(number(entry.number));
        self.kind.push(i16::from(entry.kind.code()));
        let figures = [entry.amount, entry.posted_after, entry.held_after, entry.credit_limit];
        self.figures.iter_mut().zip(figures).for_each(|(column, figure)| column.push(figure.units()));
        self.status.push(i16::from(entry.status.code()));
        self.at.push(entry.at.micros());
        self.recorded_at.push(entry.recorded_at.micros());
        self.expires_at.push(entry.expires_at.map(Time::micros));
        self.target_account.push(entry.target.map(|target| rows::int(target.account)));
        self.target_number.push(entry.target.map(|target| number(target.number)));
        self.currency.push(entry.currency.as_ref().map(|currency| currency.code().to_owned()));
        self.scale.push(entry.currency.map(Currency::scale).map(i16::from));
        self.key.push(entry.key.as_ref().map(Key::as_str));
        self.content.push(entry.content.as_ref().map(|content| content.0.as_slice()));
        self.reference.push(entry.reference.as_ref().map(Reference::as_str));
        self.reason.push(entry.reason.as_ref().map(Reason::as_str));
        self.metadata.push((!entry.metadata.is_empty()).then(|| metadata_json(&entry.metadata)));
        self.actor.push(entry.by.as_str());
        self.hash.push(entry.hash.0.as_slice());
    }

    pub(super) async fn write(&self, session: &Session) -> Result<u64, Error> {
        let [amount, posted, held, credit_limit] = &self.figures;
        let columns: super::session::Params<'_> = &[
            &self.account,
            &self.number,
            &self.kind,
            amount,
            posted,
            held,
            credit_limit,
            &self.status,
            &self.at,
            &self.recorded_at,
            &self.expires_at,
            &self.target_account,
            &self.target_number,
            &self.currency,
            &self.scale,
            &self.key,
            &self.content,
            &self.reference,
            &self.reason,
            &self.metadata,
            &self.actor,
            &self.hash,
        ];
        session.execute(ENTRIES, columns).await
    }
}

impl<'a> RefusalRows<'a> {
    fn add(&mut self, burnt: &'a Burnt, at: Time) {
        let facts: Map<String, Value> =
            burnt.refusal.facts().into_iter().map(|(name, fact)| (name.to_owned(), fact.code().into())).collect();
        self.account.push(rows::int(burnt.account));
        self.key.push(burnt.key.as_str());
        self.content.push(burnt.content.0.as_slice());
        self.slug.push(burnt.refusal.slug());
        self.facts.push(Value::Object(facts).to_string());
        self.at.push(at.micros());
        self.actor.push(burnt.by.as_str());
    }

    async fn write(&self, session: &Session) -> Result<u64, Error> {
        let columns: super::session::Params<'_> =
            &[&self.account, &self.key, &self.content, &self.slug, &self.facts, &self.at, &self.actor];
        session.execute(REFUSALS, columns).await
    }
}

impl<'a> AccountRows<'a> {
    fn add(&mut self, draft: &'a Draft) {
        let account = &draft.account;
        self.id.push(rows::int(account.id));
        let figures: [Minor; 3] = [account.posted, account.held, account.credit_limit];
        self.figures.iter_mut().zip(figures).for_each(|(column, figure)| column.push(figure.units()));
        self.status.push(i16::from(account.status.code()));
        self.number.push(number(account.number));
        self.at.push(account.at.micros());
        self.hash.push(account.hash.0.as_slice());
        self.second.push(draft.refused.0);
        self.refused.push(i32::try_from(draft.refused.1).unwrap_or(i32::MAX));
        self.watch.push(draft.watch.as_ref().map(|watch| watch::encode(&watch.usage)));
    }

    async fn write(&self, session: &Session) -> Result<u64, Error> {
        let [posted, held, credit_limit] = &self.figures;
        let columns: super::session::Params<'_> = &[
            &self.id,
            posted,
            held,
            credit_limit,
            &self.status,
            &self.number,
            &self.at,
            &self.hash,
            &self.second,
            &self.refused,
            &self.watch,
        ];
        session.execute(ACCOUNTS, columns).await
    }
}

impl<'a> AuditRows<'a> {
    fn add(&mut self, noted: &'a Noted) {
        self.actor.push(&noted.actor);
        self.action.push(&noted.action);
        self.subject.push(&noted.subject);
        self.detail.push(&noted.detail);
        self.request_id.push(noted.request_id.as_ref().map(RequestId::as_str));
    }

    async fn write(&self, session: &Session, now: &i64) -> Result<u64, Error> {
        let columns: super::session::Params<'_> =
            &[now, &self.actor, &self.action, &self.subject, &self.detail, &self.request_id];
        session.execute(AUDIT, columns).await
    }
}

impl Draft {
    /// What changes from here on is written the next time.
    fn is_written(&mut self) {
        (self.is_changed, self.is_heard) = (false, false);
        self.holds.clear();
    }
}
