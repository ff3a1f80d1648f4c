//! Batches: in order, each command with its own status, and nothing of one that cannot be read.

use serde_json::{Value, json};

use crate::common::{Answer, Api};

async fn send(api: &Api, commands: &Value) -> Answer {
    api.call("POST", "/v1/batch", &[], &json!({ "commands": commands }).to_string()).await
}

fn told(answer: &Answer) -> Vec<(u64, String)> {
    let outcomes = answer.json["outcomes"].as_array().expect("a list");
    let of = |outcome: &Value| match (outcome["entry"]["kind"].as_str(), outcome["problem"]["slug"].as_str()) {
        (Some(kind), None) => kind.to_owned(),
        (None, Some(slug)) => {
            assert_eq!(outcome["problem"]["status"], outcome["status"]);
            slug.to_owned()
        }
        _ => panic!("an entry or a problem: {outcome}"),
    };
    outcomes.iter().map(|outcome| (outcome["status"].as_u64().expect("a status"), of(outcome))).collect()
}

fn expected(list: &[(u64, &str)]) -> Vec<(u64, String)> {
    list.iter().map(|&(status, what)| (status, what.to_owned())).collect()
}

#[tokio::test]
async fn commands_are_decided_in_order_and_each_has_its_own_outcome() {
    let api = Api::with_account().await;
    api.post("/v1/accounts", "open-2", r#"{"id":2,"name":"Two"}"#).await.expect(201);
    let commands = json!([
        { "kind": "charge", "account": 1, "key": "c", "amount": "600", "reference": "r", "metadata": { "a": "b" } },
        { "kind": "charge", "account": 1, "key": "d", "amount": "0.01" },
        { "kind": "topup", "account": 1, "key": "t", "amount": "1000" },
        { "kind": "charge", "account": 1, "key": "d", "amount": "0.01" },
        { "kind": "charge", "account": 1, "key": "c", "amount": "600", "reference": "r", "metadata": { "a": "b" } },
        { "kind": "charge", "account": 1, "key": "c", "amount": "601" },
        { "kind": "hold", "account": 1, "key": "h", "amount": "50", "expires_in": 60 },
        { "kind": "capture", "account": 1, "key": "p", "hold_key": "h", "amount": "20" },
        { "kind": "capture", "account": 1, "key": "q", "hold": 5, "amount": "30.01" },
        { "kind": "extend", "account": 1, "key": "x", "hold": 5, "expires_in": 90 },
        { "kind": "void", "account": 1, "key": "v", "hold_key": "h" },
        { "kind": "capture", "account": 1, "key": "w", "hold_key": "h" },
        { "kind": "refund", "account": 1, "key": "r", "charge_key": "p", "amount": "20" },
        { "kind": "refund", "account": 1, "key": "s", "charge": 3, "amount": "600.01" },
        { "kind": "transfer", "account": 1, "key": "u", "to": 2, "amount": "7" },
        { "kind": "transfer", "account": 1, "key": "y", "to": 9, "amount": "7" },
        { "kind": "adjust", "account": 2, "key": "a", "amount": "-7", "reason": "counted" },
        { "kind": "charge", "account": 9, "key": "z", "amount": "1" },
    ]);
    let answer = send(&api, &commands).await.expect(200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let first = [
        (201, "charge"),
        (409, "insufficient_credit"),
        (201, "topup"),
        (409, "insufficient_credit"),
        (200, "charge"),
        (422, "key_reused"),
        (201, "hold"),
        (201, "capture"),
        (422, "capture_exceeds_hold"),
        (201, "extend"),
        (201, "void"),
        (409, "hold_not_open"),
        (201, "refund"),
        (422, "refund_exceeds_charge"),
        (201, "transfer"),
        (404, "unknown_account"),
        (201, "adjust"),
        (404, "unknown_account"),
    ];
    assert_eq!(told(&answer), expected(&first));
    let outcome = |n: usize| &answer.json["outcomes"][n];
    assert_eq!(outcome(3)["problem"]["replayed"], true);
    assert_eq!((&outcome(4)["replayed"], &outcome(4)["entry"]), (&json!(true), &outcome(0)["entry"]));
    assert_eq!(outcome(5)["problem"]["entry"], 3);
    assert_eq!(outcome(14)["account"]["posted"], "493");

    // What a command of a batch did is what its own route says of its key.
    let body = r#"{"amount":"600","reference":"r","metadata":{"a":"b"}}"#;
    let alone = api.post("/v1/accounts/1/charges", "c", body).await.expect(200).json;
    assert_eq!((&alone["entry"], &alone["account"]), (&outcome(0)["entry"], &outcome(0)["account"]));
    let again = send(&api, &commands).await.expect(200);
    let second = told(&again)
        .into_iter()
        .zip(first)
        .all(|((status, what), (then, was))| what == was && (status == then || (then == 201 && status == 200)));
    assert!(second, "{}", again.text);
    assert_eq!(api.get("/v1/accounts/1").await.json["posted"], "493");
    assert_eq!(api.get("/v1/accounts/2").await.json["posted"], "0");
    assert_eq!(api.store.verify(store::Against::default(), &mut |_| ()).expect("no fault").findings, []);
}

#[tokio::test]
async fn a_command_that_cannot_be_read_stops_none_beside_it() {
    let api = Api::with_account().await;
    let fine = |key: &str| json!({ "kind": "charge", "account": 1, "key": key, "amount": "1" });
    let cases = [
        (json!(7), "the body must be a JSON object"),
        (json!({}), "the member \"kind\""),
        (json!({ "kind": "expire", "account": 1, "key": "k" }), "\"kind\" must be one of topup, charge, hold, extend"),
        (json!({ "kind": "open", "account": 1, "key": "k" }), "\"kind\" must be one of"),
        (json!({ "kind": "charge", "key": "k", "amount": "1" }), "the member \"account\""),
        (json!({ "kind": "charge", "account": 1, "amount": "1" }), "the member \"key\""),
        (json!({ "kind": "charge", "account": 1, "key": "a b", "amount": "1" }), "an idempotency key is 1 to 128"),
        (json!({ "kind": "charge", "account": 1, "key": "k", "amount": 1 }), "\"amount\" is a JSON number"),
        (json!({ "kind": "charge", "account": 1, "key": "k", "amont": "1" }), "did you mean \"amount\"?"),
        (json!({ "kind": "charge", "account": 1, "key": "k", "amount": "1", "hold": 2 }), "unknown member \"hold\""),
        (json!({ "kind": "void", "account": 1, "key": "k" }), "send \"hold\" (an entry number) or \"hold_key\""),
        (json!({ "kind": "void", "account": 1, "key": "k", "hold": 1, "hold_key": "h" }), "send \"hold\""),
        (json!({ "kind": "adjust", "account": 1, "key": "k", "amount": "1" }), "the member \"reason\" is missing"),
        (json!({ "kind": "transfer", "account": 1, "key": "k", "to": 1, "amount": "1" }), "nothing would move"),
    ];
    let mut commands = vec![fine("first")];
    commands.extend(cases.iter().map(|(command, _)| command.clone()));
    commands.push(fine("last"));
    let answer = send(&api, &json!(commands)).await.expect(200);
    let outcomes = answer.json["outcomes"].as_array().expect("a list");
    assert_eq!(outcomes.len(), commands.len());
    for (outcome, (command, says)) in outcomes.iter().skip(1).zip(&cases) {
        assert_eq!((&outcome["status"], &outcome["problem"]["slug"]), (&json!(400), &json!("malformed")), "{command}");
        let detail = outcome["problem"]["detail"].as_str().expect("a detail");
        assert!(detail.contains(says), "{command}\n  said: {detail}\n  not:  {says}");
    }
    assert_eq!((&outcomes[0]["status"], &outcomes[commands.len() - 1]["status"]), (&json!(201), &json!(201)));
    assert_eq!(api.get("/v1/accounts/1").await.json["last_entry"], 4);
    api.get("/v1/accounts/1/keys/k").await.problem(404, "unknown_key");
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused_whole() {
    let api = Api::with_account().await;
    for body in ["", "{", "[]", "{}", r#"{"commands":{}}"#, r#"{"commands":[],"atomic":true}"#, r#"{"commands":[1,]}"#]
    {
        let answer = api.call("POST", "/v1/batch", &[], body).await;
        assert!(answer.problem(400, "malformed").contains("\"commands\", a list of objects"), "{body}");
    }
    let none = send(&api, &json!([])).await.expect(200);
    assert_eq!(none.text, r#"{"outcomes":[]}"#);
}

#[tokio::test]
async fn a_batch_takes_8192_commands_and_8_mib() {
    let api = Api::with_account().await;
    let topup = |n: usize| json!({ "kind": "topup", "account": 1, "key": format!("k{n}"), "amount": "1" });
    let many: Vec<Value> = (0..8_193).map(topup).collect();
    let answer = send(&api, &json!(many)).await;
    let detail = answer.problem(400, "malformed");
    assert!(detail.contains("a batch takes up to 8192 commands, and this one has 8193"), "{detail}");
    assert_eq!(api.get("/v1/accounts/1").await.json["last_entry"], 2);
    let answer = send(&api, &json!(many[..8_192])).await.expect(200);
    let moved = told(&answer);
    assert_eq!(moved.len(), 8_192);
    assert!(moved.iter().all(|(status, kind)| (*status, kind.as_str()) == (201, "topup")));
    let numbers = answer.json["outcomes"].as_array().expect("a list").iter().map(|it| it["entry"]["number"].as_u64());
    assert!(numbers.eq((3..=8_194).map(Some)), "in the order of the commands");
    assert_eq!(api.get("/v1/accounts/1").await.json["posted"], "8292");

    // White space between commands is bytes too.
    let padded = |len: usize| {
        let command = topup(9_000).to_string();
        let rest = len - command.len() - r#"{"commands":[]}"#.len();
        format!(r#"{{"commands":[{command}{}]}}"#, " ".repeat(rest))
    };
    let most = 8 * 1024 * 1024;
    let answer = api.call("POST", "/v1/batch", &[], &padded(most + 1)).await;
    assert_eq!(answer.problem(413, "body_too_large"), "A body may have 8388608 bytes.");
    let answer = api.call("POST", "/v1/batch", &[], &padded(most)).await.expect(200);
    assert_eq!(told(&answer), expected(&[(201, "topup")]));
}

#[tokio::test]
async fn a_batch_that_the_ledger_cannot_take_happens_not_at_all() {
    let api = Api::with_account().await;
    api.store.close();
    let answer = send(&api, &json!([{ "kind": "topup", "account": 1, "key": "k", "amount": "1" }])).await;
    assert!(answer.problem(503, "unavailable").contains("othing happened"));
    assert_eq!(answer.headers["retry-after"], "1");
}
