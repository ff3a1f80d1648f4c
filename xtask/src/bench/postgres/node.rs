//! One `sodu serve` in front of the benchmark's PostgreSQL, on ports of its own; dropped, it is killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::http::{Address, Connection, Request};
use crate::operator::Operator;
use crate::server;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running node.
pub(super) struct Node {
    child: Child,
    pub(super) public: Address,
    pub(super) ops: Address,
    socket: Address,
}

impl Node {
    /// Starts one and waits until it is ready. `name` is that of its files in `folder`.
    pub(super) fn start(binary: &Path, url: &str, folder: &Path, name: &str) -> Result<Node> {
        let (public, ops) = (server::free_address()?, server::free_address()?);
        let runtime = folder.join(name);
        fs::create_dir_all(&runtime)?;
        let log = File::create(folder.join(format!("{name}.log")))?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &public.to_string(), "--ops-listen", &ops.to_string()]);
        // Where the socket of a node of a database elsewhere lies.
        command.env("SODU_DATABASE", url).env("XDG_RUNTIME_DIR", &runtime);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let (public, ops) = (Address::Tcp(public), Address::Tcp(ops));
        let mut node = Node { child, public, ops, socket: Address::Unix(PathBuf::new()) };
        node.wait(folder, name)?;
        let socket = fs::read_dir(&runtime)?.flatten().map(|entry| entry.path()).next();
        node.socket = Address::Unix(socket.context("a node without a socket")?);
        Ok(node)
    }

    pub(super) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id())?)
    }

    /// A caller who needs no token.
    pub(super) fn operator(&self) -> Result<Operator> {
        Ok(Operator::open(&self.socket)?)
    }

    /// A token for money.
    pub(super) fn token(&self) -> Result<String> {
        let body = json!({ "name": "bench", "role": "money" }).to_string();
        let answer =
            self.operator()?.call(&Request { method: "POST", path: "/v1/operators", key: None, body: &body })?;
        let token = answer.body["token"].as_str().filter(|_| answer.status == 201);
        token.map(str::to_owned).with_context(|| format!("no operator was added: {answer:?}"))
    }

    /// A counter among its metrics.
    pub(super) fn metric(&self, name: &str) -> Result<f64> {
        let request = Request { method: "GET", path: "/metrics", key: None, body: "" };
        let text = Connection::open(&self.ops)?.call(&request)?.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|figure| figure.parse().ok()).with_context(|| format!("no metric {name}"))
    }

    /// Asks it to stop, and waits for the end.
    pub(super) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_raw(self.pid()?).context("a pid")?, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "a node ended with {status} when it was asked to stop");
        Ok(())
    }

    fn wait(&mut self, folder: &Path, name: &str) -> Result<()> {
        let request = Request { method: "GET", path: "/readyz", key: None, body: "" };
        let printed = || fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
        let began = Instant::now();
        loop {
            let ready = Connection::open(&self.ops).and_then(|mut connection| connection.call(&request));
            if ready.is_ok_and(|reply| reply.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a node ended with {status} before it was ready:\n{}", printed());
            }
            ensure!(began.elapsed() < PATIENCE, "a node was not ready in {PATIENCE:?}:\n{}", printed());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
