//! What each route answers when all is well, member by member, and that a repetition answers the same.

use serde_json::{Value, json};

use crate::common::Api;

#[tokio::test]
async fn opening_answers_with_the_account_and_its_first_entry() {
    let api = Api::new();
    let body = r#"{"name":"Công ty ABC","id":9999,"credit_limit":"500.50","external_id":"crm-7"}"#;
    let opened = api.post("/v1/accounts", "k1", body).await.expect(201);
    assert_eq!(opened.headers["location"], "/v1/accounts/9999");
    let expected = json!({
        "account": {
            "id": 9999, "name": "Công ty ABC", "external_id": "crm-7", "opened_at": "2026-07-29T07:00:00.000000Z",
            "currency": "VND", "status": "active", "balance": "0", "posted": "0", "held": "0",
            "available": "500.5", "credit_limit": "500.5", "shows_available": false, "metered": false, "last_entry": 1,
            "open_holds": 0
        },
        "entry": {
            "account": 9999, "number": 1, "kind": "open", "amount": "0", "posted_after": "0", "held_after": "0",
            "balance_after": "0", "credit_limit": "500.5", "status": "active", "currency": "VND",
            "at": "2026-07-29T07:00:00.000000Z", "recorded_at": "2026-07-29T07:00:00.000000Z",
            "key": "k1", "reference": null, "reason": null, "metadata": {}, "by": "local:anna"
        },
        "replayed": false
    });
    assert_eq!(opened.without_hashes(), expected);

    api.sleep(60);
    let mut again = api.post("/v1/accounts", "k1", body).await.expect(200).json;
    assert_eq!(again["replayed"].take(), true);
    again["replayed"] = false.into();
    assert_eq!(again, opened.json);
    api.post("/v1/accounts", "k1", r#"{"name":"Another","id":9999}"#).await.problem(422, "key_reused");
}

#[tokio::test]
async fn an_account_needs_no_more_than_a_name() {
    let api = Api::new();
    let opened = api.call("POST", "/v1/accounts", &[], r#"{"name":"A"}"#).await.expect(201);
    let id = opened.json["account"]["id"].as_u64().expect("a number");
    assert_eq!(opened.json["account"]["currency"], "VND");
    assert_eq!(opened.json["entry"]["key"], Value::Null);
    let mut shown = api.get(&format!("/v1/accounts/{id}")).await.expect(200).json;
    let runway = shown.as_object_mut().and_then(|members| members.remove("runway"));
    assert_eq!((shown, runway), (opened.json["account"].clone(), Some(Value::Null)));
}

/// JSON has one kind of number, and some languages write every one of them with a point.
#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let api = Api::new();
    let opened = api.call("POST", "/v1/accounts", &[], r#"{"name":"A","id":7.0}"#).await.expect(201);
    assert_eq!(opened.json["account"]["id"], 7);
    api.post("/v1/accounts/7/topups", "t", r#"{"amount":"5"}"#).await.expect(201);
    api.post("/v1/accounts/7/holds", "h", r#"{"amount":"5","expires_in":60}"#).await.expect(201);
    let again = api.post("/v1/accounts/7/holds", "h", r#"{"amount":"5","expires_in":6.0e1}"#).await.expect(200);
    assert_eq!(again.json["replayed"], true);
}

#[tokio::test]
async fn movements_answer_with_their_entry_and_the_account_right_after_it() {
    let api = Api::with_account().await;
    api.sleep(1);
    let body = r#"{"amount":"12.50","reference":"Thanh toán 12","metadata":{"campaign":"tet","b":"2"}}"#;
    let charged = api.post("/v1/accounts/1/charges", "c-1", body).await.expect(201);
    let expected = json!({
        "entry": {
            "account": 1, "number": 3, "kind": "charge", "amount": "12.5", "posted_after": "87.5", "held_after": "0",
            "balance_after": "87.5", "credit_limit": "500", "status": "active",
            "at": "2026-07-29T07:00:01.000000Z", "recorded_at": "2026-07-29T07:00:01.000000Z",
            "key": "c-1", "reference": "Thanh toán 12", "reason": null,
            "metadata": { "campaign": "tet", "b": "2" }, "by": "local:anna"
        },
        "account": {
            "id": 1, "currency": "VND", "status": "active", "balance": "87.5", "posted": "87.5", "held": "0",
            "available": "587.5", "credit_limit": "500", "last_entry": 3
        },
        "replayed": false
    });
    assert_eq!(charged.without_hashes(), expected);

    let adjusted = api.post("/v1/accounts/1/adjustments", "a-1", r#"{"amount":"-87.5","reason":"as agreed"}"#).await;
    assert_eq!(adjusted.status, 201);
    assert_eq!(adjusted.json["entry"]["amount"], "-87.5");
    assert_eq!(adjusted.json["entry"]["reason"], "as agreed");
    assert_eq!(adjusted.json["account"]["balance"], "0");

    // The repetition differs in spelling only, and is answered with the figures of then.
    let same = r#"{"metadata":{"b":"2","campaign":"tet"},"reference":"Thanh toán 12","amount":"12.5"}"#;
    let quoted = [("Idempotency-Key", "\"c-1\"")];
    let mut again = api.call("POST", "/v1/accounts/1/charges", &quoted, same).await.expect(200).json;
    assert_eq!(again["replayed"].take(), true);
    again["replayed"] = false.into();
    assert_eq!(again, charged.json);
    assert_eq!(api.get("/v1/accounts/1/balance").await.json["balance"], "0");
}

#[tokio::test]
async fn the_balance_has_the_names_that_esms_clients_know() {
    let api = Api::with_account().await;
    let expected = json!({
        "user_id": 1, "balance": "100", "posted": "100", "held": "0", "available": "600", "credit_limit": "500",
        "currency": "VND", "status": "active", "last_entry": 2, "at": "2026-07-29T07:00:00.000000Z"
    });
    assert_eq!(api.get("/v1/accounts/1/balance").await.expect(200).json, expected);
}

#[tokio::test]
async fn a_patch_sets_what_it_names_and_leaves_the_rest() {
    let api = Api::with_account().await;
    let body = r#"{"name":"First","external_id":"x","credit_limit":"50","status":"locked","shows_available":true,
        "metered":true,"reason":"overdue"}"#;
    let changed = api.patch("/v1/accounts/1", body).await.expect(200).json;
    let expected = json!({
        "id": 1, "name": "First", "external_id": "x", "opened_at": "2026-07-29T07:00:00.000000Z", "currency": "VND",
        "status": "locked", "balance": "100", "posted": "100", "held": "0", "available": "150", "credit_limit": "50",
        "shows_available": true, "metered": true, "last_entry": 4, "open_holds": 0, "runway": null
    });
    assert_eq!(changed, expected);
    let entries = api.get("/v1/accounts/1/entries?cursor=2").await.expect(200).json;
    let told = |index: usize, name: &str| entries["entries"][index][name].clone();
    assert_eq!(
        [told(0, "kind"), told(0, "credit_limit"), told(0, "reason")],
        [json!("limit"), json!("50"), json!("overdue")]
    );
    assert_eq!(
        [told(1, "kind"), told(1, "status"), told(1, "reason")],
        [json!("status"), json!("locked"), json!("overdue")]
    );

    // Said again, it is so already: no further entry.
    assert_eq!(api.patch("/v1/accounts/1", body).await.expect(200).json, expected);
    let cleared = api.patch("/v1/accounts/1", r#"{"external_id":null,"metered":false}"#).await.expect(200).json;
    assert_eq!(
        (&cleared["external_id"], &cleared["metered"], &cleared["name"]),
        (&Value::Null, &json!(false), &json!("First"))
    );
    assert_eq!(cleared["last_entry"], 4);
}

#[tokio::test]
async fn lists_go_on_at_their_cursor() {
    let api = Api::new();
    for id in 1..=5 {
        let body = json!({ "id": id, "name": format!("Shop {id}"), "external_id": format!("crm-{id}") });
        api.post("/v1/accounts", &format!("open-{id}"), &body.to_string()).await.expect(201);
    }
    let ids = |json: &Value| -> Vec<u64> {
        json["accounts"].as_array().expect("a list").iter().filter_map(|account| account["id"].as_u64()).collect()
    };
    let first = api.get("/v1/accounts?limit=2").await.expect(200).json;
    assert_eq!((ids(&first), &first["next_cursor"]), (vec![1, 2], &json!("2")));
    let last = api.get("/v1/accounts?limit=3&cursor=2").await.expect(200).json;
    assert_eq!((ids(&last), &last["next_cursor"]), (vec![3, 4, 5], &Value::Null));
    assert_eq!(ids(&api.get("/v1/accounts?query=crm-4").await.expect(200).json), [4]);
    assert_eq!(ids(&api.get("/v1/accounts?query=shop%205").await.expect(200).json), [5]);
    assert_eq!(ids(&api.get("/v1/accounts?query=nobody").await.expect(200).json), [0; 0]);
    let mut alone = api.get("/v1/accounts/1").await.json;
    alone.as_object_mut().and_then(|members| members.remove("runway"));
    assert_eq!(first["accounts"][0], alone);
}

#[tokio::test]
async fn a_statement_is_cut_by_instants_and_by_days_of_the_zone() {
    let api = Api::with_account().await;
    // 17:00 UTC is midnight in the zone of these tests.
    api.sleep(10 * 3600 - 1);
    api.post("/v1/accounts/1/charges", "evening", r#"{"amount":"1"}"#).await.expect(201);
    api.sleep(1);
    api.post("/v1/accounts/1/charges", "midnight", r#"{"amount":"2"}"#).await.expect(201);
    let numbers = async |query: &str| -> Vec<u64> {
        let page = api.get(&format!("/v1/accounts/1/entries?{query}")).await.expect(200).json;
        page["entries"].as_array().expect("a list").iter().filter_map(|entry| entry["number"].as_u64()).collect()
    };
    assert_eq!(numbers("").await, [1, 2, 3, 4]);
    assert_eq!(numbers("to=2026-07-29").await, [1, 2, 3]);
    assert_eq!(numbers("from=2026-07-30").await, [4]);
    assert_eq!(numbers("from=2026-07-30&to=2026-07-30").await, [4]);
    assert_eq!(numbers("to=2026-07-29T17:00:00Z").await, [1, 2, 3]);
    assert_eq!(numbers("from=2026-07-30T00:00:00%2B07:00").await, [4]);
    assert_eq!(numbers("from=2026-07-30T00:00:00+07:00").await, [4], "a plus that arrives as a space");
    assert_eq!(numbers("limit=1&cursor=2").await, [3]);
    assert_eq!(api.get("/v1/accounts/1/entries?limit=3").await.json["next_cursor"], "3");
    assert_eq!(api.get("/v1/accounts/1/entries?limit=4").await.json["next_cursor"], Value::Null);

    let page = api.get("/v1/accounts/1/entries").await.json;
    assert_eq!(api.get("/v1/accounts/1/entries/4").await.expect(200).json, page["entries"][3]);
}

#[tokio::test]
async fn a_movement_is_seen_by_every_read_that_follows_its_answer() {
    let api = Api::with_account().await;
    for round in 1_u64..=20 {
        let moved = api.post("/v1/accounts/1/charges", &format!("c{round}"), r#"{"amount":"1"}"#).await.expect(201);
        let shown = api.get("/v1/accounts/1").await.json;
        assert_eq!(shown["posted"], moved.json["account"]["posted"]);
        assert_eq!(shown["last_entry"], round + 2);
        assert_eq!(api.get(&format!("/v1/accounts/1/entries/{}", round + 2)).await.json, moved.json["entry"]);
    }
}
