//! One `sodu serve` of our own: built, started on free ports in a folder of its own, waited for, killed or stopped.
//!
//! Only processes started here are ever signalled, by their id; dropping a [`Server`] kills it. What the server printed
//! is kept in a file, so that a failure can show it.

use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::http::{Address, Connection, Request};
use crate::operator::Operator;
use crate::programs;
use crate::random::Random;

/// A server that needs longer than this to be ready, or to stop, is broken.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often readiness is asked for: as fine as the start times that the benchmarks report.
const POLL: Duration = Duration::from_millis(1);

/// Builds `sodu` as `cargo build --release` does, and says where it is. The proofs take this build: it is what people try, and
/// what [`crate::release`] arranges anew.
pub(crate) fn build() -> Result<PathBuf> {
    programs::run(&mut programs::cargo(["build", "--quiet", "--release", "--package", "sodu"]))?;
    Ok(programs::target().join("release").join("sodu"))
}

/// How to start a server.
pub(crate) struct Setup<'a> {
    /// The `sodu` to run.
    pub(crate) binary: &'a Path,
    /// The database file; created when it is missing.
    pub(crate) database: &'a Path,
    /// What stands before the binary on the command line: `taskset -c 0`, `strace …`, or nothing.
    pub(crate) prefix: &'a [OsString],
    /// Where what it prints goes.
    pub(crate) log: &'a Path,
    /// Further flags of `sodu serve`.
    pub(crate) flags: &'a [&'a str],
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pid: Pid,
    /// Whether it was sent a SIGKILL, after which its id may belong to somebody else at any moment.
    killed: AtomicBool,
    pub(crate) public: Address,
    /// The Unix socket of the operator API.
    pub(crate) socket: Address,
    /// The operator API over TCP.
    pub(crate) ops: Address,
    /// From the start of the process to its first `/readyz` that says yes.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub(crate) fn start(setup: &Setup<'_>) -> Result<Server> {
        let mut starting = Starting::spawn(setup)?;
        starting.wait()
    }

    /// A token of a new operator with that name and a number behind it, and that role.
    pub(crate) fn operator_token(&self, name: &str, role: &str) -> Result<String> {
        let name = format!("{name}-{}", Random::fresh_seed());
        let body = json!({ "name": name, "role": role }).to_string();
        let request = Request { method: "POST", path: "/v1/operators", key: None, body: &body };
        let answer = Operator::open(&self.socket)?.call(&request)?;
        let token = answer.body["token"].as_str().filter(|_| answer.status == 201);
        token.map(str::to_owned).with_context(|| format!("no operator was added: {answer:?}"))
    }

    /// The id of the server's own process, not of a tracer in front of it.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// `kill -9`, and waits for the end.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.kill_now()?;
        self.ended().map(drop)
    }

    /// Asks it to stop as `systemctl stop` would, and waits for the end.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.ended()?;
        ensure!(status.success(), "the server ended with {status} when it was asked to stop");
        Ok(())
    }

    /// Waits for an end that somebody else brings about.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        self.ended()
    }

    /// Sends a SIGKILL without waiting, unless one was sent before.
    pub(crate) fn kill_now(&self) -> Result<()> {
        if self.killed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).context("cannot signal the server")
    }

    fn ended(&mut self) -> Result<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(began.elapsed() < PATIENCE, "the server did not end within {PATIENCE:?}");
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that already ended was reaped by `ended`; its id must not be signalled any more.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill_now().ok();
            self.child.wait().ok();
        }
    }
}

/// A server that may not be ready yet.
pub(crate) struct Starting {
    child: Option<Child>,
    log: PathBuf,
    public: SocketAddr,
    ops: SocketAddr,
    socket: PathBuf,
    began: Instant,
}

impl Starting {
    pub(crate) fn spawn(setup: &Setup<'_>) -> Result<Starting> {
        let (public, ops) = (free_address()?, free_address()?);
        let output = File::options().create(true).append(true).open(setup.log)?;
        let mut words = setup.prefix.to_vec();
        words.push(setup.binary.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("serve");
        command.arg("--database").arg(database_url(setup.database));
        command.args(["--listen", &public.to_string(), "--ops-listen", &ops.to_string()]).args(setup.flags);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {}", words[0].display()))?;
        Ok(Starting {
            child: Some(child),
            log: setup.log.to_owned(),
            public,
            ops,
            socket: beside(setup.database, ".sock"),
            began,
        })
    }

    /// Waits until `/readyz` says yes.
    pub(crate) fn wait(&mut self) -> Result<Server> {
        let readyz = Request { method: "GET", path: "/readyz", key: None, body: "" };
        let ops = Address::Tcp(self.ops);
        loop {
            let ready = Connection::open(&ops).and_then(|mut connection| connection.call(&readyz));
            if ready.is_ok_and(|reply| reply.status == 200) {
                break;
            }
            let child = self.child.as_mut().context("the server was waited for already")?;
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status} before it was ready:\n{}", self.printed());
            }
            ensure!(self.began.elapsed() < PATIENCE, "the server was not ready in {PATIENCE:?}:\n{}", self.printed());
            std::thread::sleep(POLL);
        }
        let ready_after = self.began.elapsed();
        let pid = owner(&self.socket)?;
        let child = self.child.take().context("the server was waited for already")?;
        let (public, socket) = (Address::Tcp(self.public), Address::Unix(self.socket.clone()));
        let killed = AtomicBool::new(false);
        Ok(Server { child, pid, killed, public, socket, ops, ready_after })
    }

    fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// `path` as `--database` takes it.
pub(crate) fn database_url(path: &Path) -> OsString {
    let mut url = OsString::from("sqlite:");
    url.push(path);
    url
}

/// The file beside the database whose name has `suffix` after it: `-wal`, `.sock`.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// `sodu verify` of a database that no server has open: an error shows what it found.
pub(crate) fn verify(binary: &Path, database: &Path) -> Result<String> {
    let output = programs::output(Command::new(binary).arg("verify").arg("--database").arg(database_url(database)))?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "`sodu verify` ended with {}:\n{text}", output.status);
    Ok(text)
}

/// The process that listens on a Unix socket.
fn owner(socket: &Path) -> Result<Pid> {
    let stream = std::os::unix::net::UnixStream::connect(socket)
        .with_context(|| format!("the server is ready, but its socket {} is not", socket.display()))?;
    Ok(rustix::net::sockopt::socket_peercred(&stream)?.pid)
}

/// A loopback address that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
