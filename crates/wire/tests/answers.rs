//! Goldens of the answers, as bytes, each naming the section of esms-wire that it comes from.

use wire::{Answer, Code, Format, Malformed, Money, write};

#[track_caller]
fn check(format: Format, answer: Answer<'_>, expected: &str) {
    let mut out = Vec::new();
    write(format, &answer, &mut out);
    let written = String::from_utf8(out).expect("answers are UTF-8");
    assert_eq!(written, expected);
}

const fn balance(minor: i64, scale: u8, user_id: u32) -> Answer<'static> {
    let balance = Money { minor, scale };
    Answer::Balance { balance, user_id }
}

/// Section 1, "valid request".
#[test]
fn published_success() {
    check(Format::Json, balance(36693, 0, 9999), r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#);
}

/// Section 1, "invalid credentials".
#[test]
fn published_refusal() {
    check(
        Format::Json,
        Answer::refused(Code::AuthorizeFailed),
        r#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#,
    );
}

/// Section 2: `MemberModel` in its order, no namespace, members without a value left out.
#[test]
fn xml_success() {
    check(
        Format::Xml,
        balance(36693, 0, 9999),
        "<MemberModel><Balance>36693</Balance><UserID>9999</UserID><CodeResponse>100</CodeResponse></MemberModel>",
    );
}

/// Section 2 for the shape, section 1 for the message.
#[test]
fn xml_refusal() {
    check(
        Format::Xml,
        Answer::refused(Code::AuthorizeFailed),
        "<MemberModel><Balance>0</Balance><ErrorMessage>Authorize Failed</ErrorMessage><CodeResponse>101</CodeResponse></MemberModel>",
    );
}

/// Section 4: every answer but 100 has the shape of the 101 body, with its own code and message.
#[test]
fn other_refusals() {
    for (code, digits) in [
        (Code::Unknown, "99"),
        (Code::AuthorizeFailed, "101"),
        (Code::AccountLocked, "102"),
        (Code::AddressNotAllowed, "140"),
    ] {
        let message = code.message();
        check(
            Format::Json,
            Answer::refused(code),
            &format!(r#"{{"Balance":0,"CodeResponse":"{digits}","ErrorMessage":"{message}"}}"#),
        );
        check(
            Format::Xml,
            Answer::refused(code),
            &format!(
                "<MemberModel><Balance>0</Balance><ErrorMessage>{message}</ErrorMessage><CodeResponse>{digits}</CodeResponse></MemberModel>"
            ),
        );
        assert_eq!((code as u16).to_string(), digits);
        assert_eq!(Answer::refused(code).code(), code);
    }
    assert_eq!(balance(0, 0, 1).code(), Code::Success);
    assert_eq!((Code::Success as u16, Code::Success.digits()), (100, "100"));
}

#[test]
fn malformed_bodies_are_code_99_with_their_sentence() {
    check(
        Format::Json,
        Malformed::NotJson.into(),
        r#"{"Balance":0,"CodeResponse":"99","ErrorMessage":"The request body is not JSON: send one JSON object with ApiKey and SecretKey"}"#,
    );
    check(
        Format::Xml,
        Malformed::Doctype.into(),
        "<MemberModel><Balance>0</Balance><ErrorMessage>The request body has a DOCTYPE, which is not accepted: send it without one</ErrorMessage><CodeResponse>99</CodeResponse></MemberModel>",
    );
}

#[test]
fn messages_are_escaped_for_json() {
    let message = "\"\\/\n\r\t\u{0}\u{1f}\u{7f}<&> số dư \u{1f600}";
    check(
        Format::Json,
        Answer::Refused { code: Code::Unknown, message },
        "{\"Balance\":0,\"CodeResponse\":\"99\",\"ErrorMessage\":\"\\\"\\\\/\\n\\r\\t\\u0000\\u001f\u{7f}<&> số dư \u{1f600}\"}",
    );
}

#[test]
fn messages_are_escaped_for_xml() {
    let message = "<a href=\"x\">&amp; ]]>\n\t\r\u{0}\u{1f}\u{fffe}\u{ffff}số dư \u{1f600}";
    check(
        Format::Xml,
        Answer::Refused { code: Code::Unknown, message },
        "<MemberModel><Balance>0</Balance><ErrorMessage>&lt;a href=\"x\"&gt;&amp;amp; ]]&gt;\n\t&#13;\u{fffd}\u{fffd}\u{fffd}\u{fffd}số dư \u{1f600}</ErrorMessage><CodeResponse>99</CodeResponse></MemberModel>",
    );
}

/// Design law 10; section 3, row 1: an integral balance has neither fraction nor exponent.
#[test]
fn money_is_an_exact_plain_number() {
    for (minor, scale, expected) in [
        (0, 0, "0"),
        (0, 2, "0"),
        (0, 255, "0"),
        (1, 0, "1"),
        (-1, 0, "-1"),
        (36_693, 0, "36693"),
        (3_669_300, 2, "36693"),
        (3_669_350, 2, "36693.5"),
        (3_669_305, 2, "36693.05"),
        (100, 0, "100"),
        (100, 1, "10"),
        (100, 3, "0.1"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (-1_000, 2, "-10"),
        (1, 6, "0.000001"),
        // Section 2 has a balance of 1.26743233E+15, and 2^53 + 1 is the first integer that a double cannot hold.
        (1_267_432_330_000_000, 0, "1267432330000000"),
        (9_007_199_254_740_993, 0, "9007199254740993"),
        (i64::MAX, 0, "9223372036854775807"),
        (i64::MIN, 0, "-9223372036854775808"),
        (i64::MIN, 19, "-0.9223372036854775808"),
        (i64::MAX, 18, "9.223372036854775807"),
    ] {
        check(
            Format::Json,
            balance(minor, scale, 1),
            &format!(r#"{{"Balance":{expected},"CodeResponse":"100","UserID":1}}"#),
        );
        check(
            Format::Xml,
            balance(minor, scale, 1),
            &format!(
                "<MemberModel><Balance>{expected}</Balance><UserID>1</UserID><CodeResponse>100</CodeResponse></MemberModel>"
            ),
        );
    }
}

/// Section 2: UserID reaches 2147483647.
#[test]
fn greatest_user_id() {
    check(Format::Json, balance(-12, 0, 2_147_483_647), r#"{"Balance":-12,"CodeResponse":"100","UserID":2147483647}"#);
}

#[test]
fn answers_are_appended() {
    let mut out = b"head".to_vec();
    write(Format::Json, &balance(1, 0, 2), &mut out);
    assert_eq!(out, br#"head{"Balance":1,"CodeResponse":"100","UserID":2}"#);
}

#[test]
fn content_types_name_their_charset() {
    assert_eq!(Format::Json.content_type(), "application/json; charset=utf-8");
    assert_eq!(Format::Xml.content_type(), "application/xml; charset=utf-8");
}
