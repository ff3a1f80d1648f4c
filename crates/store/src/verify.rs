//! Proof that the log adds up: every account is folded anew from its entries, every link recomputed, and what is derived
//! is compared with the fold.
//!
//! It reads the log in short pages up to an end fixed at the start, so that a server goes on serving meanwhile and no
//! read transaction keeps the write-ahead log from being checkpointed.

mod index;
mod records;
pub(crate) mod watches;

use std::collections::BTreeMap;

use ledger::{Account, AccountId, Currency, Kind, Minor, Time};
use rusqlite::{Connection, OptionalExtension, params};

use crate::keys::Runs;
use crate::links::Links;
use crate::rows::{self, Stored};
use crate::settlement::{self, Settlement};
use crate::{Against, Finding, OpenError, Progress, SqliteUrl, VerifyReport, audit, load, own, schema, statement};
use records::Records;
use watches::Watches;

/// How many rows one read transaction takes.
const PAGE_LEN: i64 = 4096;

/// The most findings that are listed; a damaged ledger would otherwise name every entry after the damage.
pub(crate) const FINDINGS_MAX: usize = 1000;

/// A derived account row, and whether the fold has met its entry.
struct Derived {
    account: Account,
    row: i64,
    is_met: bool,
}

struct Fold<'a> {
    db: &'a Connection,
    settlement: Settlement,
    /// What every chain has to pass through.
    against: Links,
    accounts: BTreeMap<AccountId, Folded>,
    derived: Rows,
    watches: Watches,
    records: Records,
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
pub(crate) fn verify(
    db: &Connection,
    against: Against,
    progress: &mut dyn FnMut(Progress),
) -> rusqlite::Result<VerifyReport> {
    // One instant for what is derived and the end that it belongs to.
    let instant = db.unchecked_transaction()?;
    let (derived, unreadable) = derived(db)?;
    let (watches, unwatchable) = Watches::read(db)?;
    let open_holds = settlement::open_holds(db)?;
    let mut findings = Vec::new();
    let records = Records::read(db, &mut findings)?;
    let last = format!("SELECT {}", rows::LOG_END);
    let end = db.query_row(&last, [], |row| row.get::<_, i64>(0))?.max(records.last_row);
    let mut fold = Fold {
        db,
        settlement: Settlement::default(),
        against: against.into_links(),
        accounts: BTreeMap::new(),
        derived,
        watches,
        records,
        keys: Runs::default(),
        findings,
    };
    instant.finish()?;
    for account in unreadable {
        fold.find(account, None, "the account's row does not read as one".into());
    }
    for account in unwatchable {
        fold.find(account, None, watches::UNREADABLE.into());
    }
    let total = u64::try_from(end).unwrap_or(0);
    let (mut entries, mut before, mut last_time) = (0, 0, Time::default());
    while before < end {
        let (begun_at, upto) = (before, (before + PAGE_LEN).min(end));
        let at_one_instant = fold.begin_page()?;
        for read in page(db, before, upto)? {
            let row = read.as_ref().map_or_else(|unreadable| unreadable.row, |stored| stored.row);
            fold.check_gap(before, row, last_time)?;
            before = row;
            match read {
                Ok(stored) => {
                    entries += 1;
                    // The time of an entry that is not true says nothing about those after it.
                    if fold.check(&stored)? {
                        fold.check_order(&stored, last_time);
                        last_time = last_time.max(stored.entry.recorded_at);
                    }
                }
                Err(unreadable) => fold.give_up(unreadable),
            }
        }
        fold.check_gap(before, upto + 1, last_time)?;
        fold.check_refusals(begun_at, upto)?;
        at_one_instant.finish()?;
        before = upto;
        progress(Progress { done: u64::try_from(before).unwrap_or(0), total });
    }
    fold.check_settlement(&open_holds);
    if let Some(what) = audit::gap(db)? {
        fold.findings.push(Finding { account: None, number: None, what });
    }
    Ok(fold.report(entries))
}

/// Verifies a database that nobody serves, without loading it first: also one that contradicts itself too much to be
/// opened.
pub(crate) fn inspect(
    url: &SqliteUrl,
    against: Against,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, OpenError> {
    let _owned = own::take(&url.beside(".lock"))?;
    let db = schema::open_reader(&url.path)?;
    verify(&db, against, progress).map_err(|error| OpenError::Io(error.to_string()))
}

/// A row of entries that does not read as an entry.
struct Unreadable {
    row: i64,
    account: Option<AccountId>,
    number: Option<u64>,
    what: String,
}

fn page(db: &Connection, after: i64, upto: i64) -> rusqlite::Result<Vec<Result<Stored, Unreadable>>> {
    let sql = format!("SELECT {} FROM entries WHERE id > ?1 AND id <= ?2 ORDER BY id", rows::ENTRY);
    let read = |row: &rusqlite::Row<'_>| {
        rows::entry(row).map(Ok).or_else(|error| {
            let account = row.get(1).ok().and_then(AccountId::new);
            let number = row.get::<_, i64>(2).ok().and_then(|number| u64::try_from(number).ok());
            Ok(Err(Unreadable { row: row.get(0)?, account, number, what: rows::said(&error) }))
        })
    };
    db.prepare_cached(&sql)?.query_map([after, upto], read)?.collect()
}

/// The accounts as their rows say they stand.
type Rows = BTreeMap<AccountId, Derived>;

/// The account rows, and the numbers of those that do not read as one.
fn derived(db: &Connection) -> rusqlite::Result<(Rows, Vec<Option<AccountId>>)> {
    let currencies = load::currencies(db)?;
    let currency = |id: u8| currencies.get(usize::from(id)).copied().unwrap_or(Currency::VND);
    let sql = format!("SELECT {} FROM accounts", load::ACCOUNT);
    let mut select = db.prepare(&sql)?;
    let mut found = select.query([])?;
    let (mut all, mut unreadable) = (BTreeMap::new(), Vec::new());
    while let Some(row) = found.next()? {
        match load::account(row, currency) {
            Ok((account, entry, _)) => {
                all.insert(account.id, Derived { account, row: entry, is_met: false });
            }
            Err(_) => unreadable.push(row.get(0).ok().and_then(AccountId::new)),
        }
    }
    Ok((all, unreadable))
}

impl Fold<'_> {
    /// Folds the next entry in and checks what it leads to; says whether it follows from the one before it.
    fn check(&mut self, stored: &Stored) -> rusqlite::Result<bool> {
        let entry = &stored.entry;
        let previous = self.accounts.get(&entry.account).map_or(0, |folded| folded.row);
        let held = self.accounts.get(&entry.account).map_or(Minor::ZERO, |folded| folded.account.held);
        let broken = match self.accounts.get_mut(&entry.account) {
            Some(folded) if folded.is_broken => {
                self.settlement.pass_over();
                return Ok(false);
            }
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
            self.settlement.pass_over();
            self.find(Some(entry.account), Some(entry.number), broken.to_string());
            return Ok(false);
        }
        if stored.links.previous != previous {
            self.find(Some(entry.account), Some(entry.number), "it does not point at the entry before it".into());
        }
        if let Err(what) = self.settlement.check(self.db, stored, held)? {
            self.find(Some(entry.account), Some(entry.number), what.into());
        }
        if let Some((number, hash)) = self.against.get(&entry.account)
            && *number == entry.number
        {
            if *hash != entry.hash {
                self.find(Some(entry.account), Some(entry.number), "it is not the entry that was there before".into());
            }
            self.against.remove(&entry.account);
        }
        if entry.kind != Kind::Open || entry.key.is_some() {
            self.check_key(stored)?;
        }
        self.check_newest(stored)?;
        self.check_milestone(stored)?;
        self.check_derived(stored);
        if !self.watches.add(entry) {
            self.find(Some(entry.account), Some(entry.number), watches::DIFFERS.into());
        }
        Ok(true)
    }

    /// Ledger time never goes back (law 5), over all accounts: the log is in the order in which it was written, and a start
    /// goes on from the time that is kept beside the watermark.
    fn check_order(&mut self, stored: &Stored, last_time: Time) {
        let entry = &stored.entry;
        if entry.recorded_at < last_time && stored.row > self.records.moved_in {
            self.find(Some(entry.account), Some(entry.number), "it was written before what stands before it".into());
        }
        if stored.row <= self.records.watermark && entry.recorded_at > self.records.last_time {
            self.find(Some(entry.account), Some(entry.number), "the ledger's own time is earlier than it".into());
            // Every later entry would say the same.
            self.records.last_time = Time::from_micros(i64::MAX);
        }
    }

    /// Notes an entry that does not read as one; what follows it in its account is not judged.
    fn give_up(&mut self, unreadable: Unreadable) {
        let Unreadable { account, number, what, .. } = unreadable;
        self.settlement.pass_over();
        if let Some(folded) = account.and_then(|account| self.accounts.get_mut(&account)) {
            folded.is_broken = true;
        }
        self.find(account, number, format!("it does not read as an entry: {what}"));
    }

    /// What is open must be what the table of open holds says, and no transfer may have one side only; whatever was saved
    /// before must have been met.
    fn check_settlement(&mut self, open_holds: &BTreeMap<(AccountId, u64), settlement::Open>) {
        for (account, number) in self.settlement.differences(open_holds) {
            // What became of the holds of an account that is judged no further is not known.
            if self.accounts.get(&account).is_some_and(|folded| folded.is_broken) {
                continue;
            }
            self.find(Some(account), Some(number), "the open hold differs from its row".into());
        }
        let unanswered = self.settlement.unanswered().map(|paid| (paid.account, paid.number));
        if let Some((account, number)) = unanswered {
            self.find(Some(account), Some(number), "the transfer has no other side".into());
        }
        for (account, (number, _)) in std::mem::take(&mut self.against) {
            self.find(Some(account), Some(number), "the entry that was there before is gone".into());
        }
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
        let links: Links =
            self.accounts.iter().map(|(&id, folded)| (id, (folded.account.number, folded.account.hash))).collect();
        VerifyReport::new(entries, links, self.findings)
    }

    fn find(&mut self, account: Option<AccountId>, number: Option<u64>, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { account, number, what });
        }
    }
}
