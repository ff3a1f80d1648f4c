//! How long accounts last: of those that are watched from what their rows say they used, of any other from its newest
//! entries.

use std::collections::BTreeMap;

use ledger::{Account, AccountId, Runway, Time, Usage};
use tokio_postgres::Row;

use super::reads::{self, WATCHED};
use super::rows::{self, ACCOUNT_LEN, entry_columns};
use super::session::{Error, Session};
use super::{Postgres, statement};
use crate::measure::{ANSWER_BACK_MAX, CATCH_UP_MAX, LookBack, WATCH_BACK_MAX};
use crate::{AccountNow, Fault, Measured, rows::number, watch};

/// How many watched accounts one statement gives.
const PAGE_LEN: i64 = 4096;

/// How many entries the first statement of a look back gives, and the later ones, each twice as many as the one before it.
const BACK_LEN: usize = 64;
const BACK_LEN_MAX: usize = 2048;

const WATCH: &str = "SELECT watch, greatest(ledger_clock(), at) FROM accounts WHERE id = $1";

const BACK: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e WHERE e.account = $1 AND e.number < $2 ORDER BY e.number DESC LIMIT $3"
);

impl Postgres {
    pub(crate) fn runway(&self, account: &AccountNow) -> Result<Option<Runway>, Fault> {
        let account = *account;
        self.wait(move |session| Box::pin(of(session, account)))
    }

    pub(crate) fn measure(&self, account: AccountId) -> Result<Option<Measured>, Fault> {
        self.wait(move |session| Box::pin(measure(session, account)))
    }

    /// A page at a time, each within the time of a call.
    pub(crate) fn dry_first(&self, limit: usize) -> Result<Vec<(AccountNow, Runway)>, Fault> {
        let mut first: BTreeMap<(i64, AccountId), (AccountNow, Runway)> = BTreeMap::new();
        let mut after = Some(0);
        while let Some(from) = after {
            let (page, next) = self.wait(move |session| Box::pin(watched(session, from)))?;
            for (account, runway) in page {
                if let Some(left_s) = runway.left_s {
                    first.insert((left_s, account.id), (account, runway));
                    if first.len() > limit {
                        first.pop_last();
                    }
                }
            }
            after = next;
        }
        Ok(first.into_values().collect())
    }
}

async fn of(session: &Session, account: AccountNow) -> Result<Option<Runway>, Error> {
    let Some((known, now)) = known(session, account.id).await? else { return Ok(None) };
    let usage = match known {
        Some(usage) => usage,
        None => look_back(session, account.id, now, ANSWER_BACK_MAX).await?,
    };
    Ok(usage.runway(account.available(), now))
}

async fn measure(session: &Session, id: AccountId) -> Result<Option<Measured>, Error> {
    let Some((known, now)) = known(session, id).await? else { return Ok(None) };
    let usage = match known.filter(|usage| usage.last_topup.is_some()) {
        Some(usage) => usage,
        None => look_back(session, id, now, WATCH_BACK_MAX).await?,
    };
    Ok(Some(Measured(usage)))
}

/// What an account's row says that it used, if it is watched, and the time; `None` where there is no such account.
async fn known(session: &Session, id: AccountId) -> Result<Option<(Option<Usage>, Time)>, Error> {
    let Some(row) = session.row(WATCH, &[&rows::int(id)]).await? else { return Ok(None) };
    Ok(Some((usage(&row, 0, id)?, Time::from_micros(row.try_get(1)?))))
}

/// What a row says that its account used, if it is watched.
pub(super) fn usage(row: &Row, column: usize, id: AccountId) -> Result<Option<Usage>, Error> {
    let Some(bytes) = row.try_get::<_, Option<&[u8]>>(column)? else { return Ok(None) };
    let usage = watch::decode(bytes);
    usage.map(Some).ok_or_else(|| Error::Damage(format!("account {id}: watch is not one")))
}

/// An account as [`reads::live`] reads it, with its watch behind that, and how long it lasts.
pub(super) fn lasts(row: &Row) -> Result<(AccountNow, Option<Runway>), Error> {
    let (account, now) = reads::live(row)?;
    let usage = usage(row, ACCOUNT_LEN + 2, account.id)?;
    Ok((account, usage.and_then(|usage| usage.runway(account.available(), now))))
}

type Watched = (Vec<(AccountNow, Runway)>, Option<i32>);

/// Watched accounts with a number above `after`, and the number to go on after.
async fn watched(session: &Session, after: i32) -> Result<Watched, Error> {
    let found = session.rows(WATCHED, &[&after, &PAGE_LEN]).await?;
    let is_more = i64::try_from(found.len()).is_ok_and(|len| len == PAGE_LEN);
    let next = found.last().filter(|_| is_more).map(|row| row.try_get(0)).transpose()?;
    let lasting = found.iter().map(lasts).filter_map(|lasts| match lasts {
        Ok((account, runway)) => runway.map(|runway| Ok((account, runway))),
        Err(error) => Some(Err(error)),
    });
    Ok((lasting.collect::<Result<_, _>>()?, next))
}

/// What was used within the day before `now`, from at most the newest `back_max` entries (see [`LookBack`]).
pub(super) async fn look_back(session: &Session, id: AccountId, now: Time, back_max: usize) -> Result<Usage, Error> {
    let mut back = LookBack::from(now);
    let (mut before, mut last, mut left, mut len) = (i64::MAX, 0, back_max, BACK_LEN);
    while left > 0 {
        let wanted = len.min(left);
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let page = session.rows(BACK, &[&rows::int(id), &before, &limit]).await?;
        for row in &page {
            let entry = rows::entry(row)?;
            last = last.max(entry.number);
            before = number(entry.number);
            if !back.takes(&entry) {
                return Ok(back.usage(last));
            }
        }
        if page.len() < wanted {
            break;
        }
        left -= wanted;
        len = (len * 2).min(BACK_LEN_MAX);
    }
    Ok(back.usage(last))
}

/// `usage` brought up to the last entry of a locked account, as far as that is quick; otherwise begun anew from what is.
pub(super) async fn caught_up(
    session: &Session,
    account: &Account,
    now: Time,
    mut usage: Usage,
) -> Result<Usage, Error> {
    let behind = account.number.saturating_sub(usage.number);
    if usize::try_from(behind).is_ok_and(|behind| behind <= CATCH_UP_MAX) {
        let missing = statement::entries(session, account.id, None, None, usage.number, CATCH_UP_MAX).await?;
        missing.items.iter().for_each(|entry| usage.add(entry));
        return Ok(usage);
    }
    let mut anew = look_back(session, account.id, now, CATCH_UP_MAX).await?;
    anew.last_topup = anew.last_topup.or(usage.last_topup);
    Ok(anew)
}
