//! What a demo can be asked for to try clients: TLS, answers that are wrong on purpose, a balance that falls.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sodu_client::blocking::Client;
use sodu_client::{Balance, Error, Fault, Settings};

use crate::common::{Server, Sodu, program, run};
use crate::demo::{Demo, PORTS};

fn demo(sodu: &Sodu, options: &[&str]) -> Server {
    Server::spawn(program(sodu.folder.path()).args(["demo", "--json"]).args(PORTS).args(options))
}

fn text<'a>(demo: &'a Server, member: &str) -> &'a str {
    demo.ready[member].as_str().expect("a text")
}

/// Asks for the first account's balance at `url`, by the library and once.
fn ask(demo: &Server, url: &str, settings: Settings) -> Result<Balance, Error> {
    let key = |name: &str| demo.ready["accounts"][0][name].as_str().expect("a key");
    let settings = Settings { retries_max: 0, ..settings };
    Client::with(url, key("api_key"), key("secret_key"), settings).expect("a client").balance()
}

/// The same of a client that trusts `roots` beside the system's.
fn trusting(demo: &Server, url: &str, roots: &str) -> Result<Balance, Error> {
    ask(demo, url, Settings { extra_roots: roots.to_owned(), ..Settings::default() })
}

/// What is wrong with the answer that a client of half a second's patience gets.
fn fault(demo: &Server) -> Fault {
    let roots = demo.ready["ca"].as_str().map(|ca| fs::read_to_string(ca).expect("a certificate"));
    let timeout = Duration::from_millis(500);
    let settings = Settings { timeout, extra_roots: roots.unwrap_or_default(), ..Settings::default() };
    match ask(demo, text(demo, "url"), settings) {
        Err(Error::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_is_told_of_its_authority_trusts_a_demo_with_tls() {
    let sodu = Sodu::new();
    let (demo, other) = (demo(&sodu, &["--tls"]), demo(&sodu, &["--tls"]));
    let root = |demo: &Server| fs::read_to_string(text(demo, "ca")).expect("a certificate");
    let url = text(&demo, "url");
    let port = url.strip_prefix("https://127.0.0.1:").expect("https");
    for url in [url, &format!("https://localhost:{port}")] {
        assert_eq!(trusting(&demo, url, &root(&demo)).map(|balance| balance.user_id), Ok(9999));
    }
    for roots in [String::new(), root(&other)] {
        let Err(Error::Fault(Fault::Connection { detail })) = trusting(&demo, url, &roots) else { panic!("trusted") };
        assert!(detail.contains("UnknownIssuer"), "{detail}");
    }
    assert_eq!(trusting(&demo, url, &(root(&other) + &root(&demo))).map(|balance| balance.user_id), Ok(9999));
    assert!(matches!(
        trusting(&demo, &format!("http://127.0.0.1:{port}"), ""),
        Err(Error::Fault(Fault::Broken { .. }))
    ));
}

#[test]
fn sodu_balance_finds_the_authority_of_a_demo_by_itself() {
    let sodu = Sodu::new();
    let demo = demo(&sodu, &["--tls"]);
    let balance = |args: &[&str]| {
        let account = &demo.ready["accounts"][0];
        let mut command = program(sodu.folder.path());
        command.env("ESMS_API_KEY", account["api_key"].as_str().expect("a key"));
        command.env("ESMS_SECRET_KEY", account["secret_key"].as_str().expect("a key")).arg("balance").args(args);
        command
    };
    assert_eq!(run(&mut balance(&["--demo"])).expect(0).out, "36,693 (account 9999)\n");
    let url = ["--url", text(&demo, "url")];
    assert!(run(&mut balance(&url)).refused("no_connection").contains("certificate"));
    let told = run(balance(&url).env("SSL_CERT_FILE", text(&demo, "ca"))).expect(0);
    assert_eq!(told.out, "36,693 (account 9999)\n");
}

#[test]
fn the_key_of_the_authority_is_not_kept() {
    let sodu = Sodu::new();
    let demo = demo(&sodu, &["--tls"]);
    let folder = Path::new(text(&demo, "ca")).parent().expect("a folder");
    let private = |path: &Path| fs::read(path).expect("a file").windows(11).any(|part| part == b"PRIVATE KEY");
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let keys: Vec<_> = files.filter(|path| path.is_file() && private(path)).collect();
    assert_eq!(keys, [folder.join("key.pem")]);
    assert_eq!(fs::metadata(&keys[0]).expect("a file").permissions().mode() & 0o777, 0o600);
    // The server starts with no key but that of its own certificate, which is not the authority's.
    let certificate = |name: &str| fs::read_to_string(folder.join(name)).expect("a certificate");
    assert_ne!(certificate("cert.pem"), certificate("ca.pem"));
}

#[test]
fn every_fault_is_an_error_of_its_own_to_a_client() {
    let sodu = Sodu::new();
    for tls in [&[][..], &["--tls"]] {
        let with = |name: &str| demo(&sodu, &[tls, &["--fault", name]].concat());
        assert_eq!(fault(&with("slow")), Fault::Timeout { limit: Duration::from_millis(500) });
        assert!(matches!(fault(&with("cut")), Fault::Broken { .. }));
        assert_eq!(fault(&with("503")), Fault::Status { status: 503 });
        let html = with("html");
        assert!(matches!(fault(&html), Fault::Unexpected { found, .. } if found.contains("HTML")));
        assert_eq!(text(&html, "fault"), "html");
    }
}

#[test]
fn a_fault_is_seen_on_the_wire_and_nowhere_else() {
    let sodu = Sodu::new();
    let call = |demo: &Server, path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--include", "--data", "{}", &format!("{}/MainService.svc/{path}", text(demo, "url"))]);
        let output = curl.output().expect("curl is installed");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8").to_ascii_lowercase())
    };
    let cut = demo(&sodu, &["--fault", "cut"]);
    let (code, said) = call(&cut, "json/GetBalance_json");
    let (head, half) = said.split_once("\r\n\r\n").expect("a whole head");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    assert_eq!(code, Some(18), "curl's word for a partial file");
    assert!(half.starts_with(r#"{"balance":0,"coderesponse":"101""#), "the server's own answer begins: {half}");
    assert_eq!(length.parse::<usize>().expect("a number") / 2, half.len());

    let unavailable = demo(&sodu, &["--fault", "503"]);
    let (_, said) = call(&unavailable, "json/GetBalance_json");
    assert!(said.starts_with("http/1.1 503 ") && said.contains("\r\nretry-after: 1\r\n"), "{said}");
    assert!(said.contains(r#""coderesponse":"99""#), "{said}");
    assert!(call(&unavailable, "xml/GetBalance_json").1.contains("<coderesponse>99<"));

    // Operators see a server without a fault.
    let id = text(&unavailable, "database");
    let shown = run(program(sodu.folder.path()).args(["balance", "9999", "--json", "--database", id])).expect(0);
    assert_eq!(shown.json()["balance"], "36693");
    assert_eq!(unavailable.interrupt().code(), Some(0));
}

#[test]
fn sodu_balance_names_the_fault_of_a_demo() {
    let sodu = Sodu::new();
    let slugs =
        [("slow", "timeout"), ("cut", "connection_broken"), ("503", "http_status"), ("html", "unexpected_answer")];
    for (name, slug) in slugs {
        let demo = demo(&sodu, &["--fault", name]);
        let error = run(program(sodu.folder.path()).args(["balance", "--demo", "--timeout", "1"])).refused(slug);
        assert!(error.contains(&format!("faulty on purpose (--fault {name})")), "{error}");
        // With its call still waiting, where it is slow.
        assert_eq!(demo.interrupt().code(), Some(0));
    }
    assert_eq!(sodu.files(), [""; 0], "the temporary folders are removed");
}

#[test]
fn a_burning_account_is_charged_until_credit_is_short_and_after_a_topup_again() {
    let sodu = Sodu::new();
    let mut command = program(sodu.folder.path());
    command.args(["demo", "--json", "--burn", "20000/s"]).args(PORTS);
    let mut demo = Demo(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"));
    let (mut out, mut ready) = (BufReader::new(demo.0.stdout.take().expect("it is piped")), String::new());
    let mut err = BufReader::new(demo.0.stderr.take().expect("it is piped")).lines();
    out.read_line(&mut ready).expect("a line");
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!((&ready["burn"], &ready["fault"], &ready["ca"]), (&json!("20000/s"), &Value::Null, &Value::Null));
    let there = |args: &[&str]| {
        let database = ["--database", ready["database"].as_str().expect("a text"), "--json"];
        run(program(sodu.folder.path()).args(args).args(database)).expect(0).json()
    };
    let mut refused = || {
        let line = err.next().expect("a line").expect("UTF-8");
        assert!(line.starts_with("burn: ") && line.ends_with("[insufficient_credit]"), "{line}");
        let line = err.next().expect("a line").expect("UTF-8");
        assert!(line.contains("it goes on"), "{line}");
    };
    refused();
    assert_eq!(there(&["balance", "9999"])["balance"], "16693", "36693 less what was charged before credit was short");
    there(&["topup", "9999", "10000", "-k", "t"]);
    refused();
    assert_eq!(there(&["balance", "9999"])["balance"], "6693");

    let statement = there(&["statement", "9999"]);
    let charges: Vec<&Value> =
        statement["entries"].as_array().expect("a list").iter().filter(|entry| entry["kind"] == "charge").collect();
    assert_eq!(charges.len(), 2, "one for each second in which there was credit: {statement}");
    for charge in &charges {
        assert_eq!((&charge["amount"], &charge["by"]), (&json!("20000"), &json!("operator:demo-burn")));
    }
    assert_ne!(charges[0]["key"], charges[1]["key"]);
    demo.interrupt();
    assert_eq!(sodu.files(), [""; 0], "the temporary folder is removed");
}

#[test]
fn what_cannot_be_asked_of_a_demo_is_wrong_usage() {
    let sodu = Sodu::new();
    let cases = [
        (["--burn", "500"], "such as 500/h, 500/m or 10/s"),
        (["--burn", "-5/h"], "such as 500/h, 500/m or 10/s"),
        (["--burn", "500/d"], "such as 500/h, 500/m or 10/s"),
        (["--fault", "504"], "[possible values: slow, cut, 503, html]"),
    ];
    for ([option, value], says) in cases {
        let ended = run(program(sodu.folder.path()).args(["demo", &format!("{option}={value}")])).expect(2);
        assert!(ended.err.contains(says), "{}", ended.err);
    }
}
