//! Alerts over the operator API: what is set and shown, what is refused, who runs dry, what became of deliveries.

use serde_json::{Value, json};
use store::{AttemptResult, Attempted};

use crate::common::{Answer, Api};

impl Api {
    async fn set_alerts(&self, account: u32, body: &Value) -> Answer {
        self.call("PUT", &format!("/v1/accounts/{account}/alerts"), &[], &body.to_string()).await
    }
}

fn all() -> Value {
    json!({
        "below": ["20.5", "80"], "hours_left": [6, 24], "percent_of_topup": [20], "margin_percent": 5, "remind_hours": 24,
        "events": ["account.locked", "charge.refused"],
        "quiet": { "from": "22:00", "until": "07:30", "time_zone": "Asia/Ho_Chi_Minh" },
        "contacts": [
            { "channel": "email", "address": "ke-toan@example.vn", "language": "vi" },
            { "channel": "webhook", "address": "https://hooks.example.com/T0KEN" },
            { "channel": "telegram", "address": "-100123" },
        ],
    })
}

#[tokio::test]
async fn what_is_set_is_shown_with_the_most_urgent_level_last() {
    let api = Api::with_account().await;
    let none = api.get("/v1/accounts/1/alerts").await.expect(200).json;
    assert_eq!((&none["below"], &none["margin_percent"], &none["contacts"]), (&json!([]), &json!(10), &json!([])));
    let set = api.set_alerts(1, &all()).await.expect(200).json;
    let secret = set["contacts"][1]["secret"].as_str().expect("it is shown once");
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let shown = api.get("/v1/accounts/1/alerts").await.expect(200);
    let expected = json!({
        "account": 1, "below": ["80", "20.5", "0"], "hours_left": [24, 6], "percent_of_topup": [20], "margin_percent": 5,
        "remind_hours": 24, "events": ["charge.refused", "account.locked"],
        "quiet": { "from": "22:00", "until": "07:30", "time_zone": "Asia/Ho_Chi_Minh" },
        "contacts": [
            { "channel": "email", "address": "ke-toan@example.vn", "language": "vi" },
            { "channel": "webhook", "address": "https://hooks.example.com/T0KEN", "language": "en" },
            { "channel": "telegram", "address": "-100123", "language": "en" },
        ],
        "reached": [], "low_since": null, "remind_at": null, "refused_since": null, "refused_count": 0,
    });
    assert_eq!(shown.json, expected);
    // Set again, a webhook keeps its secret, and it is not shown again.
    let again = api.set_alerts(1, &all()).await.expect(200);
    assert_eq!(again.json, expected);
    api.post("/v1/accounts/1/charges", "c1", r#"{"amount":"581"}"#).await.expect(201);
    let low = api.get("/v1/accounts/1/alerts").await.expect(200).json;
    assert_eq!(low["reached"], json!([{ "percent_of_topup": 20 }, { "below": "80" }, { "below": "20.5" }]));
    assert_eq!(
        (&low["low_since"], &low["remind_at"]),
        (&json!("2026-07-29T07:00:00.000000Z"), &json!("2026-07-30T07:00:00.000000Z"))
    );
    let cleared = api.call("DELETE", "/v1/accounts/1/alerts", &[], "").await.expect(200).json;
    assert_eq!(cleared, none);

    let trail = api.get("/v1/audit").await.expect(200);
    let rows: Vec<_> =
        trail.json["audit"].as_array().expect("rows").iter().filter(|row| row["action"] == "account.alerts").collect();
    assert_eq!(
        (rows.len(), &rows[0]["detail"]["alerts"]["from"]),
        (2, &Value::Null),
        "what is set already is no change"
    );
    assert!(!trail.text.contains("T0KEN") && !trail.text.contains("whsec"), "{}", trail.text);
}

#[tokio::test]
async fn what_nobody_could_mean_is_refused_and_nothing_is_set() {
    let api = Api::with_account().await;
    let many: Vec<u32> = (1..=8).collect();
    let contact = |contact: Value| json!({ "contacts": [contact] });
    for (body, slug, says) in [
        (json!({ "belov": ["5"] }), "malformed", "did you mean \"below\""),
        (json!({ "below": [5] }), "malformed", "list of strings"),
        (json!({ "below": ["-1"] }), "malformed", "zero or more"),
        (json!({ "below": ["0.001"] }), "amount_out_of_range", "decimals"),
        (json!({ "hours_left": [0] }), "malformed", "from 1 to 8784"),
        (json!({ "hours_left": many }), "malformed", "up to 8 levels"),
        (json!({ "percent_of_topup": [101] }), "malformed", "from 1 to 100"),
        (json!({ "hours_left": 5 }), "malformed", "a list of whole numbers"),
        (json!({ "margin_percent": 1001 }), "malformed", "from 0 to 1000"),
        (json!({ "events": ["rain"] }), "malformed", "charge.refused"),
        (json!({ "quiet": { "from": "22:00", "until": "7:00", "time_zone": "UTC" } }), "malformed", "\"07:00\""),
        (json!({ "quiet": { "from": "22:00", "until": "07:00", "time_zone": "Mars/Base" } }), "malformed", "Mars/Base"),
        (json!({ "quiet": { "from": "22:00", "until": "22:00", "time_zone": "UTC" } }), "malformed", "another time"),
        (contact(json!({ "channel": "fax", "address": "1" })), "malformed", "\"telegram\""),
        (contact(json!({ "channel": "email" })), "malformed", "\"address\""),
        (contact(json!({ "channel": "email", "address": "nobody" })), "malformed", "email"),
        (contact(json!({ "channel": "webhook", "address": "ftp://example.com" })), "malformed", "webhook"),
        (contact(json!({ "channel": "webhook", "address": "file:/etc/passwd" })), "malformed", "write it out"),
        (
            contact(json!({ "channel": "webhook", "address": "https://a.example", "secret": "env:HOME" })),
            "malformed",
            "write it out",
        ),
        (contact(json!({ "channel": "email", "address": "a@b.vn", "secret": "s" })), "malformed", "webhook"),
        (contact(json!({ "channel": "email", "address": "a@b.vn", "language": "fr" })), "malformed", "\"vi\""),
        (json!({ "contacts": ["a@b.vn"] }), "malformed", "a list of objects"),
    ] {
        let status = if slug == "malformed" { 400 } else { 422 };
        let answer = api.set_alerts(1, &body).await;
        let detail = answer.problem(status, slug);
        assert!(detail.contains(says), "{body}: {detail}");
    }
    let twice = r#"{"contacts":[{"channel":"email","address":"a@b.vn","address":"c@d.vn"}]}"#;
    let answer = api.call("PUT", "/v1/accounts/1/alerts", &[], twice).await;
    assert!(answer.problem(400, "malformed").contains("twice"));
    let same = json!({ "channel": "email", "address": "a@b.vn" });
    let answer = api.set_alerts(1, &json!({ "contacts": [same, same] })).await;
    assert!(answer.problem(400, "malformed").contains("twice"));
    api.set_alerts(7, &json!({})).await.problem(404, "unknown_account");
    assert_eq!(api.get("/v1/accounts/1/alerts").await.expect(200).json["below"], json!([]));
}

#[tokio::test]
async fn how_long_an_account_lasts_is_told_with_what_it_was_made_from() {
    let api = Api::with_account().await;
    assert_eq!(api.get("/v1/accounts/1").await.expect(200).json["runway"], Value::Null, "too little is known");
    api.post("/v1/accounts", "open-2", r#"{"id":2,"name":"Two"}"#).await.expect(201);
    api.post("/v1/accounts/2/topups", "t2", r#"{"amount":"1000"}"#).await.expect(201);
    api.post("/v1/accounts/1/charges", "c1", r#"{"amount":"20"}"#).await.expect(201);
    api.post("/v1/accounts/2/charges", "c2", r#"{"amount":"500"}"#).await.expect(201);
    api.sleep(2 * 3600);
    // 20 in two hours, and 580 left: 58 hours.
    let expected = json!({
        "used": "20", "since": "2026-07-29T07:00:00.000000Z", "left_s": 58 * 3600, "dry_at": "2026-07-31T19:00:00.000000Z"
    });
    assert_eq!(api.get("/v1/accounts/1").await.expect(200).json["runway"], expected);
    assert_eq!(api.get("/v1/runway").await.expect(200).json["accounts"], json!([]), "nobody is watched");
    api.set_alerts(1, &json!({ "hours_left": [1] })).await.expect(200);
    api.patch("/v1/accounts/2", r#"{"metered":true}"#).await.expect(200);
    let first = api.get("/v1/runway").await.expect(200).json;
    let order: Vec<_> =
        first["accounts"].as_array().expect("a list").iter().map(|item| item["account"].clone()).collect();
    assert_eq!(order, [2, 1]);
    assert_eq!(first["accounts"][1]["runway"], expected);
    let one = api.get("/v1/runway?limit=1").await.expect(200).json;
    assert_eq!(one["accounts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn deliveries_are_listed_shown_and_sent_again() {
    let api = Api::with_account().await;
    let contacts = json!([{ "channel": "webhook", "address": "https://hooks.example.com/T0KEN" }]);
    api.set_alerts(1, &json!({ "below": ["550"], "contacts": contacts })).await.expect(200);
    api.post("/v1/accounts/1/charges", "c1", r#"{"amount":"60"}"#).await.expect(201);
    let listed = api.get("/v1/deliveries").await.expect(200);
    let [only] = listed.json["deliveries"].as_array().expect("a list").as_slice() else { panic!("{}", listed.text) };
    assert_eq!(
        (&only["event"], &only["to"], &only["status"]),
        (&json!("balance.low"), &json!("webhook hooks.example.com"), &json!("waiting"))
    );
    assert!(!listed.text.contains("T0KEN"));
    let id = only["id"].as_u64().expect("a number");
    let given_up = Attempted { delivery: id, result: AttemptResult::GivenUp { error: "the host is gone".into() } };
    api.store.record_attempts(vec![given_up]).await.expect("kept");
    assert_eq!(api.get("/v1/deliveries?status=waiting").await.expect(200).json["deliveries"], json!([]));
    let dead = api.get("/v1/deliveries?status=given_up&account=1").await.expect(200).json;
    assert_eq!(dead["deliveries"][0]["error"], "the host is gone");
    api.get("/v1/deliveries?status=lost").await.problem(400, "malformed");
    let again = api.call("POST", &format!("/v1/deliveries/{id}/resend"), &[], "").await.expect(200).json;
    assert_eq!((&again["status"], &again["alert"]), (&json!("waiting"), &only["alert"]));
    let whole = api.get(&format!("/v1/deliveries/{id}")).await.expect(200).json;
    assert_eq!(
        whole["tries"],
        json!([{ "number": 1, "at": "2026-07-29T07:00:00.000000Z", "error": "the host is gone" }])
    );
    for unknown in ["/v1/deliveries/99", "/v1/deliveries/x"] {
        api.get(unknown).await.problem(404, "unknown_delivery");
    }
    api.call("POST", "/v1/deliveries/99/resend", &[], "").await.problem(404, "unknown_delivery");
}
