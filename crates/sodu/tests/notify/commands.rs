//! Programs that are told, and what becomes of those that fail or hang.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use sodu::notify::{Settings, Target};

use crate::common::*;

/// That script, run by a shell in that folder.
fn script(folder: &Path, text: &str) -> Target {
    let script = format!("cd '{}' || exit 9; {text}", folder.display());
    let command = toml::Value::from(vec!["/bin/sh".to_owned(), "-c".to_owned(), script]);
    target(&format!("command = {command}"))
}

#[tokio::test]
async fn a_command_is_told_the_event_and_the_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = script(
        folder.path(),
        r#"cat > event; printf %s "$SODU_ALERT_TITLE" > title; printf %s "$SODU_ALERT_TEXT" > text
           printf %s "$SODU_ALERT_ID" > id; echo noise; echo more noise >&2"#,
    );
    delivered(&target).await.expect("delivered");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
    let message = message();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&read("event")).expect("JSON"), message.event);
    assert_eq!((read("title"), read("text"), read("id")), (message.title, message.text, message.id));
}

#[tokio::test]
async fn what_a_program_says_when_it_fails_is_passed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        (
            "echo; echo 'no pager found' >&2; echo more >&2; exit 3",
            "/bin/sh ended with exit code 3 and said: no pager found",
        ),
        ("exit 1", "/bin/sh ended with exit code 1 and said nothing on its standard error"),
        ("kill -TERM $$", "/bin/sh was ended by signal 15 and said nothing on its standard error"),
        ("yes mistake | head -c 1000000 >&2; exit 1", "/bin/sh ended with exit code 1 and said: mistake"),
        ("sleep 3 & echo left >&2; exit 1", "/bin/sh ended with exit code 1 and said: left"),
    ];
    for (text, words) in cases {
        let (_, why) = later(delivered(&script(folder.path(), text)).await);
        assert_eq!(why, words);
    }
}

#[tokio::test]
async fn a_program_need_not_read_what_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let courier = sodu::notify::Courier::new(Settings::default()).expect("a courier");
    let mut message = message();
    message.event["long"] = "a".repeat(1_000_000).into();
    courier.deliver(&script(folder.path(), "exit 0"), &message).await.expect("delivered");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let held = folder.path().join("held");
    assert!(Command::new("mkfifo").arg(&held).status().expect("mkfifo").success());
    // The end of what this reads comes when nobody is left who could write.
    let reader = thread::spawn(move || fs::read_to_string(held).expect("a pipe"));
    let target = script(folder.path(), "exec 3> held; echo here >&3; sleep 1000 & sleep 1000");
    let limit = Settings { command_timeout: Duration::from_secs(2), ..Settings::default() };
    let (_, why) = later(deliver(limit, &target).await);
    assert_eq!(why, "/bin/sh did not end within 2 s and was killed; see what it waits for");
    assert_eq!(reader.join().expect("read"), "here\n");
}

#[tokio::test]
async fn what_cannot_be_started_is_not_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, lost) = (folder.path().join("plain"), folder.path().join("lost"));
    fs::write(&plain, "#!/bin/sh\n").expect("written");
    for program in [&plain, &lost] {
        let why = never(delivered(&target(&format!("command = ['{}', '--now']", program.display()))).await);
        assert!(why.starts_with(&format!("{} cannot be started: ", program.display())), "{why}");
    }
}
