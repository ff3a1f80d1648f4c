//! The doctor and where alerts go: reached without a message, or with one; secrets in the open.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread::{self, JoinHandle};

use serde_json::Value;

use super::{Report, doctor};
use crate::common::Sodu;

/// No word of the doctor may hold it.
const SECRET: &str = "a-path-that-is-a-secret";

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

fn slack(port: u16) -> String {
    format!("slack = \"http://127.0.0.1:{port}/{SECRET}\"")
}

/// The doctor with these lines in the section `[alerts]`.
fn with(sodu: &Sodu, alerts: &str, args: &[&str]) -> Report {
    std::fs::write(sodu.path("sodu.toml"), format!("[alerts]\n{alerts}\n")).expect("a file");
    set_mode(sodu, "sodu.toml", 0o640);
    let report = doctor(sodu, &[&["--config", "sodu.toml"], args].concat());
    assert!(report.checks.iter().all(|check| !check.to_string().contains(SECRET)), "{:?}", report.checks);
    report
}

fn set_mode(sodu: &Sodu, name: &str, mode: u32) {
    std::fs::set_permissions(sodu.path(name), PermissionsExt::from_mode(mode)).expect("the own file");
}

/// Status and words of each target.
fn told(report: &Report) -> Vec<(String, String)> {
    let text = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let targets = report.checks.iter().filter(|check| check["name"] == "alerts.target");
    targets.map(|check| (text(check, "status"), text(check, "finding"))).collect()
}

/// Reads one request of JSON, answers it, and gives it.
fn take_one(listener: TcpListener) -> JoinHandle<String> {
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut asked = Vec::new();
        while !asked.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            asked.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("it listens");
        String::from_utf8(asked).expect("text")
    })
}

#[test]
fn each_target_is_told_by_its_name_and_without_its_secret() {
    let sodu = Sodu::new();
    with(&sodu, "", &[]).find("alerts.target").is("skipped", "no target", "");
    let ((_up, up), down) = (listener(), listener().1);
    let targets = format!(
        "targets = {{ a = {{ {} }}, b = {{ {} }}, c = {{ slack = \"env:NO_SUCH_VARIABLE\" }} }}",
        slack(up),
        slack(down)
    );
    let told = told(&with(&sodu, &targets, &[]));
    let begin = [
        ("ok", "a (slack 127.0.0.1) can be reached"),
        ("problem", "b (slack 127.0.0.1): 127.0.0.1 cannot be reached on port"),
        ("skipped", "c: the variable NO_SUCH_VARIABLE is not set here"),
    ];
    assert_eq!(told.len(), begin.len(), "{told:?}");
    for ((status, finding), (wanted, words)) in told.iter().zip(begin) {
        assert!(status == wanted && finding.starts_with(words), "{told:?}");
    }
}

#[test]
fn a_test_message_goes_to_own_targets_where_that_is_wanted() {
    let sodu = Sodu::new();
    let ((receiver, port), down) = (listener(), listener().1);
    let receiver = take_one(receiver);
    let mails = format!("smtp = \"smtp://127.0.0.1:{down}\"\nfrom = \"alerts@example.com\"");
    let report = with(&sodu, &format!("{mails}\ntargets = {{ pager = {{ {} }} }}", slack(port)), &["--send-test"]);
    let asked = receiver.join().expect("a request");
    assert!(asked.contains("This is a test of the target pager"), "{asked}");
    let told = told(&report);
    assert!(told[0].0 == "ok" && told[0].1.contains("took the test message"), "{told:?}");
    assert!(told[1].0 == "problem" && told[1].1.starts_with("mail to contacts: the mail server 127.0.0.1"), "{told:?}");
}

#[test]
fn secrets_that_others_read_are_problems() {
    let sodu = Sodu::new();
    let (_up, port) = listener();
    let written = format!("targets = {{ a = {{ {} }} }}", slack(port));
    with(&sodu, &written, &[]).find("permissions.configuration").is("ok", "", "");
    set_mode(&sodu, "sodu.toml", 0o644);
    let report = doctor(&sodu, &["--config", "sodu.toml"]);
    report.find("permissions.configuration").is("problem", "secrets of [alerts] in it", "chmod o-r");

    std::fs::write(sodu.path("url"), format!("http://127.0.0.1:{port}/{SECRET}")).expect("a file");
    set_mode(&sodu, "url", 0o644);
    let report = with(&sodu, "targets = { a = { slack = \"file:url\" } }", &[]);
    report.find("permissions.secrets").is("problem", "the secret url has mode 0644", "chmod 640");
    set_mode(&sodu, "url", 0o600);
    let report = with(&sodu, "targets = { a = { slack = \"file:url\" } }", &[]);
    report.find("permissions.secrets").is("ok", "", "");
    report.find("alerts.target").is("ok", "can be reached", "");
    set_mode(&sodu, "sodu.toml", 0o644);
    doctor(&sodu, &["--config", "sodu.toml"]).find("permissions.configuration").is("ok", "", "");
}
