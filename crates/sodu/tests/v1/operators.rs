//! Operators and currencies: added, listed, and what cannot be.

use serde_json::{Value, json};

use crate::common::Api;

async fn add(api: &Api, name: &str, role: &str) -> crate::common::Answer {
    api.call("POST", "/v1/operators", &[], &json!({ "name": name, "role": role }).to_string()).await
}

#[tokio::test]
async fn a_token_is_shown_once() {
    let api = Api::new();
    let added = add(&api, "anna", "money").await.expect(201);
    let token = added.json["token"].as_str().expect("a token");
    let digits = token.strip_prefix("sodu_").expect("a prefix");
    assert!(digits.len() == 40 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{token}");
    let expected =
        json!({ "name": "anna", "role": "money", "created_at": "2026-07-29T07:00:00.000000Z", "token": token });
    assert_eq!(added.json, expected);
    let login = api.store.login(token).await.expect("no fault").expect("it works");
    assert_eq!(login.actor.as_str(), "operator:anna");

    api.sleep(60);
    let revoked = api.call("DELETE", "/v1/operators/anna", &[], "").await.expect(200);
    let shown = json!({
        "name": "anna", "role": "money", "created_at": "2026-07-29T07:00:00.000000Z", "created_by": "local:anna",
        "revoked_at": "2026-07-29T07:01:00.000000Z"
    });
    assert_eq!(revoked.json, shown);
    assert!(api.store.login(token).await.expect("no fault").is_none());
    api.sleep(60);
    assert_eq!(api.call("DELETE", "/v1/operators/anna", &[], "").await.expect(200).json, shown);
    let second = add(&api, "ben", "read").await.expect(201);
    assert_ne!(second.json["token"].as_str(), Some(token));
    let listed = api.get("/v1/operators").await.expect(200);
    assert_eq!(listed.json["operators"][0], shown);
    assert_eq!(listed.json["operators"][1]["revoked_at"], Value::Null);
    assert!(!listed.text.contains("sodu_") && !listed.text.contains("digest"), "{}", listed.text);
}

#[tokio::test]
async fn what_is_no_operator_is_refused() {
    let api = Api::new();
    add(&api, "anna", "read").await.expect(201);
    assert!(add(&api, "anna", "admin").await.problem(409, "operator_exists").contains("choose another"));
    api.call("DELETE", "/v1/operators/anna", &[], "").await.expect(200);
    add(&api, "anna", "admin").await.problem(409, "operator_exists");
    for (name, role, says) in
        [("Anna", "read", "\"name\" must be"), ("", "read", "\"name\" must be"), ("b", "root", "\"role\" must be")]
    {
        assert!(add(&api, name, role).await.problem(400, "malformed").contains(says), "{name} {role}");
    }
    for name in ["nobody", "No%20Body", "%C4%91"] {
        api.call("DELETE", &format!("/v1/operators/{name}"), &[], "").await.problem(404, "unknown_operator");
    }
    api.call("DELETE", "/v1/operators/%FF", &[], "").await.problem(400, "malformed");
    let unknown = r#"{"name":"b","role":"read","token":"x"}"#;
    api.call("POST", "/v1/operators", &[], unknown).await.problem(400, "malformed");
}

#[tokio::test]
async fn a_currency_is_added_once_and_kept_in() {
    let api = Api::new();
    let vnd = json!({ "code": "VND", "scale": 2, "public_decimals": 0 });
    assert_eq!(api.get("/v1/currencies").await.expect(200).json, json!({ "currencies": [vnd] }));
    let usd = json!({ "code": "USD", "scale": 4, "public_decimals": 2 });
    let add = async |body: &Value| api.call("POST", "/v1/currencies", &[], &body.to_string()).await;
    assert_eq!(add(&usd).await.expect(201).json, usd);
    assert_eq!(add(&usd).await.expect(200).json, usd, "said again");
    add(&json!({ "code": "USD", "scale": 2 })).await.problem(409, "currency_exists");
    add(&json!({ "code": "EUR", "scale": 2 })).await.expect(201);
    assert_eq!(api.get("/v1/currencies").await.json["currencies"][2]["public_decimals"], 0);

    api.call("POST", "/v1/accounts", &[], r#"{"id":5,"name":"A","currency":"USD"}"#).await.expect(201);
    api.post("/v1/accounts/5/topups", "t", r#"{"amount":"1.2345"}"#).await.expect(201);
    assert_eq!(api.get("/v1/accounts/5").await.json["posted"], "1.2345");
    api.post("/v1/accounts/5/topups", "u", r#"{"amount":"1.23456"}"#).await.problem(422, "amount_out_of_range");
    for (body, says) in [
        (json!({ "code": "usd", "scale": 2 }), "upper-case"),
        (json!({ "code": "XX", "scale": 2 }), "3 to 8"),
        (json!({ "code": "XXX" }), "\"scale\""),
        (json!({ "code": "XXX", "scale": 10 }), "at most 9"),
        (json!({ "code": "XXX", "scale": 256 }), "at most 9"),
        (json!({ "code": "XXX", "scale": 2, "public_decimals": 3 }), "at most 9"),
        (json!({ "code": "XXX", "scale": -1 }), "whole number"),
    ] {
        assert!(add(&body).await.problem(400, "malformed").contains(says), "{body}");
    }
}
