//! `…/balance?at=`: what was answered at an instant, asked for later.

use serde_json::{Value, json};

use crate::common::Api;
use crate::crowd::{Connection, Served, run};

#[tokio::test]
async fn the_balance_of_an_instant_is_what_was_answered_then() {
    let api = Api::with_account().await;
    let mut told = Vec::new();
    for step in 0..40_u32 {
        let key = format!("k{step}");
        match step % 8 {
            0 => drop(api.post("/v1/accounts/1/holds", &key, r#"{"amount":"7","expires_in":5}"#).await.expect(201)),
            2 => drop(api.post("/v1/accounts/1/charges", &key, r#"{"amount":"3"}"#).await.expect(201)),
            3 => {
                let body = json!({ "credit_limit": (300 + step).to_string() }).to_string();
                api.patch("/v1/accounts/1", &body).await.expect(200);
            }
            _ => {}
        }
        told.push(api.get("/v1/accounts/1/balance").await.expect(200).json);
        api.sleep(1);
    }
    for then in &told {
        let at = then["at"].as_str().expect("an instant");
        let asked = api.get(&format!("/v1/accounts/1/balance?at={at}")).await.expect(200).json;
        // The end of a hold may have been written since; it took effect then all the same.
        assert_eq!(without_number(&asked), without_number(then), "as of {at}");
    }
}

/// The clock of this server goes on whenever somebody looks at it.
#[test]
fn figures_and_their_instant_are_one_look_at_the_clock() {
    let served = Served::new();
    run(async {
        let mut connection = Connection::open(&served.socket()).await;
        let body = json!({ "id": 1, "name": "One", "credit_limit": "100" });
        assert_eq!(connection.post("/v1/accounts", "o", &body).await.0, 201);
        let body = json!({ "amount": "60", "expires_in": 1 });
        let (_, held) = connection.post("/v1/accounts/1/holds", "h", &body).await;
        let end = held["entry"]["expires_at"].as_str().expect("an end").to_owned();
        let mut told = Vec::new();
        while told.last().is_none_or(|last: &Value| last["at"].as_str() < Some(end.as_str())) {
            told.push(connection.send("GET", "/v1/accounts/1/balance", "", String::new()).await.1);
        }
        for then in told {
            let at = then["at"].as_str().expect("an instant");
            assert_eq!(then["held"], if at < end.as_str() { "60" } else { "0" }, "at {at}");
            let path = format!("/v1/accounts/1/balance?at={at}");
            let asked = connection.send("GET", &path, "", String::new()).await.1;
            assert_eq!(without_number(&asked), without_number(&then), "as of {at}");
        }
    });
    served.stop();
}

fn without_number(balance: &Value) -> Value {
    let mut balance = balance.clone();
    balance["last_entry"] = Value::Null;
    balance
}

#[tokio::test]
async fn a_date_stands_for_the_end_of_its_day_in_the_zone() {
    let api = Api::with_account().await;
    // 17:00 UTC is midnight in the zone of these tests; the day that goes on now has no end yet.
    api.sleep(10 * 3600 - 1);
    api.post("/v1/accounts/1/charges", "evening", r#"{"amount":"1"}"#).await.expect(201);
    api.get("/v1/accounts/1/balance?at=2026-07-29").await.problem(400, "malformed");
    api.sleep(2);
    api.post("/v1/accounts/1/charges", "night", r#"{"amount":"2"}"#).await.expect(201);
    let balance = async |at: &str| {
        let answer = api.get(&format!("/v1/accounts/1/balance?at={at}")).await;
        answer.json["balance"].clone()
    };
    assert_eq!(balance("2026-07-29").await, "99");
    assert_eq!(balance("2026-07-29T16:59:58Z").await, "100");
    assert_eq!(balance("2026-07-29T16:59:59Z").await, "99");
    assert_eq!(balance("2026-07-30T00:00:01%2B07:00").await, "97");
    let before = api.get("/v1/accounts/1/balance?at=2026-07-28").await;
    assert_eq!(before.problem(404, "unknown_account"), "Account 1 was opened after that instant.");
    api.get("/v1/accounts/2/balance?at=2026-07-28").await.problem(404, "unknown_account");
}
