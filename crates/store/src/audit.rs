//! The audit trail: who changed what besides ordinary movements of money, written in the commit of the change itself.
//!
//! A movement needs no row here, since its entry says who and why; opening, limits, status and corrections have both, so
//! that one list tells all that was decided by hand. Rows are never changed or removed. Secrets never get here, and API
//! keys only by their first characters.

use std::sync::Arc;

use ledger::{Actor, Entry, Kind, Reason, Reference, Time};
use rusqlite::{Connection, Row, params};
use serde_json::{Map, Value, json};

use crate::batch::Batch;
use crate::perform::Asked;
use crate::rows::damage;
use crate::{AccountNow, ChangeError, Fault, NewAccount, Outcome, Page, Refused, Sqlite};

/// What one request is known as: 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// `text` as a request's id, or `None` where it is none.
    pub fn new(text: &str) -> Option<RequestId> {
        let is_id = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_id.then(|| RequestId(text.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One row of the trail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRow {
    /// Its number: 1, 2, 3…
    pub id: u64,
    /// When it was done; never decreases.
    pub at: Time,
    /// Who did it: `operator:NAME`, or `local:USER`.
    pub actor: String,
    /// What was done, a stable name such as `account.open`.
    pub action: String,
    /// To what, such as `account 9999 entry 7`.
    pub subject: String,
    /// What changed, a JSON object.
    pub detail: String,
    /// The request that asked for it, where it was one.
    pub request_id: Option<String>,
}

/// Which rows of the trail are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditQuery {
    /// Not before this.
    pub from: Option<Time>,
    /// Before this.
    pub to: Option<Time>,
    /// Done by exactly this actor.
    pub actor: Option<String>,
    /// With a greater number than this.
    pub after: u64,
}

/// Who asks for a change, and in which request.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) by: Actor,
    pub(crate) request_id: Option<RequestId>,
}

/// Writes one row into the commit under way.
pub(crate) fn write(
    batch: &mut Batch<'_>,
    origin: &Origin,
    action: &str,
    subject: &str,
    detail: &Value,
) -> rusqlite::Result<()> {
    batch
        .db
        .prepare_cached(
            "INSERT INTO audit (at, actor, action, subject, detail, request_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            batch.now.micros(),
            origin.by.as_str(),
            action,
            subject,
            detail.to_string(),
            origin.request_id.as_ref().map(RequestId::as_str)
        ])?;
    batch.done.is_audited = true;
    Ok(())
}

/// Has the rules decide a command, and notes what it did where that is no ordinary movement.
pub(crate) fn perform(
    batch: &mut Batch<'_>,
    asked: &Asked,
    request_id: Option<&RequestId>,
) -> rusqlite::Result<Result<Outcome, Refused>> {
    let by_hand = matches!(asked.command.movement.kind(), Kind::Limit | Kind::Status | Kind::Adjust);
    let slot = if by_hand { batch.slot_of(asked.command.account) } else { None };
    let before = slot.map(|slot| batch.account_now(slot));
    let decided = batch.perform(asked)?;
    if let (Some(before), Ok(Outcome { entry, replayed: false })) = (before, &decided) {
        let origin = Origin { by: asked.command.by.clone(), request_id: request_id.cloned() };
        let (action, detail) = by_hand_done(entry, &before);
        write(batch, &origin, action, &of_entry(entry), &detail)?;
    }
    Ok(decided)
}

/// The name of what an entry of one of those three kinds did, and what changed.
pub(crate) fn by_hand_done(entry: &Entry, before: &AccountNow) -> (&'static str, Value) {
    let decimal = |figure: ledger::Minor| figure.decimal(before.currency.scale()).to_string();
    let mut detail = Map::new();
    let action = if entry.kind == Kind::Limit {
        change(&mut detail, "credit_limit", decimal(before.credit_limit).into(), decimal(entry.credit_limit).into());
        "account.limit"
    } else if entry.kind == Kind::Status {
        change(&mut detail, "status", before.status.name().into(), entry.status.name().into());
        "account.status"
    } else {
        detail.insert("amount".into(), decimal(entry.amount).into());
        "account.adjust"
    };
    if let Some(reference) = entry.reference.as_ref().map(Reference::as_str) {
        detail.insert("reference".into(), reference.into());
    }
    if let Some(reason) = entry.reason.as_ref().map(Reason::as_str) {
        detail.insert("reason".into(), reason.into());
    }
    (action, Value::Object(detail))
}

/// Opens an account, and notes it.
pub(crate) fn open(
    batch: &mut Batch<'_>,
    new: &NewAccount,
    request_id: Option<&RequestId>,
) -> rusqlite::Result<Result<Outcome, ChangeError>> {
    let opened = batch.open(new)?;
    if let Ok(Outcome { entry, replayed: false }) = &opened {
        let origin = Origin { by: new.by.clone(), request_id: request_id.cloned() };
        write(batch, &origin, "account.open", &of_entry(entry), &opening(new, entry))?;
    }
    Ok(opened)
}

/// What an opening tells.
pub(crate) fn opening(new: &NewAccount, entry: &Entry) -> Value {
    let scale = entry.currency.map_or(0, ledger::Currency::scale);
    let mut detail = json!({
        "name": new.name,
        "currency": new.currency,
        "credit_limit": entry.credit_limit.decimal(scale).to_string(),
    });
    if let Some(external_id) = &new.external_id {
        detail["external_id"] = external_id.as_str().into();
    }
    detail
}

pub(crate) fn of_entry(entry: &Entry) -> String {
    format!("account {} entry {}", entry.account, entry.number)
}

/// As much of an API key as may be told: four characters, of a short one fewer.
pub(crate) fn shortened(api_key: &str) -> String {
    let shown: String = api_key.chars().take((api_key.len() / 2).min(4)).collect();
    format!("{shown}…")
}

/// What was and what is, where that differs.
pub(crate) fn change(detail: &mut Map<String, Value>, name: &str, from: Value, to: Value) {
    if from != to {
        detail.insert(name.into(), json!({ "from": from, "to": to }));
    }
}

/// The rows that are wanted, oldest first, at most `limit`; `next` is the number to go on after.
pub(crate) fn page(db: &Connection, wanted: &AuditQuery, limit: usize) -> rusqlite::Result<Page<AuditRow, u64>> {
    // Rows are numbered in the order of their times, so that two searches turn the times into numbers.
    let first_from = |time: Time| -> rusqlite::Result<Option<i64>> {
        let mut select =
            db.prepare_cached("SELECT min(id) FROM audit WHERE at = (SELECT min(at) FROM audit WHERE at >= ?1)")?;
        select.query_row([time.micros()], |row| row.get(0))
    };
    let nothing = || Page { items: Vec::new(), next: None };
    let mut after = i64::try_from(wanted.after).unwrap_or(i64::MAX);
    if let Some(from) = wanted.from {
        let Some(first) = first_from(from)? else { return Ok(nothing()) };
        after = after.max(first - 1);
    }
    let end = wanted.to.map(first_from).transpose()?.flatten();
    let mut select = db.prepare_cached(
        "SELECT id, at, actor, action, subject, detail, request_id FROM audit \
         WHERE id > ?1 AND id < ?2 AND (?3 IS NULL OR actor = ?3) ORDER BY id LIMIT ?4",
    )?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let found = select.query_map(params![after, end.unwrap_or(i64::MAX), wanted.actor, one_more], to_row)?;
    let mut items = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let is_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().map(|last| last.id).filter(|_| is_more);
    Ok(Page { items, next })
}

fn to_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let id: i64 = row.get(0)?;
    Ok(AuditRow {
        id: u64::try_from(id).map_err(|_| damage(format!("row {id} of audit: id is not one")))?,
        at: Time::from_micros(row.get(1)?),
        actor: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        detail: row.get(5)?,
        request_id: row.get(6)?,
    })
}

/// What is wrong with the trail, in words: rows are numbered without gaps, so that one that was taken out leaves a hole.
pub(crate) fn gap(db: &Connection) -> rusqlite::Result<Option<String>> {
    let (len, last): (i64, i64) =
        db.query_row("SELECT count(*), ifnull(max(id), 0) FROM audit", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((len != last).then(|| format!("the audit trail has {len} rows and its last is number {last}")))
}

/// The time of the last row: ledger time never falls behind it.
pub(crate) fn last_time(db: &Connection) -> rusqlite::Result<Option<Time>> {
    db.query_row("SELECT max(at) FROM audit", [], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Time::from_micros)))
}

impl Sqlite {
    /// Rows of the audit trail, oldest first, at most `limit`; `next` is the number to go on after.
    pub fn audit(&self, wanted: &AuditQuery, limit: usize) -> Result<Page<AuditRow, u64>, Fault> {
        self.read(|db| page(db, wanted, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_half_of_a_key_is_shown() {
        let cases =
            [("40D5551F4E3BC5FD", "40D5…"), ("12345678", "1234…"), ("1234567", "123…"), ("ab", "a…"), ("K", "…")];
        for (key, shown) in cases {
            assert_eq!(shortened(key), shown);
        }
    }

    #[test]
    fn request_ids_are_visible_ascii() {
        assert!(RequestId::new("a").is_some() && RequestId::new(&"a".repeat(128)).is_some());
        for bad in ["", "two words", "tab\t", "dấu", &"a".repeat(129)] {
            assert!(RequestId::new(bad).is_none(), "{bad:?}");
        }
    }
}
