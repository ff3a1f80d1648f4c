//! `cargo xtask samples`: runs every sample and the Postman collection against a demo that was just started.
//!
//! With right keys, a wrong secret, accounts that are locked or allow other addresses only, nobody who listens, a page for
//! people instead of an answer, and a redirect: each sample must print the balance or say why there is none, and show no key. A
//! language that is missing is installed, or named; only C#, whose SDK Debian does not have, may be left out. Then all of
//! them meet a demo with TLS (`trust`).

mod trust;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::programs::{self, cargo, found, need, root, target};
use crate::server;

/// What runs the Postman collection; from the npm registry.
const NEWMAN: &str = "newman@6.2.2";

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// The sodu to run instead of a new release build
    #[arg(long)]
    binary: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = arguments.binary.clone().map_or_else(server::build, Ok)?;
    let demo = Demo::start(&binary)?;
    let samples = samples()?;
    for sample in &samples {
        check(sample, &demo).with_context(|| format!("the sample for {} failed", sample.language))?;
        println!(
            "samples: {} ({}) does what it says",
            sample.language,
            programs::version(&sample.version.0, sample.version.1)
        );
    }
    if found("dotnet").is_none() {
        println!("samples: C# is untested here: there is no .NET SDK");
    }
    trust::check(&binary, &samples).context("a demo with TLS is not trusted as its guide says")?;
    postman(&demo).context("the Postman collection failed")
}

/// A sample, ready to run.
struct Sample {
    language: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    /// What tells the version that it was run with.
    version: (PathBuf, &'static str),
}

fn samples() -> Result<Vec<Sample>> {
    let folder = root().join("samples");
    let plain = |language, program: &str, package: &str, arguments: &[&str], version| -> Result<Sample> {
        let program = need(program, package)?;
        // Words are words, and what has a slash is a file of the samples.
        let argument = |word: &&str| if word.contains('/') { folder.join(word) } else { PathBuf::from(word) };
        let arguments = arguments.iter().map(argument).collect();
        Ok(Sample { language, version: (program.clone(), version), program, arguments })
    };
    need("curl", "curl")?;
    // The single-file launcher needs the compiler, which a Java without it lacks.
    need("javac", "default-jdk-headless")?;
    let curl = plain("curl", "bash", "bash", &["curl/getbalance.sh"], "--version")?;
    let mut samples = vec![
        Sample { version: ("curl".into(), "--version"), ..curl },
        plain("Python", "python3", "python3", &["python/getbalance.py"], "--version")?,
        plain("Node", "node", "nodejs", &["node/getbalance.mjs"], "--version")?,
        plain("PHP", "php", "php-cli", &["php/getbalance.php"], "--version")?,
        plain("Go", "go", "golang-go", &["run", "go/getbalance.go"], "version")?,
        plain("Java", "java", "default-jdk-headless", &["java/GetBalance.java"], "--version")?,
    ];
    programs::run(&mut cargo(["build", "--quiet", "--package", "sodu-client", "--example", "balance"]))?;
    let program = target().join("debug/examples/balance");
    samples.push(Sample { language: "Rust", program, arguments: Vec::new(), version: ("rustc".into(), "--version") });
    if found("dotnet").is_some() {
        samples.push(plain("C#", "dotnet", "dotnet", &["run", "--project", "csharp/GetBalance.csproj"], "--version")?);
    }
    Ok(samples)
}

fn check(sample: &Sample, demo: &Demo) -> Result<()> {
    for account in &demo.accounts {
        let said = sample.ask(&demo.url, &account.api_key, &account.secret_key)?;
        if account.code == "100" {
            said.expect_balance(&format!("account {} has {}", account.id, account.balance))?;
        } else {
            said.expect_failure(&account.code)?;
        }
    }
    let first = demo.accounts.first().context("the demo has no account")?;
    sample.ask(&demo.url, &first.api_key, "wrong")?.expect_failure("101")?;
    let nobody = format!("http://{}", server::free_address()?);
    sample.ask(&nobody, &first.api_key, &first.secret_key)?.expect_failure("")?;
    // Whoever followed the redirect with the keys would come back with a balance.
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}/MainService.svc/json/GetBalance_json", demo.url);
    for head in ["HTTP/1.1 200 OK", "HTTP/1.1 502 Bad Gateway", &redirect] {
        sample.ask(&page(head.to_owned())?, &first.api_key, &first.secret_key)?.expect_failure("")?;
    }
    Ok(())
}

impl Sample {
    fn ask(&self, url: &str, api_key: &str, secret_key: &str) -> Result<Said> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("ESMS_URL", url);
        command.env("ESMS_API_KEY", api_key).env("ESMS_SECRET_KEY", secret_key);
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        let said = Said::from(&programs::output(&mut command)?);
        let is_shown = |secret: &str| secret.len() > 10 && (said.out.contains(secret) || said.err.contains(secret));
        ensure!(!is_shown(api_key) && !is_shown(secret_key), "it shows a key: {said:?}");
        Ok(said)
    }

    /// As it is typed.
    fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ")
    }
}

/// How a run of a sample ended.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<&Output> for Said {
    fn from(output: &Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Said {
    fn expect_balance(&self, line: &str) -> Result<()> {
        ensure!(self.code == Some(0) && self.out == line, "it should have printed {line:?}: {self:?}");
        Ok(())
    }

    /// It must have ended with 1 and a sentence with `word` in it, not with its language's own report of a crash.
    fn expect_failure(&self, word: &str) -> Result<()> {
        let is_crash = ["Traceback", "panicked", "goroutine", "\tat ", "    at ", "Fatal error", "Unhandled"];
        ensure!(self.code.is_some_and(|code| code != 0) && self.out.is_empty(), "it should have failed: {self:?}");
        ensure!(!self.err.is_empty() && self.err.contains(word), "it should have said {word:?}: {self:?}");
        ensure!(!is_crash.iter().any(|crash| self.err.contains(crash)), "it should not have crashed: {self:?}");
        Ok(())
    }
}

/// The address of a service that answers one request with a page for people.
fn page(head: String) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        // A failure here is one of the sample's connection, which the sample tells.
        let Ok((mut stream, _)) = listener.accept() else { return };
        let (mut request, mut part) = (Vec::new(), [0; 4096]);
        while !request.ends_with(b"}") {
            match stream.read(&mut part) {
                Ok(1..) => {
                    request.extend_from_slice(&part[..part.iter().position(|byte| *byte == 0).unwrap_or(part.len())])
                }
                Ok(0) | Err(_) => break,
            }
            part = [0; 4096];
        }
        let body = "<!DOCTYPE html><title>Log in</title>";
        let head =
            format!("{head}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).ok();
    });
    Ok(format!("http://{address}"))
}

fn postman(demo: &Demo) -> Result<()> {
    let first = demo.accounts.first().context("the demo has no account")?;
    let newman = newman()?;
    let collection = root().join("samples/postman/sodu.postman_collection.json");
    let with = |secret: &str| {
        let variables = [("url", demo.url.as_str()), ("ApiKey", &first.api_key), ("SecretKey", secret)];
        let mut command = Command::new(&newman);
        command.arg("run").arg(&collection).args(["--color", "off", "--timeout-request", "10000"]);
        for (name, value) in variables {
            command.arg("--env-var").arg(format!("{name}={value}"));
        }
        programs::output(&mut command)
    };
    let right = with(&first.secret_key)?;
    ensure!(right.status.success(), "{}", String::from_utf8_lossy(&right.stdout));
    let wrong = with("wrong")?;
    let told = String::from_utf8_lossy(&wrong.stdout);
    ensure!(
        !wrong.status.success() && told.contains("the keys are right: code 100"),
        "wrong keys must fail it: {told}"
    );
    println!("samples: the Postman collection passes with right keys and fails with wrong ones");
    Ok(())
}

/// newman, installed below the target folder.
fn newman() -> Result<PathBuf> {
    let folder = target().join("newman");
    let newman = folder.join("node_modules/.bin/newman");
    if !newman.is_file() {
        let npm = need("npm", "npm")?;
        let mut install = Command::new(npm);
        install.arg("install").arg("--prefix").arg(&folder).args(["--no-audit", "--no-fund", "--silent", NEWMAN]);
        programs::run(&mut install)?;
    }
    Ok(newman)
}

/// An account of the demo.
struct Account {
    id: u64,
    code: String,
    balance: String,
    api_key: String,
    secret_key: String,
}

/// A running demo that the samples ask.
struct Demo {
    url: String,
    accounts: Vec<Account>,
    _running: Running,
}

impl Demo {
    fn start(binary: &Path) -> Result<Demo> {
        let mut command = Command::new(binary);
        command.args(["demo", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json"]);
        let mut running = Running(command.stdout(Stdio::piped()).spawn().context("cannot run sodu demo")?);
        let mut line = String::new();
        let stdout = running.0.stdout.take().context("its output is piped")?;
        let mut demo = Demo { url: String::new(), accounts: Vec::new(), _running: running };
        BufReader::new(stdout).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line).context("the demo did not say where it is")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        demo.url = text(&told["url"]);
        for account in told["accounts"].as_array().context("the demo has no accounts")? {
            demo.accounts.push(Account {
                id: account["id"].as_u64().unwrap_or_default(),
                code: text(&account["code"]),
                balance: text(&account["balance"]),
                api_key: text(&account["api_key"]),
                secret_key: text(&account["secret_key"]),
            });
        }
        if demo.url.is_empty() || demo.accounts.is_empty() {
            bail!("the demo did not say where it is: {line}");
        }
        Ok(demo)
    }
}

/// The process of a demo; dropped, it gets a Ctrl-C.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).ok();
        self.0.wait().ok();
    }
}
