//! `sodu doctor`: every finding is provoked for real, and what is well is said to be.

mod certificates;
mod files;
mod ledgers;
mod servers;
mod targets;

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Ended, Sodu, run};

/// What a doctor says.
pub(crate) struct Report {
    code: i32,
    checks: Vec<Value>,
}

/// One of its findings.
#[derive(PartialEq, Debug)]
pub(crate) struct Finding {
    status: String,
    finding: String,
    advice: String,
}

impl Report {
    fn of(ended: &Ended) -> Report {
        let Value::Array(checks) = ended.json() else { panic!("{}", ended.out) };
        let report = Report { code: ended.code, checks };
        let is_problem = report.checks.iter().any(|check| check["status"] == "problem");
        assert_eq!(ended.code, i32::from(is_problem), "{}{}", ended.out, ended.err);
        report
    }

    /// The first finding of that name, or the first of them that is not ok.
    #[track_caller]
    fn find(&self, name: &str) -> Finding {
        let mut found: Vec<&Value> = self.checks.iter().filter(|check| check["name"] == name).collect();
        found.sort_by_key(|check| check["status"] == "ok");
        let found = found.first().unwrap_or_else(|| panic!("no {name} in {:?}", self.checks));
        let text = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
        Finding { status: text("status"), finding: text("finding"), advice: text("advice") }
    }

    fn problems(&self) -> Vec<&str> {
        let problems = self.checks.iter().filter(|check| check["status"] == "problem");
        problems.filter_map(|check| check["name"].as_str()).collect()
    }
}

impl Finding {
    /// Fails the test unless it is that, and says what is wrong and what to do in these words.
    #[track_caller]
    fn is(&self, status: &str, finding: &str, advice: &str) {
        let is_so = self.status == status && self.finding.contains(finding) && self.advice.contains(advice);
        assert!(is_so, "{self:?} is not {status}, {finding:?}, {advice:?}");
        assert!(status == "ok" || status == "skipped" || !self.advice.is_empty(), "{self:?} does not say what to do");
    }
}

/// The doctor's command line, with ports that are free unless the test says otherwise.
fn command(sodu: &Sodu, args: &[&str]) -> Command {
    let mut command = sodu.command(&["doctor", "--json"]);
    command.args(args).env("SODU_LISTEN", "127.0.0.1:0").env("SODU_OPS_LISTEN", "127.0.0.1:0");
    command
}

fn doctor(sodu: &Sodu, args: &[&str]) -> Report {
    Report::of(&run(&mut command(sodu, args)))
}

/// The doctor behind another program, such as `sh -c …`, which runs it as `"$@"`.
fn behind(sodu: &Sodu, before: &[&str]) -> Report {
    let doctor = command(sodu, &[]);
    let mut outer = Command::new(before[0]);
    outer.args(&before[1..]).arg(doctor.get_program()).args(doctor.get_args());
    outer.env_clear().current_dir(sodu.folder.path()).stdin(Stdio::null());
    outer.envs(doctor.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Report::of(&run(&mut outer))
}

#[test]
fn where_all_is_well_it_says_so() {
    let sodu = Sodu::new();
    let report = doctor(&sodu, &[]);
    assert_eq!(report.code, 0);
    report.find("database").is("ok", "there is none at sqlite:", "");
    assert_eq!(sodu.files(), [""; 0], "and makes nothing");

    let sodu = Sodu::with_account();
    let before = sodu.files().len();
    let report = doctor(&sodu, &[]);
    assert_eq!(report.problems(), [""; 0]);
    report.find("configuration").is("ok", "no file", "");
    report.find("configuration.security").is("ok", "", "");
    report.find("database").is("ok", "2 rows to the log's end, not open", "");
    report.find("database.log").is("ok", "empty", "");
    report.find("clock").is("ok", "T", "");
    report.find("clock.ledger").is("ok", "not behind", "");
    report.find("permissions.database").is("ok", "alone", "");
    report.find("server").is("ok", "none runs", "");
    report.find("certificate.public").is("skipped", "[tls]", "");
    assert_eq!(sodu.files().len(), before, "and leaves nothing behind");
}

#[test]
fn people_get_aligned_lines_with_colours_on_a_terminal_alone() {
    let sodu = Sodu::with_account();
    let text = "listen = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"\ntrusted_proxies = [\"0.0.0.0/0\"]\n";
    std::fs::write(sodu.path("sodu.toml"), text).expect("a file");
    let plain = sodu.run(&["doctor", "--config", "sodu.toml"]).expect(1).out;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let (checks, summary) = plain.rsplit_once("\n\n").expect("a summary");
    assert!(summary.starts_with("1 problem"), "{summary}");
    let starts: Vec<usize> = checks.lines().filter(|line| !line.starts_with(' ')).map(finding_start).collect();
    assert!(starts.len() > 10 && starts.iter().all(|start| *start == starts[0]), "{plain}");
    let advice: Vec<&str> = checks.lines().filter(|line| line.starts_with(' ')).collect();
    assert!(advice.iter().any(|line| line.find("-> list the addresses") == Some(starts[0])), "{plain}");

    let mut terminal = Command::new("script");
    let doctor = sodu.command(&[]);
    let typed = format!("{} doctor --config sodu.toml", env!("CARGO_BIN_EXE_sodu"));
    terminal.env_clear().current_dir(sodu.folder.path()).args(["-qec", &typed, "/dev/null"]);
    terminal.envs(doctor.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let shown = run(terminal.env("TERM", "xterm").stdin(Stdio::null())).expect(1).out;
    assert!(shown.contains("\u{1b}[1;31mproblem\u{1b}[0m"), "{shown}");
}

/// In which column of a line the finding begins, behind status and name.
fn finding_start(line: &str) -> usize {
    let name = line.find("  ").map(|at| at + line[at..].len() - line[at..].trim_start().len()).expect("a name");
    let behind = name + line[name..].find("  ").expect("a finding");
    behind + line[behind..].len() - line[behind..].trim_start().len()
}

#[test]
fn wrong_usage_ends_with_2() {
    let ended = Sodu::new().run(&["doctor", "everything"]).expect(2);
    assert!(ended.err.contains("everything"), "{}", ended.err);
}

#[test]
fn settings_that_are_not_taken_or_let_strangers_in_are_named() {
    let sodu = Sodu::with_account();
    let with = |text: &str, args: &[&str]| {
        std::fs::write(sodu.path("sodu.toml"), text).expect("a file");
        doctor(&sodu, &[&["--config", "sodu.toml"], args].concat())
    };
    let report = with("listn = \"127.0.0.1:1\"\n", &[]);
    report.find("configuration").is(
        "problem",
        "sodu.toml, line 1: there is no setting listn; the nearest one is listen",
        "correct it",
    );
    report.find("everything else").is("skipped", "--database", "");
    // What is named all the same is looked at.
    let report = with("listn = \"127.0.0.1:1\"\n", &["--database", &sodu.url()]);
    assert_eq!(report.problems(), ["configuration"]);
    report.find("database").is("ok", "2 rows", "");
    report.find("everything else").is("skipped", "configuration", "");

    let security = |text: &str| {
        let report = Report::of(&run(sodu.command(&["doctor", "--json"]).args({
            std::fs::write(sodu.path("sodu.toml"), text).expect("a file");
            ["--config", "sodu.toml"]
        })));
        report.find("configuration.security")
    };
    let ports = |listen: &str, ops: &str| format!("listen = \"{listen}:0\"\nops_listen = \"{ops}:0\"\n");
    security(&ports("127.0.0.1", "127.0.0.1")).is("ok", "", "");
    security(&ports("127.0.0.1", "0.0.0.0")).is("problem", "ops_listen 0.0.0.0:0", "[ops_tls]");
    let insecure = ports("127.0.0.1", "0.0.0.0") + "insecure_ops = true\n";
    security(&insecure).is("warning", "tokens in clear text", "revoke");
    security(&ports("0.0.0.0", "127.0.0.1")).is("warning", "secrets in clear text", "[tls]");
    security("trusted_proxies = [\"::/0\"]\n").is("problem", "::/0", "list the addresses");
    let report = doctor(&sodu, &["--config", "none.toml"]);
    report.find("configuration").is("problem", "none.toml", "correct it");
}
