//! `cargo xtask fuzz-api`: requests that nobody thought of, made from the OpenAPI document of a fresh server and sent to it.
//!
//! schemathesis sends what the document allows and what it does not, and finds server errors, answers that the document does
//! not describe, what is taken against it and what is refused though it allows it. The seed is fixed unless one is given, so
//! that a finding comes again. Afterwards `sodu verify` must find nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::http::{Address, Connection, Request};
use crate::operator::{Account, Operator};
use crate::programs::{self, cargo, root, run as run_program, target};
use crate::server::{self, Server, Setup};

/// The release whose findings were looked at; another one may find, or miss, other things.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// How much of it, and from which seed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The most requests that are made up for each operation
    #[arg(long, default_value_t = 50)]
    pub(crate) examples: u32,
    /// Goes on, with further requests, until so many seconds are over
    #[arg(long)]
    pub(crate) seconds: Option<u32>,
    /// Where the random requests begin
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let schemathesis = schemathesis()?;
    // The debug build, since it panics where a sum overflows.
    run_program(&mut cargo(["build", "--quiet", "--package", "sodu"]))?;
    let binary = target().join("debug").join("sodu");
    let folder = tempfile::tempdir()?;
    let (database, log) = (folder.path().join("sodu.db"), folder.path().join("log"));
    let setup = Setup { binary: &binary, database: &database, prefix: &[], log: &log, flags: &[] };
    let server = Server::start(&setup)?;
    furnish(&server)?;
    let token = server.operator_token("fuzz", "admin")?;
    println!("fuzz-api: seed {}, {} requests an operation", arguments.seed, arguments.examples);
    let mut command = Command::new(schemathesis);
    command.current_dir(folder.path()).arg("--config-file").arg(root().join("xtask/fuzz-api.toml"));
    command.args(["run", "--no-color", "--phases", "examples,coverage,fuzzing"]);
    command.args(["--max-examples", &arguments.examples.to_string(), "--seed", &arguments.seed.to_string()]);
    command.args(["--continue-on-failure", "--request-timeout", "30", "--warnings", "off"]);
    command.args(arguments.seconds.map(|seconds| format!("--max-time={seconds}")));
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    let Address::Tcp(ops) = server.ops else { bail!("the server does not listen for operators over TCP") };
    command.arg(format!("http://{ops}/v1/openapi.json"));
    let fuzzed = run_program(&mut command);
    let (still_known, unreached) = (is_let_in(&server, &token)?, unreached(&server)?);
    server.stop()?;
    fuzzed.with_context(|| format!("found something, from seed {}", arguments.seed))?;
    ensure!(still_known, "the operator was revoked on the way: most of it was answered with 401 and proves nothing");
    if !unreached.is_empty() {
        println!(
            "fuzz-api: nothing that was sent succeeded on {}; more --examples reach further",
            unreached.join(", ")
        );
    }
    println!("fuzz-api: {}", server::verify(&binary, &database)?.trim());
    Ok(())
}

fn is_let_in(server: &Server, token: &str) -> Result<bool> {
    let request = Request { method: "GET", path: "/v1/currencies", key: None, body: "" };
    Ok(Connection::open(&server.ops)?.send(&request.prepared(token))?.status == 200)
}

/// The routes of which the server itself counts requests, and no success.
fn unreached(server: &Server) -> Result<Vec<String>> {
    let request = Request { method: "GET", path: "/metrics", key: None, body: "" };
    let metrics = Connection::open(&server.ops)?.call(&request)?.text();
    let mut succeeded = BTreeMap::<String, bool>::new();
    for line in metrics.lines() {
        let labels = line.strip_prefix("sodu_requests_total{face=\"operator\",route=\"/");
        if let Some((route, rest)) = labels.and_then(|labels| labels.split_once("\",status=\"")) {
            *succeeded.entry(format!("/{route}")).or_default() |= rest.starts_with('2');
        }
    }
    ensure!(succeeded.len() > 20, "the server counts only {} routes", succeeded.len());
    Ok(succeeded.into_iter().filter(|(_, succeeded)| !succeeded).map(|(route, _)| route).collect())
}

/// Accounts, entries, holds, keys, credentials and an operator, of the names that fuzz-api.toml knows.
fn furnish(server: &Server) -> Result<()> {
    let mut operator = Operator::open(&server.socket)?;
    let leaver = operator.post("/v1/operators", "leaver", &json!({ "name": "leaver", "role": "read" }))?;
    ensure!(leaver.status == 201, "no operator was added: {leaver:?}");
    for id in 1..=3 {
        let (api_key, secret_key) = (format!("PAIR-{id}"), format!("SECRET-OF-PAIR-{id}"));
        operator.open_account(&Account { id, credit_limit: 50_000, api_key, secret_key })?;
        let steps: [(&str, &str, Value, u16); 6] = [
            ("topups", "topup-1", json!({ "amount": "1000000" }), 201),
            ("charges", "charge-1", json!({ "amount": "250" }), 201),
            ("holds", "hold-1", json!({ "amount": "1000", "expires_in": 86_400 }), 201),
            ("holds", "hold-2", json!({ "amount": "1000", "expires_in": 86_400 }), 201),
            ("holds/key:hold-1/captures", "capture-1", json!({ "amount": "10" }), 201),
            ("charges", "refused-1", json!({ "amount": "99999999" }), 409),
        ];
        for (route, key, body, status) in steps {
            let answer = operator.post(&format!("/v1/accounts/{id}/{route}"), key, &body)?;
            ensure!(answer.status == status, "{route} of account {id}: {answer:?}");
        }
    }
    Ok(())
}

/// Where the fuzzer is, in a virtual environment of its own under `target`; installed when it is not there yet.
fn schemathesis() -> Result<PathBuf> {
    let folder = target().join("fuzz-api").join(SCHEMATHESIS);
    let program = folder.join("bin").join("schemathesis");
    if program.is_file() {
        return Ok(program);
    }
    println!("installing {SCHEMATHESIS} into {}", folder.display());
    installed(&folder).inspect_err(|_| drop(fs::remove_dir_all(&folder)))?;
    Ok(program)
}

fn installed(folder: &Path) -> Result<()> {
    let missing =
        "python3 with venv is missing: install it with `sudo apt-get install python3-venv`, then run this again";
    let made = programs::output(Command::new("python3").args(["-m", "venv"]).arg(folder));
    ensure!(made.is_ok_and(|made| made.status.success()), "{missing}");
    run_program(Command::new(folder.join("bin").join("pip")).args(["install", "--quiet", SCHEMATHESIS]))
}
