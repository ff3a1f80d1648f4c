//! Answers as a client reads them: the published ones, what the service is seen to write, and what is none.

use proptest::prelude::*;
use wire::{Decimal, Keys, NotAReply, Reply, read_reply, write_request};

#[track_caller]
fn balance(body: &str, expected: &str) {
    match read_reply(body.as_bytes()) {
        Ok(Reply::Balance { balance, user_id: 9999 }) => assert_eq!(balance.to_string(), expected, "{body}"),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn published_answers() {
    // esms-wire, section 1.
    balance(r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#, "36693");
    let refused = read_reply(br#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#);
    assert_eq!(refused, Ok(Reply::Refused { code: 101, message: "Authorize Failed".into() }));
    // Section 2: a double and a 32-bit signed integer.
    let help = read_reply(br#"{"Balance":1.26743233E+15,"CodeResponse":"100","UserID":2147483647}"#);
    let (balance, user_id) = (Decimal::from(1_267_432_330_000_000), 2_147_483_647);
    assert_eq!(help, Ok(Reply::Balance { balance, user_id }));
}

#[test]
fn numbers_and_strings_are_the_same() {
    for (written, expected) in [
        ("0", "0"),
        ("-0.0", "0"),
        ("0e999999999999", "0"),
        ("36693.00", "36693"),
        ("\"36693\"", "36693"),
        ("\" 36693.50 \"", "36693.5"),
        ("-12500", "-12500"),
        ("\"-0.05\"", "-0.05"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901234567890.25", "123456789012345678901234567890.25"),
    ] {
        balance(&format!(r#"{{"Balance":{written},"CodeResponse":100,"UserID":"9999","x":[{{}}]}}"#), expected);
    }
    balance("\u{feff} {\"UserID\":9999.0,\"CodeResponse\":\" 1e2 \",\"Balance\":7}", "7");
}

#[test]
fn what_is_no_answer_is_told_by_what_it_is() {
    use NotAReply as N;
    let cases: [(&[u8], N); 22] = [
        (b"", N::Empty),
        (b" \r\n", N::Empty),
        (b"<!DOCTYPE html><p>Log in", N::Markup),
        (b"<MemberModel/>", N::Markup),
        (b"\x1f\x8b\x08", N::NotJson),
        (b"no", N::NotJson),
        (b"{\"Balance\":36693,\"CodeRes", N::NotJson),
        (b"{} {}", N::NotJson),
        (b"[]", N::NotAnObject),
        (b"null", N::NotAnObject),
        (b"\"100\"", N::NotAnObject),
        (b"{}", N::NoCode),
        (b"{\"CodeResponse\":null}", N::NoCode),
        (b"{\"CodeResponse\":\"1OO\"}", N::NoCode),
        (b"{\"CodeResponse\":100.5}", N::NoCode),
        (b"{\"CodeResponse\":-1}", N::NoCode),
        (b"{\"CodeResponse\":100,\"CodeResponse\":100}", N::Repeated),
        (b"{\"CodeResponse\":100,\"Balance\":null,\"UserID\":1}", N::NoBalance),
        (b"{\"CodeResponse\":100,\"Balance\":\"1,000\",\"UserID\":1}", N::NoBalance),
        (b"{\"CodeResponse\":100,\"Balance\":1e37,\"UserID\":1}", N::NoBalance),
        (b"{\"CodeResponse\":100,\"Balance\":1}", N::NoUserId),
        (b"{\"CodeResponse\":100,\"Balance\":1,\"UserID\":2147483648}", N::NoUserId),
    ];
    for (body, expected) in cases {
        assert_eq!(read_reply(body), Err(expected), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn a_message_is_safe_to_show() {
    let long = "đ".repeat(1000);
    let body = format!(r#"{{"CodeResponse":"99","ErrorMessage":" \u001b[2J{long}"}}"#);
    let Ok(Reply::Refused { code: 99, message }) = read_reply(body.as_bytes()) else { panic!("{body}") };
    assert!(message.starts_with(" [2Jđ") && message.chars().count() == 300, "{message}");
    let odd = read_reply(br#"{"CodeResponse":"99","ErrorMessage":{"a":1}}"#);
    assert_eq!(odd, Ok(Reply::Refused { code: 99, message: String::new() }));
}

#[test]
fn a_request_is_the_published_one() {
    let mut out = Vec::new();
    write_request(&Keys { api_key: "A\"B".into(), secret_key: "S".into() }, &mut out);
    assert_eq!(out, br#"{"ApiKey":"A\"B","SecretKey":"S"}"#);
}

#[test]
fn decimals_are_ordered_by_what_they_mean() {
    let ordered = ["-1e35", "-1.5", "-1.2", "-0.5", "0", "1e-36", "0.5", "0.50000001", "2", "10", "1e35"];
    let ordered = ordered.map(|text| text.parse::<Decimal>().expect("a decimal"));
    assert!(ordered.is_sorted() && ordered.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!("12.50".parse::<Decimal>().expect("a decimal").to_minor(2), Some(1250));
    assert_eq!("12.5".parse::<Decimal>().expect("a decimal").to_minor(0), None);
    for bad in ["", "-", ".", "1e", "1e+", "--1", "1 000", "0x10", "NaN", "1e99999999999", "1e-37", "1e36", "١"] {
        assert!(bad.parse::<Decimal>().is_err(), "{bad}");
    }
}

proptest! {
    /// The model is integer arithmetic on the two halves of the text.
    #[test]
    fn a_decimal_means_what_it_says(whole in 0_i64..1_000_000_000_000, fraction in 0_u32..1000, negative: bool, shift in -6_i32..7) {
        let sign = if negative { "-" } else { "" };
        let text = format!("{sign}{whole}.{fraction:03}e{shift}");
        let decimal: Decimal = text.parse().expect("a decimal");
        let thousandths = (whole * 1000 + i64::from(fraction)) * if negative { -1 } else { 1 };
        let micro_of = 10_i64.pow(u32::try_from(shift + 6).expect("from 0 up"));
        // Shifted by 10^(shift), in units of 10^-9.
        prop_assert_eq!(decimal.to_minor(9).map(i128::from), i64::try_from(i128::from(thousandths) * i128::from(micro_of)).ok().map(i128::from));
        let again: Decimal = decimal.to_string().parse().expect("what is shown can be read");
        prop_assert_eq!(again, decimal);
        prop_assert!(!decimal.to_string().contains(['e', 'E']));
    }

    #[test]
    fn any_bytes_are_an_answer_or_none(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_reply(&body);
    }
}
