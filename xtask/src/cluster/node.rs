//! A sodu server of a cluster, which reaches each PostgreSQL by a way of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::guard::{Guard, Process};
use super::member::Member;
use super::relay::Relay;
use super::wait;
use crate::http::{Connection, Request};
use crate::programs;
use crate::server::free_address;

/// Such an answer comes at once or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// One of the three.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) public: SocketAddr,
    pub(crate) ops: SocketAddr,
    /// Its ways to the members, in their order.
    pub(crate) to_members: Vec<Relay>,
    pub(crate) url: String,
    binary: PathBuf,
    /// Where sockets lie, apart from those of the machine's own servers.
    sockets: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// A node that is still to be started. `parameters` stand in its database URL beside what every node has there.
    pub(crate) fn new(guard: &Guard, name: &str, binary: &Path, members: &[Member], parameters: &str) -> Result<Node> {
        let to_members = members.iter().map(|member| Relay::to(member.address)).collect::<Result<Vec<_>>>()?;
        let hosts: Vec<String> = to_members.iter().map(|relay| relay.address().to_string()).collect();
        let url = format!(
            "postgres://sodu@{}/sodu?target_session_attrs=read-write&application_name={name}{parameters}",
            hosts.join(",")
        );
        let sockets = guard.folder().join(format!("{name}-sockets"));
        fs::create_dir(&sockets)?;
        let (public, ops) = (free_address()?, free_address()?);
        Ok(Node { name: name.into(), public, ops, to_members, url, binary: binary.into(), sockets, process: None })
    }

    /// Starts it, without waiting until it is ready.
    pub(crate) fn start(&mut self, guard: &Guard) -> Result<()> {
        let mut command = self.command("serve");
        self.process = Some(guard.start(&self.name, &mut command)?);
        Ok(())
    }

    pub(crate) fn is_ready(&self) -> bool {
        is_ready(self.ops)
    }

    /// Waits until it is ready, as long as it runs.
    pub(crate) fn await_ready(&mut self, guard: &Guard) -> Result<()> {
        let name = self.name.clone();
        let ready = wait(&format!("{name} to be ready"), Duration::from_secs(60), || {
            let ended = self.process.as_mut().map_or(Ok(None), Process::ended)?;
            ensure!(ended.is_none(), "{name} ended: {ended:?}");
            Ok(self.is_ready())
        });
        ready.map_err(|error| error.context(guard.printed(&name)))
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), Process::kill)
    }

    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// What a command of `sodu` for this node's server prints.
    pub(crate) fn sodu(&self, words: &[&str]) -> Result<String> {
        let mut command = self.command(words[0]);
        let answer = programs::output(command.args(&words[1..]))?;
        let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        let said = String::from_utf8_lossy(&answer.stderr);
        ensure!(answer.status.success(), "`sodu {}` ended with {}:\n{text}\n{said}", words.join(" "), answer.status);
        Ok(text)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.binary);
        for (other, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SODU_")) {
            command.env_remove(other);
        }
        command.arg(name).env("SODU_DATABASE", &self.url).env("SODU_CONFIG", "/dev/null");
        command.env("SODU_LISTEN", self.public.to_string()).env("SODU_OPS_LISTEN", self.ops.to_string());
        // haproxy's word about the caller's address is taken.
        command.env("SODU_TRUSTED_PROXIES", "127.0.0.1/32").env("XDG_RUNTIME_DIR", &self.sockets);
        command.env_remove("PGPASSWORD");
        command
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().context("the node does not run")?.signal(signal)
    }
}

/// Whether whoever listens there for operators says that it is ready.
pub(super) fn is_ready(ops: SocketAddr) -> bool {
    let request = Request { method: "GET", path: "/readyz", key: None, body: "" };
    let answer = Connection::open_within(ops, PATIENCE).and_then(|mut connection| connection.call(&request));
    answer.is_ok_and(|answer| answer.status == 200)
}
