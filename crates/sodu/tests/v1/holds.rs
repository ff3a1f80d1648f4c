//! Holds over the API: their shapes, how they are named, and every way in which they end.

use serde_json::{Value, json};

use crate::common::Api;

#[tokio::test]
async fn a_hold_answers_with_its_end_and_what_is_left_available() {
    let api = Api::with_account().await;
    api.sleep(1);
    let body = r#"{"amount":"40","expires_in":90,"reference":"sms","metadata":{"a":"b"}}"#;
    let held = api.post("/v1/accounts/1/holds", "h", body).await.expect(201);
    let expected = json!({
        "entry": {
            "account": 1, "number": 3, "kind": "hold", "amount": "40", "posted_after": "100", "held_after": "40",
            "balance_after": "60", "credit_limit": "500", "status": "active",
            "at": "2026-07-29T07:00:01.000000Z", "recorded_at": "2026-07-29T07:00:01.000000Z",
            "expires_at": "2026-07-29T07:01:31.000000Z",
            "key": "h", "reference": "sms", "reason": null, "metadata": { "a": "b" }, "by": "local:anna"
        },
        "account": {
            "id": 1, "currency": "VND", "status": "active", "balance": "60", "posted": "100", "held": "40",
            "available": "560", "credit_limit": "500", "last_entry": 3
        },
        "replayed": false
    });
    assert_eq!(held.without_hashes(), expected);
    let balance = api.get("/v1/accounts/1/balance").await.expect(200).json;
    assert_eq!((&balance["balance"], &balance["held"]), (&json!("60"), &json!("40")));

    let mut again = api.post("/v1/accounts/1/holds", "h", body).await.expect(200).json;
    assert_eq!(again["replayed"].take(), true);
    again["replayed"] = false.into();
    assert_eq!(again, held.json);
    let other = r#"{"amount":"40","expires_in":91,"reference":"sms","metadata":{"a":"b"}}"#;
    api.post("/v1/accounts/1/holds", "h", other).await.problem(422, "key_reused");
    let hour = api.post("/v1/accounts/1/holds", "g", r#"{"amount":"1"}"#).await.expect(201);
    assert_eq!(hour.json["entry"]["expires_at"], "2026-07-29T08:00:01.000000Z");
}

#[tokio::test]
async fn a_hold_is_captured_in_parts_by_number_and_by_key() {
    let api = Api::with_account().await;
    api.post("/v1/accounts/1/holds", "order/7_of_a+b", r#"{"amount":"40"}"#).await.expect(201);
    let by_number = "/v1/accounts/1/holds/3/captures";
    let by_key = "/v1/accounts/1/holds/key:order%2F7_of_a%2Bb/captures";
    let first = api.post(by_number, "c1", r#"{"amount":"10","reason":"sent"}"#).await.expect(201);
    let expected = json!({
        "account": 1, "number": 4, "kind": "capture", "amount": "10", "posted_after": "90", "held_after": "30",
        "balance_after": "60", "credit_limit": "500", "status": "active", "target": { "account": 1, "number": 3 },
        "at": "2026-07-29T07:00:00.000000Z", "recorded_at": "2026-07-29T07:00:00.000000Z",
        "key": "c1", "reference": null, "reason": "sent", "metadata": {}, "by": "local:anna"
    });
    assert_eq!(first.without_hashes()["entry"], expected);
    // The other name of the same hold is the same content.
    assert_eq!(api.post(by_key, "c1", r#"{"amount":"10.0","reason":"sent"}"#).await.expect(200).json["replayed"], true);
    let over = api.post(by_key, "c2", r#"{"amount":"30.01"}"#).await;
    assert!(over.problem(422, "capture_exceeds_hold").contains("30 VND is left of the hold and 30.01 VND"));
    assert_eq!((&over.json["left"], &over.json["amount"]), (&json!("30"), &json!("30.01")));
    let part = api.post(by_key, "c3", r#"{"amount":"5","final":false}"#).await.expect(201).json;
    assert_eq!(part["entry"]["held_after"], "25");
    let last = api.post(by_key, "c4", r#"{"amount":"5","final":true}"#).await.expect(201).json;
    assert_eq!((&last["entry"]["amount"], &last["account"]["held"]), (&json!("5"), &json!("0")));
    assert_eq!((&last["account"]["posted"], &last["account"]["available"]), (&json!("80"), &json!("580")));
    let ended = api.post(by_number, "c5", "{}").await;
    let says = "Account 1: hold 3 has ended at 2026-07-29T07:00:00.000000Z (capture); make a new one.";
    assert!(ended.problem(409, "hold_not_open").starts_with(says), "{}", ended.text);
    assert_eq!(
        (&ended.json["hold"], &ended.json["ended_by"], &ended.json["ended_at"]),
        (&json!(3), &json!("capture"), &json!("2026-07-29T07:00:00.000000Z"))
    );

    api.post("/v1/accounts/1/holds", "all", r#"{"amount":"20"}"#).await.expect(201);
    let all = api.post("/v1/accounts/1/holds/key:all/captures", "c6", "{}").await.expect(201).json;
    assert_eq!((&all["entry"]["amount"], &all["account"]["balance"]), (&json!("20"), &json!("60")));
    let said = api.post("/v1/accounts/1/holds/key:all/captures", "c6", r#"{"final":true}"#).await.expect(200).json;
    assert_eq!(said["replayed"], true);
}

#[tokio::test]
async fn a_hold_is_extended_and_voided() {
    let api = Api::with_account().await;
    api.post("/v1/accounts/1/holds", "h", r#"{"amount":"40","expires_in":60}"#).await.expect(201);
    api.sleep(10);
    let extended = api.post("/v1/accounts/1/holds/3/extend", "x1", r#"{"expires_in":90}"#).await.expect(201).json;
    let told = |json: &Value, name: &str| json["entry"][name].clone();
    assert_eq!([told(&extended, "kind"), told(&extended, "amount")], [json!("extend"), json!("0")]);
    assert_eq!(told(&extended, "expires_at"), "2026-07-29T07:01:40.000000Z");
    let kept = api.post("/v1/accounts/1/holds/key:h/extend", "x2", r#"{"expires_in":1}"#).await.expect(201).json;
    assert_eq!(told(&kept, "expires_at"), "2026-07-29T07:01:40.000000Z", "never to an earlier instant");
    let voided = api.post("/v1/accounts/1/holds/key:h/void", "v", "{}").await.expect(201).json;
    assert_eq!([told(&voided, "kind"), told(&voided, "amount")], [json!("void"), json!("40")]);
    assert_eq!(told(&voided, "target"), json!({ "account": 1, "number": 3 }));
    assert_eq!((&voided["account"]["held"], &voided["account"]["posted"]), (&json!("0"), &json!("100")));
    for (route, body) in [("void", "{}"), ("extend", r#"{"expires_in":9}"#), ("captures", "{}")] {
        let answer = api.post(&format!("/v1/accounts/1/holds/3/{route}"), route, body).await;
        answer.problem(409, "hold_not_open");
        assert_eq!((&answer.json["ended_by"], &answer.json["replayed"]), (&json!("void"), &json!(false)));
    }
}

#[tokio::test]
async fn a_hold_ends_at_its_instant() {
    let api = Api::with_account().await;
    api.post("/v1/accounts/1/holds", "h", r#"{"amount":"600","expires_in":60}"#).await.expect(201);
    api.sleep(59);
    api.post("/v1/accounts/1/charges", "c1", r#"{"amount":"1"}"#).await.problem(409, "insufficient_credit");
    assert_eq!(api.get("/v1/accounts/1").await.json["held"], "600");
    api.sleep(1);
    let shown = api.get("/v1/accounts/1").await.json;
    assert_eq!((&shown["held"], &shown["available"]), (&json!("0"), &json!("600")));
    assert_eq!(api.get("/v1/accounts/1/holds").await.json["holds"], json!([]));
    api.sleep(5);
    let late = api.post("/v1/accounts/1/holds/3/captures", "c2", "{}").await;
    late.problem(409, "hold_not_open");
    assert_eq!(late.json["ended_at"], "2026-07-29T07:01:00.000000Z");
    let charged = api.post("/v1/accounts/1/charges", "c3", r#"{"amount":"600"}"#).await.expect(201).json;
    assert_eq!(charged["entry"]["number"], 5);
    let end = api.get("/v1/accounts/1/entries/4").await.expect(200).json;
    assert_eq!((&end["kind"], &end["amount"], &end["by"]), (&json!("expire"), &json!("600"), &json!("ledger")));
    assert_eq!((&end["at"], &end["key"]), (&json!("2026-07-29T07:01:00.000000Z"), &Value::Null));
}

#[tokio::test]
async fn open_holds_are_listed_and_go_on_at_their_cursor() {
    let api = Api::with_account().await;
    for n in 1..=5 {
        let body = json!({ "amount": n.to_string(), "expires_in": 60 * n, "reference": format!("r{n}") });
        api.post("/v1/accounts/1/holds", &format!("h{n}"), &body.to_string()).await.expect(201);
    }
    api.post("/v1/accounts/1/holds/5/captures", "c", r#"{"amount":"1","final":false}"#).await.expect(201);
    api.post("/v1/accounts/1/holds/6/void", "v", "{}").await.expect(201);
    api.sleep(60);
    let first = api.get("/v1/accounts/1/holds?limit=2").await.expect(200).json;
    let expected = json!({
        "holds": [
            {
                "number": 4, "amount": "2", "left": "2", "expires_at": "2026-07-29T07:02:00.000000Z",
                "at": "2026-07-29T07:00:00.000000Z", "key": "h2", "reference": "r2", "metadata": {}
            },
            {
                "number": 5, "amount": "3", "left": "2", "expires_at": "2026-07-29T07:03:00.000000Z",
                "at": "2026-07-29T07:00:00.000000Z", "key": "h3", "reference": "r3", "metadata": {}
            },
        ],
        "next_cursor": "5"
    });
    assert_eq!(first, expected);
    let rest = api.get("/v1/accounts/1/holds?limit=2&cursor=5").await.expect(200).json;
    assert_eq!(rest["holds"].as_array().map(Vec::len), Some(1));
    assert_eq!((&rest["holds"][0]["number"], &rest["next_cursor"]), (&json!(7), &Value::Null));
    api.get("/v1/accounts/2/holds").await.problem(404, "unknown_account");
    api.get("/v1/accounts/1/holds?limit=0").await.problem(400, "malformed");
}

#[tokio::test]
async fn what_is_no_hold_is_said_to_be_none() {
    let api = Api::with_account().await;
    for (n, hold) in ["2", "99", "0", "key:topup-1", "key:nothing"].into_iter().enumerate() {
        for (route, body) in [("captures", "{}"), ("void", "{}"), ("extend", r#"{"expires_in":9}"#)] {
            let answer = api.post(&format!("/v1/accounts/1/holds/{hold}/{route}"), &format!("{route}{n}"), body).await;
            assert!(answer.problem(404, "unknown_hold").starts_with("Account 1 has no such hold; name it by"));
        }
    }
    for hold in ["x", "-1", "+2", "2.0", "key:", "key:a%20b", "18446744073709551616"] {
        let answer = api.post(&format!("/v1/accounts/1/holds/{hold}/void"), "k", "{}").await;
        let detail = answer.problem(400, "malformed");
        assert!(detail.starts_with("a hold is named by its entry number (12), or by key: and its"), "{hold}: {detail}");
    }
    for seconds in ["0", "31622401", "99999999999"] {
        let body = format!(r#"{{"amount":"1","expires_in":{seconds}}}"#);
        let answer = api.post("/v1/accounts/1/holds", "k", &body).await;
        assert!(answer.problem(422, "amount_out_of_range").contains("1 to 31622400"), "{seconds}");
    }
    for body in
        [r#"{"amount":"1","expires_in":-1}"#, r#"{"amount":"1","expires_in":1.5}"#, r#"{"amount":"1","final":true}"#]
    {
        api.post("/v1/accounts/1/holds", "k", body).await.problem(400, "malformed");
    }
    api.post("/v1/accounts/1/holds/2/extend", "k", "{}").await.problem(400, "malformed");
    api.call("POST", "/v1/accounts/1/holds/2/void", &[], "{}").await.problem(400, "idempotency_key_required");
    api.post("/v1/accounts/1/holds", "k", r#"{"amount":"1","expires_in":31622400}"#).await.expect(201);
}
