//! Holds: what is left of them and until when, through restarts, commits of many, and their end by themselves.

use ledger::{Kind, Lifetime, Movement, Named, Refusal, Target, Time};

use store::AccountNow;

use crate::bench::{Bench, START, account, capture, command, hold, key, minor, run, until};

const SECOND_US: i64 = 1_000_000;

fn time(micros: i64) -> Time {
    Time::from_micros(START + micros)
}

#[test]
fn a_hold_survives_restarts_with_what_is_left_and_its_end() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    let held = bench.hold(1, "60", 60, "h").expect("a hold").entry;
    assert_eq!((held.number, held.expires_at), (3, Some(time(60 * SECOND_US))));
    let bench = bench.reopened();
    assert_eq!(bench.held(1), ("60".into(), 1));
    bench.capture(1, 3, "25", "c1").expect("a part");
    bench.pass(SECOND_US);
    let longer = Movement::Extend { hold: Named::Key(key("h")), expires_in: Lifetime::new(90).expect("a lifetime") };
    bench.submit(1, longer, "x").expect("an extension");
    let bench = bench.reopened();
    let page = bench.store.open_holds(account(1), 0, 10).expect("no fault");
    let [(open, entry)] = page.items.as_slice() else { panic!("one hold: {:?}", page.items) };
    assert_eq!((open.number, open.left, open.expires_at), (3, minor("35"), time(91 * SECOND_US)));
    assert_eq!((entry, page.next), (&held, None));
    let over = bench.capture(1, 3, "35.01", "c2").expect_err("more than is left");
    assert_eq!(over.refusal, Refusal::CaptureExceedsHold { left: minor("35"), amount: minor("35.01") });
    let last = bench.capture(1, 3, "", "c3").expect("all that is left").entry;
    assert_eq!((last.amount, last.posted_after, last.held_after), (minor("35"), minor("40"), minor("0")));
    let bench = bench.reopened();
    assert_eq!(bench.held(1), ("0".into(), 0));
    let ended = bench.capture(1, 3, "1", "c4").expect_err("over");
    let ended_at = time(SECOND_US);
    assert_eq!(ended.refusal, Refusal::HoldNotOpen { hold: 3, ended_by: Kind::Capture, ended_at });
    assert!(bench.capture(1, 3, "25", "c1").expect("the first outcome").replayed);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_hold_counts_until_its_instant_and_not_at_it_though_no_entry_says_so() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    bench.credential(1, "KEY", "0123456789ABCDEF").expect("a credential");
    bench.pass(500_000);
    bench.hold(1, "60", 1, "h").expect("a hold");
    let seen = |bench: &Bench| {
        let granted = bench.authenticate("KEY", "0123456789ABCDEF").expect("the pair").account;
        let shown = bench.account(1).expect("an account");
        // The end may be written between the two looks, and is then the last entry.
        assert_eq!(AccountNow { number: shown.number, ..granted }, shown);
        (shown.balance(), bench.store.open_holds(account(1), 0, 10).expect("no fault").items.len())
    };
    bench.pass(SECOND_US - 1);
    assert_eq!(seen(&bench), (minor("40"), 1));
    let bench = bench.reopened();
    assert_eq!(seen(&bench), (minor("40"), 1));
    bench.pass(1);
    assert_eq!(seen(&bench), (minor("100"), 0));
    assert_eq!(bench.held(1), ("0".into(), 0));
    let bench = bench.reopened();
    assert_eq!(seen(&bench), (minor("100"), 0));
    bench.charge(1, "100", "c").expect("all of it");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn the_end_is_written_before_the_next_entry_with_the_instant_that_it_took_effect() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    bench.hold(1, "10", 9, "late").expect("a hold");
    bench.hold(1, "20", 5, "early").expect("a hold");
    bench.hold(1, "30", 5, "early-too").expect("a hold");
    bench.hold(1, "40", 99, "open").expect("a hold");
    bench.pass(20 * SECOND_US);
    // Whoever is refused finds the ends written too.
    bench.charge(1, "60.01", "c").expect_err("more than is there");
    let charge = bench.charge(1, "60", "d").expect("what has been released").entry;
    assert_eq!(charge.number, 10);
    for (number, hold, at, held) in [(7, 4, 5, "80"), (8, 5, 5, "50"), (9, 3, 9, "40")] {
        let entry = bench.entry(1, number);
        assert_eq!((entry.kind, entry.target), (Kind::Expire, Some(Target { account: account(1), number: hold })));
        assert_eq!((entry.at, entry.held_after), (time(at * SECOND_US), minor(held)));
        assert_eq!((entry.by.as_str(), entry.key.is_none()), ("ledger", true));
        // The writer looks after ends by itself too, at whatever instant it comes by.
        assert_eq!(entry.recorded_at, time(20 * SECOND_US));
    }
    let refused = bench.capture(1, 4, "", "e").expect_err("over");
    let ended_at = time(5 * SECOND_US);
    assert_eq!(refused.refusal, Refusal::HoldNotOpen { hold: 4, ended_by: Kind::Expire, ended_at });
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn the_writer_ends_holds_by_itself() {
    let bench = Bench::new();
    (1..=3).for_each(|id| drop(bench.open(id)));
    for id in 1..=2 {
        bench.topup(id, "100", "t").expect("a top-up");
        bench.hold(id, "10", 5, "h").expect("a hold");
        bench.hold(id, "10", 60, "later").expect("a hold");
    }
    bench.pass(7 * SECOND_US);
    let number = |id| bench.account(id).expect("an account").number;
    until("the end of both holds", || number(1) == 5 && number(2) == 5);
    for id in 1..=2 {
        let entry = bench.entry(id, 5);
        assert_eq!((entry.kind, entry.at), (Kind::Expire, time(5 * SECOND_US)));
        assert_eq!(entry.recorded_at, time(7 * SECOND_US));
        assert_eq!(bench.held(id), ("10".into(), 1));
    }
    assert_eq!(number(3), 1);
    let bench = bench.reopened();
    assert_eq!(bench.held(1), ("10".into(), 1));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn many_holds_that_are_due_at_once_end_in_one_commit_or_by_and_by() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "6000", "t").expect("a top-up");
    let holds = (0..2_500_u32).map(|n| command(1, hold("1", 1 + n % 7), &format!("h{n}")));
    assert!(run(bench.store.submit(holds.collect())).expect("no fault").iter().all(Result::is_ok));
    let bench = bench.reopened();
    assert_eq!(bench.held(1), ("2500".into(), 2_500));
    bench.pass(7 * SECOND_US);
    assert_eq!(bench.held(1), ("0".into(), 0));
    let charge = bench.charge(1, "6000", "c").expect("every one has ended").entry;
    assert_eq!((charge.number, charge.held_after), (5_003, minor("0")));
    let page = bench.store.entries(account(1), None, None, 2_502, 1_000).expect("no fault");
    let ends: Vec<_> = page.items.iter().map(|entry| (entry.at, entry.target.map(|hold| hold.number))).collect();
    assert!(ends.is_sorted(), "in the order of their ends, then of their numbers");
    assert_eq!(bench.verify(), [""; 0]);

    bench.topup(1, "6000", "t2").expect("a top-up");
    let holds = (0..2_500_u32).map(|n| command(1, hold("1", 3), &format!("again-{n}")));
    assert!(run(bench.store.submit(holds.collect())).expect("no fault").iter().all(Result::is_ok));
    bench.pass(3 * SECOND_US);
    let number = || bench.account(1).expect("an account").number;
    until("the end of all holds", || number() == 10_004);
    assert_eq!(bench.held(1), ("0".into(), 0));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn the_writer_ends_so_many_holds_at_a_time_that_nobody_waits_for_it() {
    let bench = Bench::new().with_a_clock_that_runs();
    for id in 1..=3 {
        bench.open(id);
        bench.topup(id, "700", "t").expect("a top-up");
        let holds = (0..700_u32).map(|n| command(id, hold("1", 1), &format!("h{n}")));
        assert!(run(bench.store.submit(holds.collect())).expect("no fault").iter().all(Result::is_ok));
    }
    bench.pass(5 * SECOND_US);
    let number = |id| bench.account(id).expect("an account").number;
    until("the end of all holds", || (1..=3).all(|id| number(id) == 1_402));
    // No two commits have the same time.
    let mut commits = std::collections::BTreeMap::new();
    for id in 1..=3 {
        let ends = bench.store.entries(account(id), None, None, 702, 1_000).expect("no fault").items;
        assert!(ends.iter().all(|entry| entry.kind == Kind::Expire));
        ends.iter().for_each(|entry| *commits.entry(entry.recorded_at).or_insert(0) += 1);
    }
    assert!(commits.values().all(|len| *len <= 1_000), "{commits:?}");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn one_commit_makes_extends_captures_and_voids_its_own_holds() {
    let bench = Bench::new();
    bench.open(1);
    let named = |text: &str| Named::Key(key(text));
    let commands = vec![
        command(1, Movement::Topup { amount: crate::bench::vnd("100") }, "t"),
        command(1, hold("60", 5), "h"),
        command(1, capture(named("h"), "10"), "c1"),
        command(1, Movement::Extend { hold: Named::Number(3), expires_in: Lifetime::HOUR }, "x"),
        command(1, capture(Named::Number(3), "20"), "c2"),
        command(1, hold("50.01", 5), "too-much"),
        command(1, hold("40", 5), "g"),
        command(1, Movement::Void { hold: named("g") }, "v"),
        command(1, Movement::Void { hold: named("g") }, "w"),
        command(1, capture(named("h"), "30.01"), "c3"),
        command(1, capture(named("h"), "10"), "c1"),
    ];
    let decided = run(bench.store.submit(commands)).expect("no fault");
    let told: Vec<_> = decided
        .iter()
        .map(|decided| match decided {
            Ok(outcome) => {
                (outcome.entry.number, if outcome.replayed { "replayed" } else { outcome.entry.kind.name() })
            }
            Err(refused) => (0, refused.refusal.slug()),
        })
        .collect();
    let expected = [
        (2, "topup"),
        (3, "hold"),
        (4, "capture"),
        (5, "extend"),
        (6, "capture"),
        (0, "insufficient_credit"),
        (7, "hold"),
        (8, "void"),
        (0, "hold_not_open"),
        (0, "capture_exceeds_hold"),
        (4, "replayed"),
    ];
    assert_eq!(told, expected);
    let check = |bench: &Bench| {
        let open = bench.store.open_holds(account(1), 0, 10).expect("no fault").items;
        let open: Vec<_> = open.iter().map(|(open, _)| (open.number, open.left, open.expires_at)).collect();
        assert_eq!(open, [(3, minor("30"), time(3_600 * SECOND_US))]);
        assert_eq!(bench.verify(), [""; 0]);
    };
    check(&bench);
    check(&bench.reopened());
}

#[test]
fn open_holds_come_in_pages() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    bench.topup(1, "100", "t").expect("a top-up");
    for n in 0..7 {
        bench.hold(1, "1", if n == 3 { 1 } else { 60 }, &format!("h{n}")).expect("a hold");
    }
    bench.pass(SECOND_US);
    let numbers = |after, limit| {
        let page = bench.store.open_holds(account(1), after, limit).expect("no fault");
        (page.items.iter().map(|(open, _)| open.number).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(numbers(0, 10), (vec![3, 4, 5, 7, 8, 9], None));
    assert_eq!(numbers(0, 2), (vec![3, 4], Some(4)));
    assert_eq!(numbers(4, 2), (vec![5, 7], Some(7)));
    assert_eq!(numbers(7, 2), (vec![8, 9], None));
    assert_eq!(numbers(9, 2), (vec![], None));
    assert_eq!(bench.store.open_holds(account(2), 0, 10).expect("no fault").items, []);
    assert_eq!(bench.store.open_holds(account(3), 0, 10).expect("no fault").items, []);
}
