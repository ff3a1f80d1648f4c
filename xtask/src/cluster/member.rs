//! A PostgreSQL under patroni: its settings, its processes, and what patroni says about all of them.
//!
//! The ways to it that others take, and its way to etcd, are relays, so that each can be cut.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::etcd::{Etcd, Interface};
use super::guard::{Guard, Process, plain_user};
use super::relay::Relay;
use super::wait;
use crate::programs;
use crate::server::free_address;

/// How long a primary may be silent before another one takes over. Patroni wants `loop_wait + 2 * retry_timeout` to fit.
pub(crate) const TTL_S: u64 = 10;
const LOOP_WAIT_S: u64 = 2;
const RETRY_TIMEOUT_S: u64 = 3;

/// For what is done at once or not at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// One of the three.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) api: SocketAddr,
    /// The way that standbys take to it.
    pub(crate) for_standbys: Relay,
    /// Its own way to etcd.
    pub(crate) to_etcd: Relay,
    data: PathBuf,
    settings: PathBuf,
    patroni: Option<Process>,
}

/// A member as patroni shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) state: String,
}

impl Member {
    /// Starts it: the first of a cluster makes the database, the others copy it.
    pub(crate) fn start(guard: &Guard, name: &str, etcd: &Etcd) -> Result<Member> {
        let folder = guard.plain_folder(name)?;
        let (address, api) = (free_address()?, free_address()?);
        let mut member = Member {
            name: name.to_owned(),
            address,
            api,
            for_standbys: Relay::to(address)?,
            to_etcd: Relay::to(etcd.address)?,
            data: folder.join("data"),
            settings: guard.folder().join(format!("{name}.yml")),
            patroni: None,
        };
        // YAML is a superset of JSON.
        fs::write(&member.settings, member.settings(&folder, etcd.interface)?.to_string())?;
        member.start_again(guard)?;
        Ok(member)
    }

    /// Starts its patroni, which starts the server.
    pub(crate) fn start_again(&mut self, guard: &Guard) -> Result<()> {
        let patroni = programs::need("patroni", "patroni")?;
        let mut command = plain_user(&patroni);
        command.arg(&self.settings).current_dir(guard.folder());
        self.patroni = Some(guard.start(&self.name, &mut command)?);
        Ok(())
    }

    /// Kills patroni, the server and all its processes at once, as a power cut would end them.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(patroni) = self.patroni.take() {
            patroni.kill()?;
        }
        self.signal_server(Signal::KILL)?;
        wait("the end of a server that was killed", PATIENCE, || Ok(self.server().is_none()))
    }

    /// Stops all of it where it is: patroni, the server and all its processes.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal_patroni(Signal::STOP)?;
        self.signal_server(Signal::STOP)
    }

    /// Lets the server go on, but not its patroni.
    pub(crate) fn resume_server(&self) -> Result<()> {
        self.signal_server(Signal::CONT)
    }

    pub(crate) fn resume_patroni(&self) -> Result<()> {
        self.signal_patroni(Signal::CONT)
    }

    /// What patroni knows of all members; an error where this one's does not answer.
    pub(crate) fn shown(&self) -> Result<Vec<Shown>> {
        let mut stream = TcpStream::connect_timeout(&self.api, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /cluster HTTP/1.0\r\n\r\n")?;
        // Its server speaks HTTP/1.0, where the end of the connection ends the answer.
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("patroni's answer has no body")?;
        let all: Value = serde_json::from_str(body).context("patroni's answer is no JSON")?;
        let all = all["members"].as_array().context("patroni shows no members")?;
        let text = |member: &Value, name: &str| member[name].as_str().unwrap_or_default().to_owned();
        Ok(all
            .iter()
            .map(|member| Shown {
                name: text(member, "name"),
                role: text(member, "role"),
                state: text(member, "state"),
            })
            .collect())
    }

    /// The answer to SQL on this server, as `psql` prints it without ornaments.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let port = self.address.port().to_string();
        let mut psql = Command::new(programs::need("psql", "postgresql-client")?);
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        psql.args(["--host", "127.0.0.1", "--port", &port, "--username", "postgres", "--dbname", database]);
        let answer = programs::output(psql.args(["--command", sql]).env("PGCONNECT_TIMEOUT", "3"))?;
        ensure!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr).trim());
        Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    }

    /// The server's first process, if one runs.
    fn server(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
        // A server that was killed leaves the file, and its id may be somebody else's by now.
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        command.split(|byte| *byte == 0).any(|word| word == self.data.as_os_str().as_bytes()).then_some(pid)
    }

    fn signal_server(&self, signal: Signal) -> Result<()> {
        let Some(server) = self.server() else { return Ok(()) };
        // While the first process waits, no new one begins.
        send(server, Signal::STOP)?;
        children_of(server).into_iter().chain([server]).try_for_each(|pid| send(pid, signal))
    }

    fn signal_patroni(&self, signal: Signal) -> Result<()> {
        self.patroni.as_ref().map_or(Ok(()), |patroni| patroni.signal(signal))
    }

    fn settings(&self, folder: &Path, interface: Interface) -> Result<Value> {
        let user = |name: &str| json!({ "username": name, "password": name });
        Ok(json!({
            "scope": "sodu",
            "namespace": "/xtask/",
            "name": self.name,
            "restapi": { "listen": self.api.to_string(), "connect_address": self.api.to_string() },
            // As a proxy: otherwise etcd itself would say where it is, and patroni would go there past the relay.
            interface.section(): { "proxy": format!("http://{}", self.to_etcd.address()) },
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_S,
                    "loop_wait": LOOP_WAIT_S,
                    "retry_timeout": RETRY_TIMEOUT_S,
                    "synchronous_mode": true,
                    // Without any standby nothing is acknowledged.
                    "synchronous_mode_strict": true,
                    // Each acknowledged movement is on all three. One that is lost leaves the list within seconds.
                    "synchronous_node_count": 2,
                    "postgresql": { "use_pg_rewind": true, "use_slots": true, "parameters": parameters() },
                },
                "initdb": [{ "encoding": "UTF8" }, { "locale": "C" }],
            },
            "postgresql": {
                "listen": self.address.to_string(),
                "connect_address": self.for_standbys.address().to_string(),
                "data_dir": self.data,
                "bin_dir": programs::postgres_folder()?,
                "pgpass": folder.join("pgpass"),
                "remove_data_directory_on_rewind_failure": true,
                "remove_data_directory_on_diverged_timelines": true,
                "parameters": { "unix_socket_directories": folder },
                "authentication": {
                    "superuser": user("postgres"), "replication": user("replicator"), "rewind": user("rewinder"),
                },
                "pg_hba": [
                    "local all all trust", "host all all 127.0.0.0/8 trust", "host replication all 127.0.0.0/8 trust",
                ],
            },
            "watchdog": { "mode": "off" },
        }))
    }
}

/// Small, durable, and quick to notice that somebody is gone.
fn parameters() -> Value {
    json!({
        "max_connections": 300,
        "max_wal_senders": 10,
        "max_replication_slots": 10,
        "shared_buffers": "64MB",
        "max_wal_size": "512MB",
        "wal_keep_size": "256MB",
        "wal_log_hints": "on",
        "synchronous_commit": "on",
        "wal_sender_timeout": "4s",
        "wal_receiver_timeout": "4s",
        "wal_retrieve_retry_interval": "500ms",
        "log_line_prefix": "%m [%p] %a ",
    })
}

/// Whoever `parent` started and still runs.
fn children_of(parent: Pid) -> Vec<Pid> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // A name may have anything in it but ends with the last parenthesis; the state and the parent follow (proc(5)).
    let (_, rest) = stat.rsplit_once(')')?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}

/// Signals a process that may have ended meanwhile.
fn send(pid: Pid, signal: Signal) -> Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error).context("a process of PostgreSQL cannot be signalled"),
    }
}
