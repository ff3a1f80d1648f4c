//! Opening, profiles, search, statements.

use ledger::{AccountId, Kind, Minor, Time};
use store::{ChangeError, NewAccount, ProfileChange};

use crate::bench::{Bench, START, account, actor, key, minor, new_account, run, settings};

#[test]
fn accounts_get_the_next_free_number_or_the_one_they_ask_for() {
    let bench = Bench::new();
    assert_eq!(bench.open(0).entry.account, account(1));
    assert_eq!(bench.open(9999).entry.account, account(9999));
    assert_eq!(bench.open(0).entry.account, account(10_000));
    assert_eq!(run(bench.store.open_account(new_account(9999))), Err(ChangeError::AccountExists));
    bench.open(AccountId::MAX);
    assert_eq!(bench.open(0).entry.account, account(2), "the first gap once the greatest is taken");
    let bench = bench.reopened();
    assert_eq!(bench.open(0).entry.account, account(3));
}

#[test]
fn a_repeated_opening_answers_with_the_account_it_opened() {
    let bench = Bench::new();
    let new = NewAccount { key: Some(key("open-1")), ..new_account(0) };
    let first = run(bench.store.open_account(new.clone())).expect("an account");
    let bench = bench.reopened();
    let again = run(bench.store.open_account(new.clone())).expect("the same");
    assert_eq!((again.entry, again.replayed), (first.entry, true));
    let other = NewAccount { credit_limit: minor("5"), ..new };
    assert_eq!(run(bench.store.open_account(other)), Err(ChangeError::KeyReused));
}

#[test]
fn an_opening_that_cannot_be_says_why() {
    let bench = Bench::new();
    let unknown = NewAccount { currency: "XXX".into(), ..new_account(1) };
    assert_eq!(run(bench.store.open_account(unknown)), Err(ChangeError::UnknownCurrency));
    let negative = NewAccount { credit_limit: minor("-1"), ..new_account(1) };
    assert!(matches!(run(bench.store.open_account(negative)), Err(ChangeError::Refused(_))));
    let named = |id| NewAccount { external_id: Some("crm-7".into()), ..new_account(id) };
    run(bench.store.open_account(named(1))).expect("an account");
    assert_eq!(run(bench.store.open_account(named(2))), Err(ChangeError::AccountExists));
    assert_eq!(bench.account(2), None);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn profiles_change_and_are_found() {
    let bench = Bench::new();
    (1..=3).for_each(|id| drop(bench.open(id)));
    let change = ProfileChange {
        name: Some("Nhà thuốc An Khang".into()),
        external_id: Some(Some("crm-2".into())),
        shows_available: Some(true),
        metered: Some(true),
    };
    run(bench.store.change_account(actor(), account(2), settings(change))).expect("a change");
    let bench = bench.reopened();
    let now = bench.account(2).expect("an account");
    assert_eq!((now.shows_available, now.metered), (true, true));
    assert_eq!(run(bench.store.metered_accounts()).expect("no fault"), [(now, None)]);
    let found = |query: &str| -> Vec<u32> {
        let page = bench.store.profiles(Some(query), None, 10).expect("no fault");
        page.items.iter().map(|profile| profile.id.get()).collect()
    };
    assert_eq!(found("an khang"), [2]);
    assert_eq!(found("CRM-2"), [2]);
    assert_eq!(found("ACCOUNT"), [1, 3]);
    assert_eq!(found("3"), [3]);
    let first = bench.store.profiles(None, None, 2).expect("no fault");
    assert_eq!((first.items.len(), first.next), (2, Some(account(2))));
    let rest = bench.store.profiles(None, first.next, 2).expect("no fault");
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let nobody = run(bench.store.change_account(actor(), account(9), settings(ProfileChange::default())));
    assert_eq!(nobody, Err(ChangeError::UnknownAccount));
}

#[test]
fn a_statement_is_whole_by_number_and_by_time() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    for n in 0..600_i64 {
        bench.pass(1_000);
        bench.topup(1, "1", &format!("k{n}")).expect("a top-up");
        if n % 3 == 0 {
            bench.topup(2, "1", &format!("k{n}")).expect("a top-up");
        }
    }
    let numbers = |from: Option<i64>, to: Option<i64>, after: u64, limit: usize| {
        let time = |offset: i64| Time::from_micros(START + offset);
        let page = bench.store.entries(account(1), from.map(time), to.map(time), after, limit).expect("no fault");
        (page.items.iter().map(|entry| entry.number).collect::<Vec<_>>(), page.next)
    };
    // Entry 1 is at START, entry n + 1 at START + n milliseconds.
    assert_eq!(numbers(None, None, 0, 3), (vec![1, 2, 3], Some(3)));
    assert_eq!(numbers(None, None, 598, 10), (vec![599, 600, 601], None));
    assert_eq!(numbers(None, None, 601, 10), (vec![], None));
    assert_eq!(numbers(Some(1_000), Some(4_000), 0, 10), (vec![2, 3, 4], None));
    assert_eq!(numbers(Some(299_500), Some(302_000), 0, 10), (vec![301, 302], None));
    assert_eq!(numbers(Some(700_000), None, 0, 10), (vec![], None));
    assert_eq!(numbers(None, Some(0), 0, 10), (vec![], None));
    assert_eq!(numbers(None, Some(1), 0, 10), (vec![1], None));
    let mut all = Vec::new();
    let mut after = Some(0);
    while let Some(number) = after {
        let (page, next) = numbers(None, None, number, 77);
        all.extend(page);
        after = next;
    }
    assert_eq!(all, (1..=601).collect::<Vec<_>>());
    for number in [1, 127, 128, 129, 256, 400, 601] {
        let entry = bench.store.entry(account(1), number).expect("no fault").expect("an entry");
        assert_eq!(entry.number, number);
        let posted = Minor::new(i64::try_from(number - 1).expect("small") * 100);
        assert_eq!(Some(entry.posted_after), posted);
        assert_eq!(entry.kind, if number == 1 { Kind::Open } else { Kind::Topup });
    }
    assert_eq!(bench.store.entry(account(1), 602), Ok(None));
    assert_eq!(bench.store.entry(account(1), 0), Ok(None));
    assert_eq!(bench.store.entry(account(3), 1), Ok(None));
}
