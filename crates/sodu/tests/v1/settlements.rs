//! Refunds, transfers, and what a key has done, over the API.

use serde_json::json;

use crate::common::Api;

#[tokio::test]
async fn a_refund_names_its_charge_by_number_or_by_key() {
    let api = Api::with_account().await;
    api.post("/v1/accounts/1/charges", "c", r#"{"amount":"40"}"#).await.expect(201);
    let body = r#"{"amount":"15","charge":3,"reason":"not delivered"}"#;
    let refunded = api.post("/v1/accounts/1/refunds", "r1", body).await.expect(201);
    let expected = json!({
        "account": 1, "number": 4, "kind": "refund", "amount": "15", "posted_after": "75", "held_after": "0",
        "balance_after": "75", "credit_limit": "500", "status": "active", "target": { "account": 1, "number": 3 },
        "at": "2026-07-29T07:00:00.000000Z", "recorded_at": "2026-07-29T07:00:00.000000Z",
        "key": "r1", "reference": null, "reason": "not delivered", "metadata": {}, "by": "local:anna"
    });
    assert_eq!(refunded.without_hashes()["entry"], expected);
    let same = r#"{"amount":"15","charge_key":"c","reason":"not delivered"}"#;
    assert_eq!(api.post("/v1/accounts/1/refunds", "r1", same).await.expect(200).json["replayed"], true);
    api.post("/v1/accounts/1/refunds", "r2", r#"{"amount":"20","charge_key":"c"}"#).await.expect(201);
    let over = api.post("/v1/accounts/1/refunds", "r3", r#"{"amount":"5.01","charge":3}"#).await;
    assert!(over.problem(422, "refund_exceeds_charge").contains("5 VND of the charge can still be given back"));
    assert_eq!((&over.json["refundable"], &over.json["amount"]), (&json!("5"), &json!("5.01")));

    api.post("/v1/accounts/1/holds", "h", r#"{"amount":"10"}"#).await.expect(201);
    api.post("/v1/accounts/1/holds/key:h/captures", "p", "{}").await.expect(201);
    api.post("/v1/accounts/1/refunds", "r4", r#"{"amount":"10","charge_key":"p"}"#).await.expect(201);
    for (key, body) in [
        ("u1", r#"{"amount":"1","charge_key":"h"}"#),
        ("u2", r#"{"amount":"1","charge":2}"#),
        ("u3", r#"{"amount":"1","charge":99}"#),
        ("u4", r#"{"amount":"1","charge_key":"none"}"#),
    ] {
        let answer = api.post("/v1/accounts/1/refunds", key, body).await;
        assert!(answer.problem(404, "unknown_charge").contains("no such charge or capture"), "{body}");
    }
    for body in [
        r#"{"amount":"1"}"#,
        r#"{"amount":"1","charge":3,"charge_key":"c"}"#,
        r#"{"amount":"1","charge":"3"}"#,
        r#"{"amount":"1","charge_key":"a b"}"#,
        r#"{"charge":3}"#,
    ] {
        api.post("/v1/accounts/1/refunds", "m", body).await.problem(400, "malformed");
    }
    assert_eq!(api.get("/v1/accounts/1").await.json["balance"], "95");
}

#[tokio::test]
async fn a_transfer_answers_for_the_account_that_sends() {
    let api = Api::with_account().await;
    api.post("/v1/accounts", "open-2", r#"{"id":2,"name":"Two"}"#).await.expect(201);
    let body = r#"{"from":1,"to":2,"amount":"30","reference":"r","metadata":{"a":"b"}}"#;
    let sent = api.post("/v1/transfers", "t", body).await.expect(201);
    let expected = json!({
        "entry": {
            "account": 1, "number": 3, "kind": "transfer", "amount": "-30", "posted_after": "70", "held_after": "0",
            "balance_after": "70", "credit_limit": "500", "status": "active", "target": { "account": 2, "number": 2 },
            "at": "2026-07-29T07:00:00.000000Z", "recorded_at": "2026-07-29T07:00:00.000000Z",
            "key": "t", "reference": "r", "reason": null, "metadata": { "a": "b" }, "by": "local:anna"
        },
        "account": {
            "id": 1, "currency": "VND", "status": "active", "balance": "70", "posted": "70", "held": "0",
            "available": "570", "credit_limit": "500", "last_entry": 3
        },
        "replayed": false
    });
    assert_eq!(sent.without_hashes(), expected);
    let got = api.get("/v1/accounts/2/entries/2").await.expect(200).without_hashes();
    assert_eq!((&got["amount"], &got["posted_after"], &got["key"]), (&json!("30"), &json!("30"), &json!(null)));
    assert_eq!((&got["target"], &got["reference"]), (&json!({ "account": 1, "number": 3 }), &json!("r")));
    assert_eq!(api.post("/v1/transfers", "t", body).await.expect(200).json["replayed"], true);
    let back = r#"{"from":2,"to":1,"amount":"30"}"#;
    api.post("/v1/transfers", "t", back).await.expect(201);
    assert_eq!(api.get("/v1/accounts/1/balance").await.json["balance"], "100");
}

#[tokio::test]
async fn a_transfer_that_cannot_be_moves_nothing() {
    let api = Api::with_account().await;
    for (id, status) in [(2, "closed"), (3, "locked")] {
        let body = json!({ "id": id, "name": "Other" }).to_string();
        api.post("/v1/accounts", &format!("open-{id}"), &body).await.expect(201);
        let body = json!({ "status": status }).to_string();
        api.patch(&format!("/v1/accounts/{id}"), &body).await.expect(200);
    }
    for (key, body, status, slug) in [
        ("a", r#"{"from":1,"to":2,"amount":"1"}"#, 409, "recipient_closed"),
        ("b", r#"{"from":2,"to":1,"amount":"1"}"#, 409, "account_closed"),
        ("c", r#"{"from":3,"to":1,"amount":"1"}"#, 409, "account_locked"),
        ("d", r#"{"from":1,"to":3,"amount":"600.01"}"#, 409, "insufficient_credit"),
        ("e", r#"{"from":1,"to":9,"amount":"1"}"#, 404, "unknown_account"),
        ("f", r#"{"from":9,"to":1,"amount":"1"}"#, 404, "unknown_account"),
        ("g", r#"{"from":1,"to":1,"amount":"1"}"#, 400, "malformed"),
        ("h", r#"{"from":1,"amount":"1"}"#, 400, "malformed"),
        ("i", r#"{"to":1,"amount":"1"}"#, 400, "malformed"),
        ("j", r#"{"from":1,"to":0,"amount":"1"}"#, 400, "malformed"),
        ("k", r#"{"from":1,"to":3,"amount":"0"}"#, 422, "amount_out_of_range"),
    ] {
        api.post("/v1/transfers", key, body).await.problem(status, slug);
    }
    api.call("POST", "/v1/transfers", &[], r#"{"from":1,"to":3,"amount":"1"}"#)
        .await
        .problem(400, "idempotency_key_required");
    assert_eq!(api.get("/v1/accounts/1").await.json["last_entry"], 2);
    // A locked account takes what comes in.
    api.post("/v1/transfers", "l", r#"{"from":1,"to":3,"amount":"600"}"#).await.expect(201);
    assert_eq!(api.get("/v1/accounts/3").await.json["balance"], "600");
}

#[tokio::test]
async fn a_key_tells_what_it_did() {
    let api = Api::with_account().await;
    let odd = "order/7+b%:e";
    let moved = api.post("/v1/accounts/1/charges", odd, r#"{"amount":"40"}"#).await.expect(201);
    let mut told = api.get("/v1/accounts/1/keys/order%2F7%2Bb%25%3Ae").await.expect(200).json;
    assert_eq!(told["replayed"].take(), true);
    told["replayed"] = false.into();
    assert_eq!(told, moved.json);

    let refused = api.post("/v1/accounts/1/charges", "big", r#"{"amount":"1000"}"#).await;
    refused.problem(409, "insufficient_credit");
    api.sleep(5);
    api.post("/v1/accounts/1/topups", "more", r#"{"amount":"1000"}"#).await.expect(201);
    let mut told = api.get("/v1/accounts/1/keys/big").await.expect(200).json;
    assert_eq!(told["replayed"], true);
    let mut again = api.post("/v1/accounts/1/charges", "big", r#"{"amount":"1000"}"#).await.json;
    // Two requests have two ids.
    assert_ne!(told["refused"]["request_id"].take(), again["request_id"].take());
    assert_eq!(told["refused"], again, "what a repetition is told");
    assert_eq!(
        (&told["refused"]["slug"], &told["refused"]["available"]),
        (&json!("insufficient_credit"), &json!("560"))
    );

    let free = api.get("/v1/accounts/1/keys/nothing").await;
    assert!(free.problem(404, "unknown_key").contains("free to be used"));
    api.get("/v1/accounts/2/keys/big").await.problem(404, "unknown_account");
    api.get("/v1/accounts/1/keys/a%20b").await.problem(400, "malformed");
    api.get("/v1/accounts/1/keys/big?x=1").await.problem(400, "malformed");
    assert_eq!(api.get("/v1/accounts/1").await.json["last_entry"], 4);
}

#[tokio::test]
async fn who_is_refused_too_often_is_turned_away_undecided() {
    let api = Api::keeping_refusals(3);
    api.post("/v1/accounts", "o", r#"{"id":1,"name":"One"}"#).await.expect(201);
    for n in 0..3 {
        let answer = api.post("/v1/accounts/1/charges", &format!("c{n}"), r#"{"amount":"1"}"#).await;
        answer.problem(409, "insufficient_credit");
    }
    let answer = api.post("/v1/accounts/1/charges", "c3", r#"{"amount":"1"}"#).await;
    let detail = answer.problem(429, "too_many_refusals");
    assert!(detail.contains("its idempotency key is still free"), "{detail}");
    assert_eq!(answer.headers["retry-after"], "1");
    api.get("/v1/accounts/1/keys/c3").await.problem(404, "unknown_key");
    api.sleep(1);
    let answer = api.post("/v1/accounts/1/charges", "c3", r#"{"amount":"1"}"#).await;
    answer.problem(409, "insufficient_credit");
    assert_eq!(answer.json["replayed"], false);
}
