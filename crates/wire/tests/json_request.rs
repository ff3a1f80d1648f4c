//! JSON request bodies: what is read, what is ignored, what is refused.

use std::borrow::Cow;
use wire::{BODY_LEN_MAX, Format, Malformed, NESTING_MAX, read};

#[track_caller]
fn check(body: impl AsRef<[u8]>, api_key: &str, secret_key: &str) {
    let body = body.as_ref();
    let text = String::from_utf8_lossy(body);
    let keys = read(Format::Json, body).unwrap_or_else(|malformed| panic!("{malformed}: {text}"));
    assert_eq!(keys.api_key, api_key, "ApiKey of {text}");
    assert_eq!(keys.secret_key, secret_key, "SecretKey of {text}");
}

#[track_caller]
fn refused(body: impl AsRef<[u8]>, expected: Malformed) {
    let body = body.as_ref();
    let outcome = read(Format::Json, body).map(|_| ());
    assert_eq!(outcome, Err(expected), "{}", String::from_utf8_lossy(body));
}

/// esms-wire section 1: the body of the published curl call, with its line breaks and its placeholders.
#[test]
fn published_body() {
    check("{\n  \"ApiKey\":\"{{ApiKey}}\",\n  \"SecretKey\":\"{{SecretKey}}\"\n  }", "{{ApiKey}}", "{{SecretKey}}");
}

#[test]
fn plain_keys_are_borrowed() {
    let keys = read(Format::Json, br#"{"ApiKey":"K","SecretKey":"S"}"#).expect("well-formed");
    assert!(matches!(keys.api_key, Cow::Borrowed("K")));
    assert!(matches!(keys.secret_key, Cow::Borrowed("S")));
}

/// esms-wire section 2: one request shape is shared by every call, and clients send the whole of it.
#[test]
fn whole_api_model() {
    check(
        r#"{"Content":"xin chào","campaignid":null,"SmsType":"2","clienttime":"","Phone":"0901","ApiKey":"K",
            "Brandname":"B","IsUnicode":0,"RefId":"r","Sandbox":"1","Params":["a",{"ApiKey":"inner","SecretKey":"inner"}],
            "IsJourney":false,"SecretKey":"S","PartnerSource":7,"TempID":1.5e3}"#,
        "K",
        "S",
    );
}

/// esms-wire section 3, row 4.
#[test]
fn byte_order_mark() {
    check("\u{feff}{\"ApiKey\":\"K\",\"SecretKey\":\"S\"}", "K", "S");
}

#[test]
fn any_order_and_white_space() {
    check("\r\n\t { \"SecretKey\" : \"S\" , \"ApiKey\" : \"K\" }\r\n ", "K", "S");
}

#[test]
fn escapes_in_names_and_values() {
    check(r#"{"\u0041piKey":"a\"\\\/\u0042","S\u0065cretKey":"\ud83d\ude00"}"#, "a\"\\/B", "\u{1f600}");
}

#[test]
fn unknown_members_are_not_interpreted() {
    // A number beyond any float, half a surrogate pair, and an integer of 400 digits.
    check(
        format!(r#"{{"a":1e999,"b":"\ud800","c":{},"ApiKey":"K","d":-0.0E-99999,"SecretKey":"S"}}"#, "9".repeat(400)),
        "K",
        "S",
    );
}

/// The service's DataContractJsonSerializer matches names with their case, so another case is an unknown member.
#[test]
fn names_in_another_case_are_unknown_members() {
    check(r#"{"apikey":"K","SECRETKEY":"S"}"#, "", "");
    check(r#"{"apiKey":"x","ApiKey":"K","SecretKey":"S"}"#, "K", "S");
}

/// Part of the law of bad input: missing, null, empty and of another type all end in the same 101.
#[test]
fn no_key_or_another_type_is_an_empty_key() {
    check("{}", "", "");
    check(r#"{"SecretKey":"S"}"#, "", "S");
    check(r#"{"ApiKey":"K"}"#, "K", "");
    for value in [
        "null",
        "\"\"",
        "true",
        "0",
        "36693",
        "1e999",
        "-1.5",
        "[]",
        "[\"K\"]",
        "{}",
        "{\"ApiKey\":\"K\"}",
        r#""\ud800""#,
    ] {
        check(format!(r#"{{"ApiKey":{value},"SecretKey":"S"}}"#), "", "S");
        check(format!(r#"{{"SecretKey": {value} ,"ApiKey":"K"}}"#), "K", "");
    }
}

#[test]
fn repeated_keys_are_refused() {
    refused(r#"{"ApiKey":"K","ApiKey":"K","SecretKey":"S"}"#, Malformed::Repeated);
    refused(r#"{"ApiKey":"K","SecretKey":null,"Secret\u004bey":"S"}"#, Malformed::Repeated);
    check(r#"{"x":1,"ApiKey":"K","x":2,"SecretKey":"S"}"#, "K", "S");
}

#[test]
fn empty() {
    for body in ["", " \r\n\t", "\u{feff}", "\u{feff} "] {
        refused(body, Malformed::Empty(Format::Json));
    }
}

#[test]
fn not_json() {
    for body in [
        "hello",
        "ApiKey=K&SecretKey=S",
        "<ApiModel/>",
        "{",
        "}",
        "\"K",
        "[1,2",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "{'ApiKey':'K'}",
        "{ApiKey:\"K\"}",
        r#"{"ApiKey":"K","SecretKey":"S",}"#,
        r#"{"ApiKey":"K" "SecretKey":"S"}"#,
        r#"{"ApiKey":"K","SecretKey":"S""#,
        r#"{"ApiKey":K}"#,
        r#"{"ApiKey":01}"#,
        r#"{"ApiKey":"\x"}"#,
        r#"{"x":"\u12"}"#,
        r#"{"x":nul}"#,
        r#"{"x":[1,2}}"#,
        "{\"ApiKey\":\"a\nb\"}",
        "{\"x\":\"a\0b\"}",
        "{\"ApiKey\":\"K\",\"SecretKey\":\"S\"}\0",
        "\u{c}{}",
        "\u{feff}\u{feff}{}",
    ] {
        refused(body, Malformed::NotJson);
    }
}

#[test]
fn trailing_garbage() {
    for tail in ["x", "{}", ",", "]", "//", "\u{feff}"] {
        refused(format!(r#"{{"ApiKey":"K","SecretKey":"S"}} {tail}"#), Malformed::NotJson);
    }
}

#[test]
fn not_an_object() {
    for body in
        ["null", "true", "36693", "1e999", "\"ApiKey\"", "[]", r#"[{"ApiKey":"K","SecretKey":"S"}]"#, " [\"K\",\"S\"] "]
    {
        refused(body, Malformed::NotAnObject);
    }
}

#[test]
fn not_utf8() {
    for body in [
        &b"{\"ApiKey\":\"\xff\",\"SecretKey\":\"S\"}"[..],
        b"{\"ApiKey\":\"K\",\"SecretKey\":\"S\",\"x\":\"\xc3\x28\"}",
        b"{\"ApiKey\":\"K\",\"SecretKey\":\"S\",\"x\":{\"\xed\xa0\x80\":1}}",
        b"\xff\xfe{\0}\0",
    ] {
        refused(body, Malformed::NotUtf8);
    }
}

/// An object whose member `x` nests so that the whole is `depth` deep.
fn nested(depth: usize, open: &str, close: &str) -> String {
    let inner = depth - 1;
    format!(r#"{{"x":{}1{},"ApiKey":"K","SecretKey":"S"}}"#, open.repeat(inner), close.repeat(inner))
}

#[test]
fn nesting_up_to_the_limit() {
    for (open, close) in [("[", "]"), ("{\"y\":", "}")] {
        check(nested(NESTING_MAX, open, close), "K", "S");
        refused(nested(NESTING_MAX + 1, open, close), Malformed::TooDeep);
        refused(nested(500, open, close), Malformed::TooDeep);
    }
}

#[test]
fn only_depth_counts_not_the_number_of_brackets() {
    let many = format!(r#"{{"x":[{}0],"ApiKey":"K","SecretKey":"S"}}"#, "[{}],".repeat(500));
    check(many, "K", "S");
    let in_strings = format!(r#"{{"x":"\"{}","{}":0,"ApiKey":"K","SecretKey":"S"}}"#, "[".repeat(500), "{".repeat(500));
    check(in_strings, "K", "S");
    // The quote behind an escaped backslash ends its string, so these brackets do nest.
    let after_string = format!(r#"{{"x":["\\",{}{}]}}"#, "[".repeat(500), "]".repeat(500));
    refused(after_string, Malformed::TooDeep);
}

#[test]
fn a_body_of_nothing_but_brackets() {
    refused("[".repeat(BODY_LEN_MAX), Malformed::TooDeep);
    refused("{\"a\":".repeat(BODY_LEN_MAX / 5), Malformed::TooDeep);
    refused(format!("{{\"ApiKey\":{}", "[".repeat(60_000)), Malformed::TooDeep);
}
