//! Proof that the ledger adds up: every account folded anew from its entries, every link recomputed, and what is derived
//! compared with the fold.
//!
//! Account by account, some hundred rows at a time as they stand together at one instant; their entries up to there never
//! change and are read in short pages afterwards, so that no transaction stays open while a server goes on serving.

use std::collections::BTreeMap;

use ledger::{Account, AccountId, Entry, Hold, Kind, Minor, Time, Usage};
use tokio_postgres::Row;

use super::rows::{self, ACCOUNT_LEN, account_columns, entry_columns};
use super::session::{Error, Session};
use super::settlement::Settlement;
use crate::links::Links;
use crate::verify::watches::{self, Watches};
use crate::{Against, Finding, Progress, VerifyReport, rows::number, watch};

const ACCOUNTS_LEN: i64 = 512;
const ENTRIES_LEN: i64 = 4096;

const ACCOUNTS: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", a.watch FROM accounts a JOIN currencies c ON c.id = a.currency WHERE a.id > $1 ORDER BY a.id LIMIT $2"
);

const HOLDS: &str =
    "SELECT account, number, remaining, expires_at FROM open_holds WHERE account > $1 AND account <= $2";

const ENTRIES: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e WHERE (e.account, e.number) > ($1, $2) AND e.account <= $3 ORDER BY e.account, e.number LIMIT $4"
);

/// The other sides of transfers, and what refunds name.
const OTHERS: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM unnest($1::int4[], $2::int8[]) AS n (account, number) \
     JOIN entries e ON e.account = n.account AND e.number = n.number"
);

const IS_THERE: &str = "SELECT FROM accounts WHERE id = $1";

const COUNT: &str = "SELECT count(*)::int8 FROM accounts";

const AUDIT: &str = "SELECT count(*)::int8, coalesce(max(id), 0)::int8 FROM audit";

/// Reads every account as it is when its turn comes.
pub(super) async fn verify(
    session: &Session,
    against: Against,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<VerifyReport, Error> {
    let mut proof = Proof {
        against: against.into_links(),
        links: Links::new(),
        watches: Watches::default(),
        entries: 0,
        findings: Vec::new(),
    };
    // The two counts below grow with the ledger; all else is read in short pages.
    session.say("SET statement_timeout = '60s'").await?;
    let total = count(session, COUNT).await?;
    let (mut after, mut done) = (0, 0);
    loop {
        let mut chunk = Chunk::read(session, after).await?;
        for (account, usage) in std::mem::take(&mut chunk.watches) {
            match usage {
                Some(usage) => proof.watches.insert(account, usage),
                None => proof.find(account, None, watches::UNREADABLE.into()),
            }
        }
        let is_last = chunk.derived.len() < usize::try_from(ACCOUNTS_LEN).unwrap_or(usize::MAX);
        done += u64::try_from(chunk.derived.len()).unwrap_or(0);
        // Behind the last account may lie entries of one that has no row.
        let upto =
            if is_last { i32::MAX } else { chunk.derived.keys().next_back().copied().map_or(i32::MAX, rows::int) };
        proof.fold(session, chunk, after, upto).await?;
        after = upto;
        progress(Progress { done, total: total.max(done) });
        if is_last {
            break;
        }
    }
    for (account, (number, _)) in std::mem::take(&mut proof.against) {
        proof.find(account, Some(number), "the entry that was there before is gone".into());
    }
    let row = session.row(AUDIT, &[]).await?.ok_or_else(|| Error::Damage("a row is missing".into()))?;
    let (len, last): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if len != last {
        let what = format!("the audit trail has {len} rows and its last is number {last}");
        proof.findings.push(Finding { account: None, number: None, what });
    }
    Ok(VerifyReport::new(proof.entries, proof.links, proof.findings))
}

async fn count(session: &Session, sql: &'static str) -> Result<u64, Error> {
    let row = session.row(sql, &[]).await?.ok_or_else(|| Error::Damage("a row is missing".into()))?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))
}

/// Some accounts as their rows have them, and their open holds of the same instant.
struct Chunk {
    derived: BTreeMap<AccountId, Result<Account, String>>,
    holds: BTreeMap<AccountId, BTreeMap<u64, Hold>>,
    /// What the rows of watched accounts say that they used; `None` where one says nothing of the kind.
    watches: Vec<(AccountId, Option<Usage>)>,
}

impl Chunk {
    async fn read(session: &Session, after: i32) -> Result<Chunk, Error> {
        session.say("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let accounts = session.rows(ACCOUNTS, &[&after, &ACCOUNTS_LEN]).await?;
        let (mut derived, mut watches) = (BTreeMap::new(), Vec::new());
        for row in &accounts {
            let (id, account) = (rows::id_at(row, 0)?, rows::account(row, 0).map_err(|error| error.to_string()));
            derived.insert(id, account);
            let watch: Option<&[u8]> = row.try_get(ACCOUNT_LEN)?;
            watches.extend(watch.map(|bytes| (id, watch::decode(bytes))));
        }
        let last = derived.keys().next_back().copied().map_or(after, rows::int);
        let mut holds: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for row in session.rows(HOLDS, &[&after, &last]).await? {
            let (number, left) = (rows::number_at(&row, 1)?, rows::figure_at(&row, 2)?);
            let hold = Hold { number, left, expires_at: Time::from_micros(row.try_get(3)?) };
            holds.entry(rows::id_at(&row, 0)?).or_default().insert(number, hold);
        }
        session.say("COMMIT").await?;
        Ok(Chunk { derived, holds, watches })
    }
}

/// What is proven so far.
struct Proof {
    against: Links,
    links: Links,
    watches: Watches,
    entries: u64,
    findings: Vec<Finding>,
}

/// The account that is being folded.
#[derive(Default)]
struct Folding {
    id: Option<AccountId>,
    account: Option<Account>,
    settlement: Settlement,
    /// What follows a broken link is not judged again.
    is_broken: bool,
}

impl Proof {
    /// Folds the entries of the chunk's accounts, and those of any account in between that has no row.
    async fn fold(&mut self, session: &Session, mut chunk: Chunk, after: i32, upto: i32) -> Result<(), Error> {
        let mut folding = Folding::default();
        let (mut account, mut last) = (after, i64::MAX);
        loop {
            let page = session.rows(ENTRIES, &[&account, &last, &upto, &ENTRIES_LEN]).await?;
            let others = others(session, &page).await?;
            for row in &page {
                (account, last) = (row.try_get(0)?, row.try_get(1)?);
                let id = rows::id_at(row, 0)?;
                if folding.id != Some(id) {
                    self.close(session, std::mem::take(&mut folding), &mut chunk).await?;
                    folding.id = Some(id);
                }
                // What was appended since the rows were read is not judged.
                let end = chunk.derived.get(&id).map_or(u64::MAX, |row| row.as_ref().map_or(u64::MAX, |it| it.number));
                if rows::number_at(row, 1)? <= end {
                    self.entries += 1;
                    self.take(&mut folding, row, &others);
                }
            }
            if page.len() < usize::try_from(ENTRIES_LEN).unwrap_or(usize::MAX) {
                break;
            }
        }
        self.close(session, folding, &mut chunk).await?;
        for (id, row) in chunk.derived {
            let number = row.map_or(None, |row| Some(row.number));
            self.find(id, number, "the account's row includes an entry that is not there".into());
        }
        Ok(())
    }

    /// Folds one entry in.
    fn take(&mut self, folding: &mut Folding, row: &Row, others: &BTreeMap<(AccountId, u64), Entry>) {
        let Some(id) = folding.id.filter(|_| !folding.is_broken) else { return };
        let number = rows::number_at(row, 1).ok();
        let entry = match rows::entry(row) {
            Ok(entry) => entry,
            Err(error) => {
                folding.is_broken = true;
                return self.find(id, number, format!("it does not read as an entry: {error}"));
            }
        };
        let held = folding.account.as_ref().map_or(Minor::ZERO, |account| account.held);
        let folded = match &mut folding.account {
            Some(account) => account.apply(&entry),
            None => Account::opened_by(&entry).map(|account| folding.account = Some(account)),
        };
        if let Err(broken) = folded {
            folding.is_broken = true;
            return self.find(id, number, broken.to_string());
        }
        if !self.watches.add(&entry) {
            self.find(id, number, watches::DIFFERS.into());
        }
        let named = entry.target.and_then(|target| others.get(&(target.account, target.number)));
        if let Err(what) = folding.settlement.check(&entry, held, named) {
            self.find(id, number, what.into());
        }
        if entry.kind == Kind::Transfer && !named.is_some_and(|other| are_sides(&entry, other)) {
            self.find(id, number, "the transfer has no other side".into());
        }
        if let Some((_, hash)) = self.against.get(&id).filter(|(saved, _)| *saved == entry.number) {
            if *hash != entry.hash {
                self.find(id, number, "it is not the entry that was there before".into());
            }
            self.against.remove(&id);
        }
    }

    /// Compares an account whose entries have all been folded with what is derived from them.
    async fn close(&mut self, session: &Session, folding: Folding, chunk: &mut Chunk) -> Result<(), Error> {
        let Some(id) = folding.id else { return Ok(()) };
        let derived = chunk.derived.remove(&id);
        if let Some(account) = &folding.account {
            self.links.insert(id, (account.number, account.hash));
        }
        if folding.is_broken {
            return Ok(());
        }
        match (derived, folding.account) {
            (None, _) => {
                // An account opened after the rows were read has none here; it has one by now.
                if session.row(IS_THERE, &[&rows::int(id)]).await?.is_none() {
                    self.find(id, None, "the account has entries and no row".into());
                }
                return Ok(());
            }
            (Some(Err(what)), _) => self.find(id, None, format!("the account's row does not read as one: {what}")),
            (Some(Ok(derived)), Some(folded)) if derived.number > folded.number => {
                let what = "the account's row includes an entry that is not there";
                self.find(id, Some(derived.number), what.into());
                return Ok(());
            }
            // How many decimals are shown is no part of an entry.
            (Some(Ok(derived)), Some(folded))
                if derived == Account { currency: derived.currency, ..folded.clone() }
                    && derived.currency.code() == folded.currency.code() => {}
            (Some(Ok(derived)), _) => {
                let what = "the account's row differs from the sum of its entries";
                self.find(id, Some(derived.number), what.into());
            }
        }
        let table = chunk.holds.remove(&id).unwrap_or_default();
        for hold in folding.settlement.differences(&table) {
            self.find(id, Some(hold), "the open hold differs from its row".into());
        }
        Ok(())
    }

    fn find(&mut self, account: AccountId, number: Option<u64>, what: String) {
        if self.findings.len() < crate::verify::FINDINGS_MAX {
            self.findings.push(Finding { account: Some(account), number, what });
        }
    }
}

/// What the transfers and refunds of a page name; an entry that does not read is left out, and so missed.
async fn others(session: &Session, page: &[Row]) -> Result<BTreeMap<(AccountId, u64), Entry>, Error> {
    let entries = page.iter().filter_map(|row| rows::entry(row).ok());
    let named = entries.filter(|entry| matches!(entry.kind, Kind::Transfer | Kind::Refund));
    let targets = named.filter_map(|entry| entry.target);
    let (accounts, numbers): (Vec<i32>, Vec<i64>) =
        targets.map(|target| (rows::int(target.account), number(target.number))).unzip();
    if accounts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = session.rows(OTHERS, &[&accounts, &numbers]).await?;
    let sound = found.iter().filter_map(|row| rows::entry(row).ok());
    Ok(sound.map(|entry| ((entry.account, entry.number), entry)).collect())
}

/// Whether two entries are the sides of one transfer: they name each other, and the one that arrives has no key of its own.
fn are_sides(entry: &Entry, other: &Entry) -> bool {
    let names_it = other.target.is_some_and(|back| (back.account, back.number) == (entry.account, entry.number));
    let arrives = if entry.amount > Minor::ZERO { entry } else { other };
    let sum = entry.amount.plus(other.amount);
    other.kind == Kind::Transfer && names_it && sum == Some(Minor::ZERO) && arrives.key.is_none()
}
