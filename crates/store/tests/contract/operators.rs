//! Operators and currencies: what is added once and for ever, and what stops at once.

use ledger::{Actor, Currency, Minor};
use store::{ChangeError, Login, NewAccount, NewOperator, OperatorName, Role};

use crate::bench::{Bench, actor, new_account, run};

fn name(name: &str) -> OperatorName {
    OperatorName::new(name).expect("an operator's name")
}

fn new(named: &str, role: Role, token: &str) -> NewOperator {
    NewOperator { name: name(named), role, token: token.into() }
}

#[test]
fn a_token_works_at_once_and_after_a_restart_and_stops_at_once_and_for_ever() {
    let bench = Bench::new();
    let added = run(bench.store.add_operator(actor(), new("anna", Role::Money, "sodu_1"))).expect("an operator");
    assert_eq!((added.role, &added.created_by, added.revoked_at), (Role::Money, &actor(), None));
    let anna = Login { actor: Actor::new("operator:anna").expect("an actor"), role: Role::Money };
    assert_eq!(bench.login("sodu_1"), Some(anna.clone()));
    assert_eq!(bench.login("sodu_2"), None);
    let bench = bench.reopened();
    assert_eq!(bench.login("sodu_1"), Some(anna));
    bench.pass(1_000);
    let revoked = run(bench.store.revoke_operator(actor(), name("anna"))).expect("revoked");
    assert_eq!(revoked.revoked_at, Some(bench.now()));
    assert_eq!(bench.login("sodu_1"), None);
    bench.pass(1_000);
    assert_eq!(run(bench.store.revoke_operator(actor(), name("anna"))), Ok(revoked.clone()), "revoked then");
    let bench = bench.reopened();
    assert_eq!(bench.login("sodu_1"), None);
    assert_eq!(bench.store.operators().expect("no fault"), [revoked]);
}

#[test]
fn a_name_is_never_given_out_twice() {
    let bench = Bench::new();
    run(bench.store.add_operator(actor(), new("anna", Role::Read, "sodu_1"))).expect("an operator");
    let again = |bench: &Bench| run(bench.store.add_operator(actor(), new("anna", Role::Admin, "sodu_2")));
    assert_eq!(again(&bench), Err(ChangeError::OperatorExists));
    run(bench.store.revoke_operator(actor(), name("anna"))).expect("revoked");
    assert_eq!(again(&bench), Err(ChangeError::OperatorExists));
    assert_eq!(again(&bench.reopened()), Err(ChangeError::OperatorExists));
}

#[test]
fn nobody_is_revoked_who_never_was() {
    let bench = Bench::new();
    assert_eq!(run(bench.store.revoke_operator(actor(), name("nobody"))), Err(ChangeError::UnknownOperator));
}

#[test]
fn a_token_is_kept_as_a_digest_only() {
    let bench = Bench::new();
    let token = "sodu_0123456789abcdef0123456789abcdef01234567";
    run(bench.store.add_operator(actor(), new("anna", Role::Admin, token))).expect("an operator");
    bench.store.close();
    assert!(bench.holds("anna") && !bench.holds("0123456789abcdef"));
}

#[test]
fn currencies_are_numbered_alike_on_disk_and_in_memory() {
    let bench = Bench::new();
    let usd = Currency::new("USD", 2, 2).expect("a currency");
    assert_eq!(run(bench.store.add_currency(actor(), usd)), Ok((usd, false)));
    assert_eq!(run(bench.store.add_currency(actor(), usd)), Ok((usd, true)));
    for other in [Currency::new("USD", 3, 2), Currency::new("USD", 2, 0)] {
        let other = other.expect("a currency");
        assert_eq!(run(bench.store.add_currency(actor(), other)), Err(ChangeError::CurrencyExists));
    }
    let in_dollars = NewAccount { currency: "USD".into(), credit_limit: Minor::ZERO, ..new_account(7) };
    run(bench.store.open_account(in_dollars)).expect("an account");
    let codes = |bench: &Bench| -> Vec<String> {
        run(bench.store.currencies()).expect("no fault").iter().map(|currency| currency.code().to_owned()).collect()
    };
    assert_eq!(codes(&bench), ["VND", "USD"]);
    let bench = bench.reopened();
    assert_eq!(codes(&bench), ["VND", "USD"]);
    let account = bench.account(7).expect("an account");
    assert_eq!((account.currency.code(), account.currency.public_decimals()), ("USD", 2));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn there_are_256_currencies_at_most() {
    let bench = Bench::new();
    for number in 1..256 {
        let currency = Currency::new(&format!("C{number:03}"), 0, 0).expect("a currency");
        run(bench.store.add_currency(actor(), currency)).expect("room for it");
    }
    let last = Currency::new("LAST", 0, 0).expect("a currency");
    assert_eq!(run(bench.store.add_currency(actor(), last)), Err(ChangeError::TooManyCurrencies));
    assert_eq!(run(bench.reopened().store.currencies()).expect("no fault").len(), 256);
}
