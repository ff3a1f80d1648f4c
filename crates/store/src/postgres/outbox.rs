//! Deliveries of alerts: who has yet to be told, by which node, and what became of each attempt.
//!
//! Every node delivers. One takes a delivery for some seconds before it tries it and goes on taking it as long as it tries;
//! what a node that died had taken, another takes when these seconds are over.

use ledger::{Actor, Time};
use serde_json::json;
use tokio_postgres::Row;

use super::change::{Change, Tx};
use super::session::{Error, Session};
use super::{Postgres, alerts, rows};
use crate::audit::Origin;
use crate::outbox::bring_up;
use crate::rows::number;
use crate::{
    Attempt, AttemptResult, Attempted, ChangeError, Delivery, DeliveryQuery, DeliveryStatus, DeliveryTarget, Due,
    Fault, Page, happened,
};

/// The columns of a delivery `deliveries` and its alert `alerts`, in the order in which [`delivery`] reads them.
macro_rules! delivery_columns {
    () => {
        "deliveries.id, deliveries.target, deliveries.status, deliveries.due_at, deliveries.attempts, \
         deliveries.attempted_at, deliveries.error, alerts.name, alerts.account, alerts.at, alerts.event, alerts.facts"
    };
}

const DELIVERY_LEN: usize = 12;

/// What no other node has taken.
const DUE: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", a.name, r.quiet_from, r.quiet_until, r.quiet_zone, r.refused_since, r.refused_count, \
     c.channel, c.address, c.language, c.secret \
     FROM deliveries JOIN alerts ON alerts.id = deliveries.alert JOIN accounts a ON a.id = deliveries.account \
     LEFT JOIN alert_rules r ON r.account = deliveries.account \
     LEFT JOIN LATERAL (SELECT * FROM alert_contacts k WHERE k.account = deliveries.account \
     AND k.channel || ':' || k.address = deliveries.target ORDER BY k.number LIMIT 1) c ON true \
     WHERE deliveries.status = 0 AND deliveries.due_at <= $1 \
     AND (taken_by IS NULL OR taken_by = $2 OR taken_until < clock_timestamp()) \
     ORDER BY deliveries.due_at, deliveries.id LIMIT $3"
);

/// What another node has tried meanwhile is not due any more.
const TAKE: &str = "UPDATE deliveries d SET taken_by = $2, taken_until = clock_timestamp() + interval '5 s' \
    FROM (SELECT id FROM deliveries WHERE id = ANY($1) AND status = 0 AND (taken_by = $2 \
    OR (due_at <= ledger_clock() AND (taken_by IS NULL OR taken_until < clock_timestamp()))) \
    FOR UPDATE SKIP LOCKED) free WHERE d.id = free.id RETURNING d.id";

const PAGE: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM deliveries JOIN alerts ON alerts.id = deliveries.alert WHERE deliveries.id > $1 \
     AND ($2::int4 IS NULL OR deliveries.account = $2) AND ($3::int2 IS NULL OR deliveries.status = $3) \
     ORDER BY deliveries.id LIMIT $4"
);

const FIND: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM deliveries JOIN alerts ON alerts.id = deliveries.alert WHERE deliveries.id = $1"
);

const ATTEMPTS: &str = "SELECT number, at, error FROM delivery_attempts WHERE delivery = $1 ORDER BY number";

const COUNTS: &str = "SELECT (SELECT count(*) FROM deliveries WHERE status = 0), \
    (SELECT count(*) FROM deliveries WHERE status = 2)";

/// Those locked in the order of their numbers, as whoever else records does.
const RECORD: &str = "WITH clock AS MATERIALIZED (SELECT ledger_clock() AS now), mine AS MATERIALIZED (\
    SELECT d.id, n.status, n.due_at, n.error FROM deliveries d \
    JOIN unnest($1::int8[], $2::int2[], $3::int8[], $4::text[]) AS n (id, status, due_at, error) ON n.id = d.id \
    ORDER BY d.id FOR UPDATE OF d), \
    tried AS (UPDATE deliveries d SET status = mine.status, due_at = coalesce(mine.due_at, clock.now), \
    attempts = d.attempts + 1, attempted_at = clock.now, error = mine.error, taken_by = NULL, taken_until = NULL \
    FROM mine, clock WHERE d.id = mine.id RETURNING d.id, d.attempts, d.attempted_at, d.error) \
    INSERT INTO delivery_attempts (delivery, number, at, error) SELECT * FROM tried";

const POSTPONE: &str = "UPDATE deliveries d SET due_at = n.due_at FROM (SELECT k.id, n.due_at FROM deliveries k \
    JOIN unnest($1::int8[], $2::int8[]) AS n (id, due_at) ON n.id = k.id \
    WHERE k.status = 0 AND (k.taken_by IS NULL OR k.taken_until < clock_timestamp()) \
    FOR UPDATE OF k SKIP LOCKED) n WHERE d.id = n.id";

const RESEND: &str = "UPDATE deliveries SET status = 0, due_at = $2, taken_by = NULL, taken_until = NULL WHERE id = $1";

/// Numbers are about in the order of time, so that the oldest are the first: no look at all the others.
const FORGET: &str = "DELETE FROM alerts WHERE id = ANY(ARRAY(SELECT a.id FROM alerts a \
    JOIN (SELECT id FROM alerts ORDER BY id LIMIT $2) first ON first.id = a.id WHERE a.at < $1 \
    AND NOT EXISTS (SELECT FROM deliveries d WHERE d.alert = a.id AND d.status = 0) FOR UPDATE OF a SKIP LOCKED))";

impl Postgres {
    /// Of what this node writes: what others write it finds when it looks.
    pub(crate) async fn alerts_written(&self) {
        self.inner.shared.alerts_written.notified().await;
    }

    pub(crate) fn due_deliveries(&self, now: Time, limit: usize) -> Result<Vec<Due>, Fault> {
        let node = self.inner.shared.node;
        self.wait(move |session| Box::pin(due(session, now, node, limit)))
    }

    pub(crate) async fn take_deliveries(&self, ids: Vec<u64>) -> Result<Vec<u64>, Fault> {
        let node = self.inner.shared.node;
        let ids: Vec<i64> = ids.into_iter().map(number).collect();
        self.read(move |session| {
            let ids = ids.clone();
            Box::pin(async move {
                let taken = session.rows(TAKE, &[&ids, &node]).await?;
                taken.iter().map(|row| rows::number_at(row, 0)).collect()
            })
        })
        .await
    }

    pub(crate) fn deliveries(&self, wanted: &DeliveryQuery, limit: usize) -> Result<Page<Delivery, u64>, Fault> {
        let wanted = wanted.clone();
        self.wait(move |session| {
            let wanted = wanted.clone();
            Box::pin(async move { page(session, &wanted, limit).await })
        })
    }

    pub(crate) fn delivery(&self, id: u64) -> Result<Option<(Delivery, Vec<Attempt>)>, Fault> {
        self.wait(move |session| Box::pin(with_attempts(session, id)))
    }

    pub(crate) fn delivery_counts(&self) -> Result<(u64, u64), Fault> {
        self.wait(|session| {
            Box::pin(async move {
                let row = session.row(COUNTS, &[]).await?;
                let count = |column| match &row {
                    Some(row) => Ok::<_, Error>(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0)),
                    None => Ok(0),
                };
                Ok((count(0)?, count(1)?))
            })
        })
    }

    pub(crate) async fn record_attempts(&self, attempted: Vec<Attempted>) -> Result<(), Fault> {
        self.read(move |session| {
            let attempted = attempted.clone();
            Box::pin(async move { record(session, &attempted).await })
        })
        .await
    }

    pub(crate) async fn resend(&self, by: Actor, id: u64) -> Result<Option<Delivery>, Fault> {
        let sent = self.change(Resend { origin: self.origin(by), id }).await.map_err(super::changes::fault)?;
        self.inner.shared.alerts_written.notify_one();
        Ok(sent)
    }

    pub(crate) async fn forget_alerts(&self, before: Time, limit: usize) -> Result<usize, Fault> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |session| {
            Box::pin(async move {
                let gone = session.execute(FORGET, &[&before.micros(), &limit]).await?;
                Ok(usize::try_from(gone).unwrap_or(usize::MAX))
            })
        })
        .await
    }
}

async fn due(session: &Session, now: Time, node: i64, limit: usize) -> Result<Vec<Due>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = session.rows(DUE, &[&now.micros(), &node, &limit]).await?;
    let due = |row: &Row| {
        let mut delivery = delivery(row)?;
        let refused = (row.try_get(DELIVERY_LEN + 4)?, row.try_get(DELIVERY_LEN + 5)?);
        bring_up(&mut delivery.alert.event, refused);
        let has_contact = row.try_get::<_, Option<&str>>(DELIVERY_LEN + 6)?.is_some();
        Ok(Due {
            account_name: row.try_get(DELIVERY_LEN)?,
            contact: has_contact.then(|| alerts::contact(row, DELIVERY_LEN + 6)).transpose()?,
            quiet: alerts::quiet(row, DELIVERY_LEN + 1)?,
            delivery,
        })
    };
    found.iter().map(due).collect()
}

async fn page(session: &Session, wanted: &DeliveryQuery, limit: usize) -> Result<Page<Delivery, u64>, Error> {
    let (account, status) = (wanted.account.map(rows::int), wanted.status.map(|status| i16::from(status.code())));
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let after = i64::try_from(wanted.after).unwrap_or(i64::MAX);
    let found = session.rows(PAGE, &[&after, &account, &status, &one_more]).await?;
    let items = found.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
    Ok(super::statement::page(items, limit, |delivery| delivery.id))
}

async fn find(session: &Session, id: u64) -> Result<Option<Delivery>, Error> {
    let id = i64::try_from(id).unwrap_or(i64::MAX);
    session.row(FIND, &[&id]).await?.as_ref().map(delivery).transpose()
}

async fn with_attempts(session: &Session, id: u64) -> Result<Option<(Delivery, Vec<Attempt>)>, Error> {
    let Some(delivery) = find(session, id).await? else { return Ok(None) };
    let attempts = session.rows(ATTEMPTS, &[&number(id)]).await?;
    let attempt = |row: &Row| {
        let number = u32::try_from(row.try_get::<_, i64>(0)?).unwrap_or(u32::MAX);
        Ok(Attempt { number, at: Time::from_micros(row.try_get(1)?), error: row.try_get(2)? })
    };
    Ok(Some((delivery, attempts.iter().map(attempt).collect::<Result<_, Error>>()?)))
}

fn delivery(row: &Row) -> Result<Delivery, Error> {
    let id = rows::number_at(row, 0)?;
    let wrong = |column: &str| Error::Damage(format!("delivery {id}: {column} is not one"));
    let status = u8::try_from(row.try_get::<_, i16>(2)?).ok().and_then(DeliveryStatus::from_code);
    let alert = happened::read(
        row.try_get(7)?,
        rows::id(row.try_get(8)?),
        Time::from_micros(row.try_get(9)?),
        row.try_get(10)?,
        row.try_get(11)?,
    );
    Ok(Delivery {
        id,
        target: DeliveryTarget::read(row.try_get(1)?).ok_or_else(|| wrong("target"))?,
        status: status.ok_or_else(|| wrong("status"))?,
        due_at: Time::from_micros(row.try_get(3)?),
        attempts: u32::try_from(row.try_get::<_, i64>(4)?).map_err(|_| wrong("attempts"))?,
        attempted_at: row.try_get::<_, Option<i64>>(5)?.map(Time::from_micros),
        error: row.try_get(6)?,
        alert: alert.map_err(Error::Damage)?,
    })
}

async fn record(session: &Session, attempted: &[Attempted]) -> Result<(), Error> {
    let (mut ids, mut statuses, mut dues, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut postponed: (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for Attempted { delivery, result } in attempted {
        let (status, due_at, error) = match result {
            AttemptResult::Delivered => (DeliveryStatus::Delivered, None, None),
            AttemptResult::Again { due_at, error } => (DeliveryStatus::Waiting, Some(due_at.micros()), Some(error)),
            AttemptResult::GivenUp { error } => (DeliveryStatus::GivenUp, None, Some(error)),
            AttemptResult::Postponed { due_at } => {
                postponed.0.push(number(*delivery));
                postponed.1.push(due_at.micros());
                continue;
            }
        };
        ids.push(number(*delivery));
        statuses.push(i16::from(status.code()));
        dues.push(due_at);
        errors.push(error.map(String::as_str));
    }
    if !postponed.0.is_empty() {
        session.execute(POSTPONE, &[&postponed.0, &postponed.1]).await?;
    }
    if !ids.is_empty() {
        session.execute(RECORD, &[&ids, &statuses, &dues, &errors]).await?;
    }
    Ok(())
}

/// A delivery to be tried again at once, whatever became of it before.
struct Resend {
    origin: Origin,
    id: u64,
}

impl Change for Resend {
    type Done = Option<Delivery>;

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Result<Self::Done, ChangeError>, Error> {
        let Some(before) = find(tx.session, self.id).await? else { return Ok(Ok(None)) };
        tx.session.execute(RESEND, &[&number(self.id), &tx.now_us()]).await?;
        let detail = json!({ "was": before.status.name(), "to": before.target.label() });
        tx.note(&self.origin, "delivery.resend", &format!("delivery {}", self.id), &detail);
        Ok(Ok(Some(Delivery { status: DeliveryStatus::Waiting, due_at: tx.batch.now, ..before })))
    }
}
