//! The demo as its guide says: every line pasted into a shell does what the line before promised.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::common::{Server, Sodu, columns, program, run};

pub(crate) const PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];

/// The published call (esms-wire, section 1), by the real curl.
fn get_balance(url: &str, api_key: &str, secret_key: &str) -> String {
    let curl = Command::new("curl")
        .args(["--silent", "--location", &format!("{url}/MainService.svc/json/GetBalance_json")])
        .args(["--header", "Content-Type: application/json", "--data"])
        .arg(format!("{{\n\"ApiKey\":\"{api_key}\",\n\"SecretKey\":\"{secret_key}\"\n}}"))
        .output()
        .expect("curl is installed");
    String::from_utf8(curl.stdout).expect("UTF-8")
}

/// A demo whose output the test reads itself; killed if the test ends before it.
pub(crate) struct Demo(pub(crate) Child);

impl Demo {
    pub(crate) fn interrupt(&mut self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).expect("it runs");
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is what was wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_account_answers_as_announced_and_nothing_is_left_behind() {
    let sodu = Sodu::new();
    let demo = Server::spawn(program(sodu.folder.path()).args(["demo", "--json"]).args(PORTS));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (url, database) = (text(&demo.ready["url"]), text(&demo.ready["database"]));
    let balance = |index: usize| {
        let account = &demo.ready["accounts"][index];
        get_balance(&url, &text(&account["api_key"]), &text(&account["secret_key"]))
    };
    assert_eq!(balance(0), r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#);
    assert_eq!(balance(1), r#"{"Balance":0,"CodeResponse":"100","UserID":1001}"#);
    assert_eq!(balance(2), r#"{"Balance":-12500,"CodeResponse":"100","UserID":1002}"#);
    for (index, code) in [(3, "102"), (4, "140")] {
        let answer: Value = serde_json::from_str(&balance(index)).expect("JSON");
        assert_eq!((&answer["CodeResponse"], &answer["Balance"]), (&json!(code), &json!(0)));
    }
    for account in demo.ready["accounts"].as_array().expect("a list") {
        let answer: Value =
            serde_json::from_str(&get_balance(&url, &text(&account["api_key"]), &text(&account["secret_key"])))
                .expect("JSON");
        assert_eq!(answer["CodeResponse"], account["code"]);
    }
    let wrong = get_balance(&url, &text(&demo.ready["accounts"][0]["api_key"]), "wrong");
    assert_eq!(wrong, r#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#);

    let there = |args: &[&str]| run(program(sodu.folder.path()).args(args).args(["--database", &database])).expect(0);
    there(&["topup", "9999", "50000", "-k", "t"]);
    there(&["charge", "9999", "350", "-k", "c"]);
    assert_eq!(balance(0), r#"{"Balance":86343,"CodeResponse":"100","UserID":9999}"#);

    assert_eq!(demo.interrupt().code(), Some(0));
    assert_eq!(sodu.files(), [""; 0], "the temporary folder is removed");
}

#[test]
fn the_guide_can_be_pasted_line_by_line() {
    paste(&[]);
}

#[test]
fn so_can_that_of_a_demo_with_tls() {
    paste(&["--tls"]);
}

fn paste(options: &[&str]) {
    let sodu = Sodu::new();
    let binary = env!("CARGO_BIN_EXE_sodu");
    let mut command = program(sodu.folder.path());
    command.arg("demo").args(PORTS).args(options).current_dir(Path::new(binary).parent().expect("a folder"));
    let mut demo = Demo(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs"));
    let mut lines: Vec<String> = Vec::new();
    for line in BufReader::new(demo.0.stdout.take().expect("it is piped")).lines() {
        lines.push(line.expect("UTF-8"));
        // The guide ends with the pair of its last account.
        if lines.iter().rev().nth(1).is_some_and(|line| line.starts_with("# 1004 ")) {
            break;
        }
    }
    // Where this program lies is not the guide's to say.
    let mut own = lines.iter().filter(|line| !line.contains(binary));
    assert!(own.all(|line| columns(line) <= 80), "{}", lines.join("\n"));

    let start = lines.iter().position(|line| line.starts_with("# Account 9999")).expect("the account");
    // How other clients trust a certificate is tried by `cargo xtask samples`, with all of them.
    let end = lines.iter().position(|line| line.starts_with("# Other ")).expect("the others");
    let first = lines.iter().position(|line| line.starts_with("curl ")).expect("a call");
    let last = lines.iter().position(|line| line.ends_with("; echo")).expect("its end");
    let pasted = [&lines[start..end], &lines[first..=last]].concat().join("\n");
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TZ", "UTC");
    shell.env("TMPDIR", sodu.folder.path());
    let output = shell.current_dir(sodu.folder.path()).arg("-ec").arg(&pasted).output().expect("a shell");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<&str> = said.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(
        answers,
        [
            r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#,
            r#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#,
            r#"{"Balance":86343,"CodeResponse":"100","UserID":9999}"#,
        ],
        "{pasted}\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("-350        86,343") && said.contains("36,693 (account 9999)"), "{said}");
    demo.interrupt();
}

#[test]
fn a_taken_port_is_left_to_its_owner() {
    let sodu = Sodu::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let args = ["demo", "--listen", &address.to_string(), "--ops-listen", "127.0.0.1:0"];
    let mut command = program(sodu.folder.path());
    let mut demo = Demo(command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs"));
    let mut line = String::new();
    let mut err = BufReader::new(demo.0.stderr.take().expect("it is piped"));
    err.read_line(&mut line).expect("a line");
    assert!(line.starts_with(&format!("{address} is in use, so this demo took 127.0.0.1:")), "{line}");
    demo.interrupt();
    let ended = run(program(sodu.folder.path()).args(["demo", "--database", "sqlite:x"])).expect(2);
    assert!(ended.err.contains("use serve"), "{}", ended.err);
}
