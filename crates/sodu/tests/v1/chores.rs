//! Verify and backup over the API: lines of progress, then what came of it.

use serde_json::{Value, json};

use crate::common::{Answer, Api};

fn last_line(answer: &Answer) -> Value {
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (last, progress) = lines.split_last().expect("a last line");
    assert!(progress.iter().all(|line| line["progress"]["total"].is_u64()), "{}", answer.text);
    last.clone()
}

#[tokio::test]
async fn verify_reports_what_it_proved() {
    let api = Api::with_account().await;
    let answer = api.call("POST", "/v1/verify", &[], "").await.expect(200);
    let report = &last_line(&answer)["report"];
    assert_eq!(report["root"].as_str().map(str::len), Some(64));
    let expected = json!({ "ok": true, "accounts": 1, "entries": 2, "root": report["root"], "findings": [] });
    assert_eq!(*report, expected);
}

#[tokio::test]
async fn a_backup_is_a_database_and_never_overwrites() {
    let api = Api::with_account().await;
    let file = api.place.path().join("copy.db");
    let body = json!({ "file": file }).to_string();
    let answer = api.call("POST", "/v1/backup", &[], &body).await.expect(200);
    let report = &last_line(&answer)["report"];
    assert_eq!(report["file"], json!(file));
    assert_eq!(report["bytes"].as_u64(), file.metadata().ok().map(|metadata| metadata.len()));

    let again = api.call("POST", "/v1/backup", &[], &body).await;
    assert!(again.problem(409, "file_exists").contains("never overwrites"));
    let nowhere = json!({ "file": file.join("inside-a-file.db") }).to_string();
    let failed = api.call("POST", "/v1/backup", &[], &nowhere).await.expect(200);
    assert_eq!(last_line(&failed)["problem"]["slug"], "backup_failed");
}

#[tokio::test]
async fn a_ledger_that_is_closed_tells_figures_from_memory() {
    let api = Api::with_account().await;
    api.store.close();
    assert_eq!(api.get("/v1/accounts/1/balance").await.expect(200).json["balance"], "100");
}
