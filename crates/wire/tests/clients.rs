//! The fourteen clients of esms-wire section 3: what each sends, as far as path and body go, and what it relies on in
//! the answer. Headers, HTTP versions and CORS are tested where there is a server.

use serde_json::Value;
use wire::{Answer, Code, Format, Money, Route, read, route, write};

const API_KEY: &str = "6AD1E2F3059B4C7D8E9FA0B1C2D3E4";
const SECRET_KEY: &str = "F0E1D2C3B4A5968778695A4B3C2D1E";

const BODY: &str = r#"{"ApiKey":"6AD1E2F3059B4C7D8E9FA0B1C2D3E4","SecretKey":"F0E1D2C3B4A5968778695A4B3C2D1E"}"#;
const POST_JSON: &str = "/MainService.svc/json/GetBalance_json";
const GET_JSON: &str = "/MainService.svc/json/GetBalance/6AD1E2F3059B4C7D8E9FA0B1C2D3E4/F0E1D2C3B4A5968778695A4B3C2D1E";
const GET_XML: &str = "/MainService.svc/xml/GetBalance/6AD1E2F3059B4C7D8E9FA0B1C2D3E4/F0E1D2C3B4A5968778695A4B3C2D1E";

/// Sends a request the way a server would hand it over; gives the answers for right and for wrong keys.
#[track_caller]
fn call(path: &str, body: &[u8]) -> (String, String) {
    let (format, keys) = match route(path).expect("a known path") {
        Route::Post(format) => (format, read(format, body).expect("a readable body")),
        Route::Get(format, keys) => (format, keys.decode()),
    };
    assert_eq!(keys.api_key, API_KEY);
    assert_eq!(keys.secret_key, SECRET_KEY);
    let balance = Money { minor: 36693, scale: 0 };
    let success = Answer::Balance { balance, user_id: 9999 };
    (written(format, &success), written(format, &Answer::refused(Code::AuthorizeFailed)))
}

fn written(format: Format, answer: &Answer<'_>) -> String {
    let mut out = Vec::new();
    write(format, answer, &mut out);
    String::from_utf8(out).expect("answers are UTF-8")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON answers are JSON")
}

/// The text between `<tag>` and the next `<`, the way client 14 looks for it.
fn between(text: &str, tag: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    rest.split_once('<').map(|(inner, _)| inner.to_owned())
}

#[test]
fn row_1_go_decodes_into_integers() {
    let (success, refusal) = call(POST_JSON, BODY.as_bytes());
    assert_eq!(json(&success)["Balance"].as_i64(), Some(36693));
    assert_eq!(json(&success)["UserID"].as_i64(), Some(9999));
    assert_eq!(json(&refusal)["Balance"].as_i64(), Some(0));
}

#[test]
fn row_2_axios_compares_the_code_as_a_string() {
    let (success, refusal) = call(POST_JSON, BODY.as_bytes());
    assert_eq!(json(&success)["CodeResponse"], Value::from("100"));
    assert_eq!(json(&success).get("ErrorMessage"), None);
    assert_eq!(json(&refusal)["ErrorMessage"], Value::from("Authorize Failed"));
}

#[test]
fn rows_3_and_4_convert_the_code_to_a_number() {
    let (success, refusal) = call(POST_JSON, BODY.as_bytes());
    let number = |text: &str| json(text)["CodeResponse"].as_str().map(str::parse::<u16>);
    assert_eq!(number(&success), Some(Ok(100)));
    assert_eq!(number(&refusal), Some(Ok(101)));
}

#[test]
fn row_4_newtonsoft_may_send_a_byte_order_mark() {
    call(POST_JSON, format!("\u{feff}{BODY}").as_bytes());
}

/// The query string of row 5 is cut off before [`route`].
#[test]
fn rows_5_and_6_post_with_a_trailing_slash() {
    call("/MainService.svc/json/GetBalance_json/", BODY.as_bytes());
}

/// Python's `json.dumps` and other writers put a space after each colon and comma.
#[test]
fn row_6_the_same_body_with_spaces() {
    let spaced = BODY.replace("\":\"", "\": \"").replace("\",\"", "\", \"");
    assert_ne!(spaced, BODY);
    call("/MainService.svc/json/GetBalance_json/", spaced.as_bytes());
}

#[test]
fn rows_7_8_and_9_get_json_with_the_keys_in_the_path() {
    let (success, refusal) = call(GET_JSON, b"");
    assert_eq!(json(&success)["CodeResponse"], Value::from("100"));
    assert_eq!(json(&success)["UserID"].as_i64(), Some(9999));
    assert_eq!(json(&success)["Balance"].as_i64(), Some(36693));
    assert_eq!(json(&refusal)["Balance"].as_i64(), Some(0));
}

#[test]
fn row_10_a_browser_preflights_either_call() {
    for path in [POST_JSON, GET_JSON] {
        let allow = route(path).expect("a known path").allow();
        assert!(allow.split(", ").any(|method| method == "OPTIONS"));
        call(path, BODY.as_bytes());
    }
}

#[test]
fn rows_11_12_and_13_get_xml_without_namespaces() {
    let (success, refusal) = call(GET_XML, b"");
    for answer in [&success, &refusal] {
        assert!(answer.starts_with("<MemberModel><Balance>"), "{answer}");
        assert!(answer.ends_with("</CodeResponse></MemberModel>"), "{answer}");
        assert!(!answer.contains("xmlns"), "{answer}");
    }
    assert_eq!(between(&success, "CodeResponse").as_deref(), Some("100"));
    assert_eq!(between(&success, "ErrorMessage"), None);
    assert_eq!(between(&refusal, "ErrorMessage").as_deref(), Some("Authorize Failed"));
}

#[test]
fn row_14_searches_the_text_between_balance_tags() {
    let (success, refusal) = call(GET_XML, b"");
    assert_eq!(between(&success, "Balance").as_deref(), Some("36693"));
    assert_eq!(between(&refusal, "Balance").as_deref(), Some("0"));
}
