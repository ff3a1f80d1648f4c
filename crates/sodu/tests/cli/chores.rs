//! Verify from the command line.

use serde_json::json;

use crate::common::Sodu;

#[test]
fn verify_proves_and_prints_the_root() {
    let sodu = Sodu::with_account();
    let verified = sodu.run(&["verify"]).expect(0);
    let lines: Vec<&str> = verified.out.lines().collect();
    assert!(lines[0].ends_with("(accounts: 1, entries: 2): everything agrees"), "{}", verified.out);
    let report = sodu.json(&["verify"]);
    assert_eq!(lines[1], format!("root {}", report["root"].as_str().expect("a root")));
    assert_eq!((&report["ok"], &report["entries"], &report["findings"]), (&json!(true), &json!(2), &json!([])));
}
