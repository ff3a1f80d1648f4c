//! Rows as the values they stand for. Whatever does not parse is damage, and said to be.

use ipnet::IpNet;
use ledger::{
    Account, AccountId, Actor, Content, Currency, Entry, Hash, Key, Kind, Metadata, Minor, Reason, Reference, Refusal,
    Status, Target, Time,
};
use tokio_postgres::Row;

use super::session::Error;
use crate::{AccountNow, rows};

/// The columns of an entry `e`, in the order in which [`entry`] reads them.
macro_rules! entry_columns {
    () => {
        "e.account, e.number, e.kind, e.amount, e.posted, e.held, e.credit_limit, e.status, e.at, e.recorded_at, \
         e.expires_at, e.target_account, e.target_number, e.currency, e.scale, e.key, e.content, e.reference, e.reason, \
         e.metadata, e.actor, e.hash"
    };
}

/// The columns of an account `a` and its currency `c`, in the order in which [`account`] and [`account_now`] read them.
macro_rules! account_columns {
    () => {
        "a.id, c.code, c.scale, c.public_decimals, a.posted, a.held, a.credit_limit, a.status, a.number, a.at, \
         a.shows_available, a.metered, a.hash"
    };
}

pub(super) use {account_columns, entry_columns};

/// How many columns [`entry_columns`] has.
pub(super) const ENTRY_LEN: usize = 22;

/// How many columns [`account_columns`] has.
pub(super) const ACCOUNT_LEN: usize = 13;

/// Reads the columns of [`entry_columns`], which come first in the row.
pub(super) fn entry(row: &Row) -> Result<Entry, Error> {
    let (account, number): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
    let wrong = |column: &str| Error::Damage(format!("account {account} entry {number}: {column} is not one"));
    let target = match (row.try_get::<_, Option<i32>>(11)?, row.try_get::<_, Option<i64>>(12)?) {
        (Some(account), Some(number)) => Some(Target {
            account: id(account).ok_or_else(|| wrong("target_account"))?,
            number: unsigned(number).ok_or_else(|| wrong("target_number"))?,
        }),
        (None, None) => None,
        _ => return Err(wrong("target")),
    };
    let currency = match (row.try_get::<_, Option<&str>>(13)?, row.try_get::<_, Option<i16>>(14)?) {
        // How many decimals are shown is no part of an entry; the currency table knows, and nothing here asks.
        (Some(code), Some(scale)) => {
            let scale = u8::try_from(scale).map_err(|_| wrong("scale"))?;
            Some(Currency::new(code, scale, 0).map_err(|_| wrong("currency"))?)
        }
        (None, None) => None,
        _ => return Err(wrong("currency")),
    };
    let metadata = match row.try_get::<_, Option<&str>>(19)? {
        Some(json) => rows::metadata(json).ok_or_else(|| wrong("metadata"))?,
        None => Metadata::default(),
    };
    let figure = |column: usize, name: &str| Minor::new(row.try_get(column)?).ok_or_else(|| wrong(name));
    Ok(Entry {
        account: id(account).ok_or_else(|| wrong("account"))?,
        number: unsigned(number).ok_or_else(|| wrong("number"))?,
        kind: kind(row.try_get(2)?).ok_or_else(|| wrong("kind"))?,
        amount: figure(3, "amount")?,
        posted_after: figure(4, "posted")?,
        held_after: figure(5, "held")?,
        credit_limit: figure(6, "credit_limit")?,
        status: status(row.try_get(7)?).ok_or_else(|| wrong("status"))?,
        at: Time::from_micros(row.try_get(8)?),
        recorded_at: Time::from_micros(row.try_get(9)?),
        expires_at: row.try_get::<_, Option<i64>>(10)?.map(Time::from_micros),
        target,
        currency,
        key: text(row, 15, Key::new)?.map_err(|()| wrong("key"))?,
        content: row.try_get::<_, Option<&[u8]>>(16)?.map(content).transpose().map_err(|()| wrong("content"))?,
        reference: text(row, 17, Reference::new)?.map_err(|()| wrong("reference"))?,
        reason: text(row, 18, Reason::new)?.map_err(|()| wrong("reason"))?,
        metadata,
        by: Actor::new(row.try_get(20)?).map_err(|_| wrong("actor"))?,
        hash: hash(row.try_get(21)?).ok_or_else(|| wrong("hash"))?,
    })
}

/// Reads the columns of [`account_columns`] from `first` on as the rules want them.
pub(super) fn account(row: &Row, first: usize) -> Result<Account, Error> {
    let now = account_now(row, first)?;
    let hash =
        hash(row.try_get(first + 12)?).ok_or_else(|| Error::Damage(format!("account {}: hash is not one", now.id)))?;
    Ok(Account {
        id: now.id,
        currency: now.currency,
        posted: now.posted,
        held: now.held,
        credit_limit: now.credit_limit,
        status: now.status,
        number: now.number,
        at: Time::from_micros(row.try_get(first + 9)?),
        hash,
    })
}

/// The same as everyone sees it; holds that have ended without an entry still count.
pub(super) fn account_now(row: &Row, first: usize) -> Result<AccountNow, Error> {
    let number: i32 = row.try_get(first)?;
    let wrong = |column: &str| Error::Damage(format!("account {number}: {column} is not one"));
    let figure = |column: usize, name: &str| Minor::new(row.try_get(first + column)?).ok_or_else(|| wrong(name));
    Ok(AccountNow {
        id: id(number).ok_or_else(|| wrong("id"))?,
        currency: currency(row, first + 1)?,
        posted: figure(4, "posted")?,
        held: figure(5, "held")?,
        credit_limit: figure(6, "credit_limit")?,
        status: status(row.try_get(first + 7)?).ok_or_else(|| wrong("status"))?,
        number: unsigned(row.try_get(first + 8)?).ok_or_else(|| wrong("number"))?,
        shows_available: row.try_get(first + 10)?,
        metered: row.try_get(first + 11)?,
    })
}

/// Code, scale and public decimals from column `first` on.
pub(super) fn currency(row: &Row, first: usize) -> Result<Currency, Error> {
    let code: &str = row.try_get(first)?;
    let small = |column: usize| -> Result<u8, Error> {
        u8::try_from(row.try_get::<_, i16>(column)?)
            .map_err(|_| Error::Damage(format!("currency {code}: out of range")))
    };
    Currency::new(code, small(first + 1)?, small(first + 2)?)
        .map_err(|error| Error::Damage(format!("currency {code}: {error}")))
}

/// A refusal's slug, facts and time from column `first` on.
pub(super) fn refusal(row: &Row, first: usize) -> Result<(Refusal, Time), Error> {
    let (slug, facts): (&str, &str) = (row.try_get(first)?, row.try_get(first + 1)?);
    let facts: serde_json::Value =
        serde_json::from_str(facts).map_err(|_| Error::Damage(format!("the facts of a refusal {slug} are none")))?;
    let fact = |name: &str| facts.get(name)?.as_i64();
    let refusal =
        Refusal::from_parts(slug, fact).ok_or_else(|| Error::Damage(format!("{slug:?} is not a refusal's name")))?;
    Ok((refusal, Time::from_micros(row.try_get(first + 2)?)))
}

/// An address list as it is stored: networks separated by spaces.
pub(super) fn cidrs(text: Option<&str>) -> Result<Vec<IpNet>, Error> {
    let nets = text.unwrap_or_default().split_whitespace().map(|net| net.parse().ok()).collect::<Option<_>>();
    nets.ok_or_else(|| Error::Damage("an address list is not one".into()))
}

/// An account's number.
pub(super) fn id(number: i32) -> Option<AccountId> {
    u32::try_from(number).ok().and_then(AccountId::new)
}

/// An account's number as PostgreSQL keeps it.
pub(super) fn int(id: AccountId) -> i32 {
    i32::try_from(id.get()).expect("account numbers end at 2147483647")
}

/// An account's number in a row, which has one.
pub(super) fn id_at(row: &Row, column: usize) -> Result<AccountId, Error> {
    id(row.try_get(column)?).ok_or_else(|| Error::Damage("an account's number is not one".into()))
}

/// A figure in a row, which has one.
pub(super) fn figure_at(row: &Row, column: usize) -> Result<Minor, Error> {
    Minor::new(row.try_get(column)?).ok_or_else(|| Error::Damage("a figure is out of bounds".into()))
}

/// A hash in a row, which has one.
pub(super) fn hash_at(row: &Row, column: usize) -> Result<Hash, Error> {
    hash(row.try_get(column)?).ok_or_else(|| Error::Damage("a hash is not one".into()))
}

/// An entry's number in a row, which has one.
pub(super) fn number_at(row: &Row, column: usize) -> Result<u64, Error> {
    unsigned(row.try_get(column)?).ok_or_else(|| Error::Damage("an entry's number is not one".into()))
}

pub(super) fn kind(code: i16) -> Option<Kind> {
    u8::try_from(code).ok().and_then(Kind::from_code)
}

fn status(code: i16) -> Option<Status> {
    u8::try_from(code).ok().and_then(Status::from_code)
}

fn unsigned(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

pub(super) fn content(bytes: &[u8]) -> Result<Content, ()> {
    bytes.try_into().map(Content).map_err(|_| ())
}

fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().map(Hash).ok()
}

type Parsed<T> = Result<Option<T>, ()>;

fn text<T, E>(row: &Row, column: usize, parse: impl Fn(&str) -> Result<T, E>) -> Result<Parsed<T>, Error> {
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.map(parse).transpose().map_err(|_| ()))
}
