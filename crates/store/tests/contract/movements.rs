//! Movements: figures, refusals, keys, order, and all of it again after a restart.

use ledger::{Movement, Refusal, Status};
use store::Fault;

use crate::bench::{Bench, command, minor, reason, run, until, vnd};

#[test]
fn a_topup_and_a_charge_are_there_at_once_and_after_a_restart() {
    let bench = Bench::new();
    bench.open(9999);
    let topup = bench.topup(9999, "40000", "t1").expect("a top-up");
    assert_eq!((topup.entry.number, topup.replayed), (2, false));
    let charge = bench.charge(9999, "3307", "c1").expect("a charge");
    assert_eq!(charge.entry.posted_after, minor("36693"));
    assert_eq!(bench.posted(9999), "36693");
    let bench = bench.reopened();
    assert_eq!(bench.posted(9999), "36693");
    assert_eq!(bench.verify(), [""; 0]);
    let third = bench.charge(9999, "0.01", "c2").expect("a charge");
    assert_eq!((third.entry.number, third.entry.posted_after), (4, minor("36692.99")));
}

#[test]
fn a_repeated_key_moves_money_once() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    let first = bench.charge(1, "30", "k").expect("a charge");
    bench.charge(1, "10", "other").expect("a charge");
    for bench in [bench, Bench::new()].into_iter().take(1).map(Bench::reopened) {
        let again = bench.charge(1, "30", "k").expect("the same outcome");
        assert!(again.replayed);
        assert_eq!(again.entry, first.entry);
        assert_eq!(bench.posted(1), "60");
        let reused = bench.charge(1, "31", "k").expect_err("another content");
        assert_eq!(reused.refusal, Refusal::KeyReused { number: Some(3) });
        let reused = bench.topup(1, "30", "k").expect_err("another kind");
        assert_eq!(reused.refusal, Refusal::KeyReused { number: Some(3) });
    }
}

#[test]
fn keys_are_scoped_to_their_account() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    assert!(!bench.topup(1, "5", "k").expect("a top-up").replayed);
    assert!(!bench.topup(2, "5", "k").expect("a top-up").replayed);
}

#[test]
fn one_batch_sees_its_own_keys_and_figures() {
    let bench = Bench::new();
    bench.open(1);
    let charge = || command(1, Movement::Charge { amount: vnd("60") }, "same");
    let commands = vec![
        command(1, Movement::Topup { amount: vnd("100") }, "t"),
        charge(),
        charge(),
        command(1, Movement::Charge { amount: vnd("60") }, "second"),
        command(77, Movement::Charge { amount: vnd("60") }, "nobody"),
    ];
    let decided = run(bench.store.submit(commands)).expect("no fault");
    assert!(decided[1].as_ref().is_ok_and(|outcome| !outcome.replayed));
    assert!(decided[2].as_ref().is_ok_and(|outcome| outcome.replayed));
    let refused = decided[3].as_ref().expect_err("not enough");
    assert_eq!(refused.refusal, Refusal::InsufficientCredit { available: minor("40"), amount: minor("60") });
    assert_eq!(decided[4].as_ref().expect_err("no account").refusal, Refusal::UnknownAccount);
    assert_eq!(bench.posted(1), "40");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_refusal_burns_its_key_durably_and_lapses_after_its_days() {
    let bench = Bench::new();
    bench.open(1);
    let first = bench.charge(1, "10", "k").expect_err("no money");
    assert_eq!(first.refusal, Refusal::InsufficientCredit { available: minor("0"), amount: minor("10") });
    assert_eq!(first.replayed_from, None);
    bench.topup(1, "100", "t").expect("a top-up");
    let bench = bench.reopened();
    let again = bench.charge(1, "10", "k").expect_err("still no");
    assert_eq!(again.refusal, first.refusal, "the figures of then");
    assert!(again.replayed_from.is_some());
    assert_eq!(again.account.map(|now| now.posted), Some(minor("100")), "and of now");
    let other = bench.charge(1, "11", "k").expect_err("other content");
    assert_eq!(other.refusal, Refusal::KeyReused { number: None });
    bench.pass(31 * 86_400_000_000);
    assert!(!bench.charge(1, "10", "k").expect("the key is free again").replayed);
    let bench = bench.reopened();
    assert!(bench.charge(1, "10", "k").expect("the charge").replayed);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn lapsed_refusals_are_removed_as_fast_as_keys_are_burnt() {
    let bench = Bench::new();
    (1..=3).for_each(|id| drop(bench.open(id)));
    // A thousand of each account are kept within a second.
    let burn = |round: u32| {
        let charges =
            (0..3_000_u32).map(|n| command(1 + n % 3, Movement::Charge { amount: vnd("1") }, &format!("{round}-{n}")));
        bench.pass(1_000_000);
        run(bench.store.submit(charges.collect())).expect("no fault")
    };
    (0..2).for_each(|round| drop(burn(round)));
    bench.pass(31 * 86_400_000_000);
    burn(2);
    until("the end of those that lapsed", || bench.shell().number("SELECT count(*) FROM refusals") == 3_000);
    assert_eq!(
        burn(0).iter().filter(|decided| decided.as_ref().is_err_and(|no| no.replayed_from.is_none())).count(),
        3_000
    );
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn what_names_no_account_or_reuses_a_key_burns_nothing() {
    let bench = Bench::new();
    bench.open(1);
    assert_eq!(bench.charge(5, "1", "k").expect_err("no account").refusal, Refusal::UnknownAccount);
    bench.open(5);
    bench.topup(5, "9", "t").expect("a top-up");
    assert!(!bench.charge(5, "1", "k").expect("a charge").replayed);
}

#[test]
fn limits_and_statuses_decide_from_their_own_entry_on() {
    let bench = Bench::new();
    bench.open(1);
    let limit = |figure: &str| Movement::Limit { credit_limit: minor(figure) };
    bench.submit(1, limit("50"), "").expect("a limit");
    bench.charge(1, "50", "a").expect("within the limit");
    bench.submit(1, limit("10"), "").expect("below what is used");
    let refused = bench.charge(1, "0.01", "b").expect_err("over the limit");
    assert_eq!(refused.refusal, Refusal::InsufficientCredit { available: minor("-40"), amount: minor("0.01") });
    let status = |status| Movement::Status { status };
    bench.submit(1, status(Status::Locked), "").expect("locked");
    assert_eq!(bench.charge(1, "1", "c").expect_err("locked").refusal, Refusal::AccountLocked);
    bench.topup(1, "50", "d").expect("a locked account takes money");
    bench.submit(1, status(Status::Closed), "").expect("closed at zero");
    assert_eq!(bench.topup(1, "1", "e").expect_err("closed").refusal, Refusal::AccountClosed);
    assert_eq!(bench.submit(1, status(Status::Active), "").expect_err("for ever").refusal, Refusal::AccountClosed);
    let bench = bench.reopened();
    assert_eq!(bench.account(1).expect("an account").status, Status::Closed);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn an_account_with_money_is_not_closed() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "1", "t").expect("a top-up");
    let refused = bench.submit(1, Movement::Status { status: Status::Closed }, "").expect_err("not empty");
    assert_eq!(refused.refusal, Refusal::AccountNotEmpty { posted: minor("1"), held: minor("0") });
}

#[test]
fn an_adjustment_may_go_below_zero_and_no_figure_overflows() {
    let bench = Bench::new();
    bench.open(1);
    let adjust = |figure: &str| Movement::Adjust { amount: minor(figure), reason: reason("correction") };
    bench.submit(1, adjust("-7"), "a").expect("an adjustment");
    assert_eq!(bench.posted(1), "-7");
    bench.submit(1, adjust("23058430092136939.51"), "b").expect("up to the bound");
    let refused = bench.topup(1, "10", "c").expect_err("over the bound");
    assert_eq!(refused.refusal, Refusal::AmountOutOfRange { amount: minor("10") });
}

#[test]
fn ledger_time_never_goes_back() {
    let bench = Bench::new();
    bench.open(1);
    bench.pass(1_000_000);
    let first = bench.topup(1, "1", "a").expect("a top-up").entry;
    bench.pass(-500_000_000);
    let second = bench.topup(1, "1", "b").expect("a top-up").entry;
    assert_eq!(second.at, first.at);
    let bench = bench.reopened();
    let third = bench.topup(1, "1", "c").expect("a top-up").entry;
    assert_eq!((third.at, third.recorded_at), (first.at, first.at));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_hundred_callers_overdraw_nothing() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "1000", "t").expect("a top-up");
    let taken: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..100)
            .map(|caller| {
                let bench = &bench;
                scope.spawn(move || (0..5).filter(|n| bench.charge(1, "7", &format!("{caller}-{n}")).is_ok()).count())
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).sum()
    });
    assert_eq!(taken, 142);
    assert_eq!(bench.posted(1), "6");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn fifty_callers_with_one_key_move_money_once() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "1000", "t").expect("a top-up");
    let replayed: usize = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..50).map(|_| scope.spawn(|| bench.charge(1, "7", "same").expect("the outcome").replayed)).collect();
        callers.into_iter().map(|caller| usize::from(caller.join().expect("a caller"))).sum()
    });
    assert_eq!(replayed, 49);
    assert_eq!(bench.posted(1), "993");
}

#[test]
fn a_full_queue_says_so_and_a_closed_store_too() {
    let bench = Bench::new();
    bench.open(1);
    let many = vec![command(1, Movement::Topup { amount: vnd("1") }, ""); 10_001];
    assert_eq!(run(bench.store.submit(many)), Err(Fault::QueueFull));
    assert_eq!(bench.posted(1), "0");
    bench.store.close();
    let one = command(1, Movement::Topup { amount: vnd("1") }, "");
    assert_eq!(bench.try_submit(one), Err(Fault::Stopping));
    assert_eq!(run(bench.store.submit(Vec::new())), Ok(Vec::new()), "nothing was asked for");
}
