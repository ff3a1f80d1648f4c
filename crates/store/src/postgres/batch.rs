//! What one transaction decides: each command in its order, by the rules, on private copies of the accounts it locked.
//!
//! Nothing here touches the database. `facts` has brought in what decisions need to know, and `keep` writes what came of
//! them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ledger::{
    Account, AccountId, Command, Content, Earlier, Entry, Facts, Hold, Key, Kind, Minor, Named, Refusal, Subject, Time,
    Verdict, canonical, decide,
};
use serde_json::Value;

use super::session::Error;
use super::shared::Shared;
use crate::happened::Written;
use crate::watch::Watch;
use crate::{AccountNow, Outcome, Refused, RequestId, audit};

const SECOND_US: i64 = 1_000_000;

/// The transaction's knowledge, and what it decided so far.
#[derive(Default)]
pub(super) struct Batch {
    /// The database's clock, looked at after the accounts were locked.
    pub(super) now: Time,
    /// Whether commits wait for a standby.
    pub(super) has_standbys: bool,
    pub(super) drafts: BTreeMap<AccountId, Draft>,
    /// What keys did before, as far as they are looked for, and what they do here.
    pub(super) keys: HashMap<(AccountId, Key), Found>,
    pub(super) made: Made,
    /// When the holds were made that have ended and whose accounts have rules.
    pub(super) made_at: HashMap<(AccountId, u64), Time>,
    /// Whether there is something to deliver.
    pub(super) has_alerts: bool,
    /// How many refusals of one account are kept within a second, and for how many microseconds.
    pub(super) refusals_per_second: u32,
    pub(super) refusal_us: i64,
    /// The operator's own targets of alerts.
    pub(super) alert_targets: Arc<[String]>,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Made {
    pub(super) entries: Vec<Entry>,
    pub(super) refusals: Vec<Burnt>,
    pub(super) audit: Vec<Noted>,
    pub(super) alerts: Vec<(AccountId, Written)>,
}

/// An account as this transaction leaves it.
pub(super) struct Draft {
    pub(super) account: Account,
    pub(super) shows_available: bool,
    pub(super) metered: bool,
    /// Whether it has alert rules.
    pub(super) ruled: bool,
    /// What it used, where somebody wants to know, with its rules.
    pub(super) watch: Option<Box<Watch>>,
    /// Whether what its rules have reached is to be kept.
    pub(super) is_heard: bool,
    pub(super) is_changed: bool,
    /// Its open holds that have ended by now, in the order of their ends, until they have their entries.
    pub(super) due: Vec<Hold>,
    /// What is known of its entries that commands name or make here.
    pub(super) known: HashMap<u64, Known>,
    /// Its holds that this transaction makes, changes or (`None`) ends.
    pub(super) holds: BTreeMap<u64, Option<Hold>>,
    /// The second in which a movement was last refused, and how many refusals were kept in it.
    pub(super) refused: (i64, u32),
}

/// What an entry is to a command that names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    Open(Hold),
    Ended { by: Kind, at: Time },
    Spent { amount: Minor, refunded: Minor },
    Other,
}

/// What a key did.
pub(super) enum Found {
    Entry(Box<Entry>),
    Refusal { content: Content, refusal: Refusal, at: Time },
}

/// A refusal that uses its key up.
pub(super) struct Burnt {
    pub(super) account: AccountId,
    pub(super) key: Key,
    pub(super) content: Content,
    pub(super) refusal: Refusal,
    pub(super) by: ledger::Actor,
}

/// A row of the audit trail.
pub(super) struct Noted {
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) subject: String,
    pub(super) detail: String,
    pub(super) request_id: Option<RequestId>,
}

/// What came of a command.
pub(super) type Decided = Result<Outcome, Refused>;

impl Draft {
    pub(super) fn new(account: Account, shows_available: bool, metered: bool, refused: (i64, u32)) -> Draft {
        Draft {
            account,
            shows_available,
            metered,
            ruled: false,
            watch: None,
            is_heard: false,
            is_changed: false,
            due: Vec::new(),
            known: HashMap::new(),
            holds: BTreeMap::new(),
            refused,
        }
    }

    /// As everyone sees it when this is committed.
    pub(super) fn now(&self) -> AccountNow {
        let account = &self.account;
        AccountNow {
            id: account.id,
            currency: account.currency,
            posted: account.posted,
            held: account.held,
            credit_limit: account.credit_limit,
            status: account.status,
            number: account.number,
            shows_available: self.shows_available,
            metered: self.metered,
        }
    }

    fn subject(&self, number: u64) -> Option<Subject> {
        Some(match *self.known.get(&number)? {
            Known::Open(hold) => Subject::Open(hold),
            Known::Ended { by, at } => Subject::Ended { number, by, at },
            Known::Spent { amount, refunded } => Subject::Spent { number, amount, refunded },
            Known::Other => Subject::Other { number },
        })
    }

    /// Notes what an entry does to those that commands may name.
    fn learn(&mut self, entry: &Entry, held_before: Minor) {
        let (number, spent) = (entry.number, Known::Spent { amount: entry.amount, refunded: Minor::ZERO });
        let named = entry.target.map_or(0, |target| target.number);
        let itself = match (entry.kind, entry.expires_at) {
            (Kind::Hold, Some(expires_at)) => Known::Open(Hold { number, left: entry.amount, expires_at }),
            (Kind::Charge | Kind::Capture, _) => spent,
            _ => Known::Other,
        };
        if let Known::Open(hold) = itself {
            self.holds.insert(number, Some(hold));
        }
        self.known.insert(number, itself);
        match (entry.kind, self.known.get(&named)) {
            (Kind::Extend | Kind::Capture | Kind::Void | Kind::Expire, Some(Known::Open(hold))) => {
                let released = held_before.minus(entry.held_after).unwrap_or_default();
                let left = hold.left.minus(released).unwrap_or_default();
                let hold = Hold { left, expires_at: entry.expires_at.unwrap_or(hold.expires_at), ..*hold };
                let is_open = left > Minor::ZERO;
                let ended = Known::Ended { by: entry.kind, at: entry.at };
                self.known.insert(named, if is_open { Known::Open(hold) } else { ended });
                self.holds.insert(named, is_open.then_some(hold));
            }
            (Kind::Refund, Some(&Known::Spent { amount, refunded })) => {
                let refunded = refunded.plus(entry.amount).unwrap_or(amount);
                self.known.insert(named, Known::Spent { amount, refunded });
            }
            _ => {}
        }
    }
}

impl Found {
    pub(super) fn earlier(&self) -> Earlier {
        match self {
            // An entry under a key always has its content; the zero digest equals that of no command.
            Found::Entry(entry) => {
                Earlier { content: entry.content.unwrap_or(Content([0; 16])), number: Some(entry.number) }
            }
            Found::Refusal { content, .. } => Earlier { content: *content, number: None },
        }
    }
}

impl Batch {
    /// Nothing decided yet, by the node's own terms.
    pub(super) fn new(shared: &Shared) -> Batch {
        Batch {
            refusals_per_second: shared.refusals_per_second,
            refusal_us: shared.refusal_us,
            alert_targets: Arc::clone(&shared.alert_targets),
            ..Batch::default()
        }
    }

    /// Decides a command, and notes for the audit trail what it did where that is no ordinary movement.
    pub(super) fn perform(&mut self, command: &Command, request_id: Option<&RequestId>) -> Result<Decided, Error> {
        let by_hand = matches!(command.movement.kind(), Kind::Limit | Kind::Status | Kind::Adjust);
        let before = self.drafts.get(&command.account).filter(|_| by_hand).map(Draft::now);
        let decided = self.decided(command)?;
        if let (Some(before), Ok(Outcome { entry, replayed: false })) = (before, &decided) {
            let (action, detail) = audit::by_hand_done(entry, &before);
            self.note(command.by.as_str(), action, &audit::of_entry(entry), &detail, request_id);
        }
        Ok(decided)
    }

    /// Puts a row into the audit trail.
    pub(super) fn note(
        &mut self,
        actor: &str,
        action: &str,
        subject: &str,
        detail: &Value,
        request_id: Option<&RequestId>,
    ) {
        self.made.audit.push(Noted {
            actor: actor.into(),
            action: action.into(),
            subject: subject.into(),
            detail: detail.to_string(),
            request_id: request_id.cloned(),
        });
    }

    fn decided(&mut self, command: &Command) -> Result<Decided, Error> {
        let id = command.account;
        if !self.drafts.contains_key(&id) {
            let refusal = Refusal::UnknownAccount;
            return Ok(Err(Refused { refusal, replayed_from: None, account: None }));
        }
        let to = command.movement.to().filter(|to| self.drafts.contains_key(to));
        for id in [Some(id), to].into_iter().flatten() {
            self.expire_due(id)?;
        }
        let key = command.key.clone().map(|key| (id, key));
        let earlier = key.as_ref().and_then(|key| self.keys.get(key)).map(Found::earlier);
        let named = command.movement.named().and_then(|named| self.named(id, named));
        let verdict = {
            let account = self.drafts.get(&id).map(|draft| &draft.account);
            let to = to.and_then(|to| self.drafts.get(&to)).map(|draft| &draft.account);
            decide(&Facts { account, to, named, earlier }, command, self.now)
        };
        match verdict {
            Ok(Verdict::Replay) => match key.as_ref().and_then(|key| self.keys.get(key)) {
                Some(Found::Entry(entry)) => Ok(Ok(Outcome { entry: Entry::clone(entry), replayed: true })),
                Some(&Found::Refusal { refusal, at, .. }) => {
                    Ok(Err(Refused { refusal, replayed_from: Some(at), account: self.account_now(id) }))
                }
                None => unreachable!("the rules replay only what was found"),
            },
            Ok(Verdict::Entry { entry, other }) => {
                self.append(&entry)?;
                other.as_ref().map_or(Ok(()), |other| self.append(other))?;
                if let Some(key) = key {
                    self.keys.insert(key, Found::Entry(Box::new(entry.clone())));
                }
                Ok(Ok(Outcome { entry, replayed: false }))
            }
            Err(refusal) => {
                let refusal = self.burn(command, refusal, named);
                Ok(Err(Refused { refusal, replayed_from: None, account: self.account_now(id) }))
            }
        }
    }

    /// Gives the holds of an account that have ended their expire entries: no other entry may come before them (law 4).
    pub(super) fn expire_due(&mut self, id: AccountId) -> Result<(), Error> {
        let Some(draft) = self.drafts.get_mut(&id).filter(|draft| !draft.due.is_empty()) else { return Ok(()) };
        let due = std::mem::take(&mut draft.due);
        draft.known.extend(due.iter().map(|hold| (hold.number, Known::Open(*hold))));
        let entries = ledger::expire(&draft.account, &due, self.now);
        entries.iter().try_for_each(|entry| self.append(entry))
    }

    /// Folds an entry in, to be written with the rest.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let id = entry.account;
        let draft = self.drafts.get_mut(&id).ok_or_else(|| Error::Damage(format!("account {id} was not locked")))?;
        let held_before = draft.account.held;
        let before = draft.watch.as_ref().map(|_| draft.account.available());
        // The fold is written apart from the decision: an entry that does not fold is a bug, and must not be written.
        draft.account.apply(entry).map_err(|broken| Error::Damage(format!("account {id}: {broken}")))?;
        draft.learn(entry, held_before);
        draft.is_changed = true;
        self.made.entries.push(entry.clone());
        before.into_iter().for_each(|before| self.watch_entry(entry, before));
        Ok(())
    }

    /// Uses the key of a refused command up, if it is that kind of refusal and this account has not had too many of them
    /// within this second; then that is the refusal.
    fn burn(&mut self, command: &Command, refusal: Refusal, named: Option<Subject>) -> Refusal {
        let (true, Some(key)) = (refusal.burns_key(), &command.key) else { return refusal };
        let Some(draft) = self.drafts.get_mut(&command.account) else { return refusal };
        let second = self.now.micros().div_euclid(SECOND_US);
        let kept = if draft.refused.0 == second { draft.refused.1 } else { 0 };
        if kept >= self.refusals_per_second {
            return Refusal::TooManyRefusals;
        }
        draft.refused = (second, kept.saturating_add(1));
        draft.is_changed = true;
        let content = canonical::content(command, named.as_ref().map(Subject::number));
        let (account, at) = (command.account, self.now);
        self.keys.insert((account, key.clone()), Found::Refusal { content, refusal, at });
        self.made.refusals.push(Burnt { account, key: key.clone(), content, refusal, by: command.by.clone() });
        if let Refusal::InsufficientCredit { amount, .. } = refusal {
            self.watch_refusal(account, amount);
        }
        refusal
    }

    /// The entry that a command names, as it stands after all that this transaction did so far.
    fn named(&self, id: AccountId, named: &Named) -> Option<Subject> {
        let number = match named {
            Named::Number(number) => *number,
            Named::Key(key) => match self.keys.get(&(id, key.clone()))? {
                Found::Entry(entry) => entry.number,
                Found::Refusal { .. } => return None,
            },
        };
        self.drafts.get(&id)?.subject(number)
    }

    fn account_now(&self, id: AccountId) -> Option<AccountNow> {
        self.drafts.get(&id).map(Draft::now)
    }
}
