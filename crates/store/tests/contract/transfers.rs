//! Transfers: two entries in one commit, or none.

use ledger::{Kind, Movement, Refusal, Status, Target};
use store::{KeyOutcome, NewAccount};

use crate::bench::{Bench, account, command, key, minor, new_account, run, vnd};

#[test]
fn both_sides_are_there_after_a_restart_and_name_each_other() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    bench.topup(1, "100", "t").expect("a top-up");
    let sent = bench.transfer(1, 2, "30", "k").expect("a transfer").entry;
    let check = |bench: &Bench| {
        let (from, to) = (bench.entry(1, 3), bench.entry(2, 2));
        assert_eq!(from, sent);
        assert_eq!((from.kind, from.amount, from.posted_after), (Kind::Transfer, minor("-30"), minor("70")));
        assert_eq!((to.kind, to.amount, to.posted_after), (Kind::Transfer, minor("30"), minor("30")));
        assert_eq!(from.target, Some(Target { account: account(2), number: 2 }));
        assert_eq!(to.target, Some(Target { account: account(1), number: 3 }));
        assert_eq!((to.key, to.content, to.at), (None, None, from.at));
        assert_eq!((bench.posted(1), bench.posted(2)), ("70".into(), "30".into()));
        assert_eq!(bench.verify(), [""; 0]);
    };
    check(&bench);
    let bench = bench.reopened();
    check(&bench);
    let again = bench.transfer(1, 2, "30", "k").expect("the first outcome");
    assert_eq!((again.replayed, &again.entry), (true, &sent));
    assert_eq!(bench.transfer(1, 2, "31", "k").expect_err("other").refusal, Refusal::KeyReused { number: Some(3) });
    assert!(!bench.topup(2, "1", "k").expect("the recipient's own key").replayed);
    assert_eq!(run(bench.store.key_outcome(account(1), key("k"))), Ok(Some(KeyOutcome::Entry(Box::new(sent)))));
}

#[test]
fn money_goes_round_within_one_commit() {
    let bench = Bench::new();
    (1..=3).for_each(|id| drop(bench.open(id)));
    bench.topup(1, "10", "t").expect("a top-up");
    let step = |from: u32, to: u32, n: u32| {
        command(from, Movement::Transfer { to: account(to), amount: vnd("10") }, &format!("k{n}"))
    };
    let round = (0..300).map(|n| step(n % 3 + 1, (n + 1) % 3 + 1, n)).collect();
    assert!(run(bench.store.submit(round)).expect("no fault").iter().all(Result::is_ok));
    let bench = bench.reopened();
    assert_eq!([1, 2, 3].map(|id| bench.posted(id)), ["10", "0", "0"]);
    assert_eq!(bench.account(1).expect("an account").number, 202);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn what_cannot_be_sent_moves_nothing_and_says_why_for_ever() {
    let bench = Bench::new().with_dollars();
    bench.open(1);
    bench.open(2);
    run(bench.store.open_account(NewAccount { currency: "USD".into(), ..new_account(3) })).expect("an account");
    bench.topup(1, "10", "t").expect("a top-up");
    bench.submit(2, Movement::Status { status: Status::Closed }, "").expect("closed");
    let (available, amount) = (minor("10"), minor("10.01"));
    bench.open(4);
    let cases = [
        (2, "1", Refusal::RecipientClosed),
        (3, "1", Refusal::CurrencyMismatch),
        (1, "1", Refusal::SameAccount),
        (4, "10.01", Refusal::InsufficientCredit { available, amount }),
    ];
    for (to, amount, refusal) in cases {
        let refused = bench.transfer(1, to, amount, &format!("k{to}")).expect_err("no");
        assert_eq!((refused.refusal, refused.replayed_from), (refusal, None));
    }
    assert_eq!(bench.transfer(1, 9, "1", "k9").expect_err("nobody").refusal, Refusal::UnknownAccount);
    let bench = bench.reopened();
    for (to, amount, refusal) in cases {
        let refused = bench.transfer(1, to, amount, &format!("k{to}")).expect_err("still no");
        assert_eq!((refused.refusal, refused.replayed_from.is_some()), (refusal, true));
    }
    bench.open(9);
    assert!(!bench.transfer(1, 9, "1", "k9").expect("the key was free").replayed);
    assert_eq!((bench.posted(1), bench.posted(9)), ("9".into(), "1".into()));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn crossing_transfers_of_many_callers_neither_make_nor_lose_money() {
    let bench = Bench::new();
    (1..=4).for_each(|id| drop(bench.open(id)));
    (1..=4).for_each(|id| drop(bench.topup(id, "50", "t").expect("a top-up")));
    std::thread::scope(|scope| {
        for caller in 0..16_u32 {
            let bench = &bench;
            scope.spawn(move || {
                for n in 0..40 {
                    let (from, to) = (caller % 4 + 1, (caller + n % 3 + 1) % 4 + 1);
                    drop(bench.transfer(from, to, "7", &format!("{caller}-{n}")));
                }
            });
        }
    });
    let all: i64 = (1..=4).map(|id| bench.account(id).expect("an account").posted.units()).sum();
    assert_eq!(all, 20_000);
    assert!((1..=4).all(|id| !bench.posted(id).starts_with('-')));
    assert_eq!(bench.verify(), [""; 0]);
}
