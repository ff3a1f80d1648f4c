//! The least that a storage engine does around the rules: it keeps entries in memory, gathers facts from them, and looks
//! at every entry anew to know what became of a hold or a charge.

use std::collections::BTreeMap;

use ledger::{
    Account, AccountId, Command, Earlier, Entry, Facts, Hold, Key, Kind, Minor, Named, Refusal, Subject, Time, Verdict,
    decide, expire,
};

use crate::make;

/// Accounts with their entries, and what keys did.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) entries: BTreeMap<AccountId, Vec<Entry>>,
    keys: BTreeMap<(AccountId, Key), Earlier>,
}

/// What came of a command that was not refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Done {
    Entry(Box<Entry>, Option<Box<Entry>>),
    Replay,
}

impl Book {
    /// Lets the rules decide, and keeps what they decided.
    pub(crate) fn perform(&mut self, command: &Command, now: Time) -> Result<Done, Refusal> {
        self.expire(command.account, now);
        if let Some(to) = command.movement.to() {
            self.expire(to, now);
        }
        let key = command.key.clone().map(|key| (command.account, key));
        let facts = Facts {
            account: self.accounts.get(&command.account),
            to: command.movement.to().and_then(|to| self.accounts.get(&to)),
            named: command.movement.named().and_then(|named| self.named(command.account, named)),
            earlier: key.as_ref().and_then(|key| self.keys.get(key)).copied(),
        };
        let number = facts.named.as_ref().map(Subject::number);
        let content = ledger::canonical::content(command, number);
        let verdict = decide(&facts, command, now);
        assert_eq!(verdict, decide(&facts, command, now), "the same facts give the same verdict");
        match verdict {
            Ok(Verdict::Replay) => Ok(Done::Replay),
            Ok(Verdict::Entry { entry, other }) => {
                assert_eq!(entry.content, command.key.as_ref().map(|_| content));
                let earlier = Earlier { content, number: Some(entry.number) };
                self.keys.extend(key.map(|key| (key, earlier)));
                [Some(&entry), other.as_ref()].into_iter().flatten().for_each(|entry| self.keep(entry));
                Ok(Done::Entry(Box::new(entry), other.map(Box::new)))
            }
            Err(refusal) => {
                if refusal.burns_key() {
                    self.keys.extend(key.map(|key| (key, Earlier { content, number: None })));
                }
                Err(refusal)
            }
        }
    }

    /// Writes the expire entries of what is due.
    pub(crate) fn expire(&mut self, id: AccountId, now: Time) -> usize {
        let Some(account) = self.accounts.get(&id) else { return 0 };
        let mut due: Vec<Hold> = self.open_holds(id).into_iter().filter(|hold| hold.is_due(now)).collect();
        due.sort_by_key(|hold| (hold.expires_at, hold.number));
        let entries = expire(account, &due, now);
        assert_eq!(entries.len(), due.len());
        entries.iter().for_each(|entry| self.keep(entry));
        entries.len()
    }

    /// The open holds of an account, as its entries tell them.
    pub(crate) fn open_holds(&self, id: AccountId) -> Vec<Hold> {
        let holds = self.entries.get(&id).into_iter().flatten().filter(|entry| entry.kind == Kind::Hold);
        holds.filter_map(|entry| self.hold(entry)).collect()
    }

    fn hold(&self, entry: &Entry) -> Option<Hold> {
        let mut left = entry.amount;
        let mut expires_at = entry.expires_at.expect("a hold has an end");
        let mut held = entry.held_after;
        for later in self.entries.get(&entry.account)?.iter().filter(|later| later.number > entry.number) {
            if later.target.is_some_and(|target| target.number == entry.number) && later.kind != Kind::Transfer {
                left = left.minus(held.minus(later.held_after)?)?;
                expires_at = later.expires_at.unwrap_or(expires_at);
            }
            held = later.held_after;
        }
        (left > Minor::ZERO).then_some(Hold { number: entry.number, left, expires_at })
    }

    fn named(&self, id: AccountId, named: &Named) -> Option<Subject> {
        let of_key = |key: &Key| self.keys.get(&(id, key.clone())).and_then(|earlier| earlier.number);
        let number = match named {
            Named::Number(number) => *number,
            Named::Key(key) => of_key(key)?,
        };
        let entries = self.entries.get(&id)?;
        let entry = entries.iter().find(|entry| entry.number == number)?;
        let about =
            |later: &&Entry| later.kind != Kind::Transfer && later.target.is_some_and(|target| target.number == number);
        let about = || entries.iter().filter(about);
        if entry.kind == Kind::Hold {
            let end = || about().next_back().expect("something ended it");
            return Some(match self.hold(entry) {
                Some(hold) => Subject::Open(hold),
                None => Subject::Ended { number, by: end().kind, at: end().at },
            });
        }
        if entry.kind == Kind::Charge || entry.kind == Kind::Capture {
            let refunded = about().try_fold(Minor::ZERO, |sum, refund| sum.plus(refund.amount))?;
            return Some(Subject::Spent { number, amount: entry.amount, refunded });
        }
        Some(Subject::Other { number })
    }

    fn keep(&mut self, entry: &Entry) {
        let after = make::folded(self.accounts.get(&entry.account), entry);
        self.accounts.insert(entry.account, after);
        self.entries.entry(entry.account).or_default().push(entry.clone());
    }
}
