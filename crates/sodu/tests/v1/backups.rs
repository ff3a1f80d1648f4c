//! Backup of the file over the API, and a ledger that lies in memory.

use serde_json::json;

use crate::chores::last_line;
use crate::common::Api;

#[tokio::test]
async fn a_backup_leaves_its_row_in_the_audit_trail() {
    let api = Api::new();
    let file = api.place.path().join("copy.db").display().to_string();
    let body = json!({ "file": file }).to_string();
    api.call("POST", "/v1/backup", &[("x-request-id", "req-1")], &body).await.expect(200);
    let rows = &api.get("/v1/audit").await.expect(200).json["audit"];
    let row = json!([rows[0]["action"], rows[0]["subject"], rows[0]["request_id"], rows[0]["detail"]]);
    assert_eq!(row, json!(["backup.start", "ledger", "req-1", { "file": file }]));
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
