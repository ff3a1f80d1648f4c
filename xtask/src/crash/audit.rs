//! What a restarted server has, held against the list, while nobody else calls it.
//!
//! Each account's statement is read from where the last audit ended, so that an audit costs what the round cost. The
//! arithmetic is done again here, from the commands as they were sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::book::{Book, Figure, Page, matches};
use super::command::{Command, Kind};
use crate::http::Connection;
use crate::money;
use crate::operator::{Entry, Operator, get_balance};
use crate::server::Server;

/// Compares everything; contradictions become findings in the book. An error means that the server did not answer.
pub(crate) fn audit(book: &mut Book, server: &Server) -> Result<()> {
    let mut operator = Operator::open(&server.socket).context("the restarted server takes no connection")?;
    let mut public = Connection::open(&server.public).context("the restarted server takes no connection")?;
    for account in 0..book.pages.len() {
        let page = &book.pages[account];
        let from = page.entries.last().map(|entry| entry.at.clone());
        let known = page.entries.len();
        let tail = operator.statement(page.account.id, from.as_deref())?;
        let new: Vec<Entry> = tail.into_iter().filter(|entry| entry.number > known as u64).collect();
        append(book, account, new);
        let page = &book.pages[account];
        let (posted, last) = page.entries.last().map_or((0, 0), |entry| (entry.posted_after, entry.number));
        let (answered, last_answered) = operator.balance(page.account.id)??;
        let read = [
            (Figure::Posted(answered, last_answered), Figure::Posted(posted, last)),
            (Figure::Shown(get_balance(&mut public, &page.account)??), Figure::Shown(money::shown(posted))),
        ];
        for (answered, right) in read {
            if answered != right {
                book.find(format!(
                    "account {}: read {answered:?}, its entries say {right:?}",
                    account_id(book, account)
                ));
            }
        }
        explain_sightings(book, account);
    }
    settle(book);
    Ok(())
}

/// Takes new entries into the account's page: numbers without a gap, sums that add up, no key twice, only what was
/// asked for.
pub(crate) fn append(book: &mut Book, account: usize, new: Vec<Entry>) {
    for entry in new {
        if let Err(what) = append_one(book, account, &entry) {
            book.find(format!("account {}: {what}\n  entry: {entry:?}", account_id(book, account)));
        }
        book.pages[account].entries.push(entry);
    }
}

fn append_one(book: &mut Book, account: usize, entry: &Entry) -> Result<(), String> {
    let page = &book.pages[account];
    let before = page.entries.last().map_or(0, |entry| entry.posted_after);
    if entry.number != page.entries.len() as u64 + 1 {
        return Err(format!("the entry after number {} is missing", page.entries.len()));
    }
    if page.entries.last().is_some_and(|last| last.at > entry.at) {
        return Err("its time precedes that of the entry before it".into());
    }
    if entry.number == 1 {
        return if entry.kind == "open" { Ok(()) } else { Err("the first entry does not open the account".into()) };
    }
    let key = entry.key.as_deref().unwrap_or_default();
    let record = book.records.get_mut(key).ok_or("an entry that nobody asked for")?;
    if record.audited {
        return Err(format!("its key made an entry before: {:?}", record.entry));
    }
    matches(&record.command, entry)?;
    if record.command.account != account {
        return Err(format!("it belongs to another account: {:?}", record.command));
    }
    if entry.posted_after != before + record.command.effect() {
        return Err(format!("posted was {} before it, in minor units: the sum is wrong", before));
    }
    if record.command.kind == Kind::Charge && entry.posted_after + page.account.credit_limit < 0 {
        return Err(format!("an overdraft: the limit is {}", page.account.credit_limit));
    }
    if let Some(refusal) = &record.refusal {
        return Err(format!("its caller had been told that it was refused: {refusal:?}"));
    }
    record.audited = true;
    match &record.entry {
        Some(told) if told != entry => Err(format!("its caller had been told of another entry: {told:?}")),
        _ => {
            record.entry = Some(entry.clone());
            Ok(())
        }
    }
}

/// Every acknowledged key of the round must have been found by now.
pub(crate) fn settle(book: &mut Book) {
    let touched: BTreeSet<String> = std::mem::take(&mut book.touched).into_iter().collect();
    for key in &touched {
        let record = &book.records[key];
        if record.acknowledged && !record.audited {
            let what = format!("acknowledged and lost\n  told: {:?}\n  command: {:?}", record.entry, record.command);
            book.find(what);
        }
    }
}

/// Every figure that a reader saw must be that of an entry which is still there, and not of one before what had been
/// acknowledged when the reader asked.
pub(crate) fn explain_sightings(book: &mut Book, account: usize) {
    let sightings = std::mem::take(&mut book.pages[account].sightings);
    for sighting in sightings {
        let page = &book.pages[account];
        if !is_explained(page, sighting.figure, sighting.floor) {
            let last: Vec<_> = page.entries.iter().rev().take(3).collect();
            let what = format!(
                "account {}: a reader saw {:?}, asked after entry {} was acknowledged; no entry from there on explains \
                 it\n  last entries, newest first: {last:?}",
                page.account.id, sighting.figure, sighting.floor
            );
            book.find(what);
        }
    }
}

fn is_explained(page: &Page, figure: Figure, floor: u64) -> bool {
    let candidates = page.entries.iter().rev().take_while(|entry| entry.number >= floor.max(1));
    candidates.into_iter().any(|entry| match figure {
        Figure::Posted(posted, last) => (posted, last) == (entry.posted_after, entry.number),
        Figure::Shown(shown) => shown == money::shown(entry.posted_after),
    })
}

/// What callers are to send again after a restart: the commands in doubt, and the decided ones of the round that ended,
/// each of these once.
pub(crate) fn to_resend(book: &mut Book) -> (Vec<Arc<Command>>, Vec<Arc<Command>>) {
    let keys: BTreeSet<String> = book.touched.iter().cloned().collect();
    let (mut in_doubt, mut decided) = (Vec::new(), Vec::new());
    for key in keys {
        let is_decided = book.is_decided(&key);
        let record = book.records.get_mut(&key).expect("what was sent has a record");
        if !is_decided {
            in_doubt.push(Arc::clone(&record.command));
        } else if !record.resent {
            record.resent = true;
            decided.push(Arc::clone(&record.command));
        }
    }
    (in_doubt, decided)
}

fn account_id(book: &Book, account: usize) -> u64 {
    book.pages[account].account.id
}
