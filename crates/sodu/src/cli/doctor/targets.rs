//! Where alerts go: whether each target can be reached, all at once, and with `--send-test` whether it takes a message.
//!
//! The operator's own targets, and what carries alerts to the contacts of accounts; contacts themselves are never written to.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::task::JoinSet;

use super::report::Check;
use super::scene::Scene;
use crate::cli::failure::Failure;
use crate::cli::session::block_on;
use crate::config::Alerts;
use crate::notify::{Courier, Message, Reached, Settings, Target, Undelivered};

const NAME: &str = "alerts.target";

/// What is to be reached.
#[derive(Clone)]
struct Asked {
    name: String,
    target: Target,
    /// Whether it is the operator's own, who may have a test message sent to it.
    is_own: bool,
}

/// Reaches everything that alerts go by; `send_test` sends each of the operator's own targets a message.
pub(super) fn check(scene: &Scene, send_test: bool) -> Result<Vec<Check>, Failure> {
    let asked = asked(&scene.config.alerts);
    if asked.is_empty() {
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
        for (index, asked) in asked.into_iter().enumerate() {
            let courier = courier.clone();
            let unseen = unseen(scene, &asked);
            tasks.spawn(async move {
                let check = match unseen {
                    Some(unseen) => unseen,
                    None => one(&courier, &asked, send_test).await,
                };
                (index, check)
            });
        }
        let mut checks = tasks.join_all().await;
        checks.sort_by_key(|(index, _)| *index);
        Ok(checks.into_iter().map(|(_, check)| check).collect())
    })
}

fn asked(alerts: &Alerts) -> Vec<Asked> {
    let own = alerts.targets.iter().map(|(name, target)| (name.clone(), target.clone(), true));
    // A mail to the sender's own address, which is never sent, and a chat that nobody has: only their servers are asked.
    let mail = alerts.smtp.clone().zip(alerts.from.clone());
    let mail = mail.map(|(smtp, from)| Target::Email { to: from.clone(), smtp, from });
    let chat = alerts.telegram.clone().map(|token| Target::Telegram { token, chat: "1".to_owned(), api: None });
    let for_contacts = [("mail to contacts", mail), ("chats with contacts", chat)];
    let for_contacts = for_contacts.into_iter().filter_map(|(name, target)| Some((name.to_owned(), target?, false)));
    own.chain(for_contacts).map(|(name, target, is_own)| Asked { name, target, is_own }).collect()
}

/// A target whose secret lies where only the server can read it.
fn unseen(scene: &Scene, asked: &Asked) -> Option<Check> {
    let Asked { name, target, .. } = asked;
    target.hidden().into_iter().find_map(|hidden| {
        if let Some(variable) = hidden.unset() {
            let why = format!("{name}: the variable {variable} is not set here, whatever the server has in it");
            return Some(Check::skipped(NAME, why));
        }
        let file = hidden.file().filter(|_| !scene.is_own())?;
        let error = std::fs::File::open(file).err()?;
        Some(Check::unseen(NAME, format!("{name}: {} cannot be read: {error}", file.display()), &scene.who()))
    })
}

async fn one(courier: &Courier, asked: &Asked, send_test: bool) -> Check {
    let Asked { name, target, is_own } = asked;
    let label = if *is_own { format!("{name} ({target})") } else { name.clone() };
    let advice = if *is_own { "; --send-test sends it a message" } else { "" };
    if send_test && *is_own {
        return match courier.deliver(target, &test_message(name)).await {
            Ok(()) => Check::ok(NAME, format!("{label} took the test message; see that it has arrived")),
            Err(undelivered) => unreached(&label, &undelivered),
        };
    }
    match courier.probe(target).await {
        Ok(Reached::Yes) => Check::ok(NAME, format!("{label} can be reached{advice}")),
        Ok(Reached::BehindProxy) => {
            Check::skipped(NAME, format!("{label} is behind the proxy that this environment names{advice}"))
        }
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
