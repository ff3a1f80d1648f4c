//! Paths: which are known, and the keys in them.

use wire::{Format, Keys, Route, route};

const POST_JSON: &str = "/MainService.svc/json/GetBalance_json";
const POST_XML: &str = "/MainService.svc/xml/GetBalance_json";
const GET_JSON: &str = "/MainService.svc/json/GetBalance/{ApiKey}/{SecretKey}";
const GET_XML: &str = "/MainService.svc/xml/GetBalance/{ApiKey}/{SecretKey}";

fn template(path: &str) -> Option<&'static str> {
    route(path).map(|route| route.template())
}

fn keys(path: &str) -> Keys<'_> {
    match route(path) {
        Some(Route::Get(_, keys)) => keys.decode(),
        other => panic!("{path} is {other:?}"),
    }
}

#[track_caller]
fn check_keys(path: &str, api_key: &str, secret_key: &str) {
    let keys = keys(path);
    assert_eq!(keys.api_key, api_key, "ApiKey of {path}");
    assert_eq!(keys.secret_key, secret_key, "SecretKey of {path}");
}

#[test]
fn known_paths() {
    // esms-wire section 1, the documented call; section 2, its XML twin and the older calls.
    for (path, expected) in [
        ("/MainService.svc/json/GetBalance_json", POST_JSON),
        ("/MainService.svc/xml/GetBalance_json/", POST_XML),
        ("/MainService.svc/json/GetBalance/K/S", GET_JSON),
        ("/MainService.svc/xml/GetBalance/K/S", GET_XML),
        // Section 3, rows 5 and 6: a trailing slash; section 2: the XML twin is documented with one.
        ("/MainService.svc/json/GetBalance_json/", POST_JSON),
        ("/MainService.svc/xml/GetBalance_json", POST_XML),
        ("/MainService.svc/json/GetBalance/K/S/", GET_JSON),
        ("/MainService.svc/xml/GetBalance/K/S/", GET_XML),
        // Section 2: the service routes case-insensitively.
        ("/mainservice.svc/json/getbalance_json", POST_JSON),
        ("/MAINSERVICE.SVC/XML/GETBALANCE_JSON/", POST_XML),
        ("/mainService.SVC/Json/getBalance/K/S", GET_JSON),
    ] {
        assert_eq!(template(path), Some(expected), "{path}");
    }
}

#[test]
fn unknown_paths() {
    for path in [
        "",
        "/",
        "MainService.svc/json/GetBalance_json",
        "//MainService.svc/json/GetBalance_json",
        "/MainService.svc/json",
        "/MainService.svc/json/",
        "/MainService.svc/yaml/GetBalance_json",
        "/MainService.svc/json/GetBalance_json//",
        "/MainService.svc/json/GetBalance_json/K/S",
        "/MainService.svc/json/GetBalance_jsonx",
        "/MainService.svc/json/GetBalance_jso\u{17f}",
        "/MainService.svc/json/SendMultipleMessage_V4_post_json",
        "/MainService.svc/json/GetBalance",
        "/MainService.svc/json/GetBalance/",
        "/MainService.svc/json/GetBalance/K",
        "/MainService.svc/json/GetBalance/K/S/more",
        "/MainService.svc/json/GetBalance/K/S//",
        "/\u{1ec7}",
    ] {
        assert_eq!(template(path), None, "{path}");
    }
}

#[test]
fn keys_keep_their_case() {
    check_keys("/mainservice.svc/json/getbalance/aBc/DeF", "aBc", "DeF");
    check_keys("/MainService.svc/xml/GetBalance/aBc/DeF/", "aBc", "DeF");
}

#[test]
fn empty_key_segments_are_empty_keys() {
    check_keys("/MainService.svc/json/GetBalance//S", "", "S");
    check_keys("/MainService.svc/json/GetBalance/K/", "K", "");
    check_keys("/MainService.svc/json/GetBalance/K//", "K", "");
    check_keys("/MainService.svc/json/GetBalance//", "", "");
    check_keys("/MainService.svc/json/GetBalance///", "", "");
}

#[test]
fn keys_are_percent_decoded_each_on_its_own() {
    check_keys("/MainService.svc/json/GetBalance/%41%62/c%2Fd", "Ab", "c/d");
    check_keys("/MainService.svc/json/GetBalance/%25%3f/%E1%BB%87", "%?", "\u{1ec7}");
    // RFC 3986 gives "+" no second meaning in a path; a "%" that starts no escape is left as it is.
    check_keys("/MainService.svc/json/GetBalance/a+b/5%zz%", "a+b", "5%zz%");
}

#[test]
fn a_key_that_is_not_utf8_is_empty() {
    check_keys("/MainService.svc/json/GetBalance/%FF/S", "", "S");
    check_keys("/MainService.svc/json/GetBalance/K/%C3%28", "K", "");
}

#[test]
fn allow_and_format_follow_the_route() {
    for (path, allow, format) in [
        (POST_JSON, "POST, OPTIONS", Format::Json),
        (POST_XML, "POST, OPTIONS", Format::Xml),
        (GET_JSON, "GET, HEAD, OPTIONS", Format::Json),
        (GET_XML, "GET, HEAD, OPTIONS", Format::Xml),
    ] {
        let route = route(path).expect("a template has the shape of its own paths");
        assert_eq!(route.allow(), allow, "{path}");
        assert_eq!(route.format(), format, "{path}");
    }
}

#[test]
fn no_debug_output_holds_a_key() {
    let route = route("/MainService.svc/json/GetBalance/HIDDENKEY/HIDDENSECRET");
    let printed = format!("{route:?} {:?}", keys("/MainService.svc/json/GetBalance/HIDDENKEY/HIDDENSECRET"));
    assert!(!printed.contains("HIDDEN"), "{printed}");
}
