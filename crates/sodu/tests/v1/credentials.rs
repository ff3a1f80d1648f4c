//! Keys and secrets: made, imported, restricted, revoked, and never shown twice.

use serde_json::{Value, json};

use crate::common::Api;

const PATH: &str = "/v1/accounts/1/credentials";

fn is_issued(key: &str) -> bool {
    key.len() == 30 && key.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
}

#[tokio::test]
async fn an_issued_pair_is_shown_whole_once() {
    let api = Api::with_account().await;
    let body = r#"{"label":"web shop","cidrs":["192.0.2.0/24","2001:db8::1","::ffff:10.0.0.0/104"],"expires_at":"2026-12-31"}"#;
    let issued = api.post(PATH, "issue", body).await.expect(201);
    let (api_key, secret) = (issued.json["api_key"].as_str(), issued.json["secret_key"].as_str());
    let (api_key, secret) = (api_key.expect("a key"), secret.expect("a secret"));
    assert!(is_issued(api_key) && is_issued(secret) && api_key != secret, "{}", issued.text);
    let credential = json!({
        "account": 1, "api_key": api_key, "label": "web shop", "created_at": "2026-07-29T07:00:00.000000Z",
        "cidrs": ["192.0.2.0/24", "2001:db8::1/128", "10.0.0.0/8"],
        "expires_at": "2026-12-31T17:00:00.000000Z", "revoked_at": null, "last_used_at": null
    });
    let mut expected = credential.clone();
    expected["secret_key"] = secret.into();
    expected["replayed"] = false.into();
    assert_eq!(issued.json, expected);
    assert!(api.store.authenticate(api_key, secret).await.expect("no fault").is_some());

    let listed = api.get(PATH).await.expect(200);
    assert_eq!(listed.json, json!({ "credentials": [credential] }));
    let again = api.post(PATH, "issue", body).await.expect(200);
    assert_eq!((&again.json["api_key"], &again.json["replayed"]), (&json!(api_key), &json!(true)));
    assert!(again.json["note"].as_str().is_some_and(|note| note.contains("shown once")));
    for answer in [&listed, &again] {
        assert!(!answer.text.contains(secret));
    }
    api.post(PATH, "issue", r#"{"label":"other"}"#).await.problem(422, "key_reused");
    assert_eq!(api.get(PATH).await.json["credentials"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_imported_pair_is_taken_exactly_and_never_repeated() {
    let api = Api::with_account().await;
    let body = json!({ "api_key": "old/Key+1%", "secret_key": "0123456789abcdef" }).to_string();
    let imported = api.post(PATH, "import", &body).await.expect(201);
    assert_eq!((&imported.json["secret_key"], &imported.json["warning"]), (&Value::Null, &Value::Null));
    assert!(!imported.text.contains("0123456789abcdef"));
    assert!(api.store.authenticate("old/Key+1%", "0123456789abcdef").await.expect("no fault").is_some());
    assert!(api.store.authenticate("OLD/KEY+1%", "0123456789abcdef").await.expect("no fault").is_none());

    assert_eq!(api.post(PATH, "import", &body).await.expect(200).json["replayed"], true);
    let other = json!({ "api_key": "old/Key+1%", "secret_key": "0123456789abcdeF" }).to_string();
    api.post(PATH, "import", &other).await.problem(422, "key_reused");
    let taken = api.post(PATH, "again", &body).await;
    taken.problem(409, "credential_exists");
    assert!(!taken.text.contains("old/Key"));

    let short = api.post(PATH, "short", r#"{"api_key":"K","secret_key":"123456789012345"}"#).await.expect(201);
    assert!(short.json["warning"].as_str().is_some_and(|warning| warning.contains("under 16")), "{}", short.text);
    assert!(!short.text.contains("123456789012345"));
}

#[tokio::test]
async fn a_credential_is_restricted_and_freed_again() {
    let api = Api::with_account().await;
    let pair = json!({ "api_key": "old/Key", "secret_key": "0123456789abcdef", "label": "a" }).to_string();
    api.post(PATH, "import", &pair).await.expect(201);
    let path = format!("{PATH}/old%2FKey");
    let limits = r#"{"label":"b","cidrs":["10.0.0.0/8"],"expires_at":"2026-07-29T08:00:00Z"}"#;
    let changed = api.patch(&path, limits).await.expect(200).json;
    let told = |json: &Value| (json["label"].clone(), json["cidrs"].clone(), json["expires_at"].clone());
    assert_eq!(told(&changed), (json!("b"), json!(["10.0.0.0/8"]), json!("2026-07-29T08:00:00.000000Z")));
    let is_live = async |api: &Api| {
        let grant = api.store.authenticate("old/Key", "0123456789abcdef").await.expect("no fault");
        grant.map(|grant| grant.is_live())
    };
    assert_eq!(is_live(&api).await, Some(true));
    api.sleep(3600);
    assert_eq!(is_live(&api).await, Some(false));

    assert_eq!(told(&api.patch(&path, "{}").await.expect(200).json), told(&changed));
    let freed = api.patch(&path, r#"{"label":null,"cidrs":null,"expires_at":null}"#).await.expect(200).json;
    assert_eq!(told(&freed), (Value::Null, json!([]), Value::Null));
    assert_eq!(is_live(&api).await, Some(true));
}

#[tokio::test]
async fn a_revoked_key_stays_revoked() {
    let api = Api::with_account().await;
    let pair = r#"{"api_key":"K","secret_key":"0123456789abcdef"}"#;
    api.post(PATH, "import", pair).await.expect(201);
    let path = format!("{PATH}/K");
    let revoked = api.call("DELETE", &path, &[], "").await.expect(200).json;
    assert_eq!(revoked["revoked_at"], "2026-07-29T07:00:00.000000Z");
    api.sleep(60);
    assert_eq!(api.call("DELETE", &path, &[], "").await.expect(200).json, revoked);
    assert_eq!(api.patch(&path, r#"{"expires_at":null}"#).await.expect(200).json["revoked_at"], revoked["revoked_at"]);
    let grant = api.store.authenticate("K", "0123456789abcdef").await.expect("no fault");
    assert!(grant.is_none_or(|grant| !grant.is_live()));
}

#[tokio::test]
async fn a_key_belongs_to_its_own_account() {
    let api = Api::with_account().await;
    api.post("/v1/accounts", "two", r#"{"id":2,"name":"Two"}"#).await.expect(201);
    api.post(PATH, "import", r#"{"api_key":"K","secret_key":"0123456789abcdef"}"#).await.expect(201);
    api.call("DELETE", "/v1/accounts/2/credentials/K", &[], "").await.problem(404, "unknown_credential");
    let taken = r#"{"api_key":"K","secret_key":"fedcba9876543210"}"#;
    api.post("/v1/accounts/2/credentials", "import", taken).await.problem(409, "credential_exists");
    assert_eq!(api.get("/v1/accounts/2/credentials").await.json, json!({ "credentials": [] }));
}
