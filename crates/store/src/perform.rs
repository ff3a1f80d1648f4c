//! One command in a commit: its facts gathered, decided by the rules, and what comes of it written.

use ledger::{
    AccountId, Command, Earlier, Entry, Facts, Key, Kind, Minor, Named, Refusal, Subject, Target, Time, Verdict,
};
use ledger::{Hold, canonical, decide};

use crate::batch::Batch;
use crate::digest::{self, Scope};
use crate::holds::OpenHold;
use crate::memory::Accounts;
use crate::rows::{self, Settles, Stored, StoredRefusal, damage};
use crate::statement::{self, Last};
use crate::{KeyOutcome, Outcome, Refused};

/// A command, with what whoever brings it can find out while the writer is at something else.
pub(crate) struct Asked {
    pub(crate) command: Command,
    /// Its account's slot, which stays the same; `None` where there was no such account yet.
    pub(crate) slot: Option<u32>,
    /// Its key's.
    fingerprint: Option<u128>,
}

impl Asked {
    pub(crate) fn new(command: Command, accounts: &Accounts) -> Asked {
        let slot = accounts.slot_of(command.account);
        let fingerprint = command.key.as_ref().map(|key| digest::fingerprint(Scope::Account(command.account), key));
        Asked { command, slot, fingerprint }
    }
}

/// What a key did before.
pub(crate) enum Found {
    Entry(Box<Stored>),
    Refusal(StoredRefusal),
}

/// The entry that a command names, and where it lies.
struct NamedEntry {
    subject: Subject,
    row: i64,
}

impl Batch<'_> {
    /// Has the processor fetch what a command will look at first: it lies far apart, and mostly in no cache.
    pub(crate) fn approach(&self, asked: &Asked) {
        if let Some(slot) = asked.slot {
            self.shared.accounts.approach(slot);
            std::hint::black_box(self.heads[crate::load::index(slot)].at);
        }
        if let Some(fingerprint) = asked.fingerprint {
            self.loaded.follower.approach_key(fingerprint);
        }
    }

    /// Decides a command on an existing account and writes what comes of it.
    pub(crate) fn perform(&mut self, asked: &Asked) -> rusqlite::Result<Result<Outcome, Refused>> {
        let &Asked { ref command, slot, fingerprint } = asked;
        let Some(slot) = slot.or_else(|| self.slot_of(command.account)) else {
            let refusal = Refusal::UnknownAccount;
            return Ok(Err(Refused { refusal, replayed_from: None, account: None }));
        };
        let to = command.movement.to().and_then(|to| self.slot_of(to));
        for slot in [Some(slot), to].into_iter().flatten() {
            self.expire_due(slot, usize::MAX)?;
        }
        let found = self.find(fingerprint)?;
        let named = match command.movement.named() {
            Some(named) => self.named(slot, command.account, named)?,
            None => None,
        };
        let recipient = to.map(|to| self.draft(to).account.clone());
        let now = self.now;
        let account = &self.draft(slot).account;
        let facts = Facts {
            account: Some(account),
            to: recipient.as_ref(),
            named: named.as_ref().map(|named| named.subject),
            earlier: found.as_ref().map(Found::earlier),
        };
        match (decide(&facts, command, now), found) {
            (Ok(Verdict::Replay), Some(Found::Entry(stored))) => {
                Ok(Ok(Outcome { entry: stored.entry, replayed: true }))
            }
            (Ok(Verdict::Replay), Some(Found::Refusal(then))) => Ok(Err(Refused {
                refusal: then.refusal,
                replayed_from: Some(then.at),
                account: Some(self.account_now(slot)),
            })),
            (Ok(Verdict::Replay), None) => unreachable!("the rules replay only what was found"),
            (Ok(Verdict::Entry { entry, other }), _) => {
                self.keep(slot, &entry, fingerprint, named)?;
                if let (Some(other), Some(to)) = (other, to) {
                    self.append(to, &other, None, None)?;
                }
                Ok(Ok(Outcome { entry, replayed: false }))
            }
            (Err(refusal), _) => {
                let refusal = self.keep_refusal(slot, command, fingerprint, refusal, named.map(|it| it.subject))?;
                Ok(Err(Refused { refusal, replayed_from: None, account: Some(self.account_now(slot)) }))
            }
        }
    }

    /// What a key of an account has done, if it has done anything.
    pub(crate) fn outcome_of(&mut self, account: AccountId, key: &Key) -> rusqlite::Result<Option<KeyOutcome>> {
        let found = self.find(Some(digest::fingerprint(Scope::Account(account), key)))?;
        Ok(found.map(|found| match found {
            Found::Entry(stored) => KeyOutcome::Entry(Box::new(stored.entry)),
            Found::Refusal(then) => KeyOutcome::Refused { refusal: then.refusal, at: then.at },
        }))
    }

    /// Appends an entry, and keeps what it does to the hold or charge that it names.
    fn keep(
        &mut self,
        slot: u32,
        entry: &Entry,
        fingerprint: Option<u128>,
        named: Option<NamedEntry>,
    ) -> rusqlite::Result<()> {
        let row = self.next_row();
        let released = self.draft(slot).account.held.minus(entry.held_after);
        let settles = named.as_ref().and_then(|named| settles(named, entry, released));
        self.append(slot, entry, fingerprint, settles)?;
        let hold = match (entry.kind, named, settles, entry.expires_at) {
            (Kind::Hold, _, _, Some(expires_at)) => {
                let hold = Hold { number: entry.number, left: entry.amount, expires_at };
                Some((entry.number, Some(OpenHold { hold, row })))
            }
            (Kind::Extend | Kind::Capture | Kind::Void, Some(named), Some(settles), end) => {
                let Subject::Open(hold) = named.subject else { return Ok(()) };
                let left = settles.settled;
                let hold = Hold { left, expires_at: end.unwrap_or(hold.expires_at), ..hold };
                Some((hold.number, (left > Minor::ZERO).then_some(OpenHold { hold, row: named.row })))
            }
            _ => None,
        };
        self.draft(slot).holds.extend(hold);
        Ok(())
    }

    /// Uses the key of a refused command up, if it is that kind of refusal and this account has not had too many of them
    /// within this second; then that is the refusal.
    fn keep_refusal(
        &mut self,
        slot: u32,
        command: &Command,
        fingerprint: Option<u128>,
        refusal: Refusal,
        subject: Option<Subject>,
    ) -> rusqlite::Result<Refusal> {
        let (true, Some(key), Some(fingerprint)) = (refusal.burns_key(), &command.key, fingerprint) else {
            return Ok(refusal);
        };
        let kept = self.done.refused.entry(slot).or_default();
        if *kept + self.loaded.refused.within(self.now, slot) >= self.shared.refusals_per_second {
            return Ok(Refusal::TooManyRefusals);
        }
        *kept += 1;
        if let Refusal::InsufficientCredit { amount, .. } = refusal {
            self.watch_refusal(slot, amount)?;
        }
        let row = self.next_row();
        let content = canonical::content(command, subject.as_ref().map(Subject::number));
        rows::insert_refusal(self.db, row, command, key, content, &refusal, self.now)?;
        self.done.keys.insert(fingerprint, -row);
        self.done.rows += 1;
        Ok(refusal)
    }

    /// The entry that a command names, as it stands after all that this transaction did so far.
    fn named(&mut self, slot: u32, account: AccountId, named: &Named) -> rusqlite::Result<Option<NamedEntry>> {
        let stored = match named {
            Named::Number(number) => {
                if let Some(open) = self.open_hold(slot, *number) {
                    return Ok(Some(NamedEntry { subject: Subject::Open(open.hold), row: open.row }));
                }
                let draft = self.draft(slot);
                let last = Last { account, number: draft.account.number, row: draft.row };
                statement::stored(self.db, last, *number)?
            }
            Named::Key(key) => match self.find(Some(digest::fingerprint(Scope::Account(account), key)))? {
                Some(Found::Entry(stored)) => Some(*stored),
                Some(Found::Refusal(_)) | None => None,
            },
        };
        let Some(stored) = stored else { return Ok(None) };
        let (number, row) = (stored.entry.number, stored.row);
        let subject = match stored.entry.kind {
            Kind::Hold => match self.open_hold(slot, number) {
                Some(open) => Subject::Open(open.hold),
                None => {
                    let ended = || damage(format!("account {account}: nothing says what ended hold {number}"));
                    let end = self.newest_word(Target { account, number })?.ok_or_else(ended)?;
                    Subject::Ended { number, by: end.entry.kind, at: end.entry.at }
                }
            },
            Kind::Charge | Kind::Capture => {
                let newest = self.newest_word(Target { account, number })?;
                let settles = newest.and_then(|refund| refund.links.settles);
                let refunded = settles.map_or(Minor::ZERO, |settles| settles.settled);
                Subject::Spent { number, amount: stored.entry.amount, refunded }
            }
            Kind::Open
            | Kind::Limit
            | Kind::Status
            | Kind::Topup
            | Kind::Extend
            | Kind::Void
            | Kind::Expire
            | Kind::Refund
            | Kind::Transfer
            | Kind::Adjust => Subject::Other { number },
        };
        Ok(Some(NamedEntry { subject, row }))
    }

    /// The last refund of a charge or capture, or what ended a hold.
    fn newest_word(&self, on: Target) -> rusqlite::Result<Option<Stored>> {
        match self.row_of(digest::settled(on))? {
            Some(row) => rows::entry_at(self.db, row),
            None => Ok(None),
        }
    }

    fn row_of(&self, fingerprint: u128) -> rusqlite::Result<Option<i64>> {
        match self.done.keys.get(&fingerprint) {
            Some(&row) => Ok(Some(row)),
            None => self.loaded.follower.find_key(self.db, fingerprint),
        }
    }

    pub(crate) fn find(&self, fingerprint: Option<u128>) -> rusqlite::Result<Option<Found>> {
        let Some(fingerprint) = fingerprint else {
            return Ok(None);
        };
        match self.row_of(fingerprint)? {
            None => Ok(None),
            Some(row) if row > 0 => {
                let stored = rows::entry_at(self.db, row)?;
                let stored =
                    stored.ok_or_else(|| damage(format!("a key names row {row} of entries, which is gone")))?;
                Ok(Some(Found::Entry(Box::new(stored))))
            }
            Some(row) => {
                let lapsed_before = Time::from_micros(self.now.micros().saturating_sub(self.shared.refusal_us));
                let refusal = rows::refusal_at(self.db, -row)?;
                Ok(refusal.filter(|refusal| refusal.at >= lapsed_before).map(Found::Refusal))
            }
        }
    }
}

/// What an entry does to the entry that it names; `released` is how much less is held after it.
fn settles(named: &NamedEntry, entry: &Entry, released: Option<Minor>) -> Option<Settles> {
    let settled = match named.subject {
        Subject::Open(hold) => hold.left.minus(released?),
        Subject::Spent { refunded, .. } => refunded.plus(entry.amount),
        Subject::Ended { .. } | Subject::Other { .. } => None,
    };
    settled.map(|settled| Settles { target_row: named.row, settled })
}

impl Found {
    pub(crate) fn earlier(&self) -> Earlier {
        match self {
            // An entry under a key always has its content; the zero digest equals that of no command.
            Found::Entry(stored) => Earlier {
                content: stored.entry.content.unwrap_or(ledger::Content([0; 16])),
                number: Some(stored.entry.number),
            },
            Found::Refusal(refusal) => Earlier { content: refusal.content, number: None },
        }
    }

    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            Found::Entry(stored) => Some(stored.entry.account),
            Found::Refusal(_) => None,
        }
    }
}
