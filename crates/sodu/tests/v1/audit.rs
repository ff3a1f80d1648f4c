//! The audit trail as its readers see it: every change that is no ordinary movement, under its request's id.

use serde_json::{Value, json};

use crate::common::Api;

/// Method, path, body, and the action and subject of the row.
type Change = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);

/// Every change that `/v1` takes, in an order in which each succeeds, and the row that it must leave; none where it is an
/// ordinary movement or only looks.
const CHANGES: [Change; 18] = [
    ("POST", "/v1/currencies", r#"{"code":"USD","scale":2}"#, Some(("currency.add", "currency USD"))),
    ("POST", "/v1/operators", r#"{"name":"ben","role":"read"}"#, Some(("operator.add", "operator ben"))),
    ("DELETE", "/v1/operators/ben", "", Some(("operator.revoke", "operator ben"))),
    ("DELETE", "/v1/operators/ben", "", None),
    ("POST", "/v1/accounts", r#"{"id":7,"name":"Seven"}"#, Some(("account.open", "account 7 entry 1"))),
    ("POST", "/v1/accounts/7/topups", r#"{"amount":"10"}"#, None),
    ("POST", "/v1/accounts/7/charges", r#"{"amount":"5"}"#, None),
    (
        "POST",
        "/v1/accounts/7/adjustments",
        r#"{"amount":"-5","reason":"why"}"#,
        Some(("account.adjust", "account 7 entry 4")),
    ),
    ("PATCH", "/v1/accounts/7", r#"{"name":"7"}"#, Some(("account.change", "account 7"))),
    ("PATCH", "/v1/accounts/7", r#"{"name":"7"}"#, None),
    ("PATCH", "/v1/accounts/7", r#"{"credit_limit":"3"}"#, Some(("account.limit", "account 7 entry 5"))),
    ("PATCH", "/v1/accounts/7", r#"{"status":"locked"}"#, Some(("account.status", "account 7 entry 6"))),
    (
        "POST",
        "/v1/accounts/7/credentials",
        r#"{"api_key":"KEY0123456789","secret_key":"0123456789abcdef"}"#,
        Some(("credential.import", "account 7 key KEY0…")),
    ),
    (
        "PATCH",
        "/v1/accounts/7/credentials/KEY0123456789",
        r#"{"expires_at":"2026-12-31"}"#,
        Some(("credential.change", "account 7 key KEY0…")),
    ),
    ("DELETE", "/v1/accounts/7/credentials/KEY0123456789", "", Some(("credential.revoke", "account 7 key KEY0…"))),
    ("DELETE", "/v1/accounts/7/credentials/KEY0123456789", "", None),
    ("POST", "/v1/verify", "", Some(("verify.start", "ledger"))),
    ("GET", "/v1/accounts/7", "", None),
];

#[tokio::test]
async fn every_change_leaves_its_row_and_nothing_else_does() {
    let api = Api::new();
    let mut expected = Vec::new();
    for (index, (method, path, body, row)) in CHANGES.iter().enumerate() {
        let id = format!("req-{index}");
        let headers = [("x-request-id", id.as_str()), ("idempotency-key", id.as_str())];
        let answer = api.call(method, path, &headers, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
        if let Some((action, subject)) = row {
            expected.push(json!([action, subject, id]));
        }
    }
    let trail = api.get("/v1/audit").await.expect(200);
    let rows = trail.json["audit"].as_array().expect("a list");
    let told: Vec<Value> = rows.iter().map(|row| json!([row["action"], row["subject"], row["request_id"]])).collect();
    assert_eq!(told, expected);
    for secret in ["KEY0123456789", "0123456789abcdef", "sodu_"] {
        assert!(!trail.text.contains(secret), "{}", trail.text);
    }
    let whole = json!({
        "id": 10, "at": "2026-07-29T07:00:00.000000Z", "actor": "local:anna", "action": "credential.change",
        "subject": "account 7 key KEY0…", "request_id": "req-13",
        "detail": { "expires_at": { "from": null, "to": "2026-12-31T17:00:00.000000Z" } }
    });
    assert_eq!(rows[9], whole);
}

#[tokio::test]
async fn what_was_refused_leaves_no_row() {
    let api = Api::with_account().await;
    let rows = async || api.get("/v1/audit").await.json["audit"].as_array().map(Vec::len);
    let before = rows().await;
    api.patch("/v1/accounts/1", r#"{"status":"closed"}"#).await.problem(409, "account_not_empty");
    api.post("/v1/accounts", "o", r#"{"id":1,"name":"Again"}"#).await.problem(409, "account_exists");
    api.post("/v1/accounts/1/adjustments", "a", r#"{"amount":"0","reason":"r"}"#)
        .await
        .problem(422, "amount_out_of_range");
    api.post("/v1/backup", "b", r#"{"file":"relative.db"}"#).await.problem(400, "malformed");
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn the_trail_is_cut_by_days_actor_and_cursor() {
    let api = Api::with_account().await;
    api.sleep(86_400);
    for id in 2..=4 {
        api.call("POST", "/v1/accounts", &[], &json!({ "id": id, "name": "A" }).to_string()).await.expect(201);
    }
    let ids = async |query: &str| -> Vec<u64> {
        let page = api.get(&format!("/v1/audit?{query}")).await.expect(200).json;
        page["audit"].as_array().expect("a list").iter().filter_map(|row| row["id"].as_u64()).collect()
    };
    assert_eq!(ids("").await, [1, 2, 3, 4]);
    assert_eq!(ids("to=2026-07-29").await, [1]);
    assert_eq!(ids("from=2026-07-30&limit=2").await, [2, 3]);
    assert_eq!(ids("from=2026-07-30&limit=2&cursor=3").await, [4]);
    assert_eq!(ids("actor=local:anna").await, [1, 2, 3, 4]);
    assert_eq!(ids("actor=operator:anna").await, [0; 0]);
    assert_eq!(api.get("/v1/audit?limit=4").await.json["next_cursor"], Value::Null);
    assert_eq!(api.get("/v1/audit?limit=3").await.json["next_cursor"], "3");
    api.get("/v1/audit?subject=x").await.problem(400, "malformed");
}
