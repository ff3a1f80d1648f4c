//! Help, completions, configuration, and what a wrong command line is told.

use crate::common::{Sodu, columns, program, run};

const COMMANDS: [&[&str]; 48] = [
    &[],
    &["demo"],
    &["serve"],
    &["account"],
    &["account", "open"],
    &["account", "list"],
    &["account", "show"],
    &["account", "set"],
    &["account", "lock"],
    &["account", "unlock"],
    &["account", "close"],
    &["balance"],
    &["key"],
    &["key", "issue"],
    &["key", "import"],
    &["key", "list"],
    &["key", "revoke"],
    &["key", "rotate"],
    &["topup"],
    &["charge"],
    &["adjust"],
    &["hold"],
    &["extend"],
    &["capture"],
    &["void"],
    &["holds"],
    &["refund"],
    &["transfer"],
    &["limit"],
    &["statement"],
    &["currency"],
    &["currency", "add"],
    &["currency", "list"],
    &["operator"],
    &["operator", "add"],
    &["operator", "list"],
    &["operator", "revoke"],
    &["audit"],
    &["import"],
    &["import", "accounts"],
    &["export"],
    &["export", "accounts"],
    &["export", "entries"],
    &["doctor"],
    &["config"],
    &["verify"],
    &["backup"],
    &["restore"],
];

#[test]
fn every_command_teaches_itself() {
    let sodu = Sodu::new();
    let overview = sodu.run(&["--help"]).expect(0).out;
    for line in overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty()) {
        assert!(line.split_whitespace().count() > 2, "no word about it: {line}");
    }
    for command in COMMANDS {
        let help = run(program(sodu.folder.path()).args(command).arg("--help")).expect(0).out;
        assert!(help.lines().all(|line| columns(line) <= 100), "{help}");
        let examples = help.lines().skip_while(|line| !line.starts_with("Example"));
        let wide: Vec<&str> = examples.filter(|line| columns(line) > 80).collect();
        assert_eq!(wide, [""; 0]);
        let is_group =
            matches!(command, [one] if ["account", "key", "currency", "operator", "import", "export"].contains(one));
        assert!(is_group || help.contains("Example"), "{command:?} shows no example:\n{help}");
    }
    assert_eq!(sodu.files(), [""; 0]);
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let sodu = Sodu::new();
    let cases: [(&[&str], &str); 9] = [
        (&["acount", "list"], "account"),
        (&["account", "show"], "<ACCOUNT>"),
        (&["account", "show", "0"], "1 to 2147483647"),
        (&["account", "show", "2147483648"], "1 to 2147483647"),
        (&["account", "show", "nine"], "an account is named by its number"),
        (&["topup", "1", "5", "-k", "two words"], "1 to 128 visible ASCII characters"),
        (&["topup", "1", "5", "-k", "k", "--metadata", "novalue"], "NAME=VALUE"),
        (&["topup", "1", "5", "-k", "k", "--metadata", "a=1", "--metadata", "a=2"], "twice"),
        (&["statement", "1", "--format", "xml"], "table, json, csv"),
    ];
    for (args, says) in cases {
        let ended = sodu.run(args).expect(2);
        assert!(ended.err.contains(says) && ended.out.is_empty(), "{args:?}: {}", ended.err);
    }
}

#[test]
fn the_default_configuration_is_one_that_is_taken() {
    let sodu = Sodu::with_account();
    let text = sodu.run(&["config"]).expect(0).out;
    std::fs::write(sodu.path("sodu.toml"), text).expect("a file");
    sodu.run(&["balance", "9999", "--config", "sodu.toml"]).expect(0);
    std::fs::write(sodu.path("bad.toml"), "listn = \"127.0.0.1:1\"\n").expect("a file");
    let error = sodu.run(&["balance", "9999", "--config", "bad.toml"]).refused("bad_configuration");
    assert!(error.contains("bad.toml") && error.contains("listen"), "{error}");
    let error = sodu.run(&["balance", "9999", "--database", "mysql:x"]).refused("bad_configuration");
    assert!(error.contains("sqlite:PATH"), "{error}");
}

#[test]
fn without_a_name_the_database_lies_in_the_users_own_folder() {
    let sodu = Sodu::new();
    let opened = run(program(sodu.folder.path()).args(["account", "open", "--name", "A"])).expect(0);
    let path = sodu.path(".local/share/sodu/sodu.db");
    assert_eq!(opened.err, format!("created the database sqlite:{}\n", path.display()));
    assert!(path.exists());
}

#[test]
fn shells_can_complete_it() {
    let sodu = Sodu::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sodu.run(&["completions", shell]).expect(0).out;
        assert!(script.contains("sodu") && script.contains("statement"), "{shell}");
    }
}

#[test]
fn errors_have_no_colour_where_no_terminal_is() {
    let sodu = Sodu::new();
    let ended = sodu.run(&["balance", "1"]).expect(1);
    assert!(!ended.err.contains('\u{1b}'), "{:?}", ended.err);
}
