//! The digest by which a repeated key is compared: what counts, what does not, and its literal value.

use ledger::{Amount, Command, Currency, Lifetime, Minor, Movement, Named, Status, canonical};

use crate::canonical::hex;
use crate::make;

#[test]
fn a_content_is_exactly_this_digest() {
    let digest = |command: &Command| hex(&canonical::content(command, None).0);
    assert_eq!(digest(&make::command(make::topup(100))), "092f88ecff5181fbd17c97539108052d");
    assert_eq!(digest(&make::command(make::open(5_000))), "eca2ec1b049056abc927030a7374b1e6");
    let reason = make::reason("asked for");
    let locked = make::command(Movement::Status { status: Status::Locked });
    let locked = Command { reason: Some(reason.clone()), ..locked };
    assert_eq!(digest(&locked), "91d9b38150718feab1d04e139577f1a3");
    let everything = Command {
        account: make::account_id(9999),
        reference: Some(make::reference("Thanh toán 12")),
        metadata: make::metadata(&[("campaign", "tết"), ("a", "")]),
        ..make::command(Movement::Adjust { amount: make::minor(-1_250), reason })
    };
    assert_eq!(digest(&everything), "f6711c54c0df33cbcebe6335cd310e8f");
}

fn hold(units: i64, seconds: u32) -> Movement {
    Movement::Hold { amount: make::amount(units), expires_in: lifetime(seconds) }
}

fn lifetime(seconds: u32) -> Lifetime {
    Lifetime::new(seconds).expect("a lifetime")
}

fn capture(hold: Named, units: Option<i64>, is_final: bool) -> Movement {
    Movement::Capture { hold, amount: units.map(make::amount), is_final }
}

fn of_key(text: &str) -> Named {
    Named::Key(make::key(text))
}

#[test]
fn a_content_that_names_another_entry_or_account_is_exactly_this_digest() {
    let seventh = || Named::Number(7);
    let digest = |movement| hex(&canonical::content(&make::command(movement), None).0);
    let extend = |hold| Movement::Extend { hold, expires_in: lifetime(60) };
    assert_eq!(digest(hold(250, 3600)), "f690aaacaf697a4f05f550770ef9d662");
    assert_eq!(digest(extend(seventh())), "8c363be5110efe2bbdda313333943529");
    assert_eq!(digest(extend(of_key("k-1"))), "ce54d72b8dcbf2d1498d1d8284c4a645");
    assert_eq!(digest(capture(seventh(), Some(100), false)), "640066dfb5acc3f4ccf21d647e25fc7c");
    assert_eq!(digest(capture(seventh(), Some(100), true)), "eb7ae723d29406d759c9e23fbd36bb9b");
    assert_eq!(digest(capture(seventh(), None, false)), "fa1c97ec29dd2658eaa61491350c4e29");
    assert_eq!(digest(capture(seventh(), None, true)), "fa1c97ec29dd2658eaa61491350c4e29");
    assert_eq!(digest(Movement::Void { hold: seventh() }), "db23df701d264e0d4b55380d754787c6");
    let refund = Movement::Refund { amount: make::amount(30), charge: seventh() };
    assert_eq!(digest(refund), "b631ffd0a5b53d26eb9c6f25bd69efaa");
    let transfer = make::command(Movement::Transfer { to: make::account_id(9999), amount: make::amount(40) });
    let transfer = Command { reference: Some(make::reference("r")), ..transfer };
    assert_eq!(hex(&canonical::content(&transfer, None).0), "ba95616f9d69a67f1549286f457ab073");
}

#[test]
fn it_does_not_count_whether_an_entry_is_named_by_number_or_by_key() {
    let movements = [
        |named| capture(named, Some(5), false),
        |named| capture(named, None, true),
        |hold| Movement::Void { hold },
        |hold| Movement::Extend { hold, expires_in: lifetime(60) },
        |charge| Movement::Refund { amount: make::amount(5), charge },
    ];
    for movement in movements {
        let content = |named, number| canonical::content(&make::command(movement(named)), number);
        assert_eq!(content(of_key("h"), Some(7)), content(Named::Number(7), Some(7)));
        assert_eq!(content(of_key("h"), Some(7)), content(Named::Number(7), None));
        assert_ne!(content(of_key("h"), Some(7)), content(of_key("h"), Some(8)));
        assert_ne!(content(of_key("h"), None), content(of_key("h"), Some(7)));
        assert_ne!(content(of_key("h"), None), content(of_key("g"), None));
    }
}

#[test]
fn spelling_operator_and_key_do_not_count() {
    let spelled = |text: &str| {
        let amount = Amount::parse(text, Currency::VND).expect("an amount");
        Command { metadata: make::metadata(&[("a", "1"), ("b", "2")]), ..make::command(Movement::Charge { amount }) }
    };
    let of = |command: &Command| canonical::content(command, None);
    let content = of(&spelled("12.5"));
    assert_eq!(of(&spelled("12.50")), content);
    assert_eq!(of(&spelled("0012.5000")), content);
    assert_eq!(of(&Command { by: make::actor("operator:anna"), ..spelled("12.5") }), content);
    assert_eq!(of(&Command { key: Some(make::key("k")), ..spelled("12.5") }), content);
    let reordered = Command { metadata: make::metadata(&[("b", "2"), ("a", "1")]), ..spelled("12.5") };
    assert_eq!(of(&reordered), content);
}

#[test]
fn everything_else_counts() {
    let usd = Currency::new("USD", 2, 2).expect("a currency");
    let command = make::command;
    let limit = |units, reason: Option<&str>| {
        let limit = command(Movement::Limit { credit_limit: make::minor(units) });
        Command { reason: reason.map(make::reason), ..limit }
    };
    let status = |status, reason: Option<&str>| Command {
        reason: reason.map(make::reason),
        ..command(Movement::Status { status })
    };
    let adjust = |units, reason| command(Movement::Adjust { amount: make::minor(units), reason: make::reason(reason) });
    let referred = |text| Command { reference: Some(make::reference(text)), ..command(make::charge(1)) };
    let described = |pairs| Command { metadata: make::metadata(pairs), ..command(make::charge(1)) };
    let all = [
        command(make::charge(1)),
        command(make::charge(2)),
        command(make::charge(256)),
        command(make::topup(1)),
        Command { account: make::account_id(2), ..command(make::charge(1)) },
        command(make::open(1)),
        command(make::open(2)),
        command(Movement::Open { currency: usd, credit_limit: make::minor(1) }),
        limit(1, None),
        limit(2, None),
        limit(1, Some("a")),
        limit(1, Some("b")),
        Command { reference: Some(make::reference("a")), ..limit(1, None) },
        status(Status::Active, None),
        status(Status::Locked, None),
        status(Status::Closed, None),
        status(Status::Locked, Some("a")),
        command(hold(1, 1)),
        command(hold(2, 1)),
        command(hold(1, 2)),
        command(Movement::Extend { hold: Named::Number(1), expires_in: lifetime(1) }),
        command(Movement::Extend { hold: Named::Number(1), expires_in: lifetime(2) }),
        command(Movement::Extend { hold: Named::Number(2), expires_in: lifetime(1) }),
        command(Movement::Extend { hold: of_key("1"), expires_in: lifetime(1) }),
        command(Movement::Void { hold: Named::Number(1) }),
        command(Movement::Void { hold: Named::Number(2) }),
        command(Movement::Void { hold: of_key("1") }),
        command(capture(Named::Number(1), Some(1), false)),
        command(capture(Named::Number(1), Some(2), false)),
        command(capture(Named::Number(1), Some(1), true)),
        command(capture(Named::Number(1), None, true)),
        command(capture(Named::Number(2), None, true)),
        command(capture(of_key("1"), None, true)),
        command(Movement::Refund { amount: make::amount(1), charge: Named::Number(1) }),
        command(Movement::Refund { amount: make::amount(2), charge: Named::Number(1) }),
        command(Movement::Refund { amount: make::amount(1), charge: Named::Number(2) }),
        command(Movement::Refund { amount: make::amount(1), charge: of_key("1") }),
        command(Movement::Transfer { to: make::account_id(2), amount: make::amount(1) }),
        command(Movement::Transfer { to: make::account_id(2), amount: make::amount(2) }),
        command(Movement::Transfer { to: make::account_id(3), amount: make::amount(1) }),
        Command { reason: Some(make::reason("a")), ..command(make::charge(1)) },
        adjust(1, "a"),
        adjust(-1, "a"),
        adjust(1, "b"),
        Command { reference: Some(make::reference("a")), ..adjust(1, "a") },
        referred("a"),
        referred("b"),
        referred("A"),
        described(&[("a", "")]),
        described(&[("a", "b")]),
        described(&[("b", "a")]),
        described(&[("ab", "")]),
        described(&[("a", "bc")]),
        described(&[("ab", "c")]),
        described(&[("a", "b"), ("c", "d")]),
        described(&[("a", "b"), ("cd", "")]),
        described(&[("a", "d"), ("c", "b")]),
    ];
    for (index, one) in all.iter().enumerate() {
        for other in all.iter().skip(index + 1) {
            assert_ne!(canonical::content(one, None), canonical::content(other, None), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn the_greatest_command_has_a_digest_too() {
    let most = Command {
        reference: Some(make::reference(&"r".repeat(256))),
        metadata: make::metadata(&[("a", &"v".repeat(1_023))]),
        ..make::command(Movement::Adjust {
            amount: Minor::new(-make::MAX).expect("the least figure"),
            reason: make::reason(&"w".repeat(512)),
        })
    };
    // As many pairs as fit: the lengths before each text count against the field's own length.
    let many: Vec<(String, String)> = (0..256).map(|n| (format!("{n:04}"), String::new())).collect();
    let crowded = Command { metadata: ledger::Metadata::new(many).expect("1024 bytes"), ..most.clone() };
    assert_ne!(canonical::content(&most, None), canonical::content(&crowded, None));
}
