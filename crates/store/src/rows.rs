//! Entries and refusals as rows, both ways. Whatever does not parse is damage, and said to be.

use std::fmt;

use ledger::{
    AccountId, Actor, Content, Currency, Entry, Hash, Hold, Key, Kind, Metadata, Minor, Reason, Reference, Refusal,
    Status, Target, Time,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

/// The columns of an entry, in the order that [`entry`] reads them.
pub(crate) const ENTRY: &str = "id, account, number, kind, amount, posted, held, credit_limit, status, at, recorded_at, \
    expires_at, target_account, target_number, currency, scale, key, content, reference, reason, metadata, actor, hash, \
    previous, target_row, settled";

/// A row that says something impossible.
#[derive(Debug)]
pub(crate) struct Damage(pub(crate) String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}

/// An entry with where it lies.
pub(crate) struct Stored {
    pub(crate) row: i64,
    pub(crate) entry: Entry,
    /// Where what it refers to lies.
    pub(crate) links: Links,
}

/// What an entry's row knows beside the entry: derived, and no part of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Links {
    /// The row of the account's entry before it; 0 for the first.
    pub(crate) previous: i64,
    pub(crate) settles: Option<Settles>,
}

/// What an entry does to the hold, charge or capture of its account that it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settles {
    /// Where that one lies.
    pub(crate) target_row: i64,
    /// What is left of the hold after this entry; what is given back of the charge or capture, with this entry.
    pub(crate) settled: Minor,
}

impl Stored {
    /// The entry that this one is the newest word on, for [`crate::digest::settled`]: the charge or capture of a
    /// refund, the hold that it ends.
    pub(crate) fn settles(&self) -> Option<Target> {
        settles(&self.entry, self.links)
    }
}

/// See [`Stored::settles`].
pub(crate) fn settles(entry: &Entry, links: Links) -> Option<Target> {
    let ends = links.settles.is_some_and(|settles| settles.settled == Minor::ZERO);
    let is_settled = match entry.kind {
        Kind::Refund => true,
        Kind::Capture | Kind::Void | Kind::Expire => ends,
        Kind::Open
        | Kind::Limit
        | Kind::Status
        | Kind::Topup
        | Kind::Charge
        | Kind::Hold
        | Kind::Extend
        | Kind::Transfer
        | Kind::Adjust => false,
    };
    entry.target.filter(|_| is_settled)
}

/// The statement that [`insert_entry`] takes, found once for many entries.
pub(crate) fn entry_insert(db: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    db.prepare_cached(
        "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
         ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
    )
}

/// Appends an entry as row `row`, and every 128th of an account as a milestone.
pub(crate) fn insert_entry(
    db: &Connection,
    insert: &mut CachedStatement<'_>,
    row: i64,
    entry: &Entry,
    links: Links,
) -> rusqlite::Result<()> {
    let metadata = (!entry.metadata.is_empty()).then(|| metadata_json(&entry.metadata));
    insert.execute(params![
        row,
        entry.account.get(),
        number(entry.number),
        entry.kind.code(),
        entry.amount.units(),
        entry.posted_after.units(),
        entry.held_after.units(),
        entry.credit_limit.units(),
        entry.status.code(),
        entry.at.micros(),
        entry.recorded_at.micros(),
        entry.expires_at.map(Time::micros),
        entry.target.map(|target| target.account.get()),
        entry.target.map(|target| number(target.number)),
        entry.currency.as_ref().map(Currency::code),
        entry.currency.map(Currency::scale),
        entry.key.as_ref().map(Key::as_str),
        entry.content.as_ref().map(|content| content.0.as_slice()),
        entry.reference.as_ref().map(Reference::as_str),
        entry.reason.as_ref().map(Reason::as_str),
        metadata,
        entry.by.as_str(),
        entry.hash.0.as_slice(),
        links.previous,
        links.settles.map(|settles| settles.target_row),
        links.settles.map(|settles| settles.settled.units()),
    ])?;
    if entry.number.is_multiple_of(crate::statement::MILESTONE) {
        db.prepare_cached("INSERT INTO milestones (account, number, entry, at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![entry.account.get(), number(entry.number), row, entry.at.micros()])?;
    }
    Ok(())
}

/// Reads the columns of [`ENTRY`].
pub(crate) fn entry(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let id: i64 = row.get(0)?;
    let damage = |column: &str| damage(format!("row {id} of entries: {column} is not one"));
    let target = match (row.get::<_, Option<u32>>(12)?, row.get::<_, Option<i64>>(13)?) {
        (Some(account), Some(target)) => Some(Target {
            account: AccountId::new(account).ok_or_else(|| damage("target_account"))?,
            number: u64::try_from(target).map_err(|_| damage("target_number"))?,
        }),
        (None, None) => None,
        _ => return Err(damage("target")),
    };
    let currency = match (row.get_ref(14)?.as_str_or_null()?, row.get::<_, Option<u8>>(15)?) {
        // How many decimals are shown is no part of an entry; the currency table knows, and nothing here asks.
        (Some(code), Some(scale)) => Some(Currency::new(code, scale, 0).map_err(|_| damage("currency"))?),
        (None, None) => None,
        _ => return Err(damage("currency")),
    };
    let metadata = match row.get_ref(20)?.as_str_or_null()? {
        Some(json) => metadata(json).ok_or_else(|| damage("metadata"))?,
        None => Metadata::default(),
    };
    let figure = |column: usize, name: &str| Minor::new(row.get(column)?).ok_or_else(|| damage(name));
    let entry = Entry {
        account: AccountId::new(row.get(1)?).ok_or_else(|| damage("account"))?,
        number: u64::try_from(row.get::<_, i64>(2)?).map_err(|_| damage("number"))?,
        kind: Kind::from_code(row.get(3)?).ok_or_else(|| damage("kind"))?,
        amount: figure(4, "amount")?,
        posted_after: figure(5, "posted")?,
        held_after: figure(6, "held")?,
        credit_limit: figure(7, "credit_limit")?,
        status: Status::from_code(row.get(8)?).ok_or_else(|| damage("status"))?,
        at: Time::from_micros(row.get(9)?),
        recorded_at: Time::from_micros(row.get(10)?),
        expires_at: row.get::<_, Option<i64>>(11)?.map(Time::from_micros),
        target,
        currency,
        key: text(row, 16, Key::new).map_err(|_| damage("key"))?,
        content: row.get::<_, Option<[u8; 16]>>(17).map_err(|_| damage("content"))?.map(Content),
        reference: text(row, 18, Reference::new).map_err(|_| damage("reference"))?,
        reason: text(row, 19, Reason::new).map_err(|_| damage("reason"))?,
        metadata,
        by: text(row, 21, Actor::new).ok().flatten().ok_or_else(|| damage("actor"))?,
        hash: Hash(row.get(22).map_err(|_| damage("hash"))?),
    };
    let settles = match (row.get::<_, Option<i64>>(24)?, row.get::<_, Option<i64>>(25)?) {
        (Some(target_row), Some(units)) => {
            Some(Settles { target_row, settled: Minor::new(units).ok_or_else(|| damage("settled"))? })
        }
        (None, None) => None,
        _ => return Err(damage("settled")),
    };
    let links = Links { previous: row.get::<_, Option<i64>>(23)?.unwrap_or(0), settles };
    Ok(Stored { row: id, entry, links })
}

/// The entry in that row, if there is one.
pub(crate) fn entry_at(db: &Connection, row: i64) -> rusqlite::Result<Option<Stored>> {
    let sql = format!("SELECT {ENTRY} FROM entries WHERE id = ?1");
    db.prepare_cached(&sql)?.query_row([row], entry).optional()
}

/// A refusal that used its key up.
pub(crate) struct StoredRefusal {
    pub(crate) content: Content,
    pub(crate) refusal: Refusal,
    pub(crate) at: Time,
}

/// Appends a refusal as row `row`.
pub(crate) fn insert_refusal(
    db: &Connection,
    row: i64,
    command: &ledger::Command,
    key: &Key,
    content: Content,
    refusal: &Refusal,
    at: Time,
) -> rusqlite::Result<()> {
    let facts: serde_json::Map<String, serde_json::Value> =
        refusal.facts().into_iter().map(|(name, fact)| (name.to_owned(), fact.code().into())).collect();
    db.prepare_cached("INSERT INTO refusals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        row,
        command.account.get(),
        key.as_str(),
        content.0.as_slice(),
        refusal.slug(),
        serde_json::Value::Object(facts).to_string(),
        at.micros(),
        command.by.as_str()
    ])?;
    Ok(())
}

/// The refusal in that row, if there is one.
pub(crate) fn refusal_at(db: &Connection, row: i64) -> rusqlite::Result<Option<StoredRefusal>> {
    db.prepare_cached("SELECT content, slug, facts, at FROM refusals WHERE id = ?1")?
        .query_row([row], |found| {
            let damage = |column: &str| damage(format!("row {row} of refusals: {column} is not one"));
            let facts: serde_json::Value =
                serde_json::from_str(found.get_ref(2)?.as_str()?).map_err(|_| damage("facts"))?;
            let fact = |name: &str| facts.get(name)?.as_i64();
            Ok(StoredRefusal {
                content: Content(found.get(0).map_err(|_| damage("content"))?),
                refusal: Refusal::from_parts(found.get_ref(1)?.as_str()?, fact).ok_or_else(|| damage("slug"))?,
                at: Time::from_micros(found.get(3)?),
            })
        })
        .optional()
}

/// Keeps an open hold as it is now, whose entry lies in row `row`.
pub(crate) fn keep_hold(db: &Connection, account: AccountId, hold: &Hold, row: i64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO open_holds VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        account.get(),
        number(hold.number),
        row,
        hold.left.units(),
        hold.expires_at.micros()
    ])?;
    Ok(())
}

/// Removes a hold that has ended.
pub(crate) fn remove_hold(db: &Connection, account: AccountId, hold: u64) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM open_holds WHERE account = ?1 AND number = ?2")?;
    delete.execute(params![account.get(), number(hold)])?;
    Ok(())
}

/// An entry number as SQLite keeps it.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).expect("an account's entries are counted, and 2^63 cannot be")
}

pub(crate) fn damage(what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Null, Box::new(Damage(what)))
}

/// The last row of the log that stands, as SQL: entries and refusals share one sequence.
pub(crate) const LOG_END: &str =
    "max((SELECT ifnull(max(id), 0) FROM entries), (SELECT ifnull(max(id), 0) FROM refusals))";

/// Tells what does not read as what it should be (the inner error) from a database that cannot be read.
pub(crate) fn sound<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Result<T, Damage>> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(
            error @ (rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)),
        ) => Ok(Err(Damage(said(&error)))),
        Err(error) => Err(error),
    }
}

/// An error in words: of [`damage`] only its own, which say all.
pub(crate) fn said(error: &rusqlite::Error) -> String {
    if let rusqlite::Error::FromSqlConversionFailure(_, rusqlite::types::Type::Null, damage) = error {
        return damage.to_string();
    }
    error.to_string()
}

fn text<T, E>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, ()> {
    match row.get_ref(column).map_err(|_| ())?.as_str_or_null().map_err(|_| ())? {
        Some(text) => parse(text).map(Some).map_err(|_| ()),
        None => Ok(None),
    }
}

pub(crate) fn metadata_json(metadata: &Metadata) -> String {
    let pairs = metadata.pairs().map(|(name, value)| (name.to_owned(), value.into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}

pub(crate) fn metadata(json: &str) -> Option<Metadata> {
    let pairs: std::collections::BTreeMap<String, String> = serde_json::from_str(json).ok()?;
    Metadata::new(pairs).ok()
}
