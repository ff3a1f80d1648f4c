//! Every no of the ledger, with its status, its figures, and what a repetition of the same key is told.

use serde_json::json;

use crate::common::Api;

#[tokio::test]
async fn a_charge_beyond_the_credit_is_refused_with_the_figures() {
    let api = Api::with_account().await;
    let refused = api.post("/v1/accounts/1/charges", "big", r#"{"amount":"600.01"}"#).await;
    let detail = refused.problem(409, "insufficient_credit");
    assert_eq!(
        detail,
        "Account 1 has 600 VND available and 600.01 VND was asked for; top it up, raise its credit limit or ask for \
         less. For a new attempt use a new idempotency key: this one keeps this answer."
    );
    assert_eq!((&refused.json["available"], &refused.json["amount"]), (&json!("600"), &json!("600.01")));
    assert_eq!(refused.json["replayed"], false);
    let account = json!({
        "id": 1, "currency": "VND", "status": "active", "balance": "100", "posted": "100", "held": "0",
        "available": "600", "credit_limit": "500", "last_entry": 2
    });
    assert_eq!(refused.json["account"], account);
    // Nothing happened, and exactly what there is can be spent.
    assert_eq!(api.get("/v1/accounts/1").await.json["last_entry"], 2);
    api.post("/v1/accounts/1/charges", "all", r#"{"amount":"600"}"#).await.expect(201);
    assert!(api.metrics.render(&api.store, &[]).contains("sodu_refusals_total{refusal=\"insufficient_credit\"} 1"));
}

#[tokio::test]
async fn a_repeated_refusal_gives_the_figures_of_then_and_of_now() {
    let api = Api::with_account().await;
    api.post("/v1/accounts/1/charges", "big", r#"{"amount":"700"}"#).await.problem(409, "insufficient_credit");
    api.sleep(5);
    api.post("/v1/accounts/1/topups", "more", r#"{"amount":"1000"}"#).await.expect(201);
    let again = api.post("/v1/accounts/1/charges", "big", r#"{"amount":"700"}"#).await;
    let detail = again.problem(409, "insufficient_credit");
    assert_eq!(
        detail,
        "Refused at 2026-07-29T07:00:00.000000Z under this idempotency key, and not tried again: Account 1 has 600 VND \
         available and 700 VND was asked for; top it up, raise its credit limit or ask for less. The account is active \
         now, with 1600 VND available. For a new attempt use a new idempotency key."
    );
    assert_eq!(again.json["replayed"], true);
    assert_eq!(again.json["decided_at"], "2026-07-29T07:00:00.000000Z");
    assert_eq!((&again.json["available"], &again.json["account"]["available"]), (&json!("600"), &json!("1600")));
    api.post("/v1/accounts/1/charges", "big-2", r#"{"amount":"700"}"#).await.expect(201);
}

#[tokio::test]
async fn a_key_with_other_content_is_refused_and_names_its_entry() {
    let api = Api::with_account().await;
    for (path, body) in [
        ("/v1/accounts/1/topups", r#"{"amount":"100.01"}"#),
        ("/v1/accounts/1/charges", r#"{"amount":"100"}"#),
        ("/v1/accounts/1/topups", r#"{"amount":"100","reference":"r"}"#),
        ("/v1/accounts/1/topups", r#"{"amount":"100","metadata":{"a":"b"}}"#),
    ] {
        let refused = api.post(path, "topup-1", body).await;
        assert!(refused.problem(422, "key_reused").contains("made entry 2"), "{body}");
        assert_eq!(refused.json["entry"], 2);
    }
    api.post("/v1/accounts/1/charges", "no", r#"{"amount":"9999"}"#).await.problem(409, "insufficient_credit");
    let refused = api.post("/v1/accounts/1/charges", "no", r#"{"amount":"1"}"#).await;
    assert!(refused.problem(422, "key_reused").contains("refused then"));
    assert_eq!(api.get("/v1/accounts/1").await.json["balance"], "100");
}

#[tokio::test]
async fn a_locked_account_takes_money_and_gives_none() {
    let api = Api::with_account().await;
    api.patch("/v1/accounts/1", r#"{"status":"locked"}"#).await.expect(200);
    let refused = api.post("/v1/accounts/1/charges", "c", r#"{"amount":"1"}"#).await;
    assert!(refused.problem(409, "account_locked").contains("Unlock it first"));
    assert_eq!(refused.json["account"]["status"], "locked");
    api.post("/v1/accounts/1/topups", "t", r#"{"amount":"1"}"#).await.expect(201);
    api.post("/v1/accounts/1/adjustments", "a", r#"{"amount":"-1","reason":"r"}"#).await.expect(201);
    api.patch("/v1/accounts/1", r#"{"status":"active"}"#).await.expect(200);
    // The refusal belongs to its key, not to the account's present state.
    let again = api.post("/v1/accounts/1/charges", "c", r#"{"amount":"1"}"#).await;
    assert!(again.problem(409, "account_locked").contains("The account is active now"));
    api.post("/v1/accounts/1/charges", "c2", r#"{"amount":"1"}"#).await.expect(201);
}

#[tokio::test]
async fn an_account_is_closed_empty_and_for_ever() {
    let api = Api::with_account().await;
    let refused = api.patch("/v1/accounts/1", r#"{"status":"closed"}"#).await;
    assert!(refused.problem(409, "account_not_empty").contains("100 VND posted and 0 VND held"));
    assert_eq!((&refused.json["posted"], &refused.json["held"]), (&json!("100"), &json!("0")));
    api.post("/v1/accounts/1/charges", "rest", r#"{"amount":"100"}"#).await.expect(201);
    api.patch("/v1/accounts/1", r#"{"status":"closed","reason":"left"}"#).await.expect(200);

    for (path, body) in [
        ("topups", r#"{"amount":"1"}"#),
        ("charges", r#"{"amount":"1"}"#),
        ("adjustments", r#"{"amount":"1","reason":"r"}"#),
    ] {
        let answer = api.post(&format!("/v1/accounts/1/{path}"), path, body).await;
        answer.problem(409, "account_closed");
    }
    for body in [r#"{"status":"active"}"#, r#"{"credit_limit":"1"}"#, r#"{"name":"New","credit_limit":"1"}"#] {
        api.patch("/v1/accounts/1", body).await.problem(409, "account_closed");
    }
    let shown = api.get("/v1/accounts/1").await.json;
    assert_eq!((&shown["name"], &shown["status"]), (&json!("One"), &json!("closed")));
    // What decides no money may still be set right.
    api.patch("/v1/accounts/1", r#"{"name":"Old"}"#).await.expect(200);
}

#[tokio::test]
async fn amounts_out_of_range_are_told_apart_from_malformed_ones() {
    let api = Api::with_account().await;
    for (route, amount, says) in [
        ("charges", "0", "not greater than zero"),
        ("charges", "-5", "not greater than zero"),
        ("topups", "0.001", "more exact than the 2 decimals"),
        ("topups", "23058430092136939.52", "greater than the ledger can hold"),
        ("adjustments", "0.001", "more exact than the 2 decimals"),
    ] {
        let body = json!({ "amount": amount, "reason": "r" });
        let body = if route == "adjustments" { body } else { json!({ "amount": amount }) };
        let refused = api.post(&format!("/v1/accounts/1/{route}"), "same", &body.to_string()).await;
        assert!(refused.problem(422, "amount_out_of_range").contains(says), "{amount}: {}", refused.text);
    }
    // None of these reached the ledger, so the key is unused.
    api.post("/v1/accounts/1/topups", "same", r#"{"amount":"1"}"#).await.expect(201);

    let zero = api.post("/v1/accounts/1/adjustments", "zero", r#"{"amount":"0","reason":"r"}"#).await;
    zero.problem(422, "amount_out_of_range");
    let most = r#"{"amount":"23058430092136939.51"}"#;
    api.post("/v1/accounts/1/topups", "most", most).await.problem(422, "amount_out_of_range");
    api.patch("/v1/accounts/1", r#"{"credit_limit":"23058430092136939.51"}"#).await.problem(422, "amount_out_of_range");
    api.patch("/v1/accounts/1", r#"{"credit_limit":"-1"}"#).await.problem(422, "amount_out_of_range");
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let api = Api::with_account().await;
    for (method, path, body) in [
        ("GET", "/v1/accounts/2", ""),
        ("GET", "/v1/accounts/2/balance", ""),
        ("GET", "/v1/accounts/2/entries", ""),
        ("GET", "/v1/accounts/2/credentials", ""),
        ("PATCH", "/v1/accounts/2", "{}"),
        ("POST", "/v1/accounts/2/topups", r#"{"amount":"1"}"#),
        ("POST", "/v1/accounts/2/charges", r#"{"amount":"1"}"#),
        ("POST", "/v1/accounts/2/adjustments", r#"{"amount":"1","reason":"r"}"#),
        ("POST", "/v1/accounts/2/credentials", "{}"),
        ("DELETE", "/v1/accounts/2/credentials/ABC", ""),
    ] {
        let answer = api.call(method, path, &[("idempotency-key", "k")], body).await;
        assert_eq!(answer.problem(404, "unknown_account"), "Account 2 does not exist; list the accounts, or open it.");
    }
    let entry = api.get("/v1/accounts/1/entries/3").await;
    assert_eq!(entry.problem(404, "unknown_entry"), "Account 1 has no entry 3; its last is 2.");
    api.call("DELETE", "/v1/accounts/1/credentials/ABC", &[], "").await.problem(404, "unknown_credential");
    api.patch("/v1/accounts/1/credentials/ABC", r#"{"label":"x"}"#).await.problem(404, "unknown_credential");
    api.post("/v1/accounts", "c", r#"{"name":"A","currency":"XYZ"}"#).await.problem(404, "unknown_currency");
    for path in ["/", "/v1", "/v1/account", "/v1/accounts/1/hold", "/v1/accounts/1/keys", "/v1/accounts/1/holds/2"] {
        api.get(path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_is_taken_is_a_conflict() {
    let api = Api::with_account().await;
    let taken = api.post("/v1/accounts", "other", r#"{"id":1,"name":"Two"}"#).await;
    taken.problem(409, "account_exists");
    api.patch("/v1/accounts/1", r#"{"external_id":"x"}"#).await.expect(200);
    api.post("/v1/accounts", "third", r#"{"name":"Three","external_id":"x"}"#).await.problem(409, "account_exists");
    api.post("/v1/accounts", "fourth", r#"{"id":4,"name":"Four"}"#).await.expect(201);
    api.patch("/v1/accounts/4", r#"{"external_id":"x"}"#).await.problem(409, "account_exists");
}

#[tokio::test]
async fn a_closed_store_is_a_fault_and_never_a_refusal() {
    let api = Api::with_account().await;
    api.store.close();
    let fault = api.post("/v1/accounts/1/charges", "late", r#"{"amount":"1"}"#).await;
    assert!(fault.problem(503, "unavailable").contains("othing happened"), "{}", fault.text);
    assert_eq!(fault.headers["retry-after"], "1");
}
