//! Deliveries of alerts: who has yet to be told, what became of each attempt, and what was given up.
//!
//! Rows come into being with their alert (see `tell`); whoever delivers reads them here and says what happened. A delivery
//! that was made and not recorded, as by a crash between the two, is made again under the same name.

use ledger::{AccountId, Actor, Time};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use crate::alerts::{self, Contact, Quiet, host};
use crate::audit::{self, Origin};
use crate::batch::Batch;
use crate::happened::{self, ALERT, Alert, AlertEvent};
use crate::rows::{self, damage};
use crate::{Fault, Page, Sqlite};

/// One alert for one target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its number.
    pub id: u64,
    /// What is to be told.
    pub alert: Alert,
    /// To whom.
    pub target: DeliveryTarget,
    /// How far it is.
    pub status: DeliveryStatus,
    /// When it is tried next, while it waits.
    pub due_at: Time,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub attempted_at: Option<Time>,
    /// What went wrong then; none where it was delivered.
    pub error: Option<String>,
}

/// To whom a delivery goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeliveryTarget {
    /// A target of the operator's configuration, by its name.
    Operator(String),
    /// A contact of the account, by its channel and address.
    Contact {
        /// The name of its [`crate::Channel`].
        channel: String,
        /// Where.
        address: String,
    },
}

/// How far a delivery is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryStatus {
    /// It is to be tried, or tried again.
    Waiting,
    /// The target took it.
    Delivered,
    /// It is not tried any more, until somebody asks for it.
    GivenUp,
}

/// One try of a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// Which one: 1, 2, 3…
    pub number: u32,
    /// When.
    pub at: Time,
    /// What went wrong; none where it was delivered.
    pub error: Option<String>,
}

/// A delivery whose time has come, with all that it takes.
#[derive(Clone, PartialEq, Debug)]
pub struct Due {
    /// The delivery.
    pub delivery: Delivery,
    /// What people call its account.
    pub account_name: String,
    /// The contact, as it is set now; none where it was taken away, or the target is the operator's.
    pub contact: Option<Contact>,
    /// When the account's people are left alone.
    pub quiet: Option<Quiet>,
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempted {
    /// The delivery.
    pub delivery: u64,
    /// What became of it.
    pub result: AttemptResult,
}

/// See [`Attempted`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttemptResult {
    /// The target took it.
    Delivered,
    /// It did not, and is asked again.
    Again {
        /// When.
        due_at: Time,
        /// What went wrong.
        error: String,
    },
    /// It did not, and is not asked again.
    GivenUp {
        /// What went wrong.
        error: String,
    },
    /// It was not asked, since its people are left alone until then.
    Postponed {
        /// When.
        due_at: Time,
    },
}

/// Which deliveries are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeliveryQuery {
    /// Of that account.
    pub account: Option<AccountId>,
    /// That far.
    pub status: Option<DeliveryStatus>,
    /// With a greater number than this.
    pub after: u64,
}

impl DeliveryStatus {
    /// All of them, in the order of their codes.
    pub const ALL: [DeliveryStatus; 3] = [DeliveryStatus::Waiting, DeliveryStatus::Delivered, DeliveryStatus::GivenUp];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryStatus::Waiting => "waiting",
            DeliveryStatus::Delivered => "delivered",
            DeliveryStatus::GivenUp => "given_up",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            DeliveryStatus::Waiting => 0,
            DeliveryStatus::Delivered => 1,
            DeliveryStatus::GivenUp => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<DeliveryStatus> {
        DeliveryStatus::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl DeliveryTarget {
    /// Who it is, for lists and logs: without the path of a URL, which may be a secret.
    pub fn label(&self) -> String {
        match self {
            DeliveryTarget::Operator(name) => format!("operator {name}"),
            DeliveryTarget::Contact { channel, address } if channel == "webhook" => {
                format!("webhook {}", host(address))
            }
            DeliveryTarget::Contact { channel, address } => format!("{channel} {address}"),
        }
    }

    pub(crate) fn read(text: &str) -> Option<DeliveryTarget> {
        let (channel, address) = text.split_once(':')?;
        Some(match channel {
            "operator" => DeliveryTarget::Operator(address.to_owned()),
            _ => DeliveryTarget::Contact { channel: channel.to_owned(), address: address.to_owned() },
        })
    }

    pub(crate) fn is(&self, contact: &Contact) -> bool {
        match self {
            DeliveryTarget::Operator(_) => false,
            DeliveryTarget::Contact { channel, address } => {
                *channel == contact.channel.name() && *address == contact.address
            }
        }
    }
}

impl Sqlite {
    /// Resolves when there may be something to deliver that was not there before.
    pub async fn alerts_written(&self) {
        self.shared().alerts_written.notified().await;
    }

    /// The deliveries whose time has come by `now`, those that wait longest first, at most `limit`. Blocks on the disk, as do
    /// the next three.
    pub fn due_deliveries(&self, now: Time, limit: usize) -> Result<Vec<Due>, Fault> {
        self.read(|db| due(db, now, limit))
    }

    /// Deliveries in the order of their numbers, at most `limit`; `next` is the number to go on after.
    pub fn deliveries(&self, wanted: &DeliveryQuery, limit: usize) -> Result<Page<Delivery, u64>, Fault> {
        self.read(|db| page(db, wanted, limit))
    }

    /// A delivery with every attempt that was made.
    pub fn delivery(&self, id: u64) -> Result<Option<(Delivery, Vec<Attempt>)>, Fault> {
        self.read(|db| {
            let Some(delivery) = find(db, id)? else { return Ok(None) };
            let mut select = db.prepare_cached(
                "SELECT number, at, error FROM delivery_attempts WHERE delivery = ?1 ORDER BY number",
            )?;
            let read = |row: &Row<'_>| {
                Ok(Attempt { number: row.get(0)?, at: Time::from_micros(row.get(1)?), error: row.get(2)? })
            };
            let attempts = select.query_map([rows::number(id)], read)?.collect::<rusqlite::Result<_>>()?;
            Ok(Some((delivery, attempts)))
        })
    }

    /// How many deliveries wait, and how many were given up.
    pub fn delivery_counts(&self) -> Result<(u64, u64), Fault> {
        self.read(|db| {
            let count = |sql: &str| db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
            let waiting = count("SELECT count(*) FROM deliveries WHERE status = 0")?;
            let given_up = count("SELECT count(*) FROM deliveries WHERE status = 2")?;
            Ok((u64::try_from(waiting).unwrap_or(0), u64::try_from(given_up).unwrap_or(0)))
        })
    }

    /// Keeps what became of attempts.
    pub async fn record_attempts(&self, attempted: Vec<Attempted>) -> Result<(), Fault> {
        let len = attempted.len();
        if len == 0 {
            return Ok(());
        }
        self.send(len, move |batch| attempted.iter().try_for_each(|attempted| record(batch, attempted))).await
    }

    /// Has a delivery tried again at once, whatever became of it before; `None` where there is none of that number.
    pub async fn resend(&self, by: Actor, id: u64) -> Result<Option<Delivery>, Fault> {
        let origin = Origin { by, request_id: self.request_id.clone() };
        self.send(1, move |batch| resend(batch, &origin, id)).await
    }

    /// Removes alerts from before `before` of which no delivery waits, of the oldest `limit`; gives how many.
    pub async fn forget_alerts(&self, before: Time, limit: usize) -> Result<usize, Fault> {
        self.send(1, move |batch| forget(batch.db, before, limit)).await
    }
}

const DELIVERY: &str = "deliveries.id, deliveries.target, deliveries.status, deliveries.due_at, deliveries.attempts, \
    deliveries.attempted_at, deliveries.error";

fn due(db: &Connection, now: Time, limit: usize) -> rusqlite::Result<Vec<Due>> {
    let sql = format!(
        "SELECT {DELIVERY}, {ALERT}, accounts.name AS account_name, quiet_from, quiet_until, quiet_zone, refused_since, \
         refused_count FROM deliveries JOIN alerts ON alerts.id = deliveries.alert \
         JOIN accounts ON accounts.id = deliveries.account \
         LEFT JOIN alert_rules ON alert_rules.account = deliveries.account \
         WHERE deliveries.status = 0 AND deliveries.due_at <= ?1 ORDER BY deliveries.due_at, deliveries.id LIMIT ?2"
    );
    let mut select = db.prepare_cached(&sql)?;
    let mut found = select.query(params![now.micros(), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let mut delivery = delivery(row)?;
        let refused = (row.get::<_, Option<i64>>("refused_since")?, row.get::<_, Option<i64>>("refused_count")?);
        bring_up(&mut delivery.alert.event, refused);
        let contacts = alerts::contacts(db, delivery.alert.account)?;
        let contact = contacts.into_iter().find(|contact| delivery.target.is(contact));
        all.push(Due { contact, account_name: row.get("account_name")?, quiet: alerts::quiet(row)?, delivery });
    }
    Ok(all)
}

/// A series of refusals that goes on is told with as many as there are by now.
pub(crate) fn bring_up(event: &mut AlertEvent, refused: (Option<i64>, Option<i64>)) {
    if let (AlertEvent::ChargeRefused { count, since, .. }, (Some(now_since), Some(now_count))) = (event, refused)
        && since.micros() == now_since
    {
        *count = u64::try_from(now_count).map_or(*count, |now_count| now_count.max(*count));
    }
}

fn page(db: &Connection, wanted: &DeliveryQuery, limit: usize) -> rusqlite::Result<Page<Delivery, u64>> {
    let sql = format!(
        "SELECT {DELIVERY}, {ALERT} FROM deliveries JOIN alerts ON alerts.id = deliveries.alert \
         WHERE deliveries.id > ?1 AND (?2 IS NULL OR deliveries.account = ?2) AND (?3 IS NULL OR status = ?3) \
         ORDER BY deliveries.id LIMIT ?4"
    );
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut select = db.prepare_cached(&sql)?;
    let (account, status) = (wanted.account.map(AccountId::get), wanted.status.map(DeliveryStatus::code));
    let after = i64::try_from(wanted.after).unwrap_or(i64::MAX);
    let found = select.query_map(params![after, account, status, one_more], delivery)?;
    let mut items = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let is_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().map(|last| last.id).filter(|_| is_more);
    Ok(Page { items, next })
}

fn find(db: &Connection, id: u64) -> rusqlite::Result<Option<Delivery>> {
    let sql = format!(
        "SELECT {DELIVERY}, {ALERT} FROM deliveries JOIN alerts ON alerts.id = deliveries.alert WHERE deliveries.id = ?1"
    );
    db.prepare_cached(&sql)?.query_row([i64::try_from(id).unwrap_or(i64::MAX)], delivery).optional()
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let id: i64 = row.get(0)?;
    let wrong = |column: &str| damage(format!("delivery {id}: {column} is not one"));
    let code: u8 = row.get(2)?;
    Ok(Delivery {
        id: u64::try_from(id).map_err(|_| wrong("id"))?,
        target: DeliveryTarget::read(row.get_ref(1)?.as_str()?).ok_or_else(|| wrong("target"))?,
        status: DeliveryStatus::from_code(code).ok_or_else(|| wrong("status"))?,
        due_at: Time::from_micros(row.get(3)?),
        attempts: row.get(4)?,
        attempted_at: row.get::<_, Option<i64>>(5)?.map(Time::from_micros),
        error: row.get(6)?,
        alert: happened::alert(row, 7)?,
    })
}

fn record(batch: &Batch<'_>, attempted: &Attempted) -> rusqlite::Result<()> {
    let (db, now, id) = (batch.db, batch.now.micros(), rows::number(attempted.delivery));
    let (status, due_at, error) = match &attempted.result {
        AttemptResult::Postponed { due_at } => {
            let mut update = db.prepare_cached("UPDATE deliveries SET due_at = ?2 WHERE id = ?1 AND status = 0")?;
            update.execute([id, due_at.micros()])?;
            return Ok(());
        }
        AttemptResult::Delivered => (DeliveryStatus::Delivered, now, None),
        AttemptResult::Again { due_at, error } => (DeliveryStatus::Waiting, due_at.micros(), Some(error)),
        AttemptResult::GivenUp { error } => (DeliveryStatus::GivenUp, now, Some(error)),
    };
    db.prepare_cached(
        "UPDATE deliveries SET status = ?2, due_at = ?3, attempts = attempts + 1, attempted_at = ?4, error = ?5 WHERE id = ?1",
    )?
    .execute(params![id, status.code(), due_at, now, error])?;
    db.prepare_cached(
        "INSERT INTO delivery_attempts (delivery, number, at, error) SELECT id, attempts, ?2, ?3 FROM deliveries WHERE id = ?1",
    )?
    .execute(params![id, now, error])?;
    Ok(())
}

fn resend(batch: &mut Batch<'_>, origin: &Origin, id: u64) -> rusqlite::Result<Option<Delivery>> {
    let Some(before) = find(batch.db, id)? else { return Ok(None) };
    let mut update = batch.db.prepare_cached("UPDATE deliveries SET status = 0, due_at = ?2 WHERE id = ?1")?;
    update.execute([rows::number(id), batch.now.micros()])?;
    let detail = json!({ "was": before.status.name(), "to": before.target.label() });
    audit::write(batch, origin, "delivery.resend", &format!("delivery {id}"), &detail)?;
    batch.done.has_alerts = true;
    Ok(Some(Delivery { status: DeliveryStatus::Waiting, due_at: batch.now, ..before }))
}

fn forget(db: &Connection, before: Time, limit: usize) -> rusqlite::Result<usize> {
    // Numbers are in the order of time, so that the oldest are the first: no look at all the others.
    let mut select = db.prepare_cached(
        "SELECT id, at, EXISTS (SELECT 1 FROM deliveries WHERE deliveries.alert = alerts.id AND status = 0) FROM alerts \
         ORDER BY id",
    )?;
    let mut found = select.query([])?;
    let mut old: Vec<i64> = Vec::new();
    for _ in 0..limit {
        match found.next()? {
            Some(row) if row.get::<_, i64>(1)? < before.micros() => {
                if !row.get::<_, bool>(2)? {
                    old.push(row.get(0)?);
                }
            }
            Some(_) | None => break,
        }
    }
    drop(found);
    for id in &old {
        db.prepare_cached("DELETE FROM deliveries WHERE alert = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM alerts WHERE id = ?1")?.execute([id])?;
    }
    Ok(old.len())
}
