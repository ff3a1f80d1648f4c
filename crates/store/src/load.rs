//! From disk into memory: at the start, and again after a commit whose outcome is not known.
//!
//! Account rows are as of their own entry, at least as new as the watermark; the entries above it are replayed. Loading
//! into memory that is already filled brings it up to date, so that a start and a recovery are the same path.

mod holds;
mod watches;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use ledger::{Account, AccountId, Currency, Hash, Minor, Status, Time};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::credentials::{Credentials, Limits};
use crate::digest::{Scope, fingerprint, settled};
use crate::follow::Follower;
use crate::holds::Holds;
use crate::lapse::Lapse;
use crate::memory::{Accounts, Figures, Second, Traits};
use crate::refused::Refusals;
use crate::rows::{self, damage};
use crate::shared::Shared;
use crate::watch::{Watch, Watches};
use crate::{OpenError, audit, schema};

/// When to look again for an account that is on its way in: a hundred have come until then.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

/// What the writer knows of every account beyond its published figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The last link of its chain.
    pub(crate) hash: [u8; 32],
    /// When its last entry took effect.
    pub(crate) at: i64,
}

/// What the writer works on, as of the last durable row.
pub(crate) struct Loaded {
    pub(crate) follower: Follower,
    pub(crate) lapse: Lapse,
    /// The last row of the log.
    pub(crate) last_row: i64,
    /// The last one that the log's trace of its end knows of.
    pub(crate) marked_row: i64,
    /// The greatest time in the log and in the audit trail.
    pub(crate) last_time: Time,
    /// The greatest account number.
    pub(crate) last_account: u32,
    pub(crate) refused: Refusals,
}

/// Reads everything, adding to `accounts` and `credentials` what they lack and publishing what is newer; `tokens` are
/// replaced. `heads`, by slot, goes with what is published at every moment, also where this fails halfway.
///
/// Accounts and credentials are read side by side, each on a connection of its own that takes its page cache with it.
pub(crate) fn load(shared: &Shared, heads: &mut Vec<Head>) -> Result<Loaded, OpenError> {
    let Shared { url, accounts, credentials, tokens, .. } = shared;
    let path = &url.path;
    // Whoever asks for holds that have ended waits until holds and figures are of one instant again.
    let mut holds = shared.holds();
    let mut watches = Watches::default();
    let (one, other) = (schema::open_reader(path)?, schema::open_reader(path)?);
    let are_accounts_in = AtomicBool::new(false);
    let loaded = std::thread::scope(|scope| {
        let are_in = &are_accounts_in;
        let beside = scope.spawn(move || load_credentials(&other, accounts, are_in, credentials));
        let memory = Memory { accounts, holds: &mut holds, watches: &mut watches, heads };
        let loaded = load_ledger(&one, memory, are_in).and_then(|mut loaded| {
            tokens.load(&one)?;
            loaded.last_time = loaded.last_time.max(audit::last_time(&one)?.unwrap_or_default());
            Ok(loaded)
        });
        // Also where it failed: the other side waits for accounts only until this is set.
        are_in.store(true, Ordering::Release);
        // Where the accounts did not all come, what credentials say of them means nothing.
        let credentials = beside.join().expect("loading credentials does not panic");
        loaded.and_then(|loaded| credentials.map(|()| loaded))
    });
    let loaded = loaded.map_err(|error| OpenError::Damaged(rows::said(&error)))?;
    *shared.watches() = watches;
    Ok(loaded)
}

/// What the ledger is read into.
struct Memory<'a> {
    accounts: &'a Accounts,
    holds: &'a mut Holds,
    watches: &'a mut Watches,
    heads: &'a mut Vec<Head>,
}

fn load_ledger(db: &Connection, memory: Memory<'_>, are_accounts_in: &AtomicBool) -> rusqlite::Result<Loaded> {
    let Memory { accounts, holds, watches, heads } = memory;
    let mut loaded = Loaded {
        follower: Follower::load(db)?,
        lapse: Lapse::default(),
        last_row: 0,
        marked_row: 0,
        last_time: Time::default(),
        last_account: 0,
        refused: Refusals::new(),
    };
    load_currencies(db, accounts)?;
    load_accounts(db, accounts, watches, heads, &mut loaded)?;
    are_accounts_in.store(true, Ordering::Release);
    replay(db, accounts, watches, heads, &mut loaded)?;
    holds::load(db, accounts, holds)?;
    watches::load_rules(db, accounts, watches)?;
    Ok(loaded)
}

/// How many rows the two tables have that decide how much room to make.
pub(crate) fn sizes(db: &Connection) -> rusqlite::Result<(usize, usize)> {
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    // Ids of credentials have no gaps; those of accounts may, and the count walks the table.
    let credentials = count("SELECT max(id) FROM credentials")?.unwrap_or(0);
    let accounts = count("SELECT count(*) FROM accounts")?.unwrap_or(0);
    Ok((usize::try_from(accounts).unwrap_or(0), usize::try_from(credentials).unwrap_or(0)))
}

fn load_currencies(db: &Connection, accounts: &Accounts) -> rusqlite::Result<()> {
    for currency in currencies(db)? {
        if accounts.currency_by_code(currency.code()).is_none() {
            accounts.add_currency(currency);
        }
    }
    Ok(())
}

/// All currencies, in the order of their ids, which count from 0.
pub(crate) fn currencies(db: &Connection) -> rusqlite::Result<Vec<Currency>> {
    let mut select = db.prepare_cached("SELECT code, scale, public_decimals, id FROM currencies ORDER BY id")?;
    let mut found = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        if usize::try_from(row.get::<_, i64>(3)?) != Ok(all.len()) {
            return Err(damage(format!("row {} of currencies is missing", all.len())));
        }
        let currency = Currency::new(row.get_ref(0)?.as_str()?, row.get(1)?, row.get(2)?);
        all.push(currency.map_err(|error| damage(format!("row {} of currencies: {error}", all.len())))?);
    }
    Ok(all)
}

fn load_accounts(
    db: &Connection,
    accounts: &Accounts,
    watches: &mut Watches,
    heads: &mut Vec<Head>,
    loaded: &mut Loaded,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT {ACCOUNT}, watch FROM accounts ORDER BY id");
    let mut select = db.prepare(&sql)?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let (account, entry, traits) = account(row, |id| accounts.currency(id))?;
        let watch = row.get_ref(WATCH)?.as_blob_or_null()?.map(|bytes| watches::usage(bytes, &account)).transpose()?;
        let traits = Traits { is_watched: watch.is_some(), ..traits };
        let (id, head) = (account.id, Head { hash: account.hash.0, at: account.at.micros() });
        let figures = figures(&account, entry, traits, Second::NEVER);
        loaded.last_account = loaded.last_account.max(id.get());
        loaded.last_time = loaded.last_time.max(account.at);
        let slot = accounts.slot_of(id);
        let set = |watches: &mut Watches, slot| watch.map(|usage| watches.set(slot, Some(Watch::new(usage, None))));
        let Some(slot) = slot else {
            set(watches, accounts.add(id, &figures));
            heads.push(head);
            continue;
        };
        set(watches, slot);
        // What is published is durable and may be newer than the row, which follows behind: readers never go back.
        let published = accounts.figures(slot);
        let figures = Figures { no_end_before: published.no_end_before, ..figures };
        if figures.number > published.number {
            accounts.publish(slot, &figures);
            heads[index(slot)] = head;
        } else {
            accounts.publish(slot, &Figures { traits: figures.traits, ..published });
        }
    }
    Ok(())
}

/// The columns of an account that [`account`] reads.
pub(crate) const ACCOUNT: &str = "id, currency, shows_available, metered, posted, held, credit_limit, status, number, entry, \
    at, hash";

/// The column after those.
const WATCH: usize = 12;

/// An account as its row has it, the row of its last entry, and its traits.
pub(crate) fn account(row: &Row<'_>, currency: impl Fn(u8) -> Currency) -> rusqlite::Result<(Account, i64, Traits)> {
    let id: u32 = row.get(0)?;
    let wrong = |column: &str| damage(format!("row {id} of accounts: {column} is not one"));
    let figure = |column: usize, name: &str| Minor::new(row.get(column)?).ok_or_else(|| wrong(name));
    let (shows_available, metered) = (row.get(2)?, row.get(3)?);
    let traits = Traits { currency: row.get(1)?, shows_available, metered, is_watched: false };
    let account = Account {
        id: AccountId::new(id).ok_or_else(|| wrong("id"))?,
        currency: currency(traits.currency),
        posted: figure(4, "posted")?,
        held: figure(5, "held")?,
        credit_limit: figure(6, "credit_limit")?,
        status: Status::from_code(row.get(7)?).ok_or_else(|| wrong("status"))?,
        number: u64::try_from(row.get::<_, i64>(8)?).map_err(|_| wrong("number"))?,
        at: Time::from_micros(row.get(10)?),
        hash: Hash(row.get(11).map_err(|_| wrong("hash"))?),
    };
    Ok((account, row.get(9)?, traits))
}

/// Folds the entries above the watermark into the accounts that do not include them yet, and finds their keys again.
fn replay(
    db: &Connection,
    accounts: &Accounts,
    watches: &mut Watches,
    heads: &mut Vec<Head>,
    loaded: &mut Loaded,
) -> rusqlite::Result<()> {
    let watermark = meta(db, "watermark")?;
    loaded.last_time = loaded.last_time.max(Time::from_micros(meta(db, "last_time")?));
    let sql = format!("SELECT {} FROM entries WHERE id > ?1 ORDER BY id", rows::ENTRY);
    let mut select = db.prepare(&sql)?;
    let mut found = select.query([watermark])?;
    let mut count = 0;
    while let Some(row) = found.next()? {
        let stored = rows::entry(row)?;
        let entry = &stored.entry;
        let wrong =
            |what: &dyn std::fmt::Display| damage(format!("account {} entry {}: {what}", entry.account, entry.number));
        let slot = accounts.slot_of(entry.account).ok_or_else(|| wrong(&"its account has no row"))?;
        if let Some(key) = &entry.key {
            loaded.follower.note_key(fingerprint(scope(entry), key), stored.row);
        }
        if let Some(target) = stored.settles() {
            loaded.follower.note_key(settled(target), stored.row);
        }
        loaded.follower.note_account(slot);
        count += 1;
        loaded.last_row = stored.row;
        loaded.last_time = loaded.last_time.max(entry.recorded_at);
        // The row of an account whose watch began later than it was written last includes more in this than in its figures.
        if let Some(watch) = watches.get(slot).filter(|watch| watch.usage.number < entry.number) {
            watch.usage.add(entry);
        }
        let mut account = draft(accounts, heads, slot);
        if entry.number <= account.number {
            continue;
        }
        account.apply(entry).map_err(|broken| wrong(&broken))?;
        let Figures { traits, no_end_before, .. } = accounts.figures(slot);
        accounts.publish(slot, &figures(&account, stored.row, traits, no_end_before));
        set_head(heads, slot, &account);
    }
    let mut select = db.prepare("SELECT id, account, key, at FROM refusals WHERE id > ?1 ORDER BY id")?;
    let mut found = select.query([watermark])?;
    while let Some(row) = found.next()? {
        let id: i64 = row.get(0)?;
        let wrong = |column: &str| damage(format!("row {id} of refusals: {column} is not one"));
        let account = AccountId::new(row.get(1)?).ok_or_else(|| wrong("account"))?;
        let key = ledger::Key::new(row.get_ref(2)?.as_str()?).map_err(|_| wrong("key"))?;
        // A later entry under the same key (its refusal had lapsed) stays what the key did.
        let fingerprint = fingerprint(Scope::Account(account), &key);
        if loaded.follower.find_unwritten(fingerprint).is_none_or(|known| known < id) {
            loaded.follower.note_key(fingerprint, -id);
        }
        count += 1;
        loaded.last_row = loaded.last_row.max(id);
        loaded.last_time = loaded.last_time.max(Time::from_micros(row.get(3)?));
    }
    loaded.marked_row = meta(db, "last_row")?;
    loaded.last_row = loaded.last_row.max(loaded.marked_row);
    loaded.follower.note_rows(count, loaded.last_row);
    Ok(())
}

fn meta(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
}

/// The account in a slot as the rules want it.
pub(crate) fn draft(accounts: &Accounts, heads: &[Head], slot: u32) -> Account {
    let figures = accounts.figures(slot);
    let head = &heads[index(slot)];
    Account {
        id: accounts.id_of(slot),
        currency: accounts.currency(figures.traits.currency),
        posted: figures.posted,
        held: figures.held,
        credit_limit: figures.credit_limit,
        status: figures.status,
        number: figures.number,
        at: Time::from_micros(head.at),
        hash: Hash(head.hash),
    }
}

/// What readers may see of an account whose last entry lies in `row`.
pub(crate) fn figures(account: &Account, row: i64, traits: Traits, no_end_before: Second) -> Figures {
    Figures {
        posted: account.posted,
        held: account.held,
        credit_limit: account.credit_limit,
        status: account.status,
        number: account.number,
        row,
        no_end_before,
        traits,
    }
}

/// Keeps the rest of it for the writer.
pub(crate) fn set_head(heads: &mut Vec<Head>, slot: u32, account: &Account) {
    let head = Head { hash: account.hash.0, at: account.at.micros() };
    match heads.get_mut(index(slot)) {
        Some(known) => *known = head,
        None => heads.push(head),
    }
}

/// A slot as an index of `heads`.
pub(crate) fn index(slot: u32) -> usize {
    usize::try_from(slot).expect("a 64-bit machine")
}

/// Where the key of an entry is unique: an opening's on the platform, any other's on its account.
pub(crate) fn scope(entry: &ledger::Entry) -> Scope {
    if entry.kind == ledger::Kind::Open { Scope::Platform } else { Scope::Account(entry.account) }
}

fn load_credentials(
    db: &Connection,
    accounts: &Accounts,
    are_accounts_in: &AtomicBool,
    credentials: &Credentials,
) -> rusqlite::Result<()> {
    let mut select = db.prepare(
        "SELECT id, account, digest, cidrs, expires_at, revoked_at, last_used_at, api_key FROM credentials \
         ORDER BY id",
    )?;
    let mut found = select.query([])?;
    let mut slot: u32 = 0;
    while let Some(row) = found.next()? {
        let id: i64 = row.get(0)?;
        let wrong = |column: &str| damage(format!("row {id} of credentials: {column} is not one"));
        if id != i64::from(slot) + 1 {
            return Err(wrong("id"));
        }
        let limits = Limits {
            cidrs: cidrs(row.get_ref(3)?.as_str_or_null()?).ok_or_else(|| wrong("cidrs"))?,
            expires_at: row.get::<_, Option<i64>>(4)?.map(Time::from_micros),
            revoked: row.get_ref(5)? != ValueRef::Null,
        };
        let used = row.get::<_, Option<i64>>(6)?.map(Time::from_micros);
        if usize::try_from(slot).is_ok_and(|slot| slot < credentials.len()) {
            credentials.set_limits(slot, limits);
            credentials.compare_use(slot, used);
        } else {
            let account = AccountId::new(row.get(1)?).ok_or_else(|| wrong("account"))?;
            let account = awaited(accounts, are_accounts_in, account, credentials).ok_or_else(|| wrong("account"))?;
            let digest = row.get(2).map_err(|_| wrong("digest"))?;
            credentials.push(row.get_ref(7)?.as_str()?, digest, account, limits, used);
        }
        slot += 1;
    }
    credentials.index_pushed();
    Ok(())
}

/// The slot of an account that may still be on its way in; `None` once all are in and it is not among them. Meanwhile the
/// credentials that came so far are indexed, which somebody has to do anyway.
fn awaited(accounts: &Accounts, are_accounts_in: &AtomicBool, id: AccountId, credentials: &Credentials) -> Option<u32> {
    loop {
        let are_in = are_accounts_in.load(Ordering::Acquire);
        match accounts.slot_of(id) {
            // Asleep, not in a loop: the other side may be on the same core, or share its insides.
            None if !are_in => {
                credentials.index_pushed();
                std::thread::sleep(LOOK_AGAIN);
            }
            found => return found,
        }
    }
}

/// The address list as it is stored: networks separated by spaces.
pub(crate) fn cidrs(text: Option<&str>) -> Option<Vec<IpNet>> {
    text.unwrap_or_default().split_whitespace().map(|net| net.parse().ok()).collect()
}
