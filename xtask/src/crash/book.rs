//! The checker's own list: every command that was sent, every answer that came, every figure that was read.
//!
//! It holds answers against each other as they come. What only the restarted server can tell is the audit's part. It
//! shares nothing with the ledger but the published contract.

use std::collections::HashMap;
use std::sync::Arc;

use super::command::Command;
use crate::operator::{Account, Answer, Entry, figure};

/// Everything known about one key.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) command: Arc<Command>,
    /// The entry that it made, as first acknowledged, or as a later audit found it.
    pub(crate) entry: Option<Entry>,
    /// Whether any caller was told of that entry.
    pub(crate) acknowledged: bool,
    /// The refusal's name and the figure that explains it, as first answered.
    pub(crate) refusal: Option<(String, Option<i64>)>,
    /// Whether a restarted server had its entry: from then on every answer must say that it is replayed.
    pub(crate) audited: bool,
    /// Whether it was put on top of the deck after a restart.
    pub(crate) resent: bool,
    /// How many answers claimed to be the first.
    firsts: u32,
}

/// A figure that a reader saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Figure {
    /// From the operator API: exact, in minor units, with the number of the account's last entry.
    Posted(i64, u64),
    /// From GetBalance: whole units.
    Shown(i64),
}

/// A figure, and the last entry that had been acknowledged before it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) figure: Figure,
    pub(crate) floor: u64,
}

/// What is known about one account.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) account: Account,
    /// Its entries as of the last audit, in order from number 1.
    pub(crate) entries: Vec<Entry>,
    /// The greatest entry number that a caller was told.
    pub(crate) acknowledged: u64,
    /// What readers saw since the last audit.
    pub(crate) sightings: Vec<Sighting>,
}

/// The list.
pub(crate) struct Book {
    pub(crate) pages: Vec<Page>,
    pub(crate) records: HashMap<String, Record>,
    /// Keys sent since the last audit.
    pub(crate) touched: Vec<String>,
    /// What contradicts the laws, in the order it was noticed.
    pub(crate) findings: Vec<String>,
    pub(crate) unanswered: u64,
}

impl Book {
    pub(crate) fn new(accounts: &[Account]) -> Book {
        let page = |account: &Account| Page {
            account: account.clone(),
            entries: Vec::new(),
            acknowledged: 0,
            sightings: Vec::new(),
        };
        Book {
            pages: accounts.iter().map(page).collect(),
            records: HashMap::new(),
            touched: Vec::new(),
            findings: Vec::new(),
            unanswered: 0,
        }
    }

    /// To be called before a command goes out.
    pub(crate) fn sent(&mut self, command: &Arc<Command>) {
        self.records.entry(command.key.clone()).or_insert_with(|| Record {
            command: Arc::clone(command),
            entry: None,
            acknowledged: false,
            refusal: None,
            audited: false,
            resent: false,
            firsts: 0,
        });
        self.touched.push(command.key.clone());
    }

    /// To be called with every answer to a command that was sent as it stands.
    pub(crate) fn answered(&mut self, command: &Command, answer: &Answer) {
        let verdict = match answer.status {
            200 | 201 => self.acknowledge(command, answer),
            409 | 422 => self.refuse(command, answer),
            _ => Err(format!("neither done nor refused, though nothing was wrong: {answer:?}")),
        };
        if let Err(what) = verdict {
            self.find(format!("{what}\n  command: {command:?}\n  known: {:?}", self.records.get(&command.key)));
        }
    }

    /// To be called with the answer to a known key that was sent with other content.
    pub(crate) fn misused(&mut self, command: &Command, answer: &Answer) {
        if (answer.status, answer.slug()) != (422, "key_reused") {
            self.find(format!("a key was taken for other content\n  original: {command:?}\n  answer: {answer:?}"));
        }
    }

    /// Whether the outcome of a key is known.
    pub(crate) fn is_decided(&self, key: &str) -> bool {
        self.records.get(key).is_some_and(|record| record.entry.is_some() || record.refusal.is_some())
    }

    pub(crate) fn find(&mut self, what: String) {
        self.findings.push(what);
    }

    fn acknowledge(&mut self, command: &Command, answer: &Answer) -> Result<(), String> {
        let entry = Entry::read(&answer.body["entry"]).map_err(|error| error.to_string())?;
        let record = self.records.get_mut(&command.key).ok_or("an answer to nothing that was sent")?;
        let replayed = answer.replayed();
        if replayed != (answer.status == 200) {
            return Err(format!("status {} with replayed: {replayed}", answer.status));
        }
        matches(command, &entry)?;
        if figure(&answer.body["account"], "posted") != Some(entry.posted_after) {
            return Err(format!("the account's figures are not those right after the entry: {answer:?}"));
        }
        if record.refusal.is_some() {
            return Err(format!("done after it had been refused: {entry:?}"));
        }
        if let Some(first) = record.entry.as_ref().filter(|first| **first != entry) {
            return Err(format!("one key, two entries\n  first: {first:?}\n  now: {entry:?}"));
        }
        record.firsts += u32::from(!replayed);
        if record.firsts > 1 || (!replayed && record.audited) {
            return Err(format!("made once more: {entry:?}"));
        }
        record.acknowledged = true;
        let page = &mut self.pages[command.account];
        page.acknowledged = page.acknowledged.max(entry.number);
        record.entry = Some(entry);
        Ok(())
    }

    fn refuse(&mut self, command: &Command, answer: &Answer) -> Result<(), String> {
        let record = self.records.get_mut(&command.key).ok_or("an answer to nothing that was sent")?;
        if answer.slug() != "insufficient_credit" {
            return Err(format!("refused for a reason that does not hold: {answer:?}"));
        }
        if let Some(entry) = &record.entry {
            return Err(format!("refused after it had been done: {entry:?}, now {answer:?}"));
        }
        let refusal = (answer.slug().to_owned(), figure(&answer.body, "available"));
        let first = record.refusal.get_or_insert_with(|| refusal.clone());
        if *first != refusal {
            return Err(format!("one key, two refusals: first {first:?}, now {answer:?}"));
        }
        if refusal.1.is_none_or(|available| available >= command.amount) {
            return Err(format!("refused though the credit was there: {answer:?}"));
        }
        Ok(())
    }
}

/// Whether `entry` is what `command` asked for.
pub(crate) fn matches(command: &Command, entry: &Entry) -> Result<(), String> {
    let same = entry.key.as_deref() == Some(command.key.as_str())
        && entry.kind == command.kind.name()
        && entry.amount == command.amount;
    if same { Ok(()) } else { Err(format!("an entry that is not what was asked for: {entry:?}, asked {command:?}")) }
}
