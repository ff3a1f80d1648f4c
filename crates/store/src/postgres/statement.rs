//! Reading what happened: entries, holds, profiles, sums, the audit trail. A session, a question, an answer.

use ledger::{AccountId, Entry, Hold, Key, Runway, Time};
use tokio_postgres::Row;

use super::reads;
use super::rows::{self, ENTRY_LEN, account_columns, entry_columns};
use super::runway;
use super::session::{Error, Session};
use crate::{AccountNow, AuditQuery, AuditRow, KeyOutcome, Page, Profile};

const ENTRY: &str = concat!("SELECT ", entry_columns!(), " FROM entries e WHERE e.account = $1 AND e.number = $2");

/// From and to are instants, of which the last entry before each is looked up by halving.
const PAGE: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e WHERE e.account = $1 AND e.number > greatest($4, CASE WHEN $2::int8 IS NULL THEN 0 \
     ELSE last_number($1, $2 - 1) END) AND ($3::int8 IS NULL OR e.number <= last_number($1, $3 - 1)) \
     ORDER BY e.number LIMIT $5"
);

/// The last entry by an instant, and what had ended by then without an entry that says so yet.
const AS_OF: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", e.posted, e.held, e.credit_limit, e.status, e.number, \
     (SELECT coalesce(sum(h.remaining), 0)::int8 FROM open_holds h WHERE h.account = $1 AND h.expires_at <= $2) \
     FROM accounts a JOIN currencies c ON c.id = a.currency \
     JOIN entries e ON e.account = a.id AND e.number = last_number($1, $2) WHERE a.id = $1"
);

const HOLDS: &str = concat!(
    "SELECT ",
    entry_columns!(),
    ", h.remaining, h.expires_at FROM open_holds h JOIN accounts a ON a.id = h.account \
     CROSS JOIN LATERAL (SELECT greatest(ledger_clock(), a.at) AS now) t \
     JOIN entries e ON e.account = h.account AND e.number = h.number \
     WHERE h.account = $1 AND h.number > $2 AND h.expires_at > t.now ORDER BY h.number LIMIT $3"
);

const HOLD_COUNT: &str = "SELECT count(*) FROM open_holds h JOIN accounts a ON a.id = h.account \
    CROSS JOIN LATERAL (SELECT greatest(ledger_clock(), a.at) AS now) t \
    WHERE h.account = $1 AND h.expires_at > t.now";

const KEY: &str =
    concat!("SELECT ", entry_columns!(), " FROM entries e WHERE e.account = $1 AND e.key = $2 AND e.kind <> 1");

const REFUSED_KEY: &str =
    "SELECT slug, facts, at FROM refusals WHERE account = $1 AND key = $2 AND at >= ledger_clock() - $3";

const PROFILE: &str = "SELECT id, name, external_id, opened_at FROM accounts WHERE id = $1";

const PROFILES: &str = "SELECT id, name, external_id, opened_at FROM accounts WHERE id > $1 AND ($2::text IS NULL \
    OR starts_with(id::text, $2) OR strpos(lower(name), lower($2)) > 0 OR strpos(lower(external_id), lower($2)) > 0) \
    ORDER BY id LIMIT $3";

const AUDIT: &str = "SELECT id, at, actor, action, subject, detail, request_id FROM audit WHERE id > $1 \
    AND ($2::int8 IS NULL OR at >= $2) AND ($3::int8 IS NULL OR at < $3) AND ($4::text IS NULL OR actor = $4) \
    ORDER BY id LIMIT $5";

/// The database's clock.
pub(super) async fn now(session: &Session) -> Result<Time, Error> {
    let row = session.row("SELECT ledger_clock()", &[]).await?.ok_or_else(missing)?;
    Ok(Time::from_micros(row.try_get(0)?))
}

pub(super) async fn entry(session: &Session, account: AccountId, number: u64) -> Result<Option<Entry>, Error> {
    let Ok(number) = i64::try_from(number) else { return Ok(None) };
    session.row(ENTRY, &[&rows::int(account), &number]).await?.as_ref().map(rows::entry).transpose()
}

pub(super) async fn entries(
    session: &Session,
    account: AccountId,
    from: Option<Time>,
    to: Option<Time>,
    after: u64,
    limit: usize,
) -> Result<Page<Entry, u64>, Error> {
    let (from, to) = (from.map(Time::micros), to.map(Time::micros));
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let found = session.rows(PAGE, &[&rows::int(account), &from, &to, &after, &one_more(limit)]).await?;
    let items = found.iter().map(rows::entry).collect::<Result<Vec<_>, _>>()?;
    Ok(page(items, limit, |entry| entry.number))
}

/// An account's figures as they were at `at`; `None` where it was opened later.
pub(super) async fn as_of(session: &Session, id: AccountId, at: Time) -> Result<Option<AccountNow>, Error> {
    let Some(row) = session.row(AS_OF, &[&rows::int(id), &at.micros()]).await? else { return Ok(None) };
    let now = rows::account_now(&row, 0)?;
    let then = |column: usize| rows::ACCOUNT_LEN + column;
    let (held, due) = (rows::figure_at(&row, then(1))?, rows::figure_at(&row, then(5))?);
    let wrong = || Error::Damage(format!("account {id}: its holds are more than what it held"));
    let status = u8::try_from(row.try_get::<_, i16>(then(3))?).ok().and_then(ledger::Status::from_code);
    Ok(Some(AccountNow {
        posted: rows::figure_at(&row, then(0))?,
        held: held.minus(due).ok_or_else(wrong)?,
        credit_limit: rows::figure_at(&row, then(2))?,
        status: status.ok_or_else(|| Error::Damage(format!("account {id}: a status is not one")))?,
        number: rows::number_at(&row, then(4))?,
        ..now
    }))
}

pub(super) async fn holds(
    session: &Session,
    id: AccountId,
    after: u64,
    limit: usize,
) -> Result<Page<(Hold, Entry), u64>, Error> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let found = session.rows(HOLDS, &[&rows::int(id), &after, &one_more(limit)]).await?;
    let hold = |row: &Row| {
        let entry = rows::entry(row)?;
        let left = rows::figure_at(row, ENTRY_LEN)?;
        let expires_at = Time::from_micros(row.try_get(ENTRY_LEN + 1)?);
        Ok((Hold { number: entry.number, left, expires_at }, entry))
    };
    let items = found.iter().map(hold).collect::<Result<Vec<_>, Error>>()?;
    Ok(page(items, limit, |(hold, _)| hold.number))
}

pub(super) async fn hold_count(session: &Session, id: AccountId) -> Result<usize, Error> {
    let row = session.row(HOLD_COUNT, &[&rows::int(id)]).await?.ok_or_else(missing)?;
    Ok(usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))
}

/// What a key of an account has done, if it has done anything.
pub(super) async fn key_outcome(
    session: &Session,
    account: AccountId,
    key: &Key,
    refusal_us: i64,
) -> Result<Option<KeyOutcome>, Error> {
    let (id, key) = (rows::int(account), key.as_str());
    if let Some(row) = session.row(KEY, &[&id, &key]).await? {
        return Ok(Some(KeyOutcome::Entry(Box::new(rows::entry(&row)?))));
    }
    let row = session.row(REFUSED_KEY, &[&id, &key, &refusal_us]).await?;
    row.map(|row| rows::refusal(&row, 0).map(|(refusal, at)| KeyOutcome::Refused { refusal, at })).transpose()
}

pub(super) async fn metered(session: &Session) -> Result<Vec<(AccountNow, Option<Runway>)>, Error> {
    session.rows(reads::METERED, &[]).await?.iter().map(runway::lasts).collect()
}

pub(super) async fn profile(session: &Session, id: AccountId) -> Result<Option<Profile>, Error> {
    session.row(PROFILE, &[&rows::int(id)]).await?.as_ref().map(to_profile).transpose()
}

pub(super) async fn profiles(
    session: &Session,
    query: Option<&str>,
    after: Option<AccountId>,
    limit: usize,
) -> Result<Page<Profile, AccountId>, Error> {
    if query.is_some_and(|query| query.contains('\0')) {
        // PostgreSQL knows no such text.
        return Ok(Page { items: Vec::new(), next: None });
    }
    let found = session.rows(PROFILES, &[&after.map_or(0, rows::int), &query, &one_more(limit)]).await?;
    let items = found.iter().map(to_profile).collect::<Result<Vec<_>, _>>()?;
    Ok(page(items, limit, |profile| profile.id))
}

pub(super) async fn audit(session: &Session, wanted: &AuditQuery, limit: usize) -> Result<Page<AuditRow, u64>, Error> {
    if wanted.actor.as_ref().is_some_and(|actor| actor.contains('\0')) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let after = i64::try_from(wanted.after).unwrap_or(i64::MAX);
    let (from, to) = (wanted.from.map(Time::micros), wanted.to.map(Time::micros));
    let found = session.rows(AUDIT, &[&after, &from, &to, &wanted.actor, &one_more(limit)]).await?;
    let items = found.iter().map(to_audit_row).collect::<Result<Vec<_>, _>>()?;
    Ok(page(items, limit, |row| row.id))
}

fn to_profile(row: &Row) -> Result<Profile, Error> {
    Ok(Profile {
        id: rows::id_at(row, 0)?,
        name: row.try_get(1)?,
        external_id: row.try_get(2)?,
        opened_at: Time::from_micros(row.try_get(3)?),
    })
}

fn to_audit_row(row: &Row) -> Result<AuditRow, Error> {
    Ok(AuditRow {
        id: rows::number_at(row, 0)?,
        at: Time::from_micros(row.try_get(1)?),
        actor: row.try_get(2)?,
        action: row.try_get(3)?,
        subject: row.try_get(4)?,
        detail: row.try_get(5)?,
        request_id: row.try_get(6)?,
    })
}

pub(super) fn page<T, C>(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let is_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().map(cursor).filter(|_| is_more);
    Page { items, next }
}

fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

fn missing() -> Error {
    Error::Damage("a row is missing".into())
}
