//! Random histories of every movement against the naive model: on three accounts, one of another currency.
//!
//! Where the model and the rules disagree, one of them is wrong.

use ledger::{Currency, Hash, Kind, Movement};
use proptest::prelude::*;

use crate::book::{Book, Done};
use crate::canonical::encoded;
use crate::draw::{Drawn, Figures, drawn, open};
use crate::make;
use crate::naive::{Expected, Naive};

/// The accounts, and the limits that they open with.
const ACCOUNTS: [(u32, i64); 3] = [(1, 50), (2, 0), (3, 20)];

/// Time that passes, in microseconds, and a command; the clock may jump back, ledger time does not.
fn steps() -> impl Strategy<Value = Vec<(i64, Drawn)>> {
    let pass = prop_oneof![4 => Just(0_i64), 4 => 0..=3_000_000_i64, 2 => (0..=9_i64).prop_map(|s| s * 1_000_000),
        1 => -20_000_000..=0_i64];
    let drawn = prop_oneof![drawn(Figures::Small), drawn(Figures::Bounds)];
    prop::collection::vec((pass, drawn), 0..90)
}

fn run(steps: &[(i64, Drawn)]) -> Result<Book, TestCaseError> {
    let (mut book, mut model, mut said) = (Book::default(), Naive::default(), Vec::new());
    let (mut clock, mut now) = (0, 0);
    for (id, limit) in ACCOUNTS {
        let currency = if id == 3 { Currency::new("USD", 2, 2).expect("a currency") } else { Currency::VND };
        model.has_currency(id, currency);
        let opening = ledger::Command { account: make::account_id(id), ..make::command(open(currency, limit)) };
        book.perform(&opening, make::time(0)).expect("no refusal");
        prop_assert_eq!(model.perform(&opening, 0), Expected::Entry(1));
    }
    for (pass, drawn) in steps {
        clock += pass;
        now = now.max(clock);
        let command = drawn.command(&model, &said);
        let done = book.perform(&command, make::time(now));
        let expected = model.perform(&command, now);
        match (&done, &expected) {
            (Ok(Done::Entry(entry, other)), Expected::Entry(number)) => {
                prop_assert_eq!(entry.number, *number);
                prop_assert_eq!(other.is_some(), matches!(command.movement, Movement::Transfer { .. }));
            }
            (Ok(Done::Replay), Expected::Replay(_) | Expected::Refused(_, Some(_))) => {}
            (Err(refusal), Expected::Refused(expected, None)) => prop_assert_eq!(refusal, expected),
            (done, expected) => {
                return Err(TestCaseError::fail(format!("{expected:?} was expected of {command:?}, not {done:?}")));
            }
        }
        said.push(command);
        agree(&book, &model, now)?;
    }
    Ok(book)
}

/// The same entries, and the same figures after them.
fn agree(book: &Book, model: &Naive, now: i64) -> Result<(), TestCaseError> {
    for (id, _) in ACCOUNTS {
        let account = book.accounts.get(&make::account_id(id)).expect("an account");
        let figures = (account.posted, account.held, account.credit_limit, account.status);
        prop_assert_eq!(Some(figures), model.latest(id));
        let open: Vec<_> = book.open_holds(account.id).into_iter().filter(|it| !it.is_due(make::time(now))).collect();
        prop_assert_eq!(open, model.open_holds(id, now));
        let (entries, past) = (book.entries.get(&account.id).expect("its entries"), model.of(id));
        prop_assert_eq!(entries.len(), past.len());
        for (entry, event) in entries.iter().zip(past) {
            prop_assert!(event.is_told_by(entry), "{:?} is not {:?}", entry, event);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn rules_and_model_agree_and_the_chain_holds(steps in steps()) {
        let book = run(&steps)?;
        for entries in book.entries.values() {
            let mut previous = Hash::default();
            for (entry, number) in entries.iter().zip(1_u64..) {
                let linked = blake3::hash(&[previous.0.as_slice(), &encoded(entry)].concat());
                prop_assert_eq!((entry.number, entry.hash.0), (number, *linked.as_bytes()));
                previous = entry.hash;
            }
            for pair in entries.windows(2) {
                let [one, next] = pair else { unreachable!("windows of two") };
                prop_assert!(one.at <= next.at);
                let own = next.posted_after.units() - next.held_after.units();
                let spends = matches!(next.kind, Kind::Charge | Kind::Hold)
                    || (next.kind == Kind::Transfer && next.amount.units() < 0);
                prop_assert!(!spends || own + next.credit_limit.units() >= 0, "an overdraft");
            }
        }
    }
}
