//! The digest by which a repeated key is compared: what counts, what does not, and its literal value.

use ledger::{Amount, Command, Currency, Minor, Movement, Status, canonical};

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
