//! The checker itself: what it must let pass, and what it must find.

use std::sync::Arc;

use serde_json::{Value, json};

use super::audit::{append, explain_sightings, settle};
use super::book::{Book, Figure, Sighting};
use super::command::{Command, Kind};
use crate::money::decimal;
use crate::operator::{Account, Answer, Entry};

const TOPUP: (Kind, i64) = (Kind::Topup, 500);
const CHARGE: (Kind, i64) = (Kind::Charge, 200);

fn book() -> Book {
    let account = Account { id: 1000, credit_limit: 0, api_key: "A".into(), secret_key: "B".into() };
    let mut book = Book::new(&[account]);
    let open = Entry {
        number: 1,
        kind: "open".into(),
        amount: 0,
        posted_after: 0,
        at: "2025-01-01T00:00:00Z".into(),
        key: None,
        hash: "h1".into(),
    };
    append(&mut book, 0, vec![open]);
    book
}

fn send(book: &mut Book, key: &str, (kind, amount): (Kind, i64)) -> Arc<Command> {
    let command = Arc::new(Command { account: 0, account_id: 1000, kind, amount, key: key.into() });
    book.sent(&command);
    command
}

fn entry(command: &Command, number: u64, posted_after: i64) -> Entry {
    Entry {
        number,
        kind: command.kind.name().into(),
        amount: command.amount,
        posted_after,
        at: format!("2025-01-01T00:00:0{number}Z"),
        key: Some(command.key.clone()),
        hash: format!("h{number}"),
    }
}

fn done(entry: &Entry, replayed: bool) -> Answer {
    let posted = decimal(entry.posted_after);
    let shape: Value = json!({
        "number": entry.number, "kind": entry.kind, "amount": decimal(entry.amount), "posted_after": posted,
        "at": entry.at, "key": entry.key, "hash": entry.hash,
    });
    let body = json!({ "entry": shape, "account": { "posted": posted }, "replayed": replayed });
    Answer { status: if replayed { 200 } else { 201 }, body }
}

fn refused(available: i64) -> Answer {
    Answer { status: 409, body: json!({ "slug": "insufficient_credit", "available": decimal(available) }) }
}

#[track_caller]
fn clean(book: &Book) {
    assert_eq!(book.findings, Vec::<String>::new());
}

#[track_caller]
fn found(book: &Book, what: &str) {
    assert!(book.findings.iter().any(|finding| finding.contains(what)), "{:?}", book.findings);
}

#[test]
fn what_is_kept_passes() {
    let mut book = book();
    let topup = send(&mut book, "k1", TOPUP);
    let charge = send(&mut book, "k2", CHARGE);
    let unanswered = send(&mut book, "k3", CHARGE);
    let entries = [entry(&topup, 2, 500), entry(&charge, 3, 300), entry(&unanswered, 4, 100)];
    book.answered(&topup, &done(&entries[0], true));
    book.answered(&topup, &done(&entries[0], false));
    book.answered(&charge, &done(&entries[1], false));
    book.pages[0].sightings.push(Sighting { figure: Figure::Shown(3), floor: 3 });
    append(&mut book, 0, entries.to_vec());
    explain_sightings(&mut book, 0);
    settle(&mut book);
    book.answered(&unanswered, &done(&entries[2], true));
    clean(&book);
}

#[test]
fn an_acknowledged_movement_that_is_gone_is_found() {
    let mut book = book();
    let topup = send(&mut book, "k1", TOPUP);
    book.answered(&topup, &done(&entry(&topup, 2, 500), false));
    settle(&mut book);
    found(&book, "acknowledged and lost");
}

#[test]
fn another_movement_in_its_place_is_found() {
    let mut book = book();
    let (topup, charge) = (send(&mut book, "k1", TOPUP), send(&mut book, "k2", TOPUP));
    book.answered(&topup, &done(&entry(&topup, 2, 500), false));
    append(&mut book, 0, vec![entry(&charge, 2, 500)]);
    settle(&mut book);
    found(&book, "acknowledged and lost");
}

#[test]
fn a_movement_made_twice_is_found() {
    let mut twice = book();
    let topup = send(&mut twice, "k1", TOPUP);
    twice.answered(&topup, &done(&entry(&topup, 2, 500), false));
    twice.answered(&topup, &done(&entry(&topup, 3, 1000), false));
    found(&twice, "one key, two entries");

    let mut in_statement = book();
    let topup = send(&mut in_statement, "k1", TOPUP);
    append(&mut in_statement, 0, vec![entry(&topup, 2, 500), entry(&topup, 3, 1000)]);
    found(&in_statement, "its key made an entry before");

    let mut again = book();
    let topup = send(&mut again, "k1", TOPUP);
    append(&mut again, 0, vec![entry(&topup, 2, 500)]);
    again.answered(&topup, &done(&entry(&topup, 2, 500), false));
    found(&again, "made once more");
}

#[test]
fn a_refusal_that_does_not_hold_is_found() {
    let mut later_done = book();
    let charge = send(&mut later_done, "k1", CHARGE);
    later_done.answered(&charge, &refused(100));
    later_done.answered(&charge, &done(&entry(&charge, 2, 0), false));
    found(&later_done, "done after it had been refused");

    let mut in_statement = book();
    let charge = send(&mut in_statement, "k1", (Kind::Charge, 0));
    in_statement.answered(&charge, &refused(-1));
    append(&mut in_statement, 0, vec![entry(&charge, 2, 0)]);
    found(&in_statement, "its caller had been told that it was refused");

    let mut other = book();
    let charge = send(&mut other, "k1", CHARGE);
    other.answered(&charge, &refused(100));
    other.answered(&charge, &refused(50));
    found(&other, "one key, two refusals");

    let mut unfounded = book();
    let charge = send(&mut unfounded, "k1", CHARGE);
    unfounded.answered(&charge, &refused(200));
    found(&unfounded, "refused though the credit was there");
}

#[test]
fn wrong_sums_gaps_and_overdrafts_are_found() {
    let mut sum = book();
    let topup = send(&mut sum, "k1", TOPUP);
    append(&mut sum, 0, vec![entry(&topup, 2, 501)]);
    found(&sum, "the sum is wrong");

    let mut gap = book();
    let topup = send(&mut gap, "k1", TOPUP);
    append(&mut gap, 0, vec![entry(&topup, 3, 500)]);
    found(&gap, "is missing");

    let mut overdraft = book();
    let charge = send(&mut overdraft, "k1", CHARGE);
    append(&mut overdraft, 0, vec![entry(&charge, 2, -200)]);
    found(&overdraft, "an overdraft");
}

#[test]
fn figures_that_did_not_stay_are_found() {
    for (figure, floor) in [
        (Figure::Posted(500, 3), 1),
        (Figure::Posted(400, 2), 1),
        (Figure::Shown(4), 1),
        // Right once, but older than what had been acknowledged before it was asked for.
        (Figure::Posted(0, 1), 2),
    ] {
        let mut book = book();
        let topup = send(&mut book, "k1", TOPUP);
        append(&mut book, 0, vec![entry(&topup, 2, 500)]);
        book.pages[0].sightings.push(Sighting { figure, floor });
        explain_sightings(&mut book, 0);
        found(&book, "a reader saw");
    }
}

#[test]
fn a_key_taken_for_other_content_is_found() {
    let mut book = book();
    let topup = send(&mut book, "k1", TOPUP);
    let reused = Answer { status: 422, body: json!({ "slug": "key_reused" }) };
    book.misused(&topup, &reused);
    clean(&book);
    book.misused(&topup, &done(&entry(&topup, 2, 500), true));
    found(&book, "a key was taken for other content");
}
