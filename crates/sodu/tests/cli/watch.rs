//! `sodu watch` as people, logs, cron and Prometheus use it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::balance::Service;
use crate::common::{Ended, Sodu, program, run, terminal};

/// A file with account "shop" and these further lines above it.
fn config(service: &Service, top: &str) -> String {
    let keys = format!("api_key = \"{}\"\nsecret_key = \"{}\"", service.api_key, service.secret_key);
    let text = format!("history = \"history.jsonl\"\n{top}\n[account.shop]\nurl = \"{}\"\n{keys}\n", service.url());
    write_config(&service.sodu, &text);
    text
}

fn write_config(sodu: &Sodu, text: &str) {
    fs::write(sodu.path("watch.toml"), text).expect("written");
    fs::set_permissions(sodu.path("watch.toml"), fs::Permissions::from_mode(0o600)).expect("changed");
}

fn watch(sodu: &Sodu, args: &[&str]) -> Command {
    let mut command = program(sodu.folder.path());
    command.args(["watch", "--config", "watch.toml"]).args(args);
    command
}

fn once(service: &Service, args: &[&str]) -> Ended {
    let ended = run(&mut watch(&service.sodu, &[&["--once"], args].concat()));
    service.expect_no_secret(&ended);
    ended
}

/// A watcher that goes on; killed if the test ends before it.
struct Watching(Child);

impl Watching {
    fn start(command: &mut Command) -> Watching {
        Watching(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"))
    }

    /// Reads lines until one holds `word`.
    fn await_line(&mut self, word: &str) -> String {
        let mut out = BufReader::new(self.0.stdout.as_mut().expect("it is piped"));
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert!(out.read_line(&mut line).expect("a line") > 0, "it ended before it said {word}");
        }
        line
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is what was wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Each event that a command was told, from the file that it writes.
fn told(sodu: &Sodu) -> Vec<Value> {
    let text = fs::read_to_string(sodu.path("told")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

const TELL: &str = r#"notify = [{ command = ["/bin/sh", "-c", "cat >> told; echo >> told"] }]"#;

#[test]
fn a_round_from_cron_tells_once_and_says_how_it_ended() {
    let service = Service::start();
    config(&service, &format!("warn_below = [1000000]\n{TELL}"));
    let good = once(&service, &[]).expect(0);
    assert!(good.out.contains("shop     1,234,567") && good.out.contains("  ok\n"), "{}", good.out);
    assert_eq!((good.err.as_str(), told(&service.sodu)), ("", vec![]));

    service.sodu.run(&["charge", "9999", "300000", "-k", "campaign"]).expect(0);
    let low = once(&service, &[]).expect(3);
    assert!(low.out.contains("  low\n") && low.err.contains("low: shop"), "{}{}", low.out, low.err);
    assert!(low.err.contains("delivered to command"), "{}", low.err);
    let [event] = told(&service.sodu).try_into().expect("one message");
    assert_eq!((&event["type"], &event["data"]["balance"]), (&"balance.low".into(), &"934567".into()));
    assert_eq!(event["data"]["below"], "1000000");

    // It is still low, and that was told; programs read the same.
    let again = once(&service, &["--json"]).expect(3);
    let poll: Value = serde_json::from_str(again.out.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&poll["event"], &poll["low"], &poll["burn"]), (&"poll".into(), &true.into(), &Value::Null));
    assert_eq!(told(&service.sodu).len(), 1);

    service.sodu.run(&["topup", "9999", "500000", "-k", "invoice"]).expect(0);
    once(&service, &[]).expect(0);
    assert_eq!(told(&service.sodu)[1]["type"], "balance.recovered");
}

#[test]
fn what_fails_is_shown_as_what_it_is_and_told_once() {
    let service = Service::start();
    let keys = "api_key = \"none\"\nsecret_key = \"none\"";
    let text = config(&service, &format!("failed_polls = 2\n{TELL}"));
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let text = format!(
        "{text}[account.old]\nurl = \"{}\"\n{keys}\n[account.gone]\nurl = \"http://{free}\"\n{keys}\n",
        service.url()
    );
    write_config(&service.sodu, &text);
    let first = once(&service, &[]).expect(1);
    for word in ["1,234,567", "wrong keys", "code 101", "no connection"] {
        assert!(first.out.contains(word), "{word} is missing in\n{}", first.out);
    }
    assert!(first.err.contains("No balance of old, gone"), "{}", first.err);
    once(&service, &["shop"]).expect(0);
    assert!(told(&service.sodu).is_empty());
    once(&service, &[]).expect(1);
    once(&service, &[]).expect(1);
    let told: Vec<Value> = told(&service.sodu);
    let mut failed: Vec<&str> = told.iter().filter_map(|event| event["data"]["failed"].as_str()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["no_connection", "wrong_keys"], "{told:?}");
    assert!(once(&service, &["shp"]).refused("bad_configuration").contains("did you mean \"shop\""));
}

#[test]
fn a_message_survives_kill_9_and_goes_out_under_its_id() {
    let service = Service::start();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let hook = format!("notify = [{{ slack = \"http://{free}/SESAME\" }}]");
    config(&service, &format!("warn_below = [2000000]\n{hook}"));
    let mut watching = Watching::start(&mut watch(&service.sodu, &["--json"]));
    let alert: Value = serde_json::from_str(&watching.await_line("\"alert\"")).expect("JSON");
    let undelivered: Value = serde_json::from_str(&watching.await_line("undelivered")).expect("JSON");
    assert_eq!(alert["id"], undelivered["id"]);
    assert!(undelivered["again_at"].is_string() && !undelivered.to_string().contains("SESAME"), "{undelivered}");

    // Nobody else watches with the same history meanwhile, and hears who does.
    let owned = once(&service, &[]).refused("history_owned");
    assert!(owned.contains(&format!("process {}", watching.0.id())), "{owned}");
    assert_eq!(watching.end(Signal::KILL), None);
    let history = fs::OpenOptions::new().append(true).open(service.sodu.path("history.jsonl"));
    history.expect("the history").write_all(b"{\"poll\":{\"acc").expect("a torn line");

    let listener = TcpListener::bind(free).expect("the port is still free");
    let receiver = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut stream = BufReader::new(stream);
        let (mut length, mut line) = (0, String::new());
        while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
            let header = line.to_ascii_lowercase();
            length =
                header.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().expect("a length"));
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("the body");
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("it reads");
        serde_json::from_slice::<Value>(&body).expect("JSON")
    });
    let after = once(&service, &["--json"]).expect(3);
    let body = receiver.join().expect("it was told");
    assert!(body["text"].as_str().is_some_and(|text| text.contains("shop")), "{body}");
    assert!(after.err.contains("1 lines of history.jsonl"), "{}", after.err);
    let delivered = after.out.lines().find(|line| line.contains("\"delivered\"")).expect("it is delivered");
    assert_eq!(serde_json::from_str::<Value>(delivered).expect("JSON")["id"], alert["id"]);
    assert!(!after.out.contains("\"alert\""), "it was not told anew: {}", after.out);
}

#[test]
fn a_pipe_gets_lines_and_a_signal_ends_it_well() {
    let service = Service::start();
    config(&service, "");
    let mut watching = Watching::start(&mut watch(&service.sodu, &[]));
    let line = watching.await_line("shop");
    assert!(line.contains("  shop: 1,234,567, ok"), "{line}");
    assert_eq!(watching.end(Signal::TERM), Some(0));
    assert_eq!(
        fs::metadata(service.sodu.path("history.jsonl")).expect("it is kept").permissions().mode() & 0o777,
        0o600
    );
}

/// Runs at a terminal of 80 columns until the table stands there, and ends as Ctrl-C does; all that was written.
fn at_a_terminal(service: &Service, variables: &[(&str, &str)]) -> String {
    let (mut terminal, name) = terminal();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal, size).expect("a size");
    let mut command = watch(&service.sodu, &[]);
    command.stdout(fs::OpenOptions::new().write(true).open(&name).expect("the other side"));
    command.stderr(Stdio::null()).env("TERM", "xterm").envs(variables.iter().copied());
    let child = command.spawn().expect("it runs");
    drop(command);
    let watching = Watching(child);
    let mut seen = Vec::new();
    let is_there = |seen: &[u8]| String::from_utf8_lossy(seen).matches("1,234,567").count() >= 2;
    while !is_there(&seen) {
        let mut bytes = [0; 4096];
        let read = terminal.read(&mut bytes).expect("a table");
        seen.extend_from_slice(&bytes[..read]);
    }
    assert_eq!(watching.end(Signal::INT), Some(0));
    String::from_utf8(seen).expect("UTF-8")
}

#[test]
fn a_terminal_gets_a_table_that_is_drawn_in_place() {
    let service = Service::start();
    config(&service, "");
    let seen = at_a_terminal(&service, &[]);
    assert!(seen.contains("\x1b[32mok\x1b[0m"), "{seen:?}");
    // Three lines, drawn again over themselves: nothing else is asked of the terminal, so that nothing needs restoring.
    assert!(seen.contains("\x1b[3A\r\x1b[J"), "{seen:?}");
    assert!(!seen.contains("\x1b[?"), "{seen:?}");
    for line in seen.lines() {
        let bare = line.replace("\x1b[0m", "");
        let bare = ["\x1b[J", "\x1b[3A", "\x1b[1m", "\x1b[2m", "\x1b[32m"]
            .iter()
            .fold(bare, |bare, code| bare.replace(code, ""));
        assert!(bare.trim_end().chars().count() < 80, "{bare:?}");
    }
    let plain = at_a_terminal(&service, &[("NO_COLOR", "1")]);
    assert!(!plain.contains("\x1b[0m") && plain.contains("  ok"), "{plain:?}");
}

#[test]
fn prometheus_reads_the_same_figures() {
    let service = Service::start();
    config(&service, "listen = \"127.0.0.1:0\"");
    let mut watching = Watching::start(&mut watch(&service.sodu, &["--json"]));
    let mut line = String::new();
    BufReader::new(watching.0.stderr.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    let address =
        line.trim().strip_prefix("metrics: http://").expect("an address").trim_end_matches("/metrics").to_owned();
    watching.await_line("\"poll\"");
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(&address).expect("it accepts");
        stream.write_all(format!("{request}\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    // What is published follows the line that says so; both come from one loop.
    let answer = loop {
        let answer = ask("GET /metrics HTTP/1.1");
        if answer.contains("sodu_watch_polls_total{account=\"shop\"} 1") {
            break answer;
        }
    };
    assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
    for line in [
        "sodu_watch_up{account=\"shop\"} 1",
        "sodu_watch_balance{account=\"shop\"} 1234567",
        "sodu_watch_low{account=\"shop\"} 0",
    ] {
        assert!(answer.lines().any(|found| found == line), "{line} is missing in\n{answer}");
    }
    assert!(ask("GET / HTTP/1.1").starts_with("HTTP/1.1 404"));
    assert!(ask("POST /metrics HTTP/1.1").starts_with("HTTP/1.1 405"));
    assert_eq!(watching.end(Signal::INT), Some(0));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let args = ["--listen", &taken.local_addr().expect("an address").to_string()];
    run(&mut watch(&service.sodu, &args)).refused("not_listening");
}

#[test]
fn accounts_come_from_where_balance_has_them() {
    let service = Service::start();
    let bare = |args: &[&str]| {
        let mut command = program(service.sodu.folder.path());
        command.args(["watch", "--once", "--history", "own.jsonl"]).args(args);
        command
    };
    assert!(run(&mut bare(&[])).refused("no_keys").contains("--print-config"));
    let with_keys = |secret: &str| {
        let mut command = bare(&["--url", service.url()]);
        run(command.env("ESMS_API_KEY", &service.api_key).env("ESMS_SECRET_KEY", secret))
    };
    assert!(with_keys(&service.secret_key).expect(0).out.contains("esms     1,234,567"));
    with_keys("").refused("no_keys");
    let profile = |name: &str| {
        format!(
            "[{name}]\napi_key = \"{}\"\nsecret_key = \"{}\"\nurl = \"{}\"\n",
            service.api_key,
            service.secret_key,
            service.url()
        )
    };
    fs::write(service.sodu.path("p.toml"), profile("a") + &profile("b") + &profile("c")).expect("written");
    fs::set_permissions(service.sodu.path("p.toml"), fs::Permissions::from_mode(0o600)).expect("changed");
    let shown = |names: &[&str]| {
        let ended = run(&mut bare(&[&["--profiles", "p.toml"], names].concat())).expect(0);
        ended.out.lines().filter(|line| line.contains("1,234,567")).count()
    };
    assert_eq!((shown(&[]), shown(&["a", "c"])), (3, 2));
    run(&mut bare(&["--profiles", "p.toml", "d"])).refused("no_profile");

    let printed = run(program(service.sodu.folder.path()).args(["watch", "--print-config"])).expect(0).out;
    write_config(&service.sodu, &printed.replace("profile = \"shop\"", "profile = \"b\""));
    let args = ["--once", "--profiles", "p.toml", "--history", "own.jsonl"];
    assert!(run(&mut watch(&service.sodu, &args)).expect(0).out.contains("shop"));
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_asked() {
    let service = Service::start();
    config(&service, "warn_belov = [5]");
    assert!(once(&service, &[]).refused("bad_configuration").contains("watch.toml, line 2"));
    config(&service, "notify = [{ slack = \"env:NOT_SET\" }]");
    assert!(once(&service, &[]).refused("bad_target").contains("NOT_SET"));
    config(&service, "");
    // A file is no folder: nothing can be kept in it, whoever asks.
    assert!(once(&service, &["--history", "watch.toml/h.jsonl"]).refused("no_history").contains("--history"));
    assert!(once(&service, &["--history", "watch.toml"]).refused("bad_history").contains("left as it is"));
    once(&service, &["--every", "1s"]).expect(2);
    run(&mut watch(&service.sodu, &["--once", "--listen", "127.0.0.1:0"])).expect(2);
    fs::remove_file(service.sodu.path("watch.toml")).expect("removed");
    assert!(once(&service, &[]).refused("bad_configuration").contains("--print-config"));
}
