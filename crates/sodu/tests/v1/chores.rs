//! Verify over the API: lines of progress, then what came of it.

use serde_json::{Value, json};

use crate::common::{Answer, Api};

pub(crate) fn last_line(answer: &Answer) -> Value {
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
