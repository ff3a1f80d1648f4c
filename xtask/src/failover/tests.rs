//! Histories with a planted violation each: the checker that does not find it is of no use.

use std::sync::Arc;

use super::audit::{Page, audit};
use super::command::{Command, Kind, UNIT};
use super::history::{History, Line, Quiet, Read, Said, Sent, Via};
use super::order::{Seen, Step, contradictions};

fn step(balance: i64, began: u64, told: u64) -> Step {
    Step { balance, began, told }
}

fn saw(balance: i64, began: u64, ended: u64) -> Seen {
    Seen { balance, began, ended, what: "GetBalance".into() }
}

/// 0 from the start; 10 asked for at 10 and told at 20; 15 at 30 and 40; 7 at 50 and never told.
fn steps() -> Vec<Step> {
    vec![step(0, 0, 0), step(10, 10, 20), step(15, 30, 40), step(7, 50, u64::MAX)]
}

#[test]
fn a_figure_between_what_was_told_and_what_was_asked_for_is_explained() {
    for (balance, began, ended) in
        [(0, 1, 5), (0, 1, 15), (10, 1, 15), (10, 20, 60), (15, 35, 36), (15, 41, 90), (7, 55, 60), (7, 90, 95)]
    {
        assert_eq!(contradictions(&steps(), &[saw(balance, began, ended)]), [""; 0], "{balance} from {began}");
    }
}

#[test]
fn a_stale_figure_is_found() {
    for (balance, began, ended) in [(0, 21, 25), (10, 41, 45), (0, 41, 100)] {
        assert_eq!(contradictions(&steps(), &[saw(balance, began, ended)]).len(), 1, "{balance} from {began}");
    }
}

#[test]
fn a_figure_before_its_movement_was_asked_for_is_found() {
    for (balance, began, ended) in [(10, 1, 9), (15, 21, 29), (7, 41, 49), (8, 0, 100)] {
        assert_eq!(contradictions(&steps(), &[saw(balance, began, ended)]).len(), 1, "{balance} from {began}");
    }
}

#[test]
fn figures_do_not_go_back() {
    // The last movement was told to nobody: either figure is right by itself, but not the older one after the newer one.
    assert_eq!(contradictions(&steps(), &[saw(15, 51, 60), saw(7, 61, 70)]), [""; 0]);
    assert_eq!(contradictions(&steps(), &[saw(7, 51, 60), saw(15, 60, 70)]), [""; 0], "at the same time");
    assert_eq!(contradictions(&steps(), &[saw(7, 51, 60), saw(15, 61, 70)]).len(), 1);
}

#[test]
fn a_figure_that_recurs_takes_the_place_that_leaves_room() {
    let steps = [step(0, 0, 0), step(5, 10, u64::MAX), step(0, 11, u64::MAX), step(5, 12, u64::MAX)];
    assert_eq!(contradictions(&steps, &[saw(5, 20, 21), saw(0, 22, 23), saw(5, 24, 25)]), [""; 0]);
    assert_eq!(contradictions(&steps, &[saw(5, 20, 21), saw(0, 22, 23), saw(5, 24, 25), saw(0, 26, 27)]).len(), 1);
}

#[test]
fn movements_are_numbered_as_they_happened() {
    let steps = [step(0, 0, 0), step(10, 50, 60), step(15, 30, 40)];
    assert_eq!(contradictions(&steps, &[]).len(), 1);
}

/// A top-up of 100, a hold of 60 of which 20 are captured, a charge of 50 that is refused, one of 30; and a reading.
struct World {
    history: History,
    page: Page,
}

fn line(number: u64, kind: &str, figures: (i64, i64, i64), key: Option<&str>) -> Line {
    let (amount, posted, held) = figures;
    let (key, hash) = (key.map(str::to_owned), format!("hash-{number}"));
    Line {
        number,
        kind: kind.into(),
        amount: amount * UNIT,
        posted_after: posted * UNIT,
        held_after: held * UNIT,
        key,
        hash,
    }
}

fn sent(kind: Kind, amount: i64, key: &str, began: u64, said: Said) -> Sent {
    let command = Command { account: 0, account_id: 1, kind, amount: amount * UNIT, key: key.into() };
    Sent { command: Arc::new(command), via: Via::Node(0), began, ended: began + 5, said }
}

fn done(line: &Line) -> Said {
    Said::Done { line: line.clone(), replayed: false }
}

impl World {
    fn right() -> World {
        let lines = vec![
            line(1, "open", (0, 0, 0), None),
            line(2, "topup", (100, 100, 0), Some("t")),
            line(3, "hold", (60, 100, 60), Some("h")),
            line(4, "capture", (20, 80, 40), Some("c")),
            line(5, "charge", (30, 50, 40), Some("s")),
        ];
        let capture = Kind::Capture { hold: "h".into(), is_final: false };
        let no = Said::Refused { slug: "insufficient_credit".into(), available: Some(40 * UNIT), replayed: false };
        let unknown = Said::Unknown { status: 503, slug: "outcome_unknown".into() };
        let sent = vec![
            sent(Kind::Topup, 100, "t", 10, unknown),
            sent(Kind::Topup, 100, "t", 20, done(&lines[1])),
            sent(Kind::Hold, 60, "h", 30, done(&lines[2])),
            sent(capture, 20, "c", 40, done(&lines[3])),
            sent(Kind::Charge, 50, "r", 50, no),
            sent(Kind::Charge, 30, "s", 60, done(&lines[4])),
        ];
        let read = Read { account: 0, via: Via::Haproxy, began: 70, ended: 75, balance: Some(10 * UNIT) };
        let history = History { sent, reads: vec![read], quiets: Vec::new() };
        World { history, page: Page { id: 1, credit_limit: 0, lines } }
    }

    fn findings(self) -> Vec<String> {
        audit(&self.history, &[self.page]).findings
    }

    /// The one finding, which tells what was planted.
    fn found(self, what: &str) {
        let findings = self.findings();
        assert!(findings.iter().any(|finding| finding.contains(what)), "{what}: {findings:?}");
    }
}

#[test]
fn a_right_history_has_no_findings() {
    assert_eq!(World::right().findings(), [""; 0]);
}

#[test]
fn a_lost_movement_is_found() {
    let mut world = World::right();
    world.page.lines.pop();
    world.found("acknowledged at 0.000065 s and lost");
}

#[test]
fn a_lost_movement_in_the_middle_is_found() {
    let mut world = World::right();
    world.page.lines.remove(3);
    world.found("the entry after number 3 is missing");
}

#[test]
fn a_movement_that_was_applied_twice_is_found() {
    let mut world = World::right();
    world.page.lines.push(line(6, "charge", (30, 20, 40), Some("s")));
    world.found("its key made an entry before");

    let mut world = World::right();
    world.history.sent.push(sent(Kind::Charge, 30, "s", 80, done(&world.page.lines[4])));
    world.found("done twice");
}

#[test]
fn an_overdraft_is_found() {
    let mut world = World::right();
    let more = line(6, "charge", (11, 39, 40), Some("o"));
    world.history.sent.push(sent(Kind::Charge, 11, "o", 80, done(&more)));
    world.page.lines.push(more);
    world.found("an overdraft");
}

#[test]
fn a_stale_reading_is_found() {
    let mut world = World::right();
    world.history.reads[0].balance = Some(40 * UNIT);
    world.found("saw 4000 (the balance after entry 4); possible was 1000 after entry 5");
}

#[test]
fn a_refusal_by_an_old_figure_is_found() {
    let mut world = World::right();
    let old = Said::Refused { slug: "insufficient_credit".into(), available: Some(0), replayed: false };
    world.history.sent.push(sent(Kind::Charge, 1, "x", 90, old));
    world.found("charge x through sodu1");
}

#[test]
fn whatever_else_contradicts_is_found() {
    let mut refused_and_done = World::right();
    refused_and_done.page.lines.push(line(6, "charge", (5, 45, 40), Some("r")));
    refused_and_done.found("not what was asked for");

    let mut wrong_sum = World::right();
    wrong_sum.page.lines[4].posted_after += 1;
    wrong_sum.history.sent[5].said = done(&wrong_sum.page.lines[4]);
    wrong_sum.found("the sum is wrong");

    let mut unasked = World::right();
    unasked.page.lines.push(line(6, "topup", (5, 55, 40), Some("z")));
    unasked.found("an entry that nobody asked for");

    let mut another_hash = World::right();
    another_hash.page.lines[4].hash = "other".into();
    another_hash.found("its caller had been told of another entry");

    let mut unknown = World::right();
    unknown.history.sent.push(sent(Kind::Charge, 1, "u", 80, Said::Unknown { status: 0, slug: String::new() }));
    unknown.found("nobody was ever told");

    let mut twice_captured = World::right();
    let capture = Kind::Capture { hold: "h".into(), is_final: true };
    let more = line(6, "capture", (41, 9, 0), Some("c2"));
    twice_captured.history.sent.push(sent(capture, 41, "c2", 80, done(&more)));
    twice_captured.page.lines.push(more);
    twice_captured.found("more than the 4000 that are left");
}

#[test]
fn an_answer_without_a_standby_is_found() {
    let mut answered = World::right();
    answered.history.quiets.push(Quiet { from: 60, to: 70 });
    answered.found("answered without a standby");

    let mut silent = World::right();
    silent.history.quiets.push(Quiet { from: 80, to: 90 });
    silent.found("no movement got a 503");

    let mut right = World::right();
    right.history.quiets.push(Quiet { from: 11, to: 16 });
    assert_eq!(right.findings(), [""; 0]);
}
