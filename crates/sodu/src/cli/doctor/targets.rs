//! Where alerts go: whether each target can be reached, all at once, and with `--send-test` whether it takes a message.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::task::JoinSet;

use super::report::Check;
use crate::cli::failure::Failure;
use crate::cli::session::block_on;
use crate::notify::{Courier, Message, Reached, Settings, Target, Undelivered};

const NAME: &str = "alerts.target";

/// What is said of targets by name; `send_test` sends each a message.
pub(super) fn check(targets: &[(String, Target)], send_test: bool) -> Result<Vec<Check>, Failure> {
    if targets.is_empty() {
        return Ok(vec![Check::skipped(NAME, "no target of alerts is configured")]);
    }
    let courier = match Courier::new(Settings::default()) {
        Ok(courier) => courier,
        Err(error) => {
            let advice = "install the system's root certificates (package ca-certificates)";
            return Ok(vec![Check::problem(NAME, format!("nothing can be delivered: {error}"), advice)]);
        }
    };
    block_on(async {
        let mut tasks = JoinSet::new();
        for (index, (name, target)) in targets.iter().cloned().enumerate() {
            let courier = courier.clone();
            tasks.spawn(async move { (index, one(&courier, &name, &target, send_test).await) });
        }
        let mut checks = tasks.join_all().await;
        checks.sort_by_key(|(index, _)| *index);
        Ok(checks.into_iter().map(|(_, check)| check).collect())
    })
}

async fn one(courier: &Courier, name: &str, target: &Target, send_test: bool) -> Check {
    let label = format!("{name} ({target})");
    if send_test {
        return match courier.deliver(target, &test_message(name)).await {
            Ok(()) => Check::ok(NAME, format!("{label} took the test message; see that it has arrived")),
            Err(undelivered) => unreached(&label, &undelivered),
        };
    }
    match courier.probe(target).await {
        Ok(Reached::Yes) => Check::ok(NAME, format!("{label} can be reached; --send-test sends it a message")),
        Ok(Reached::BehindProxy) => Check::skipped(
            NAME,
            format!("{label} is behind the proxy of this environment; --send-test sends it a message"),
        ),
        Err(undelivered) => unreached(&label, &undelivered),
    }
}

fn unreached(label: &str, undelivered: &Undelivered) -> Check {
    let advice = "alerts for it wait meanwhile, and are given up after some days; see `[alerts]` in the configuration";
    Check::problem(NAME, format!("{label}: {}", undelivered.detail), advice)
}

/// A message that nobody takes for an alert.
fn test_message(name: &str) -> Message {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at_unix_s = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    Message {
        id: format!("test-{at_unix_s}-{}", std::process::id()),
        at_unix_s,
        title: "sodu: a test message".to_owned(),
        text: format!("This is a test of the target {name}, sent by `sodu doctor --send-test`. Nothing is wrong.\n"),
        event: json!({ "type": "test", "data": { "target": name } }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::super::report::Status;
    use super::*;

    fn target(name: &str, port: u16) -> (String, Target) {
        let written = format!("slack = 'http://127.0.0.1:{port}/secret-path'");
        (name.to_owned(), toml::from_str(&written).expect("a target"))
    }

    fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    #[test]
    fn each_target_is_told_by_its_name_and_without_its_secret() {
        assert_eq!(check(&[], true).expect("a list")[0].status, Status::Skipped);
        let (_up, port) = listener();
        let down = listener().1;
        let checks = check(&[target("pager", port), target("chat", down)], false).expect("a list");
        assert_eq!(checks.iter().map(|check| check.status).collect::<Vec<_>>(), [Status::Ok, Status::Problem]);
        assert!(checks[0].finding.starts_with("pager (slack 127.0.0.1) can be reached"), "{checks:?}");
        assert!(checks[1].finding.starts_with("chat (slack 127.0.0.1): 127.0.0.1 cannot be reached"), "{checks:?}");
        assert!(!format!("{checks:?}").contains("secret-path"));
    }

    #[test]
    fn a_test_message_is_sent_where_that_is_wanted() {
        let (listener, port) = listener();
        let receiver = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                asked.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("it listens");
            String::from_utf8(asked).expect("text")
        });
        let checks = check(&[target("pager", port)], true).expect("a list");
        assert!(checks[0].status == Status::Ok && checks[0].finding.contains("took the test message"), "{checks:?}");
        let asked = receiver.join().expect("a request");
        assert!(asked.contains("a test of the target pager"), "{asked}");
    }
}
