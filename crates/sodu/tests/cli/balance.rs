//! `sodu balance` as a customer of an eSMS service types it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::common::{Ended, Server, Sodu, program, run, terminal};

/// A served account with 1,234,567.89 on it, and its keys.
pub(crate) struct Service {
    pub(crate) sodu: Sodu,
    server: Server,
    pub(crate) api_key: String,
    pub(crate) secret_key: String,
}

impl Service {
    pub(crate) fn start() -> Service {
        let sodu = Sodu::new();
        sodu.run(&["account", "open", "--name", "ABC", "--id", "9999"]).expect(0);
        sodu.run(&["topup", "9999", "1234567.89", "-k", "first"]).expect(0);
        let pair = sodu.json(&["key", "issue", "9999"]);
        let text = |name: &str| pair[name].as_str().expect("a text").to_owned();
        let (api_key, secret_key) = (text("api_key"), text("secret_key"));
        let server = sodu.serve();
        Service { sodu, server, api_key, secret_key }
    }

    pub(crate) fn url(&self) -> &str {
        self.server.ready["url"].as_str().expect("a URL")
    }

    /// `sodu balance` with both keys in the environment, and nothing else of this process.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.without_keys(args);
        command.env("ESMS_API_KEY", &self.api_key).env("ESMS_SECRET_KEY", &self.secret_key);
        command
    }

    fn without_keys(&self, args: &[&str]) -> Command {
        let mut command = program(self.sodu.folder.path());
        command.arg("balance").args(args);
        command
    }

    /// The same at the service.
    fn ask(&self, args: &[&str]) -> Ended {
        run(&mut self.command(&[args, &["--url", self.url()]].concat()))
    }

    pub(crate) fn expect_no_secret(&self, ended: &Ended) {
        let said = format!("{}{}", ended.out, ended.err);
        assert!(!said.contains(&self.api_key) && !said.contains(&self.secret_key), "{said}");
    }
}

#[test]
fn what_is_left_is_printed_for_people_and_for_programs() {
    let service = Service::start();
    assert_eq!(service.ask(&[]).expect(0).out, "1,234,567 (account 9999)\n");
    let expected = json!({ "balance": "1234567", "user_id": 9999, "url": service.url() });
    assert_eq!(service.ask(&["--json"]).expect(0).json(), expected);

    assert_eq!(service.ask(&["--fail-below", "1234567"]).expect(0).err, "");
    let below = service.ask(&["--fail-below", "1234567.01"]).expect(3);
    assert_eq!(below.out, "1,234,567 (account 9999)\n");
    assert!(below.err.contains("1,234,567 is below 1,234,567.01"), "{}", below.err);
    assert_eq!(service.ask(&["--fail-below", "2e6", "--json"]).expect(3).json()["below"], true);
    assert_eq!(service.ask(&["--fail-below", "-5", "--json"]).expect(0).json()["below"], false);
    service.ask(&["--fail-below", "1,000"]).expect(2);
    // The ledger knows its currency, and the decimals that eSMS does not show.
    assert_eq!(service.sodu.run(&["balance", "9999", "--fail-below", "2000000"]).expect(3).out, "1,234,567.89 VND\n");
}

#[test]
fn every_no_has_its_name_and_shows_no_key() {
    let service = Service::start();
    let wrong = run(service.command(&["--url", service.url()]).env("ESMS_SECRET_KEY", "wrong"));
    service.expect_no_secret(&wrong);
    let error = wrong.refused("wrong_keys");
    assert!(error.contains("ESMS_API_KEY and ESMS_SECRET_KEY"), "{error}");
    let problem = service.ask(&["--json", "--api-key", "A", "--secret-key", "B"]).expect(1).json();
    assert_eq!(problem["slug"], "wrong_keys");

    service.sodu.run(&["account", "lock", "9999"]).expect(0);
    service.ask(&[]).refused("account_locked");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let nobody = run(&mut service.command(&["--url", &format!("http://{free}")]));
    service.expect_no_secret(&nobody);
    nobody.refused("no_connection");
    let plain = run(&mut service.command(&["--url", "http://rest.example.com"]));
    let error = plain.refused("not_asked");
    assert!(error.contains("clear text"), "{error}");
}

#[test]
fn one_source_gives_both_keys() {
    let service = Service::start();
    let url = ["--url", service.url()];
    run(&mut service.without_keys(&url)).refused("no_keys");
    let half = run(service.without_keys(&url).env("ESMS_API_KEY", &service.api_key)).refused("no_keys");
    assert!(half.contains("ESMS_SECRET_KEY is missing"), "{half}");
    let flags = ["--api-key", &service.api_key, "--secret-key", &service.secret_key];
    run(&mut service.without_keys(&[&url[..], &flags].concat())).expect(0);

    let file = service.sodu.path("profiles.toml");
    let profile = |name: &str, secret: &str| {
        format!("[{name}]\napi_key = \"{}\"\nsecret_key = \"{secret}\"\nurl = \"{}\"\n", service.api_key, service.url())
    };
    fs::write(&file, profile("shop", &service.secret_key) + &profile("default", "wrong")).expect("written");
    let file = file.to_str().expect("UTF-8");
    let with_file = |args: &[&str]| run(service.without_keys(args).env("SODU_PROFILES", file));
    let shop = with_file(&["--profile", "shop"]).expect(0);
    assert_eq!(shop.out, "1,234,567 (account 9999)\n");
    assert!(shop.err.contains("other users may read"), "{}", shop.err);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("changed");
    assert_eq!(with_file(&["--profile", "shop"]).expect(0).err, "");
    assert!(with_file(&[]).refused("wrong_keys").contains("profile default"));
    assert!(with_file(&["--profile", "shp"]).refused("no_profile").contains("did you mean \"shop\"?"));
    // The environment outranks the profile that nobody named.
    run(service.command(&url).env("SODU_PROFILES", file)).expect(0);

    fs::write(file, format!("[shop]\napi_key = \"A\"\nsecret_key = {}\n", service.secret_key)).expect("written");
    let bad = with_file(&["--profile", "shop"]);
    service.expect_no_secret(&bad);
    assert!(bad.refused("bad_profiles").contains("line 3"));
    run(&mut service.without_keys(&["--profile", "a", "--profiles", "none.toml"])).refused("no_profile");
}

#[test]
fn a_person_is_asked_and_the_secret_is_not_shown() {
    let service = Service::start();
    let (mut terminal, name) = terminal();
    let side = || fs::OpenOptions::new().read(true).write(true).open(&name).expect("the other side");
    let mut command = service.without_keys(&["--url", service.url()]);
    command.stdin(side()).stderr(side()).stdout(Stdio::piped());
    let child = command.spawn().expect("it runs");
    drop(command);
    let mut seen = String::new();
    for (question, answer) in [("ApiKey: ", &service.api_key), ("(not shown): ", &service.secret_key)] {
        while !seen.ends_with(question) {
            let mut byte = [0];
            terminal.read_exact(&mut byte).expect("a question");
            seen.push(char::from(byte[0]));
        }
        writeln!(terminal, "{answer}").expect("typed");
    }
    let output = child.wait_with_output().expect("it ends");
    let _ = terminal.read_to_string(&mut seen);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1,234,567 (account 9999)\n", "{seen}");
    assert!(seen.contains(&service.api_key) && !seen.contains(&service.secret_key), "{seen}");
}

#[test]
fn a_running_demo_is_found() {
    let sodu = Sodu::new();
    let balance = || run(program(sodu.folder.path()).args(["balance", "--demo"]));
    assert!(balance().refused("no_demo").contains("sodu demo"));
    // What a demo that was killed leaves behind is no demo.
    fs::create_dir(sodu.path("sodu-demo-gone")).expect("a folder");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let left = json!({ "url": format!("http://{free}"), "accounts": [{ "api_key": "A", "secret_key": "B" }] });
    fs::write(sodu.path("sodu-demo-gone/demo.json"), left.to_string()).expect("written");
    balance().refused("no_demo");
    let args = ["demo", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json"];
    let demo = Server::spawn(program(sodu.folder.path()).args(args));
    let found = balance().expect(0);
    assert_eq!(found.out, "36,693 (account 9999)\n");
    assert!(found.err.contains(demo.ready["url"].as_str().expect("a URL")), "{}", found.err);
    assert!(demo.interrupt().success());
    balance().refused("no_demo");
}

#[test]
fn https_is_judged_by_the_systems_roots() {
    let sodu = Sodu::with_account();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(sodu.path("cert.pem"), made.cert.pem()).expect("written");
    fs::write(sodu.path("key.pem"), made.signing_key.serialize_pem()).expect("written");
    fs::write(sodu.path("sodu.toml"), "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n").expect("written");
    let pair = sodu.json(&["key", "issue", "9999"]);
    let args = ["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json", "--config", "sodu.toml"];
    let server = Server::spawn(&mut sodu.command(&args));
    let url = server.ready["url"].as_str().expect("a URL").replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    let ask = |roots: &str| {
        let mut command = program(sodu.folder.path());
        command.args(["balance", "--url", &url]).env("SSL_CERT_FILE", sodu.path(roots));
        command.env("ESMS_API_KEY", pair["api_key"].as_str().expect("a key"));
        command.env("ESMS_SECRET_KEY", pair["secret_key"].as_str().expect("a secret"));
        run(&mut command)
    };
    assert_eq!(ask("cert.pem").expect(0).out, "36,693 (account 9999)\n");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(sodu.path("other.pem"), other.cert.pem()).expect("written");
    let error = ask("other.pem").refused("no_connection");
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn the_proxy_variables_count_except_for_this_machine() {
    let service = Service::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line");
        stream.get_mut().write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").expect("it reads");
        line
    });
    let here = run(service.command(&["--url", service.url()]).env("http_proxy", &proxy).env("ALL_PROXY", &proxy));
    here.expect(0);
    let away = run(service.command(&["--url", "https://rest.example.com"]).env("HTTPS_PROXY", &proxy));
    service.expect_no_secret(&away);
    away.refused("no_connection");
    assert_eq!(seen.join().expect("the proxy was asked"), "CONNECT rest.example.com:443 HTTP/1.1\r\n");
}

/// Whatever else changes, these stay what scripts read.
#[test]
fn help_names_every_way_to_give_keys() {
    let sodu = Sodu::new();
    let help = run(program(sodu.folder.path()).args(["balance", "--help"])).expect(0).out;
    for word in ["ESMS_API_KEY", "--profile", "--fail-below", "--demo", "--url", "Exit codes"] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}
