//! Entries that a forger who knows the format has sealed anew: what the rules would never decide is named by the fold for
//! what is wrong with it, though every hash is right.

use ledger::{Account, Broken, Content, Entry, Hash, Kind, Movement, Status, Target};

use crate::make::{self, MAX};

#[test]
fn a_well_sealed_lie_is_named() {
    let account = make::account(100, 40, 10, Status::Active);
    let truth = |movement| make::decided(Some(&account), &make::command(movement), make::time(5)).expect("no refusal");
    let charge = truth(make::charge(70));
    let status = truth(Movement::Status { status: Status::Locked });
    let limit = truth(Movement::Limit { credit_limit: make::minor(3) });
    let target = Some(Target { account: account.id, number: 1 });
    let void = Entry { kind: Kind::Void, posted_after: account.posted, target, ..charge.clone() };
    let lies = [
        ("a gap", Broken::Number { expected: 2 }, Entry { number: 3, ..charge.clone() }),
        ("a doubled number", Broken::Number { expected: 2 }, Entry { number: 1, ..charge.clone() }),
        ("another account", Broken::Number { expected: 2 }, Entry { account: make::account_id(2), ..charge.clone() }),
        ("before the last", Broken::Time, Entry { at: make::time(-1), ..charge.clone() }),
        ("written too early", Broken::Time, Entry { recorded_at: make::time(4), ..charge.clone() }),
        ("a second opening", Broken::NoOpening, Entry { kind: Kind::Open, ..charge.clone() }),
        ("a charge's own limit", Broken::Limit, Entry { credit_limit: make::minor(11), ..charge.clone() }),
        ("a status's own limit", Broken::Limit, Entry { credit_limit: make::minor(9), ..status.clone() }),
        ("a limit below zero", Broken::Limit, Entry { credit_limit: make::minor(-1), ..limit.clone() }),
        ("a charge's own status", Broken::Status, Entry { status: Status::Locked, ..charge.clone() }),
        ("a limit's own status", Broken::Status, Entry { status: Status::Closed, ..limit.clone() }),
        ("money from nowhere", Broken::Posted, Entry { posted_after: make::minor(31), ..charge.clone() }),
        ("another amount", Broken::Posted, Entry { amount: make::minor(69), ..charge.clone() }),
        ("a limit that pays", Broken::Posted, Entry { posted_after: make::minor(101), ..limit }),
        ("a hold ended by a charge", Broken::Held, Entry { held_after: make::minor(0), ..charge.clone() }),
        ("a hold made by a status", Broken::Held, Entry { held_after: make::minor(41), ..status }),
        (
            "more released than held",
            Broken::Held,
            Entry { amount: make::minor(41), held_after: make::minor(-1), ..void.clone() },
        ),
        (
            "less released than said",
            Broken::Held,
            Entry { amount: make::minor(9), held_after: make::minor(32), ..void },
        ),
        ("a capture that releases nothing", Broken::Held, Entry { kind: Kind::Capture, target, ..charge.clone() }),
    ];
    for (what, broken, lie) in lies {
        let lie = make::sealed(account.hash, lie);
        assert_eq!(account.clone().apply(&lie), Err(broken), "{what}");
    }
    let too_much = Entry { amount: make::minor(71), posted_after: make::minor(29), ..charge.clone() };
    assert_eq!(account.clone().apply(&make::sealed(account.hash, too_much)), Err(Broken::Overdraft));
    let elsewhere = make::sealed(Hash([1; 32]), charge.clone());
    assert_eq!(account.clone().apply(&elsewhere), Err(Broken::Hash));
    assert_eq!(account.clone().apply(&make::sealed(account.hash, charge)), Ok(()));
}

#[test]
fn only_an_opening_opens() {
    let opening = make::decided(None, &make::command(make::open(5)), make::time(5)).expect("no refusal");
    let lies = [
        (Broken::NoOpening, Entry { kind: Kind::Topup, ..opening.clone() }),
        (Broken::NoOpening, Entry { number: 2, ..opening.clone() }),
        (Broken::NoOpening, Entry { currency: None, ..opening.clone() }),
        (Broken::Limit, Entry { credit_limit: make::minor(-5), ..opening.clone() }),
        (Broken::Status, Entry { status: Status::Locked, ..opening.clone() }),
        (Broken::Posted, Entry { posted_after: make::minor(MAX), ..opening.clone() }),
        (Broken::Held, Entry { held_after: make::minor(1), ..opening.clone() }),
        (Broken::Time, Entry { recorded_at: make::time(4), ..opening }),
    ];
    for (broken, lie) in lies {
        assert_eq!(Account::opened_by(&make::sealed(Hash::default(), lie)), Err(broken));
    }
}

/// An account with 100 posted and 40 held, after entry 9.
fn ninth(credit_limit: i64, status: Status) -> Account {
    Account { number: 9, ..make::account(100, 40, credit_limit, status) }
}

/// The entry after [`ninth`] that changes nothing, of that kind and amount; each test writes the rest of it.
fn tenth(before: &Account, kind: Kind, amount: i64) -> Entry {
    let topup = make::decided(Some(before), &make::command(make::topup(1)), make::time(5)).expect("no refusal");
    Entry { kind, amount: make::minor(amount), posted_after: before.posted, held_after: before.held, ..topup }
}

fn own(number: u64) -> Option<Target> {
    Some(Target { account: make::account_id(1), number })
}

/// One entry of each kind that folds after [`ninth`].
fn truths() -> Vec<Entry> {
    let before = ninth(10, Status::Active);
    let of = |kind, amount| tenth(&before, kind, amount);
    let posted = |units| make::minor(units);
    let end = Some(make::time(6));
    vec![
        of(Kind::Limit, 0),
        of(Kind::Status, 0),
        Entry { posted_after: posted(107), ..of(Kind::Topup, 7) },
        Entry { posted_after: posted(30), ..of(Kind::Charge, 70) },
        Entry { held_after: posted(60), expires_at: end, ..of(Kind::Hold, 20) },
        Entry { expires_at: end, target: own(3), ..of(Kind::Extend, 0) },
        Entry { posted_after: posted(90), held_after: posted(15), target: own(3), ..of(Kind::Capture, 10) },
        Entry { held_after: posted(15), target: own(3), ..of(Kind::Void, 25) },
        Entry { held_after: posted(15), target: own(3), ..of(Kind::Expire, 25) },
        Entry { posted_after: posted(101), target: own(3), ..of(Kind::Refund, 1) },
        Entry { posted_after: posted(30), target: elsewhere(), ..of(Kind::Transfer, -70) },
        Entry { posted_after: posted(170), target: elsewhere(), ..of(Kind::Transfer, 70) },
        Entry { posted_after: posted(95), reason: Some(make::reason("counted")), ..of(Kind::Adjust, -5) },
    ]
}

fn elsewhere() -> Option<Target> {
    Some(Target { account: make::account_id(2), number: 77 })
}

fn fate(before: &Account, lie: Entry) -> Result<(), Broken> {
    before.clone().apply(&make::sealed(before.hash, lie))
}

#[test]
fn one_of_each_kind_folds() {
    let before = ninth(10, Status::Active);
    let truths = truths();
    assert!(Kind::ALL.iter().all(|kind| *kind == Kind::Open || truths.iter().any(|truth| truth.kind == *kind)));
    for truth in truths {
        assert_eq!(fate(&before, truth.clone()), Ok(()), "{truth:?}");
    }
}

#[test]
fn no_kind_carries_an_amount_of_the_other_sign() {
    let before = ninth(10, Status::Active);
    for truth in truths() {
        let moves = truth.amount != make::minor(0);
        let is_signed = matches!(truth.kind, Kind::Transfer | Kind::Adjust);
        let lies: &[i64] = match (is_signed, moves) {
            (true, _) => &[0],
            (false, true) => &[0, -1, -7],
            (false, false) => &[1, -1],
        };
        for &amount in lies {
            let lie = Entry { amount: make::minor(amount), ..truth.clone() };
            assert_eq!(fate(&before, lie), Err(Broken::Amount), "{amount} in {truth:?}");
        }
    }
}

#[test]
fn every_kind_carries_what_it_carries_and_nothing_else() {
    let before = ninth(10, Status::Active);
    let end = Some(make::time(6));
    let (key, content) = (Some(make::key("k")), Some(Content([1; 16])));
    for truth in truths() {
        let mut lies = vec![
            ("a currency", Entry { currency: Some(before.currency), ..truth.clone() }),
            ("a key without its content", Entry { key: key.clone(), ..truth.clone() }),
            ("a content without its key", Entry { content, ..truth.clone() }),
        ];
        match truth.expires_at {
            None => lies.push(("an end", Entry { expires_at: end, ..truth.clone() })),
            Some(_) => {
                lies.push(("no end", Entry { expires_at: None, ..truth.clone() }));
                let last = truth.at.micros() + 366 * 86_400_000_000;
                let longest = Entry { expires_at: Some(make::time(last)), ..truth.clone() };
                assert_eq!(fate(&before, longest), Ok(()), "{truth:?}");
                lies.push(("no end in a year", Entry { expires_at: Some(make::time(last + 1)), ..truth.clone() }));
                lies.push(("an end at once", Entry { expires_at: Some(truth.at), ..truth.clone() }));
            }
        }
        match truth.target {
            None => {
                lies.push(("an entry it names", Entry { target: own(3), ..truth.clone() }));
                lies.push(("an entry elsewhere that it names", Entry { target: elsewhere(), ..truth.clone() }));
            }
            Some(target) => {
                let swapped = if target.account == before.id { elsewhere() } else { own(3) };
                lies.push(("none that it names", Entry { target: None, ..truth.clone() }));
                lies.push(("one of the wrong account that it names", Entry { target: swapped, ..truth.clone() }));
                if target.account == before.id {
                    lies.push(("itself", Entry { target: own(10), ..truth.clone() }));
                    lies.push(("one to come", Entry { target: own(11), ..truth.clone() }));
                }
            }
        }
        let arrives = truth.kind == Kind::Transfer && truth.amount > make::minor(0);
        if truth.kind == Kind::Expire || arrives {
            lies.push(("a key of its own", Entry { key: key.clone(), content, ..truth.clone() }));
        } else {
            let keyed = Entry { key: key.clone(), content, ..truth.clone() };
            assert_eq!(fate(&before, keyed), Ok(()), "{truth:?}");
        }
        if truth.kind == Kind::Adjust {
            lies.push(("no reason", Entry { reason: None, ..truth.clone() }));
        }
        for (what, lie) in lies {
            assert_eq!(fate(&before, lie), Err(Broken::Form), "{what} in {truth:?}");
        }
    }
}

#[test]
fn only_an_expiry_is_written_after_it_took_effect() {
    let before = ninth(10, Status::Active);
    for truth in truths() {
        let late = Entry { recorded_at: make::time(6), ..truth.clone() };
        let is_late = if truth.kind == Kind::Expire { Ok(()) } else { Err(Broken::Time) };
        assert_eq!(fate(&before, late), is_late, "{truth:?}");
        let early = Entry { recorded_at: make::time(4), ..truth.clone() };
        assert_eq!(fate(&before, early), Err(Broken::Time), "{truth:?}");
    }
}

#[test]
fn a_locked_account_spends_nothing_and_settles_everything() {
    let before = ninth(10, Status::Locked);
    for truth in truths() {
        let entry = Entry { status: Status::Locked, ..truth.clone() };
        let spends = matches!(truth.kind, Kind::Charge | Kind::Hold) || truth.amount == make::minor(-70);
        let fate = fate(&before, entry);
        assert_eq!(fate, if spends { Err(Broken::Forbidden) } else { Ok(()) }, "{truth:?}");
    }
}

#[test]
fn a_closed_account_takes_no_entry_and_none_is_closed_with_money_in_it() {
    let before = ninth(10, Status::Closed);
    for truth in truths() {
        let entry = Entry { status: Status::Closed, ..truth.clone() };
        assert_eq!(fate(&before, entry), Err(Broken::Forbidden), "{truth:?}");
    }
    for (posted, held) in [(1, 0), (-1, 0), (0, 1), (5, 5)] {
        let before = Account { number: 9, ..make::account(posted, held, 10, Status::Active) };
        let closing = Entry { status: Status::Closed, ..tenth(&before, Kind::Status, 0) };
        assert_eq!(fate(&before, closing), Err(Broken::Forbidden), "{posted} {held}");
    }
}

#[test]
fn every_kind_moves_posted_and_held_by_its_amount_and_no_more() {
    let before = ninth(10, Status::Active);
    for truth in truths() {
        let by = |figure: ledger::Minor, more| make::minor(figure.units() + more);
        for more in [-1, 1, 40] {
            let lie = Entry { posted_after: by(truth.posted_after, more), ..truth.clone() };
            assert_eq!(fate(&before, lie), Err(Broken::Posted), "{more} posted in {truth:?}");
            // A final capture releases more than it spends, so less may be held after it.
            if truth.kind != Kind::Capture || more > 15 {
                let lie = Entry { held_after: by(truth.held_after, more), ..truth.clone() };
                assert_eq!(fate(&before, lie), Err(Broken::Held), "{more} held in {truth:?}");
            }
        }
        let negative = Entry { held_after: make::minor(-1), ..truth.clone() };
        assert_eq!(fate(&before, negative), Err(Broken::Held), "{truth:?}");
    }
}

#[test]
fn what_spends_leaves_nothing_below_zero_available_and_what_settles_may() {
    let before = ninth(0, Status::Active);
    let overdrawn = [
        Entry { posted_after: make::minor(39), ..tenth(&before, Kind::Charge, 61) },
        Entry { held_after: make::minor(101), expires_at: Some(make::time(6)), ..tenth(&before, Kind::Hold, 61) },
        Entry { posted_after: make::minor(39), target: elsewhere(), ..tenth(&before, Kind::Transfer, -61) },
    ];
    for entry in overdrawn {
        assert_eq!(fate(&before, entry.clone()), Err(Broken::Overdraft), "{entry:?}");
    }
    let before = Account { posted: make::minor(-100), ..before };
    let capture = Entry {
        posted_after: make::minor(-110),
        held_after: make::minor(30),
        target: own(3),
        ..tenth(&before, Kind::Capture, 10)
    };
    assert_eq!(fate(&before, capture), Ok(()));
    let arrival = Entry { posted_after: make::minor(-99), target: elsewhere(), ..tenth(&before, Kind::Transfer, 1) };
    assert_eq!(fate(&before, arrival), Ok(()));
}

#[test]
fn what_is_available_stays_a_figure() {
    let before = ninth(10, Status::Active);
    let limit = Entry { credit_limit: make::minor(MAX - 99), ..tenth(&before, Kind::Limit, 0) };
    assert_eq!(fate(&before, limit), Err(Broken::Bounds), "posted and limit together");
    let reason = Some(make::reason("counted"));
    let adjust = Entry { posted_after: make::minor(-MAX), reason, ..tenth(&before, Kind::Adjust, -MAX + 1) };
    let before = Account { posted: make::minor(-1), ..before };
    assert_eq!(fate(&before, adjust), Err(Broken::Bounds), "posted less what is held");
}
