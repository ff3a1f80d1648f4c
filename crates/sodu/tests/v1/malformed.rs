//! Requests that cannot be understood: each is told what is wrong by name, nothing happens, and no key is used up.

use axum::body::Body;
use axum::http::Request;

use crate::common::Api;

/// Method, path, body, and what the detail must say.
type Case = (&'static str, &'static str, &'static str, &'static str);

#[tokio::test]
async fn every_mistake_is_named() {
    let api = Api::with_account().await;
    let topup = "/v1/accounts/1/topups";
    let account = "/v1/accounts/1";
    let cases: &[Case] = &[
        (
            "POST",
            topup,
            "",
            "the body is empty; this route takes an object of amount, reference, reason, metadata, or {} ",
        ),
        (
            "POST",
            topup,
            "{",
            "the body is not JSON (at line 1, column 1); this route takes an object of amount, reference",
        ),
        ("POST", topup, "[]", "the body must be a JSON object; this route takes amount, reference, reason, metadata"),
        ("POST", topup, "\"secret-text\"", "the body must be a JSON object"),
        ("POST", topup, "{} {}", "the body is not JSON"),
        ("POST", topup, "{}", "the member \"amount\" (a decimal in quotes, such as \"36693\") is missing"),
        ("POST", topup, r#"{"amount":null}"#, "\"amount\" (a decimal in quotes, such as \"36693\") is missing"),
        (
            "POST",
            topup,
            r#"{"amount":100}"#,
            "\"amount\" is a JSON number; money is exact here, so put quotes around it: \"amount\": \"36693\"",
        ),
        ("POST", topup, r#"{"amount":true}"#, "\"amount\" must be a decimal in quotes"),
        ("POST", topup, r#"{"amount":"1,000"}"#, "\"amount\" is not a decimal number such as 36693 or 12.5"),
        ("POST", topup, r#"{"amount":"1e3"}"#, "\"amount\" is not a decimal number"),
        ("POST", topup, r#"{"amount":""}"#, "\"amount\" is not a decimal number"),
        ("POST", topup, r#"{"amont":"1"}"#, "unknown member \"amont\"; did you mean \"amount\"?"),
        ("POST", topup, r#"{"amount":"1","refrence":"r"}"#, "unknown member \"refrence\"; did you mean \"reference\"?"),
        (
            "POST",
            topup,
            r#"{"amount":"1","to":"2"}"#,
            "unknown member \"to\"; this route takes amount, reference, reason, metadata",
        ),
        ("POST", topup, r#"{"amount":"1","amount":"2"}"#, "the member \"amount\" stands there twice"),
        ("POST", topup, r#"{"amount":"1","metadata":{"a":"1","a":"2"}}"#, "the member \"a\" stands there twice"),
        (
            "POST",
            topup,
            r#"{"amount":"1","metadata":{"a":1}}"#,
            "\"metadata\" must be an object of strings, not a number",
        ),
        (
            "POST",
            topup,
            r#"{"amount":"1","metadata":{"a":{}}}"#,
            "\"metadata\" must be an object of strings, not an object",
        ),
        ("POST", topup, r#"{"amount":"1","metadata":{"":"x"}}"#, "metadata is an object of strings, each name once"),
        ("POST", topup, r#"{"amount":"1","metadata":[]}"#, "\"metadata\" must be an object of strings, not a list"),
        ("POST", topup, r#"{"amount":"1","reference":7}"#, "\"reference\" must be a string, not a number"),
        ("POST", topup, r#"{"amount":"1","reference":""}"#, "a reference is 1 to 256 bytes"),
        ("POST", topup, "{\"amount\":\"1\",\"reference\":\"a\\nb\"}", "a reference is 1 to 256 bytes"),
        ("POST", "/v1/accounts/1/adjustments", r#"{"amount":"-5"}"#, "the member \"reason\" is missing"),
        ("POST", "/v1/accounts/1/adjustments", r#"{"amount":"5","reason":""}"#, "a reason is 1 to 512 bytes"),
        ("POST", "/v1/accounts", "{}", "the member \"name\" (a string) is missing"),
        (
            "POST",
            "/v1/accounts",
            r#"{"name":""}"#,
            "\"name\" must be 1 to 200 bytes of text without control characters",
        ),
        ("POST", "/v1/accounts", "{\"name\":\"\\u001b[31m\"}", "\"name\" must be 1 to 200 bytes"),
        ("POST", "/v1/accounts", r#"{"name":"A","id":0}"#, "an account is named by its number, 1 to 2147483647"),
        ("POST", "/v1/accounts", r#"{"name":"A","id":2147483648}"#, "an account is named by its number"),
        ("POST", "/v1/accounts", r#"{"name":"A","id":"7"}"#, "\"id\" must be a whole number, not a string"),
        ("POST", "/v1/accounts", r#"{"name":"A","id":7.5}"#, "\"id\" must be a whole number"),
        ("POST", "/v1/accounts", r#"{"name":"A","credit_limit":5}"#, "\"credit_limit\" is a JSON number"),
        ("POST", "/v1/accounts", r#"{"name":"A","credit_limit":"x"}"#, "\"credit_limit\" is not a decimal number"),
        ("PATCH", account, r#"{"status":"frozen"}"#, "\"status\" must be \"active\", \"locked\" or \"closed\""),
        ("PATCH", account, r#"{"reason":"r"}"#, "\"reason\" goes with \"credit_limit\" or \"status\""),
        ("PATCH", account, r#"{"name":"N","reason":"r"}"#, "nothing was changed"),
        ("PATCH", account, r#"{"status":"closed","name":"N"}"#, "close an account by itself"),
        ("PATCH", account, r#"{"metered":"yes"}"#, "\"metered\" must be true or false, not a string"),
        ("PATCH", account, r#"{"balance":"5"}"#, "unknown member \"balance\""),
        ("GET", "/v1/accounts/abc", "", "an account is named by its number"),
        ("GET", "/v1/accounts/0", "", "an account is named by its number"),
        ("GET", "/v1/accounts/+1", "", "an account is named by its number"),
        ("GET", "/v1/accounts/%FF", "", "the path is not UTF-8"),
        ("GET", "/v1/accounts/1/entries/+2", "", "an entry is named by its number within the account, from 1"),
        ("GET", "/v1/accounts/1/entries/x", "", "an entry is named by its number within the account, from 1"),
        ("GET", "/v1/accounts/1/balance?form=1", "", "unknown query parameter \"form\"; this route takes at"),
        ("GET", "/v1/accounts/1/balance?at=then", "", "\"at\": \"then\" is no time"),
        ("GET", "/v1/accounts/1/balance?at=2026-07-29T07:00:00.000001Z", "", "\"at\" lies in the future"),
        (
            "GET",
            "/v1/accounts/1/entries?form=2026-07-01",
            "",
            "unknown query parameter \"form\"; did you mean \"from\"?",
        ),
        (
            "GET",
            "/v1/accounts/1/entries?from=yesterday",
            "",
            "\"from\": \"yesterday\" is no time: write a date (2026-07-29)",
        ),
        ("GET", "/v1/accounts/1/entries?to=2026-02-30", "", "\"to\": \"2026-02-30\" is no time"),
        (
            "GET",
            "/v1/accounts/1/entries?to=2026-02-01&to=2026-02-02",
            "",
            "the query parameter \"to\" stands there twice",
        ),
        ("GET", "/v1/accounts/1/entries?cursor=x", "", "\"cursor\" must be what an earlier page gave"),
        ("GET", "/v1/accounts?limit=0", "", "\"limit\" must be a number from 1 to 1000"),
        ("GET", "/v1/accounts?limit=1001", "", "\"limit\" must be a number from 1 to 1000"),
        (
            "POST",
            "/v1/accounts/1/credentials",
            r#"{"api_key":"A"}"#,
            "send \"api_key\" and \"secret_key\" to import a pair",
        ),
        ("POST", "/v1/accounts/1/credentials", r#"{"secret_key":"S"}"#, "or neither to issue one"),
        (
            "POST",
            "/v1/accounts/1/credentials",
            r#"{"api_key":"A B","secret_key":"S"}"#,
            "\"api_key\" must be 1 to 128 visible ASCII characters",
        ),
        (
            "POST",
            "/v1/accounts/1/credentials",
            r#"{"api_key":"A","secret_key":"bí mật"}"#,
            "\"secret_key\" must be 1 to 128 visible ASCII characters",
        ),
        ("POST", "/v1/accounts/1/credentials", r#"{"label":""}"#, "\"label\" must be 1 to 100 bytes"),
        (
            "POST",
            "/v1/accounts/1/credentials",
            r#"{"cidrs":"10.0.0.0/8"}"#,
            "\"cidrs\" must be a list of strings, not a string",
        ),
        ("POST", "/v1/accounts/1/credentials", r#"{"cidrs":[7]}"#, "\"cidrs\" must be a list of strings, not a number"),
        (
            "POST",
            "/v1/accounts/1/credentials",
            r#"{"cidrs":["10.0.0"]}"#,
            "\"10.0.0\" is no network: write 192.0.2.0/24",
        ),
        (
            "POST",
            "/v1/accounts/1/credentials",
            r#"{"cidrs":["10.0.0.5/8"]}"#,
            "10.0.0.5/8 names an address inside a network: write 10.0.0.0/8 for the network or 10.0.0.5 for the one address",
        ),
        ("POST", "/v1/accounts/1/credentials", r#"{"expires_at":"soon"}"#, "\"expires_at\": \"soon\" is no time"),
        ("PATCH", "/v1/accounts/1/credentials/A", r#"{"revoked":true}"#, "unknown member \"revoked\""),
        ("POST", "/v1/verify", r#"{"fast":true}"#, "unknown member \"fast\"; this route takes save, against"),
        ("POST", "/v1/backup", "{}", "the member \"file\" (a string) is missing"),
        ("POST", "/v1/backup", r#"{"file":"backup.db"}"#, "\"file\" must be an absolute path"),
    ];
    for (method, path, body, says) in cases {
        let answer = api.call(method, path, &[("idempotency-key", "unused")], body).await;
        assert!(answer.status != 200 && answer.status != 201, "{method} {path} {body} was taken");
        let detail = answer.problem(400, "malformed");
        assert!(detail.contains(says), "{method} {path} {body}\n  said: {detail}\n  not:  {says}");
        assert!(!detail.contains("secret-text"), "{detail}");
    }
    assert_eq!(api.get("/v1/accounts/1").await.json["last_entry"], 2);
    api.post(topup, "unused", r#"{"amount":"1"}"#).await.expect(201);
}

#[tokio::test]
async fn movements_demand_a_well_formed_key() {
    let api = Api::with_account().await;
    for route in ["topups", "charges", "adjustments"] {
        let body = if route == "adjustments" { r#"{"amount":"1","reason":"r"}"# } else { r#"{"amount":"1"}"# };
        let missing = api.call("POST", &format!("/v1/accounts/1/{route}"), &[], body).await;
        assert!(missing.problem(400, "idempotency_key_required").contains("Idempotency-Key"), "{route}");
    }
    let long = "k".repeat(129);
    for key in ["", "\"\"", "two words", &long] {
        let answer = api.post("/v1/accounts/1/topups", key, r#"{"amount":"1"}"#).await;
        let detail = answer.problem(400, "malformed");
        assert_eq!(detail, "Idempotency-Key: an idempotency key is 1 to 128 visible ASCII characters", "{key:?}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = api.call("POST", "/v1/accounts/1/topups", &twice, r#"{"amount":"1"}"#).await;
    assert!(answer.problem(400, "malformed").contains("stands there twice"));
    assert_eq!(api.get("/v1/accounts/1").await.json["balance"], "100");
}

#[tokio::test]
async fn bodies_have_a_bound() {
    let api = Api::with_account().await;
    let body = format!(r#"{{"amount":"1","reference":"{}"}}"#, "r".repeat(65 * 1024));
    let answer = api.post("/v1/accounts/1/topups", "k", &body).await;
    assert_eq!(answer.problem(413, "body_too_large"), "A body may have 65536 bytes.");
    // Deep nesting neither recurses nor is taken.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = format!("{{\"amount\":\"1\",\"metadata\":{}1{}}}", open.repeat(8000), close.repeat(8000));
        api.post("/v1/accounts/1/topups", "k", &nested).await.problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let api = Api::with_account().await;
    for (method, path, allow) in [
        ("DELETE", "/v1/accounts/1", "GET,HEAD,PATCH"),
        ("GET", "/v1/accounts/1/topups", "POST"),
        ("PUT", "/v1/accounts", "GET,HEAD,POST"),
    ] {
        let answer = api.call(method, path, &[], "").await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.headers["allow"], allow, "{method} {path}");
    }
}

#[tokio::test]
async fn nobody_gets_in_unless_someone_vouches_for_them() {
    let api = Api::with_account().await;
    for path in ["/v1/accounts/1", "/v1/accounts", "/nowhere"] {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let answer = api.send(request).await;
        answer.problem(401, "unauthorized");
        assert!(!answer.text.contains("100"));
    }
}
