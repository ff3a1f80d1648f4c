//! Verification of a database that somebody changed behind the ledger's back: each change is found and named.

use crate::bench::{Bench, capture, key};
use ledger::Named;

/// Two accounts with a bit of everything.
fn with_history() -> Bench {
    let bench = Bench::new();
    (1..=2).for_each(|id| drop(bench.open(id)));
    bench.topup(1, "100", "t").expect("a top-up");
    bench.charge(1, "10", "c").expect("a charge");
    bench.hold(1, "20", 3600, "h").expect("a hold");
    bench.submit(1, capture(Named::Key(key("h")), "5"), "p").expect("a capture");
    bench.refund(1, Named::Key(key("c")), "4", "r").expect("a refund");
    bench.transfer(1, 2, "30", "x").expect("a transfer");
    assert_eq!(bench.verify(), [""; 0]);
    bench
}

#[test]
fn whatever_was_changed_is_found() {
    let (one, two) = ("Some(AccountId(1))", "Some(AccountId(2))");
    let cases = [
        ("UPDATE entries SET posted = posted + 1 WHERE account = 1 AND number = 3", one, "Some(3): the posted figure"),
        (
            "UPDATE entries SET reference = 'x' WHERE account = 1 AND number = 3",
            one,
            "Some(3): its hash does not follow",
        ),
        (
            "UPDATE entries SET metadata = '{' WHERE account = 1 AND number = 3",
            one,
            "Some(3): it does not read as an entry",
        ),
        ("DELETE FROM entries WHERE account = 1 AND number = 3", one, "Some(4): entry 3 should stand here"),
        ("DELETE FROM entries WHERE account = 1 AND number = 7", one, "Some(7): the account's row includes an entry"),
        ("DELETE FROM entries WHERE account = 2 AND number = 2", one, "Some(7): the transfer has no other side"),
        ("UPDATE accounts SET posted = posted + 1 WHERE id = 2", two, "Some(2): the account's row differs"),
        ("UPDATE open_holds SET remaining = 1", one, "Some(4): the open hold differs"),
        ("DELETE FROM open_holds", one, "Some(4): the open hold differs"),
        ("INSERT INTO open_holds VALUES (2, 1, 5, 5)", two, "Some(1): the open hold differs"),
        ("DELETE FROM accounts WHERE id = 2", two, "None: the account has entries and no row"),
        ("DELETE FROM entries WHERE account = 2", two, "Some(2): the account's row includes an entry"),
        ("DELETE FROM audit WHERE id = 1", "None", "None: the audit trail has 1 rows"),
    ];
    for (sql, whose, what) in cases {
        let bench = with_history();
        bench.shell().tamper(sql);
        let found = bench.verify();
        let what = format!("{whose} {what}");
        assert!(found.iter().any(|finding| finding.starts_with(&what)), "{sql}: {found:?} lacks {what}");
    }
}

#[test]
fn saved_links_tell_a_history_that_was_written_anew() {
    let bench = with_history();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("links");
    let report = bench.store.verify(store::Against::default(), &mut |_| ()).expect("no fault");
    assert_eq!((report.accounts, report.entries), (2, 9));
    report.save(&file).expect("saved");
    bench.charge(1, "1", "later").expect("a charge");
    let against = || store::Against::read(&file).expect("links");
    assert_eq!(bench.store.verify(against(), &mut |_| ()).expect("no fault").findings, []);
    bench.shell().tamper("DELETE FROM entries WHERE account = 2; DELETE FROM accounts WHERE id = 2");
    let found = bench.store.verify(against(), &mut |_| ()).expect("no fault").findings;
    assert!(found.iter().any(|finding| finding.what == "the entry that was there before is gone"), "{found:?}");
}

#[test]
fn both_engines_give_the_same_hashes() {
    let report = with_history().store.verify(store::Against::default(), &mut |_| ()).expect("no fault");
    let embedded = tempfile::tempdir().expect("a folder");
    let url = store::DatabaseUrl::file(embedded.path().join("sodu.db"));
    let time = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(crate::bench::START));
    let store = store::Store::open(crate::bench::options(url, &time)).expect("a store");
    for id in 1..=2 {
        crate::bench::run(store.open_account(crate::bench::new_account(id))).expect("an account");
    }
    let movements = [
        ("t", ledger::Movement::Topup { amount: crate::bench::vnd("100") }),
        ("c", ledger::Movement::Charge { amount: crate::bench::vnd("10") }),
        ("h", crate::bench::hold("20", 3600)),
        ("p", capture(Named::Key(key("h")), "5")),
        ("r", ledger::Movement::Refund { amount: crate::bench::vnd("4"), charge: Named::Key(key("c")) }),
        ("x", ledger::Movement::Transfer { to: crate::bench::account(2), amount: crate::bench::vnd("30") }),
    ];
    for (with_key, movement) in movements {
        let command = crate::bench::command(1, movement, with_key);
        assert!(crate::bench::run(store.submit(vec![command])).expect("no fault").iter().all(Result::is_ok));
    }
    let twin = store.verify(store::Against::default(), &mut |_| ()).expect("no fault");
    assert_eq!((twin.root, twin.entries), (report.root, report.entries));
}
