//! Refusals: kept with their facts, replayed, and only so many within a second.

use ledger::{Kind, Refusal, Time};
use store::KeyOutcome;

use crate::bench::{Bench, START, account, key, minor, run};

#[test]
fn a_key_tells_what_it_did_or_why_it_did_nothing_also_after_a_restart() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    let topup = bench.topup(1, "10", "t").expect("a top-up").entry;
    bench.hold(1, "5", 1, "h").expect("a hold");
    bench.pass(1_500_000);
    let late = bench.capture(1, 3, "", "late").expect_err("over").refusal;
    let ended_at = Time::from_micros(START + 1_000_000);
    assert_eq!(late, Refusal::HoldNotOpen { hold: 3, ended_by: Kind::Expire, ended_at });
    let check = |bench: &Bench| {
        let outcome = |id, text: &str| run(bench.store.key_outcome(account(id), key(text))).expect("no fault");
        assert_eq!(outcome(1, "t"), Some(KeyOutcome::Entry(Box::new(topup.clone()))));
        let at = Time::from_micros(START + 1_500_000);
        assert_eq!(outcome(1, "late"), Some(KeyOutcome::Refused { refusal: late, at }));
        for (id, text) in [(1, "T"), (1, "nothing"), (2, "t"), (2, "late"), (77, "t")] {
            assert_eq!(outcome(id, text), None, "{id} {text}");
        }
    };
    let number = bench.account(1).expect("an account").number;
    check(&bench);
    let bench = bench.reopened();
    check(&bench);
    let again = bench.capture(1, 3, "", "late").expect_err("still");
    assert_eq!((again.refusal, again.replayed_from), (late, Some(Time::from_micros(START + 1_500_000))));
    assert_eq!(bench.account(1).expect("an account").number, number, "asking writes nothing");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn one_account_is_refused_only_so_often_within_a_second() {
    let bench = Bench::keeping_refusals(5);
    bench.open(1);
    bench.open(2);
    bench.topup(1, "10", "t").expect("a top-up");
    let charge = |id, n: u32| bench.charge(id, "11", &format!("c{n}"));
    bench.pass(300_000);
    for n in 0..5 {
        assert!(matches!(charge(1, n).expect_err("no").refusal, Refusal::InsufficientCredit { .. }));
    }
    bench.pass(600_000);
    for n in 5..8 {
        let refused = charge(1, n).expect_err("too often");
        assert_eq!((refused.refusal, refused.replayed_from), (Refusal::TooManyRefusals, None));
        assert_eq!(refused.account.map(|now| now.posted), Some(minor("10")));
        assert_eq!(run(bench.store.key_outcome(account(1), key(&format!("c{n}")))), Ok(None), "its key is free");
    }
    // What needs no refusal to be kept goes on: replays, reuse, other accounts, and whatever is not refused.
    assert!(charge(1, 0).expect_err("as before").replayed_from.is_some());
    assert_eq!(bench.charge(1, "12", "c0").expect_err("reused").refusal, Refusal::KeyReused { number: None });
    assert!(matches!(charge(2, 0).expect_err("no").refusal, Refusal::InsufficientCredit { .. }));
    bench.charge(1, "1", "c5").expect("a key that was not used up, for something else");
    bench.pass(99_999);
    assert_eq!(charge(1, 8).expect_err("the same second").refusal, Refusal::TooManyRefusals);
    bench.pass(1);
    for n in 8..13 {
        assert!(matches!(charge(1, n).expect_err("no").refusal, Refusal::InsufficientCredit { .. }), "{n}");
    }
    assert_eq!(charge(1, 13).expect_err("too often again").refusal, Refusal::TooManyRefusals);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn one_commit_keeps_no_more_refusals_than_a_second_may() {
    let bench = Bench::keeping_refusals(5);
    bench.open(1);
    bench.open(2);
    let charge = |n: u32| {
        let movement = ledger::Movement::Charge { amount: crate::bench::vnd("1") };
        crate::bench::command(n % 2 + 1, movement, &format!("c{n}"))
    };
    let decided = run(bench.store.submit((0..16).map(charge).collect())).expect("no fault");
    let slugs: Vec<_> = decided.iter().map(|it| it.as_ref().expect_err("no money").refusal.slug()).collect();
    assert_eq!(slugs[..10], ["insufficient_credit"; 10]);
    assert_eq!(slugs[10..], ["too_many_refusals"; 6]);
    let bench = bench.reopened();
    assert!(bench.charge(1, "1", "c0").expect_err("kept").replayed_from.is_some());
    assert_eq!(bench.verify(), [""; 0]);
}
