//! Holds, refunds and transfers, followed entry by entry: what `verify` knows beyond the fold of each account alone.
//!
//! Written apart from the rules that decide them. It reads each entry once, in the order of the log, and keeps what is open:
//! holds, what was given back of each charge, and the half of a transfer that still waits for the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ledger::{AccountId, Entry, Kind, Minor, Target, Time};
use rusqlite::Connection;

use crate::rows::{self, Settles, Stored};

/// A hold that has not ended yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open {
    left: Minor,
    expires_at: Time,
    row: i64,
}

/// What is open after the entries read so far.
#[derive(Default)]
pub(crate) struct Settlement {
    holds: BTreeMap<(AccountId, u64), Open>,
    ends: BTreeSet<(AccountId, Time, u64)>,
    refunded: HashMap<Target, Minor>,
    /// The side of a transfer that pays, until the other side has come.
    paid: Option<Box<Entry>>,
    /// Whether the entry before this one was not judged, so that nobody knows whether it paid.
    is_paid_unknown: bool,
}

type Checked = rusqlite::Result<Result<(), &'static str>>;

impl Settlement {
    /// Takes in the next entry of the log; `held` is what its account held before it. Says what about it cannot be true.
    pub(crate) fn check(&mut self, db: &Connection, stored: &Stored, held: Minor) -> Checked {
        let entry = &stored.entry;
        let is_paid_unknown = std::mem::take(&mut self.is_paid_unknown);
        match self.paid.take() {
            Some(paid) if !is_arrival(&paid, entry) => return Ok(Err("the transfer before it has no other side")),
            None if entry.kind == Kind::Transfer && entry.amount > Minor::ZERO && !is_paid_unknown => {
                return Ok(Err("no transfer that pays it stands before it"));
            }
            Some(_) | None => {}
        }
        if self.has_overdue(entry) {
            return Ok(Err("a hold of its account had ended before it and has no expire entry there"));
        }
        match entry.kind {
            Kind::Hold => {
                let Some(expires_at) = entry.expires_at else { return Ok(Err("it has no end")) };
                self.put(entry.account, entry.number, Some(Open { left: entry.amount, expires_at, row: stored.row }));
                Ok(Ok(()))
            }
            Kind::Extend | Kind::Capture | Kind::Void | Kind::Expire => Ok(self.touch(stored, held)),
            Kind::Refund => self.refund(db, stored),
            Kind::Transfer if entry.amount < Minor::ZERO => {
                self.paid = Some(Box::new(entry.clone()));
                Ok(Ok(()))
            }
            // An arrival whose other side stands right before it was taken above.
            Kind::Transfer | Kind::Open | Kind::Limit | Kind::Status | Kind::Topup | Kind::Charge | Kind::Adjust => {
                Ok(Ok(()))
            }
        }
    }

    /// Notes an entry that is not judged, since it or one before it in its account is not true.
    pub(crate) fn pass_over(&mut self) {
        self.paid = None;
        self.is_paid_unknown = true;
    }

    /// Whether a hold has ended by the time of an entry that is not its expire entry: those come first (law 4).
    fn has_overdue(&self, entry: &Entry) -> bool {
        let mut ends = self.ends.range((entry.account, Time::from_micros(i64::MIN), 0)..);
        match ends.next() {
            Some(&(account, end, number)) if account == entry.account && end <= entry.at => {
                entry.kind != Kind::Expire || entry.target != Some(Target { account, number })
            }
            _ => false,
        }
    }

    fn touch(&mut self, stored: &Stored, held: Minor) -> Result<(), &'static str> {
        let entry = &stored.entry;
        let target = entry.target.ok_or("it names no hold")?;
        let open = self.holds.get(&(target.account, target.number)).copied().ok_or("it names no open hold")?;
        let (left, expires_at) = left_of_hold(entry, open.left, open.expires_at, held)?;
        let is_open = left > Minor::ZERO;
        self.put(target.account, target.number, is_open.then_some(Open { left, expires_at, row: open.row }));
        if stored.links.settles == Some(Settles { target_row: open.row, settled: left }) {
            Ok(())
        } else {
            Err("what its row says of its hold is not so")
        }
    }

    fn refund(&mut self, db: &Connection, stored: &Stored) -> Checked {
        let entry = &stored.entry;
        let (Some(target), Some(settles)) = (entry.target, stored.links.settles) else {
            return Ok(Err("it names no charge"));
        };
        let Ok(Some(charge)) = rows::sound(rows::entry_at(db, settles.target_row))? else {
            return Ok(Err("the charge that it names is gone, or does not read as one"));
        };
        let is_it = (charge.entry.account, charge.entry.number) == (target.account, target.number);
        if !is_it || !matches!(charge.entry.kind, Kind::Charge | Kind::Capture) {
            return Ok(Err("its row does not lead to the charge that it names"));
        }
        let before = self.refunded.get(&target).copied().unwrap_or_default();
        let Some(refunded) = before.plus(entry.amount).filter(|sum| *sum <= charge.entry.amount) else {
            return Ok(Err("more is given back than the charge was"));
        };
        self.refunded.insert(target, refunded);
        Ok(if settles.settled == refunded { Ok(()) } else { Err("what its row says was given back is not the sum") })
    }

    fn put(&mut self, account: AccountId, number: u64, open: Option<Open>) {
        let before = match open {
            Some(open) => self.holds.insert((account, number), open),
            None => self.holds.remove(&(account, number)),
        };
        if let Some(before) = before {
            self.ends.remove(&(account, before.expires_at, number));
        }
        if let Some(open) = open {
            self.ends.insert((account, open.expires_at, number));
        }
    }

    /// Holds the table of open holds, as of the same row, against what is open here; gives what differs.
    pub(crate) fn differences(&self, table: &BTreeMap<(AccountId, u64), Open>) -> Vec<(AccountId, u64)> {
        let missing = self.holds.iter().filter(|(name, open)| table.get(name) != Some(open)).map(|(name, _)| *name);
        let extra = table.keys().filter(|name| !self.holds.contains_key(name)).copied();
        missing.chain(extra).collect()
    }

    /// The side of a transfer whose other side never came.
    pub(crate) fn unanswered(&self) -> Option<&Entry> {
        self.paid.as_deref()
    }
}

/// Whether `entry` is the other side of the transfer `paid`: it has no key of its own and names the one that it comes from.
fn is_arrival(paid: &Entry, entry: &Entry) -> bool {
    let here = Target { account: entry.account, number: entry.number };
    entry.kind == Kind::Transfer
        && entry.key.is_none()
        && paid.target == Some(here)
        && entry.target == Some(Target { account: paid.account, number: paid.number })
        && paid.amount.plus(entry.amount) == Some(Minor::ZERO)
}

/// The table of open holds; a row that does not read as one is left out, and so differs.
pub(crate) fn open_holds(db: &Connection) -> rusqlite::Result<BTreeMap<(AccountId, u64), Open>> {
    let mut select = db.prepare("SELECT account, number, entry, remaining, expires_at FROM open_holds")?;
    let mut found = select.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = found.next()? {
        let account = row.get(0).ok().and_then(AccountId::new);
        let number = row.get::<_, i64>(1).ok().and_then(|number| u64::try_from(number).ok());
        let (Some(account), Some(number), Some(left)) = (account, number, row.get(3).ok().and_then(Minor::new)) else {
            continue;
        };
        let open = Open { left, expires_at: Time::from_micros(row.get(4)?), row: row.get(2)? };
        all.insert((account, number), open);
    }
    Ok(all)
}

/// What an entry leaves of the open hold that it names, and until when; `held` is what the account held before it. The error
/// says what is wrong with the entry.
pub(crate) fn left_of_hold(
    entry: &Entry,
    left: Minor,
    expires_at: Time,
    held: Minor,
) -> Result<(Minor, Time), &'static str> {
    let released = held.minus(entry.held_after).ok_or("what it releases is no figure")?;
    let fits = match entry.kind {
        Kind::Extend => entry.expires_at.is_some_and(|end| end >= expires_at),
        Kind::Capture => entry.amount <= left && (released == entry.amount || released == left),
        Kind::Expire => entry.amount == left && entry.at >= expires_at,
        Kind::Void => entry.amount == left,
        Kind::Open | Kind::Limit | Kind::Status | Kind::Topup | Kind::Charge | Kind::Hold => false,
        Kind::Refund | Kind::Transfer | Kind::Adjust => false,
    };
    if !fits {
        return Err("it does not fit what was left of its hold");
    }
    let left = left.minus(released).ok_or("what is left of its hold is no figure")?;
    Ok((left, entry.expires_at.unwrap_or(expires_at)))
}
