//! Keys from the command line: printed to paste, imported without a trace, rotated with an overlap.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::Sodu;

const SECRET: &str = "0123456789abcdef0123456789";

fn listed(sodu: &Sodu) -> Vec<Value> {
    sodu.json(&["key", "list", "9999"])["credentials"].as_array().expect("a list").clone()
}

#[test]
fn an_issued_pair_is_printed_to_paste() {
    let sodu = Sodu::with_account();
    let issued =
        sodu.run(&["key", "issue", "9999", "--label", "web", "--cidr", "192.0.2.0/24", "--cidr", "10.1.1.1"]).expect(0);
    let lines: Vec<&str> = issued.out.lines().collect();
    let [key, secret] = lines.as_slice() else { panic!("{}", issued.out) };
    let key = key.strip_prefix("export ESMS_API_KEY=").expect("a key");
    let secret = secret.strip_prefix("export ESMS_SECRET_KEY=").expect("a secret");
    assert_eq!((key.len(), secret.len()), (30, 30));
    assert!(issued.err.contains("shown this once") && !issued.err.contains(secret), "{}", issued.err);

    let credentials = listed(&sodu);
    assert_eq!(credentials.len(), 1);
    assert_eq!(credentials[0]["api_key"], key);
    assert_eq!(credentials[0]["cidrs"], json!(["192.0.2.0/24", "10.1.1.1/32"]));
    let table = sodu.run(&["key", "list", "9999"]).expect(0).out;
    assert!(!table.contains(secret));
    assert_eq!(table.lines().nth(1), Some(format!("{key}  active                          web, 192.0.2.0/…").as_str()));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn a_secret_is_taken_from_a_flag_from_input_or_from_the_environment() {
    let sodu = Sodu::with_account();
    let flag = sodu.run(&["key", "import", "9999", "--api-key", "A", "--secret-key", SECRET]).expect(0);
    assert_eq!(flag.out, "account 9999 has the key A\n");

    let mut command = sodu.command(&["key", "import", "9999", "--api-key", "B", "--secret-key", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    writeln!(child.stdin.take().expect("it is piped"), "{SECRET}").expect("it reads");
    assert!(child.wait().expect("it ends").success());

    let mut command = sodu.command(&["key", "import", "9999", "--api-key", "C"]);
    assert!(command.env("ESMS_SECRET_KEY", SECRET).output().expect("it runs").status.success());
    let keys: Vec<Value> = listed(&sodu).iter().map(|credential| credential["api_key"].clone()).collect();
    assert_eq!(keys, ["A", "B", "C"]);

    let missing = sodu.run(&["key", "import", "9999", "--api-key", "D"]).expect(2);
    assert!(missing.err.contains("--secret-key"), "{}", missing.err);
    let help = sodu.command(&["key", "import", "--help"]).env("ESMS_SECRET_KEY", SECRET).output().expect("it runs");
    assert!(!String::from_utf8_lossy(&help.stdout).contains(SECRET));
}

#[test]
fn a_short_secret_is_taken_with_a_warning_and_never_repeated() {
    let sodu = Sodu::with_account();
    let short = sodu.run(&["key", "import", "9999", "--api-key", "A", "--secret-key", "hunter2"]).expect(0);
    assert!(short.err.contains("warning: This secret has under 16 characters"), "{}", short.err);
    let bad = sodu.run(&["key", "import", "9999", "--api-key", "B", "--secret-key", "mật khẩu bí mật"]);
    for text in [&short.out, &short.err, &bad.out, &bad.err] {
        assert!(!text.contains("hunter2") && !text.contains("mật khẩu bí mật"), "{text}");
    }
    bad.refused("malformed");
}

#[test]
fn rotation_issues_a_new_pair_and_lets_the_old_one_end() {
    let sodu = Sodu::with_account();
    let issue = ["key", "issue", "9999", "--label", "web", "--cidr", "192.0.2.0/24"];
    let old = sodu.json(&issue)["api_key"].as_str().expect("a key").to_owned();
    let rotated = sodu.run(&["key", "rotate", "9999", &old]).expect(0);
    assert!(rotated.out.starts_with("export ESMS_API_KEY="), "{}", rotated.out);
    assert!(rotated.err.contains("the old key works until "), "{}", rotated.err);
    let credentials = listed(&sodu);
    let [first, second] = credentials.as_slice() else { panic!("{credentials:?}") };
    assert_eq!((&second["label"], &second["cidrs"]), (&first["label"], &first["cidrs"]));
    assert_eq!(second["expires_at"], Value::Null);
    let time = |text: &Value| -> jiff::Timestamp { text.as_str().expect("a time").parse().expect("a time") };
    assert_eq!(
        time(&first["expires_at"]).as_microsecond() - time(&second["created_at"]).as_microsecond(),
        86_400_000_000
    );

    // A second rotation never lengthens the old key's life.
    sodu.run(&["key", "rotate", "9999", &old, "--overlap", "7d"]).expect(0);
    assert_eq!(listed(&sodu)[0]["expires_at"], first["expires_at"]);
    sodu.run(&["key", "rotate", "9999", &old, "--overlap", "soon"]).expect(2);
    sodu.run(&["key", "rotate", "9999", "NONE"]).refused("unknown_credential");
}

#[test]
fn a_revoked_key_is_listed_as_such() {
    let sodu = Sodu::with_account();
    sodu.run(&["key", "import", "9999", "--api-key", "old/key", "--secret-key", SECRET]).expect(0);
    assert_eq!(sodu.run(&["key", "revoke", "9999", "old/key"]).expect(0).out, "revoked: old/key\n");
    let table = sodu.run(&["key", "list", "9999"]).expect(0).out;
    assert!(table.contains("old/key") && table.contains("revoked"), "{table}");
    sodu.run(&["key", "rotate", "9999", "old/key"]).refused("credential_revoked");
    sodu.run(&["key", "revoke", "9999", "other"]).refused("unknown_credential");
}
