//! Holds and refunds of one account, followed entry by entry: what `verify` knows beyond the fold.
//!
//! Written apart from the rules that decide them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ledger::{Entry, Hold, Kind, Minor, Time};

use crate::settlement::left_of_hold;

/// What is open after the entries read so far.
#[derive(Default)]
pub(super) struct Settlement {
    holds: BTreeMap<u64, Hold>,
    ends: BTreeSet<(Time, u64)>,
    /// What was given back of charges and captures.
    given: HashMap<u64, Minor>,
}

impl Settlement {
    /// Takes in the next entry; `held` is what the account held before it, `charge` the entry that a refund names. Says what
    /// about it cannot be true.
    pub(super) fn check(&mut self, entry: &Entry, held: Minor, charge: Option<&Entry>) -> Result<(), &'static str> {
        if self.has_overdue(entry) {
            return Err("a hold of its account had ended before it and has no expire entry there");
        }
        match entry.kind {
            Kind::Hold => {
                let expires_at = entry.expires_at.ok_or("it has no end")?;
                self.put(entry.number, Some(Hold { number: entry.number, left: entry.amount, expires_at }));
                Ok(())
            }
            Kind::Extend | Kind::Capture | Kind::Void | Kind::Expire => self.touch(entry, held),
            Kind::Refund => self.refund(entry, charge),
            Kind::Open | Kind::Limit | Kind::Status | Kind::Topup | Kind::Charge | Kind::Transfer | Kind::Adjust => {
                Ok(())
            }
        }
    }

    /// Whether a hold has ended by the time of an entry that is not its expire entry: those come first (law 4).
    fn has_overdue(&self, entry: &Entry) -> bool {
        self.ends.first().is_some_and(|&(end, number)| {
            end <= entry.at && (entry.kind != Kind::Expire || entry.target.is_none_or(|target| target.number != number))
        })
    }

    fn touch(&mut self, entry: &Entry, held: Minor) -> Result<(), &'static str> {
        let target = entry.target.ok_or("it names no hold")?;
        let open = self.holds.get(&target.number).copied().ok_or("it names no open hold")?;
        let (left, expires_at) = left_of_hold(entry, open.left, open.expires_at, held)?;
        self.put(target.number, (left > Minor::ZERO).then_some(Hold { number: target.number, left, expires_at }));
        Ok(())
    }

    fn refund(&mut self, entry: &Entry, charge: Option<&Entry>) -> Result<(), &'static str> {
        let charge = charge.filter(|charge| matches!(charge.kind, Kind::Charge | Kind::Capture));
        let charge = charge.ok_or("it names no charge or capture")?;
        let given = self.given.entry(charge.number).or_default();
        let sum = given.plus(entry.amount).filter(|sum| *sum <= charge.amount);
        *given = sum.ok_or("more is given back than the charge was")?;
        Ok(())
    }

    fn put(&mut self, number: u64, open: Option<Hold>) {
        let before = match open {
            Some(open) => self.holds.insert(number, open),
            None => self.holds.remove(&number),
        };
        if let Some(before) = before {
            self.ends.remove(&(before.expires_at, number));
        }
        if let Some(open) = open {
            self.ends.insert((open.expires_at, number));
        }
    }

    /// The numbers of holds in which the table of open holds differs from what is open here.
    pub(super) fn differences(&self, table: &BTreeMap<u64, Hold>) -> Vec<u64> {
        let missing =
            self.holds.iter().filter(|(number, hold)| table.get(number) != Some(hold)).map(|(number, _)| *number);
        let extra = table.keys().filter(|number| !self.holds.contains_key(number)).copied();
        missing.chain(extra).collect()
    }
}
