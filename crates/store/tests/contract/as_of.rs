//! Reads as of an instant: what was answered then is what is answered of it for ever.

use ledger::{Movement, Named, Time};
use store::AccountNow;

use crate::bench::{Bench, START, account, minor, reason, until};

const SECOND_US: i64 = 1_000_000;

/// Everything that decides an answer. Which entry was the last is left out: the end of a hold may be written later.
fn told(now: &AccountNow) -> (ledger::Minor, ledger::Minor, ledger::Minor, ledger::Minor, ledger::Status) {
    (now.balance(), now.posted, now.held, now.available(), now.status)
}

#[test]
fn what_was_answered_at_an_instant_is_answered_of_it_for_ever() {
    let mut bench = Bench::new();
    bench.open(1);
    bench.open(2);
    bench.topup(1, "1000", "t").expect("a top-up");
    let mut answers = Vec::new();
    // A quarter of a second at a time, through movements, ends that nobody writes for a while, and restarts.
    for step in 0..120_u32 {
        let key = format!("k{step}");
        match step % 24 {
            1 | 2 => drop(bench.hold(1, "7", 2 + step % 5, &key).expect("a hold")),
            5 => drop(bench.hold(1, "5", 1, &key).expect("a hold")),
            6 => drop(bench.capture(1, u64::from(1 + step % 3), "1", &key)),
            8 => drop(bench.charge(1, "3", &key).expect("a charge")),
            9 => drop(bench.submit(1, Movement::Limit { credit_limit: minor("50") }, "")),
            14 => drop(bench.transfer(1, 2, "2", &key).expect("a transfer")),
            16 => drop(bench.hold(2, "1", 3, &key).expect("a hold")),
            18 => {
                let adjust = Movement::Adjust { amount: minor("-4"), reason: reason("counted") };
                drop(bench.submit(1, adjust, &key).expect("an adjustment"));
            }
            20 => drop(bench.submit(1, Movement::Void { hold: Named::Key(crate::bench::key("k2")) }, &key)),
            23 => bench = bench.reopened(),
            _ => {}
        }
        for id in [1, 2] {
            answers.push((id, bench.now(), told(&bench.account(id).expect("an account"))));
        }
        bench.pass(SECOND_US / 4);
    }
    let check = |bench: &Bench| {
        for (id, at, answer) in &answers {
            let then = bench.store.account_as_of(account(*id), *at).expect("no fault").expect("it was there");
            assert_eq!(told(&then), *answer, "account {id} as of {at:?}");
        }
        assert_eq!(bench.verify(), [""; 0]);
    };
    check(&bench);
    let bench = bench.reopened();
    check(&bench);
    bench.pass(100 * SECOND_US);
    check(&bench);
    bench.topup(1, "1", "late").expect("a top-up");
    until("the end of what account 2 holds", || bench.held(2).1 == 0);
    bench.topup(2, "1", "late").expect("a top-up");
    check(&bench);
    check(&bench.reopened());
}

#[test]
fn between_a_holds_end_and_the_entry_that_says_so_it_is_not_held() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    bench.hold(1, "60", 5, "h").expect("a hold");
    bench.pass(10 * SECOND_US);
    let held_at = |bench: &Bench, micros: i64| {
        let then = bench.store.account_as_of(account(1), Time::from_micros(START + micros)).expect("no fault");
        then.map(|then| then.held.decimal(2).to_string())
    };
    let check = |bench: &Bench| {
        let held = |micros| held_at(bench, micros);
        assert_eq!(held(-1), None, "before it was opened");
        assert_eq!(held(0), Some("60".into()));
        assert_eq!(held(5 * SECOND_US - 1), Some("60".into()));
        assert_eq!(held(5 * SECOND_US), Some("0".into()));
        assert_eq!(held(10 * SECOND_US), Some("0".into()));
    };
    check(&bench);
    bench.charge(1, "100", "c").expect("it has been released");
    check(&bench);
    check(&bench.reopened());
}

#[test]
fn of_several_entries_at_one_instant_the_last_counts() {
    let bench = Bench::new();
    bench.open(1);
    (1..=300).for_each(|n| drop(bench.topup(1, "1", &format!("k{n}")).expect("a top-up")));
    bench.pass(1);
    bench.charge(1, "300", "c").expect("a charge");
    let as_of = |micros: i64| {
        let then = bench.store.account_as_of(account(1), Time::from_micros(START + micros)).expect("no fault");
        then.map(|then| (then.posted.decimal(2).to_string(), then.number))
    };
    assert_eq!((as_of(-1), as_of(0), as_of(1)), (None, Some(("300".into(), 301)), Some(("0".into(), 302))));
    assert_eq!(bench.store.account_as_of(account(2), Time::from_micros(START)), Ok(None));
}
