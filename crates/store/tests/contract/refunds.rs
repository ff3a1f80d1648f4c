//! Refunds: what was given back adds up for ever, however the charge is named.

use ledger::{Movement, Named, Refusal};

use crate::bench::{Bench, capture, command, hold, key, minor, run, vnd};

#[test]
fn refunds_add_up_over_restarts_and_never_exceed() {
    let mut bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    bench.charge(1, "10", "c").expect("a charge");
    for (n, posted) in [(1, "93"), (2, "96"), (3, "99")] {
        let named = if n == 2 { Named::Key(key("c")) } else { Named::Number(3) };
        let refund = bench.refund(1, named, "3", &format!("r{n}")).expect("a refund").entry;
        assert_eq!(refund.posted_after, minor(posted));
        bench = bench.reopened();
        assert!(bench.refund(1, Named::Number(3), "3", &format!("r{n}")).expect("the first outcome").replayed);
    }
    for (named, n) in [(Named::Number(3), 4), (Named::Key(key("c")), 5)] {
        let refused = bench.refund(1, named, "1.01", &format!("r{n}")).expect_err("more than is left");
        let (refundable, amount) = (minor("1"), minor("1.01"));
        assert_eq!(refused.refusal, Refusal::RefundExceedsCharge { refundable, amount });
        bench = bench.reopened();
    }
    bench.refund(1, Named::Number(3), "1", "last").expect("what is left");
    let refused = bench.refund(1, Named::Number(3), "0.01", "none").expect_err("nothing is left");
    let (refundable, amount) = (minor("0"), minor("0.01"));
    assert_eq!(refused.refusal, Refusal::RefundExceedsCharge { refundable, amount });
    assert_eq!(bench.posted(1), "100");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn one_commit_refunds_its_own_charges_and_captures_by_key() {
    let bench = Bench::new();
    bench.open(1);
    let refund = |charge: &str, amount: &str| Movement::Refund { amount: vnd(amount), charge: Named::Key(key(charge)) };
    let commands = vec![
        command(1, refund("c", "1"), "too-early"),
        command(1, Movement::Topup { amount: vnd("100") }, "t"),
        command(1, Movement::Charge { amount: vnd("50") }, "c"),
        command(1, refund("c", "20"), "r1"),
        command(1, refund("c", "20"), "r2"),
        command(1, refund("c", "20"), "r3"),
        command(1, hold("50", 9), "h"),
        command(1, capture(Named::Key(key("h")), "30"), "p"),
        command(1, refund("p", "30"), "r4"),
        command(1, refund("h", "1"), "r5"),
        command(1, refund("t", "1"), "r6"),
        command(1, refund("c", "20"), "r1"),
    ];
    let decided = run(bench.store.submit(commands)).expect("no fault");
    let told: Vec<_> = decided
        .iter()
        .map(|decided| match decided {
            Ok(outcome) if outcome.replayed => "replayed",
            Ok(outcome) => outcome.entry.kind.name(),
            Err(refused) => refused.refusal.slug(),
        })
        .collect();
    let expected = [
        "unknown_charge",
        "topup",
        "charge",
        "refund",
        "refund",
        "refund_exceeds_charge",
        "hold",
        "capture",
        "refund",
        "unknown_charge",
        "unknown_charge",
        "replayed",
    ];
    assert_eq!(told, expected);
    let bench = bench.reopened();
    assert_eq!((bench.posted(1), bench.held(1)), ("90".into(), ("20".into(), 1)));
    // Refused when there was no such charge: that answer stays, though there is one by now.
    let again = bench.submit(1, refund("c", "1"), "too-early").expect_err("still no");
    assert_eq!((again.refusal, again.replayed_from.is_some()), (Refusal::UnknownCharge, true));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn an_old_charge_is_found_by_number_and_its_refunds_too() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "1000", "t").expect("a top-up");
    bench.charge(1, "10", "c").expect("a charge");
    bench.refund(1, Named::Number(3), "4", "r").expect("a refund");
    let many = (0..600).map(|n| command(1, Movement::Charge { amount: vnd("1") }, &format!("n{n}")));
    assert!(run(bench.store.submit(many.collect())).expect("no fault").iter().all(Result::is_ok));
    let bench = bench.reopened();
    let refused = bench.refund(1, Named::Number(3), "6.01", "s").expect_err("more than is left");
    let (refundable, amount) = (minor("6"), minor("6.01"));
    assert_eq!(refused.refusal, Refusal::RefundExceedsCharge { refundable, amount });
    bench.refund(1, Named::Number(3), "6", "u").expect("what is left");
    bench.refund(1, Named::Number(300), "1", "v").expect("one from the middle");
    assert_eq!(bench.posted(1), "401");
    assert_eq!(bench.verify(), [""; 0]);
}
