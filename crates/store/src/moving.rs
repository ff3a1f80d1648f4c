//! Moving a ledger into another database, of the same engine or the other.
//!
//! The source is nobody else's meanwhile, and the target is barred to everyone until all of it is there and proven: entries
//! first, in batches that each are whole, then everything besides in one transaction. So a move that is cut off at any moment
//! goes on when it is begun again, also where the source went on serving in between. The end has an order: the target notes
//! what it got, the source is barred for good, and only then may the target be used. At no moment are there two.

mod arrival;
mod file;
pub(crate) mod marks;
mod order;
mod place;
pub(crate) mod tables;

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use ledger::{AccountId, Entry, Hash, Usage};

use crate::{DatabaseUrl, OpenError, Progress, SqliteUrl, VerifyReport, watch};
pub(crate) use file::last_mark;
use marks::Mark;
use order::Order;
use place::{Place, Receiver};
use tables::{ACCOUNTS, CURRENCIES, Cell, HOLDS, REFUSALS, REST, Table};

/// How long a database may be in use by somebody who is about to end.
const PATIENCE: Duration = Duration::from_secs(3);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// One of the two databases of a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Where the ledger was.
    Source,
    /// Where it goes.
    Target,
}

/// What a move is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It proves the ledger before anything is taken along.
    Proving,
    /// It copies entries.
    Entries,
    /// It copies everything besides.
    Rest,
    /// It proves what has arrived.
    Comparing,
}

/// What was moved, as both databases prove it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Accounts.
    pub accounts: u64,
    /// Entries.
    pub entries: u64,
    /// The root over the last links of all of them, which is what `verify` gives.
    pub root: Hash,
}

/// A move that is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Where the ledger was.
    pub from: DatabaseUrl,
    /// Where it is.
    pub to: DatabaseUrl,
    /// What it has.
    pub figures: Figures,
    /// Whether it had been done before.
    pub is_old: bool,
}

/// Why a ledger was not moved. Wherever it says nothing else, it is where it was.
#[derive(Debug)]
pub enum MoveError {
    /// Both URLs lead to the same database.
    Same,
    /// That database cannot be used.
    Unusable {
        /// Which.
        side: Side,
        /// Why.
        error: OpenError,
    },
    /// There is a ledger in the target already.
    Taken,
    /// The target holds what another move left unfinished, of the ledger there.
    Unfinished {
        /// Where that ledger is.
        from: String,
    },
    /// The source does not verify: what is wrong first.
    Unsound(String),
    /// What is in the target is not what the source has.
    Differs(String),
    /// A database failed on the way; the same move again goes on from there.
    Failed {
        /// Which.
        side: Side,
        /// What it says.
        why: String,
    },
}

impl fmt::Display for MoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoveError::Same => f.write_str("both URLs lead to the same database"),
            MoveError::Unusable { error, .. } => error.fmt(f),
            MoveError::Taken => f.write_str("there is a ledger in it already"),
            MoveError::Unfinished { from } => write!(f, "it holds an unfinished move of {from}"),
            MoveError::Unsound(what) => write!(f, "it does not verify: {what}"),
            MoveError::Differs(what) | MoveError::Failed { why: what, .. } => f.write_str(what),
        }
    }
}

impl std::error::Error for MoveError {}

/// Hears of the progress of one stage.
type Told<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// The last entry of each account that is there: its number and its hash.
type Heads = HashMap<AccountId, (u64, Hash)>;

/// Moves the ledger at `from` to `to`, or goes on with that. `at` is the time, as the marks that are left tell it to people.
/// Blocks.
pub fn migrate(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    at: &str,
    told: &mut (dyn FnMut(Stage, Progress) + Send),
) -> Result<Moved, MoveError> {
    let (from, to) = (whole(from), whole(to));
    if is_same(&from, &to) {
        return Err(MoveError::Same);
    }
    let done = |figures, is_old| Moved { from: from.clone(), to: to.clone(), figures, is_old };
    let source = Place::open(&from, Side::Source, None)?;
    let left = left_for(source.mark()?, &to)?;
    let target = match (Place::open(&to, Side::Target, Some(&source)), &left) {
        // It is served already: nobody could before it was whole.
        (Err(MoveError::Unusable { error: OpenError::Owned { .. }, .. }), Some((figures, _))) => {
            return Ok(done(*figures, true));
        }
        (target, _) => target?,
    };
    let arrived = target.mark()?;
    if let Some((figures, bar)) = left {
        let arrived = arrived.filter(|mark| mark.way == marks::FROM && mark.peer == from.to_string());
        let arrived = arrived.filter(|mark| mark.figures == Some(figures));
        let arrived = arrived.ok_or(MoveError::Unusable { side: Side::Source, error: bar })?;
        if arrived.is_arriving() {
            target.end_arrival(at)?;
        }
        return Ok(done(figures, !arrived.is_arriving()));
    }
    if !may_go_on(&target, arrived, &from)? {
        target.begin_arrival(&from.to_string(), at)?;
    }
    let proven = source.verify(&mut |progress| told(Stage::Proving, progress))?;
    if let Some(first) = first_finding(&proven) {
        return Err(MoveError::Unsound(first));
    }
    let mut transfer = Transfer { source: &source, usages: HashMap::new() };
    let target = transfer.entries(target.receive()?, &mut |done| {
        told(Stage::Entries, Progress { done, total: proven.entries.max(done) });
    })?;
    let target = transfer.rest(target, &mut |progress| told(Stage::Rest, progress))?;
    let there = target.verify(&mut |progress| told(Stage::Comparing, progress))?;
    let figures = agreed(&proven, &there)?;
    target.note(figures)?;
    source.leave(&to.to_string(), figures, at)?;
    target.end_arrival(at)?;
    Ok(done(figures, false))
}

/// What the source sent to this very target before it was barred, and with which words; nothing where it is not barred. An
/// error where it is for anything else.
fn left_for(mark: Option<Mark>, to: &DatabaseUrl) -> Result<Option<(Figures, OpenError)>, MoveError> {
    let Some((mark, bar)) = mark.and_then(|mark| mark.bar().map(|bar| (mark, bar))) else { return Ok(None) };
    match mark.figures.filter(|_| mark.way == marks::TO && mark.peer == to.to_string()) {
        Some(figures) => Ok(Some((figures, bar))),
        None => Err(MoveError::Unusable { side: Side::Source, error: bar }),
    }
}

/// Whether the target holds what an attempt before this one left. An error where it holds anything else.
fn may_go_on(target: &Place, mark: Option<Mark>, from: &DatabaseUrl) -> Result<bool, MoveError> {
    match mark {
        Some(mark) if mark.is_arriving() && mark.peer == from.to_string() => return Ok(true),
        Some(mark) if mark.is_arriving() => return Err(MoveError::Unfinished { from: mark.peer }),
        Some(mark) => {
            if let Some(error) = mark.bar() {
                return Err(MoveError::Unusable { side: Side::Target, error });
            }
        }
        None => {}
    }
    if target.is_empty()? { Ok(false) } else { Err(MoveError::Taken) }
}

/// What is taken along, on its way.
struct Transfer<'a> {
    source: &'a Place,
    /// What watched accounts used, added up from their entries.
    usages: HashMap<AccountId, Option<Usage>>,
}

impl Transfer<'_> {
    /// Copies the entries that the target lacks.
    fn entries(&mut self, mut target: Receiver, told: &mut dyn FnMut(u64)) -> Result<Receiver, MoveError> {
        self.usages = self.source.watched()?.into_iter().map(|id| (id, None)).collect();
        let (mut heads, mut order, mut read) = (target.heads()?, Order::default(), 0);
        let (source, batch_len) = (self.source, target.batch_len());
        source.entries(&mut |page| {
            read += u64::try_from(page.len()).unwrap_or(0);
            page.into_iter().for_each(|entry| order.put(entry));
            if order.len() >= batch_len {
                self.hand_over(order.take(), &mut heads, &mut target)?;
            }
            told(read);
            Ok(())
        })?;
        self.hand_over(order.take(), &mut heads, &mut target)?;
        if let Some((account, number)) = order.stuck() {
            return Err(MoveError::Unsound(format!("account {account} lacks what its entry {number} follows from")));
        }
        // What is left of them was never in the source.
        heads.keys().next().map_or(Ok(target), |account| Err(another(*account)))
    }

    /// Has the target take those of the next entries that it lacks.
    fn hand_over(&mut self, entries: Vec<Entry>, heads: &mut Heads, target: &mut Receiver) -> Result<(), MoveError> {
        let mut missing = Vec::with_capacity(entries.len());
        for entry in entries {
            self.usages.entry(entry.account).and_modify(|usage| add(usage, &entry));
            if !is_there(heads, &entry)? {
                missing.push(entry);
            }
        }
        if missing.is_empty() { Ok(()) } else { target.append(&missing) }
    }

    /// Copies everything besides, in one transaction of the target.
    fn rest(&self, mut target: Receiver, told: &mut dyn FnMut(Progress)) -> Result<Place, MoveError> {
        let tables: Vec<&Table> = [&CURRENCIES, &ACCOUNTS, &HOLDS, &REFUSALS].into_iter().chain(&REST).collect();
        let total = u64::try_from(tables.len()).unwrap_or(0);
        target.begin_rest()?;
        for (table, done) in tables.into_iter().zip(0..) {
            told(Progress { done, total });
            let mut counted = 0;
            self.source.rows(table, &mut |mut rows| {
                for row in &mut rows {
                    counted += 1;
                    if let Some(first) = row.first_mut().filter(|_| table.is_counted) {
                        *first = Cell::Number(counted);
                    }
                    if table.name == ACCOUNTS.name {
                        let used = self.used(row);
                        row.push(used);
                    }
                }
                if rows.is_empty() { Ok(()) } else { target.put(table, rows) }
            })?;
        }
        target.end_rest()?;
        told(Progress { done: total, total });
        Ok(target.received())
    }

    /// What the account of that row used, if it is watched.
    fn used(&self, row: &[Cell]) -> Cell {
        let Some(Cell::Number(id)) = row.first() else { return Cell::Null };
        let id = u32::try_from(*id).ok().and_then(AccountId::new);
        let usage = id.and_then(|id| self.usages.get(&id)).and_then(Option::as_ref);
        usage.map_or(Cell::Null, |usage| Cell::Bytes(watch::encode(usage)))
    }
}

fn add(usage: &mut Option<Usage>, entry: &Entry) {
    usage.get_or_insert_with(|| Usage::new(entry.number.saturating_sub(1), entry.at)).add(entry);
}

/// Whether the target has an entry already. Its last one of each account must be the very same, or this is another ledger.
fn is_there(heads: &mut Heads, entry: &Entry) -> Result<bool, MoveError> {
    let Some(&(number, hash)) = heads.get(&entry.account) else { return Ok(false) };
    if entry.number == number {
        heads.remove(&entry.account);
        if hash != entry.hash {
            return Err(another(entry.account));
        }
    }
    Ok(true)
}

fn another(account: AccountId) -> MoveError {
    MoveError::Differs(format!("it holds entries of account {account} that are not of this ledger"))
}

fn first_finding(report: &VerifyReport) -> Option<String> {
    report.findings.first().map(|finding| match finding.account {
        Some(account) => format!("account {account}: {}", finding.what),
        None => finding.what.clone(),
    })
}

/// The figures of both, where they are the same.
fn agreed(proven: &VerifyReport, there: &VerifyReport) -> Result<Figures, MoveError> {
    let figures =
        |report: &VerifyReport| Figures { accounts: report.accounts, entries: report.entries, root: report.root };
    if let Some(first) = first_finding(there) {
        return Err(MoveError::Differs(format!("what arrived does not verify: {first}")));
    }
    if figures(proven) != figures(there) {
        return Err(MoveError::Differs("what arrived has another root than what was sent".into()));
    }
    Ok(figures(there))
}

/// Tries again for a while what is in use.
pub(crate) fn patiently<T>(mut take: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match take() {
            Err(OpenError::Owned { .. }) if Instant::now() < until => std::thread::sleep(LOOK_AGAIN),
            taken => return taken,
        }
    }
}

/// A URL that means the same wherever it is read.
fn whole(url: &DatabaseUrl) -> DatabaseUrl {
    match url {
        DatabaseUrl::Sqlite(SqliteUrl { path }) => DatabaseUrl::file(std::path::absolute(path).unwrap_or(path.clone())),
        DatabaseUrl::Postgres(_) => url.clone(),
    }
}

fn is_same(from: &DatabaseUrl, to: &DatabaseUrl) -> bool {
    use std::os::unix::fs::MetadataExt;
    let file = |url: &DatabaseUrl| {
        let metadata = std::fs::metadata(&url.as_file()?.path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    from.to_string() == to.to_string() || file(from).is_some_and(|one| file(to) == Some(one))
}
