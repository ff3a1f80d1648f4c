//! Proof that the log adds up: every account is folded anew from its entries, every link recomputed, and what is derived
//! is compared with the fold.
//!
//! It reads the log in short pages up to an end fixed at the start, so that a server goes on serving meanwhile and no
//! read transaction keeps the write-ahead log from being checkpointed.

use std::collections::BTreeMap;

use ledger::{Account, AccountId, Currency, Hash, Key, Kind, Time};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::digest::{Scope, fingerprint};
use crate::keys::Runs;
use crate::rows::{self, Stored};
use crate::{load, statement};

/// How many rows one read transaction takes.
const PAGE_LEN: i64 = 4096;

/// The most findings that are listed; a damaged ledger would otherwise name every entry after the damage.
const FINDINGS_MAX: usize = 1000;

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyReport {
    /// Accounts folded.
    pub accounts: u64,
    /// Entries read.
    pub entries: u64,
    /// BLAKE3 over number, last entry and last link of every account, in the order of their numbers.
    pub root: Hash,
    /// What is wrong, in the order of the log; empty where all is well. At most a thousand.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The account it is about.
    pub account: Option<AccountId>,
    /// The entry it is about.
    pub number: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

/// How far something long has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Entries or pages done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// A derived account row, and whether the fold has met its entry.
struct Derived {
    account: Account,
    row: i64,
    is_met: bool,
}

struct Fold<'a> {
    db: &'a Connection,
    accounts: BTreeMap<AccountId, Folded>,
    derived: BTreeMap<AccountId, Derived>,
    watermark: i64,
    /// Refusals from before it may be gone.
    refusals_lapsed: Time,
    /// As of the read transaction under way.
    keys: Runs,
    findings: Vec<Finding>,
}

struct Folded {
    account: Account,
    row: i64,
    /// What follows a broken link is not judged again.
    is_broken: bool,
}

/// Reads everything up to the last row as it is now.
pub(crate) fn verify(db: &Connection, progress: &mut dyn FnMut(Progress)) -> rusqlite::Result<VerifyReport> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    // Before the end is fixed, so that no row includes an entry beyond it.
    let derived = derived(db)?;
    let end = number(
        "SELECT max((SELECT ifnull(max(id), 0) FROM entries), (SELECT ifnull(max(id), 0) FROM refusals), \
         (SELECT value FROM meta WHERE name = 'last_row'))",
    )?;
    let mut fold = Fold {
        db,
        accounts: BTreeMap::new(),
        derived,
        watermark: number("SELECT value FROM meta WHERE name = 'watermark'")?,
        refusals_lapsed: Time::from_micros(number("SELECT value FROM meta WHERE name = 'refusals_lapsed'")?),
        keys: Runs::default(),
        findings: Vec::new(),
    };
    let total = u64::try_from(end).unwrap_or(0);
    let (mut entries, mut before, mut last_time) = (0, 0, Time::default());
    while before < end {
        let upto = (before + PAGE_LEN).min(end);
        let at_one_instant = fold.begin_page()?;
        for stored in page(db, before, upto)? {
            fold.check_gap(before, stored.row, last_time)?;
            before = stored.row;
            last_time = stored.entry.recorded_at;
            entries += 1;
            fold.check(&stored)?;
        }
        fold.check_gap(before, upto + 1, last_time)?;
        at_one_instant.finish()?;
        before = upto;
        progress(Progress { done: u64::try_from(before).unwrap_or(0), total });
    }
    fold.check_refusals(end)?;
    Ok(fold.report(entries))
}

fn page(db: &Connection, after: i64, upto: i64) -> rusqlite::Result<Vec<Stored>> {
    let sql = format!("SELECT {} FROM entries WHERE id > ?1 AND id <= ?2 ORDER BY id", rows::ENTRY);
    db.prepare_cached(&sql)?.query_map([after, upto], rows::entry)?.collect()
}

fn derived(db: &Connection) -> rusqlite::Result<BTreeMap<AccountId, Derived>> {
    let currencies = load::currencies(db)?;
    let currency = |id: u8| currencies.get(usize::from(id)).copied().unwrap_or(Currency::VND);
    let sql = format!("SELECT {} FROM accounts", load::ACCOUNT);
    let mut select = db.prepare(&sql)?;
    let mut found = select.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = found.next()? {
        let (account, entry, _) = load::account(row, currency)?;
        all.insert(account.id, Derived { account, row: entry, is_met: false });
    }
    Ok(all)
}

impl<'a> Fold<'a> {
    /// Begins a page's read transaction: until it ends, everything that is read is of one instant, and no page of the
    /// index goes away because runs are merged meanwhile.
    fn begin_page(&mut self) -> rusqlite::Result<Transaction<'a>> {
        let transaction = self.db.unchecked_transaction()?;
        match self.keys.refresh(self.db) {
            Err(rusqlite::Error::FromSqlConversionFailure(_, _, damage)) => {
                self.keys = Runs::default();
                self.find(None, None, damage.to_string());
            }
            refreshed => refreshed?,
        }
        Ok(transaction)
    }

    /// Where the index of keys leads; nowhere where it is damaged.
    fn leads_to(&self, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        match self.keys.find(self.db, fingerprint) {
            Err(rusqlite::Error::FromSqlConversionFailure(..)) => Ok(None),
            found => found,
        }
    }

    fn check(&mut self, stored: &Stored) -> rusqlite::Result<()> {
        let entry = &stored.entry;
        let previous = self.accounts.get(&entry.account).map_or(0, |folded| folded.row);
        let broken = match self.accounts.get_mut(&entry.account) {
            Some(folded) if folded.is_broken => return Ok(()),
            Some(folded) => {
                let applied = folded.account.apply(entry);
                folded.is_broken = applied.is_err();
                folded.row = stored.row;
                applied.err()
            }
            None => match Account::opened_by(entry) {
                Ok(account) => {
                    self.accounts.insert(entry.account, Folded { account, row: stored.row, is_broken: false });
                    None
                }
                Err(broken) => Some(broken),
            },
        };
        if let Some(broken) = broken {
            self.find(Some(entry.account), Some(entry.number), broken.to_string());
            return Ok(());
        }
        if stored.previous != previous {
            self.find(Some(entry.account), Some(entry.number), "it does not point at the entry before it".into());
        }
        if entry.kind != Kind::Open || entry.key.is_some() {
            self.check_key(stored)?;
        }
        self.check_milestone(stored)?;
        self.check_derived(stored);
        Ok(())
    }

    /// The rows between two entries must be refusals; where none stands any more, it must have been old enough to go.
    /// `from` is the time of the entry before the gap.
    fn check_gap(&mut self, before: i64, next: i64, from: Time) -> rusqlite::Result<()> {
        let missing = next - before - 1;
        if missing <= 0 {
            return Ok(());
        }
        let refused: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM refusals WHERE id > ?1 AND id < ?2")?
            .query_row([before, next], |row| row.get(0))?;
        if refused < missing && from >= self.refusals_lapsed {
            let what = format!("{} rows of the log between {before} and {next} are gone", missing - refused);
            self.find(None, None, what);
        }
        Ok(())
    }

    fn check_key(&mut self, stored: &Stored) -> rusqlite::Result<()> {
        let entry = &stored.entry;
        let Some(key) = &entry.key else {
            return Ok(());
        };
        if stored.row > self.watermark {
            return Ok(());
        }
        if self.leads_to(fingerprint(load::scope(entry), key))? != Some(stored.row) {
            self.find(Some(entry.account), Some(entry.number), "its idempotency key does not lead to it".into());
        }
        Ok(())
    }

    fn check_milestone(&mut self, stored: &Stored) -> rusqlite::Result<()> {
        let entry = &stored.entry;
        if !entry.number.is_multiple_of(statement::MILESTONE) {
            return Ok(());
        }
        let found: Option<(i64, i64)> = self
            .db
            .prepare_cached("SELECT entry, at FROM milestones WHERE account = ?1 AND number = ?2")?
            .query_row(params![entry.account.get(), rows::number(entry.number)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if found != Some((stored.row, entry.at.micros())) {
            self.find(Some(entry.account), Some(entry.number), "its milestone does not lead to it".into());
        }
        Ok(())
    }

    fn check_derived(&mut self, stored: &Stored) {
        let (id, number) = (stored.entry.account, stored.entry.number);
        let Some(derived) = self.derived.get_mut(&id).filter(|derived| derived.account.number == number) else {
            return;
        };
        derived.is_met = true;
        let folded = self.accounts.get(&id).map(|folded| &folded.account);
        if folded != Some(&derived.account) || derived.row != stored.row {
            self.find(Some(id), Some(number), "the account's row differs from the sum of its entries".into());
        }
    }

    /// Every refusal must still read as one, and its key lead to it or to something newer.
    fn check_refusals(&mut self, end: i64) -> rusqlite::Result<()> {
        let mut before = 0;
        loop {
            let at_one_instant = self.begin_page()?;
            let mut select = self.db.prepare_cached(
                "SELECT id, account, key FROM refusals WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
            )?;
            let mut found = select.query([before, end, PAGE_LEN])?;
            let begun_at = before;
            while let Some(row) = found.next()? {
                before = row.get(0)?;
                self.check_refusal(before, AccountId::new(row.get(1)?), Key::new(row.get_ref(2)?.as_str()?).ok())?;
            }
            at_one_instant.finish()?;
            if before == begun_at {
                return Ok(());
            }
        }
    }

    fn check_refusal(&mut self, id: i64, account: Option<AccountId>, key: Option<Key>) -> rusqlite::Result<()> {
        let (Some(whose), Some(key), Some(_)) = (account, key, rows::refusal_at(self.db, id)?) else {
            self.find(account, None, format!("refusal in row {id} does not read as one"));
            return Ok(());
        };
        if id > self.watermark {
            return Ok(());
        }
        let leads_to = self.leads_to(fingerprint(Scope::Account(whose), &key))?;
        if leads_to.is_none_or(|row| row.abs() < id) {
            self.find(account, None, format!("the key of the refusal in row {id} does not lead to it"));
        }
        Ok(())
    }

    fn report(mut self, entries: u64) -> VerifyReport {
        let unmet: Vec<(AccountId, u64)> = self
            .derived
            .iter()
            .filter(|(_, derived)| !derived.is_met)
            .map(|(&id, derived)| (id, derived.account.number))
            .collect();
        for (id, number) in unmet {
            if !self.accounts.get(&id).is_some_and(|folded| folded.is_broken) {
                self.find(Some(id), Some(number), "the account's row includes an entry that is not there".into());
            }
        }
        let rowless: Vec<AccountId> =
            self.accounts.keys().filter(|id| !self.derived.contains_key(id)).copied().collect();
        for id in rowless {
            // An account opened after the rows were read has none here; it has one on disk.
            let has_row = self.db.prepare_cached("SELECT 1 FROM accounts WHERE id = ?1");
            if !has_row.and_then(|mut select| select.exists([id.get()])).unwrap_or(false) {
                self.find(Some(id), None, "the account has entries and no row".into());
            }
        }
        let mut root = blake3::Hasher::new();
        for (id, folded) in &self.accounts {
            root.update(&id.get().to_be_bytes());
            root.update(&folded.account.number.to_be_bytes());
            root.update(&folded.account.hash.0);
        }
        VerifyReport {
            accounts: u64::try_from(self.accounts.len()).unwrap_or(u64::MAX),
            entries,
            root: Hash(*root.finalize().as_bytes()),
            findings: self.findings,
        }
    }

    fn find(&mut self, account: Option<AccountId>, number: Option<u64>, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { account, number, what });
        }
    }
}
