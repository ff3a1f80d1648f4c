//! What the file takes, and what it says to all else.

use super::*;
use crate::notify::texts::Language;

#[track_caller]
fn parse(text: &str) -> Result<File, String> {
    read(Path::new("watch.toml"), text)
}

#[test]
fn each_account_has_its_own_terms_over_those_of_all() {
    let file = parse(
        r#"
every = "5m"
warn_below = [500000, "99.5"]
remind_every = "never"
language = "vi"
listen = "127.0.0.1:0"
[account."Công ty ABC"]
profile = "abc"
[account.bank]
api_key = "K"
secret_key = "S"
url = "http://127.0.0.1:1"
warn_below = "20000000"
warn_hours = [48]
remind_every = "1d"
failed_polls = 2
time_zone = "UTC"
"#,
    )
    .expect("a file");
    let [abc, bank] = file.accounts.as_slice() else { panic!("two accounts") };
    assert_eq!((abc.name.as_str(), abc.profile.as_deref()), ("Công ty ABC", Some("abc")));
    assert_eq!(abc.terms.every, Duration::from_secs(300));
    assert_eq!(abc.terms.rules.below.iter().map(ToString::to_string).collect::<Vec<_>>(), ["500000", "99.5"]);
    assert_eq!((abc.terms.rules.hours.as_slice(), abc.terms.rules.remind_every), ([24, 6].as_slice(), None));
    assert_eq!((abc.terms.language, bank.terms.language), (Language::Vietnamese, Language::Vietnamese));
    assert_eq!(bank.terms.rules.below, [Decimal::from(20_000_000)]);
    assert_eq!(bank.terms.rules.hours, [48]);
    assert_eq!(bank.terms.rules.remind_every, Some(SignedDuration::from_hours(24)));
    assert_eq!((bank.terms.rules.failed_polls, bank.terms.zone.clone()), (2, TimeZone::UTC));
    assert_eq!(file.listen.as_deref(), Some("127.0.0.1:0"));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_without_secrets() {
    let account = "[account.a]\nprofile = \"a\"\n";
    let cases = [
        (
            format!("warn_belov = 5\n{account}"),
            "line 1: there is no setting warn_belov here; the nearest one is warn_below",
        ),
        (
            format!("{account}secret = \"SESAME\"\n"),
            "line 3: there is no setting secret here; the nearest one is secret_key",
        ),
        (format!("api_key = \"SESAME\"\n{account}"), "line 1: there is no setting api_key here"),
        (format!("{account}listen = \"x\"\n"), "line 3: there is no setting listen here"),
        (format!("{account}api_key = SESAME\n"), "line 3: this is no TOML"),
        (format!("{account}secret_key = [\"SESAME\"]\n"), "line 3: secret_key takes a text in quotes"),
        (format!("every = 60\n{account}"), "line 1: every takes a text in quotes"),
        (format!("every = \"1s\"\n{account}"), "line 1: \"1s\" is no time from 10s to 6h"),
        (format!("\nwarn_below = [0]\n{account}"), "line 2: warn_below takes amounts above zero"),
        (format!("warn_below = 1.5\n{account}"), "line 1: warn_below takes amounts above zero"),
        (format!("warn_hours = [0]\n{account}"), "line 1: warn_hours takes whole numbers from 1 to 8760"),
        (format!("language = \"fr\"\n{account}"), "line 1: language is \"en\""),
        (format!("time_zone = \"Hanoi\"\n{account}"), "line 1: time_zone is none that this machine knows"),
        (format!("notify = \"https://SESAME\"\n{account}"), "line 1: notify takes targets in braces"),
        (String::new(), "watch.toml: there is no account"),
        ("account = 5\n".into(), "watch.toml: there is no account"),
        ("account.a = 5\n".into(), "line 1: an account is a table"),
    ];
    for (text, expected) in cases {
        let error = parse(&text).err().unwrap_or_else(|| panic!("{text} is taken"));
        assert!(error.contains(expected) && !error.contains("SESAME"), "{text}{error}");
    }
}

#[test]
fn the_example_is_right_and_says_what_holds_without_it() {
    let file = parse(EXAMPLE).expect("the example");
    assert_eq!(file.accounts.len(), 1);
    let names = TERMS.iter().chain(&TOP).chain(&OWN);
    for name in names {
        let shown = if *name == "account" { "[account.".to_owned() } else { format!("{name} = ") };
        assert!(EXAMPLE.contains(&shown), "{name} is not explained");
    }
    // Each `# name = value` above the first account is the default.
    let (top, _) = EXAMPLE.split_once("[account").expect("an account");
    let is_default = |line: &&str| {
        ["every", "warn_below", "warn_hours", "remind_every", "failed_polls", "language"]
            .iter()
            .any(|name| line.starts_with(&format!("# {name} = ")))
    };
    let defaults: Vec<&str> = top.lines().filter(is_default).map(|line| &line[2..]).collect();
    assert_eq!(defaults.len(), 6);
    let read = parse(&format!("{}\n[account.a]\n", defaults.join("\n"))).expect("the defaults");
    let (read, usual) = (read.terms, Terms::default());
    assert_eq!((read.every, read.rules, read.language), (usual.every, usual.rules, usual.language));
}
