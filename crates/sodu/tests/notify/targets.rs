//! Targets as they are written: what is taken, what is refused with which words, what is never shown.

use serde_json::json;
use sodu::notify::{Courier, Hidden, Settings, Target};

use crate::common::*;

const SLACK: &str = "slack = 'https://hooks.slack.com/services/T0/B0/s3cret'";

#[test]
fn a_target_shows_kind_and_host_or_address_and_nothing_else() {
    let cases = [
        (
            format!("webhook = 'https://u:s3cret@hooks.example.com:8443/s3cret?k=s3cret'\nsecret = '{SECRET}'"),
            "webhook hooks.example.com",
        ),
        (SLACK.to_owned(), "slack hooks.slack.com"),
        ("slack = 'env:SLACK_URL'".to_owned(), "slack env:SLACK_URL"),
        ("telegram = '123:s3cret'\nchat = -100123".to_owned(), "telegram -100123"),
        (
            "telegram = '123:s3cret'\nchat = '@sodu_alerts'\napi = 'https://bots.example.com/x/'".to_owned(),
            "telegram @sodu_alerts",
        ),
        ("command = ['/usr/local/bin/page-me', '--token', 's3cret']".to_owned(), "command page-me"),
        (
            "email = 'ops@example.com'\nsmtp = 'smtps://u:s3cret@mail.example.com'\nfrom = 'a@example.com'".to_owned(),
            "email ops@example.com",
        ),
    ];
    for (text, label) in cases {
        let target = target(&text);
        assert_eq!((target.label().as_str(), target.to_string().as_str()), (label, label));
        assert_eq!(format!("{target:?}"), format!("Target({label})"));
    }
    assert_eq!(format!("{:?} {:?}", Hidden::from("s3cret"), Hidden::from("env:A")), "Hidden(…) Hidden(env:A)");
}

#[test]
fn what_is_wrong_is_said_and_not_quoted() {
    let hook = "webhook = 'https://a.example/s3cret'";
    let mail = "email = 'a@example.com'\nfrom = 'b@example.com'";
    let cases = [
        (String::new(), "a target has exactly one of webhook, slack, telegram, command, email; this one has none"),
        (format!("{SLACK}\n{hook}"), "this one has webhook and slack"),
        (hook.to_owned(), "a target with webhook needs secret too"),
        (format!("{hook}\nsecret = 's3cret'"), "secret does not begin with whsec_"),
        (format!("{hook}\nsecret = []"), "a webhook takes 1 to 3 secrets, not 0"),
        (format!("{hook}\nsecret = 7"), "secret takes one text, or a list of texts"),
        (format!("{hook}\nsecret = '{SECRET}'\nchat = 1"), "a target with webhook takes no chat"),
        (format!("webhook = 'a.example/s3cret'\nsecret = '{SECRET}'"), "webhook is no URL; write it like https://"),
        (format!("webhook = 'ftp://a.example/s3cret'\nsecret = '{SECRET}'"), "webhook must begin with https://"),
        ("slak = 'https://a/s3cret'".to_owned(), "unknown field `slak`, expected one of `webhook`"),
        (format!("{SLACK}\nsecret = 's3cret'"), "a target with slack takes no secret"),
        ("slack = 'hooks.slack.com/s3cret'".to_owned(), "slack is no URL"),
        ("telegram = '1:s3cret'".to_owned(), "a target with telegram needs chat too"),
        ("telegram = 's3cret'\nchat = 1".to_owned(), "telegram is no bot's token; BotFather gives one"),
        ("telegram = '1:s3c/ret'\nchat = 1".to_owned(), "telegram is no bot's token"),
        ("telegram = '1:s3cret'\nchat = 'ops'".to_owned(), "chat is the number of a chat"),
        ("telegram = '1:s3cret'\nchat = 1.5".to_owned(), "chat takes a number or a text"),
        ("command = []".to_owned(), "command is a list of a program and its arguments"),
        (mail.to_owned(), "a target with email needs smtp too"),
        ("email = 'a@example.com'\nsmtp = 'smtps://a'".to_owned(), "a target with email needs from too"),
        (format!("{mail}\nsmtp = 'mail.example.com'"), "smtp is no URL; write it like smtps://user:password@"),
        (format!("{mail}\nsmtp = 'https://u:s3cret@a'"), "smtp must begin with smtps:// or smtp://"),
        (format!("{mail}\nsmtp = 'smtps://s3cret@a'"), "smtp has a user without a password"),
        (format!("{mail}\nsmtp = 'smtps://u:%ff@a'"), "smtp has a user or password that is no UTF-8"),
        (format!("{mail}\nsmtp = 'smtps://u:s3cret@a/path'"), "smtp names no host, or more than that"),
        ("email = 'a'\nfrom = 'b@example.com'\nsmtp = 'smtps://a'".to_owned(), "email is no address of mail"),
        ("email = 'a@example.com'\nfrom = 'b'\nsmtp = 'smtps://a'".to_owned(), "from is no address of mail"),
    ];
    for (text, words) in cases {
        let why = no_target(&text);
        assert!(why.contains(words), "{text}: {why}");
        assert!(!why.contains("s3c"), "{text}: {why}");
    }
}

#[test]
fn json_says_the_same_as_toml() {
    let written = json!({ "webhook": "https://hooks.example.com/", "secret": [SECRET, SECRET] });
    let target: Target = serde_json::from_value(written).expect("a target");
    let Target::Webhook { secrets, .. } = target else { panic!("{target}") };
    assert_eq!(secrets.len(), 2);
    let error = serde_json::from_value::<Target>(json!({ "webhook": "https://a" })).expect_err("no secret");
    assert_eq!(error.to_string(), "a target with webhook needs secret too");
}

#[test]
fn what_lies_elsewhere_is_looked_for_before_it_is_needed() {
    let courier = Courier::new(Settings::default()).expect("a courier");
    let why = never(courier.check(&target("slack = 'env:SODU_TEST_NOT_SET'")));
    assert_eq!(
        why,
        "slack cannot be read: the environment variable SODU_TEST_NOT_SET is not set, or is no text; set it where sodu starts"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("url");
    std::fs::write(&file, " \n").expect("written");
    let target = target(&format!("slack = 'file:{}'", file.display()));
    let why = never(courier.check(&target));
    assert_eq!(why, format!("slack cannot be read: file:{} is empty", file.display()));
    std::fs::write(&file, "https://hooks.slack.com/s3cret\n").expect("written");
    courier.check(&target).expect("a target");
    std::fs::write(&file, "hooks.slack.com/s3cret\n").expect("written");
    assert!(never(courier.check(&target)).starts_with("slack is no URL"));
}
