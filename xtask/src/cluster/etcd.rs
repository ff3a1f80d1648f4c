//! The etcd of a cluster: a single one, which is enough where nobody takes it away. It says who is primary, and until when.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::guard::{Guard, Process};
use super::wait;
use crate::http::{Address, Connection, Request};
use crate::programs;
use crate::server::free_address;

/// A running etcd.
pub(crate) struct Etcd {
    _process: Process,
    pub(crate) address: SocketAddr,
}

impl Etcd {
    /// Starts one and waits until it answers.
    pub(crate) fn start(guard: &Guard) -> Result<Etcd> {
        let program = programs::need("etcd", "etcd-server")?;
        let (clients, peers) = (free_address()?, free_address()?);
        let (for_clients, for_peers) = (format!("http://{clients}"), format!("http://{peers}"));
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(guard.folder().join("etcd")).args(["--name", "etcd"]);
        command.args(["--listen-client-urls", &for_clients, "--advertise-client-urls", &for_clients]);
        command.args(["--listen-peer-urls", &for_peers, "--initial-advertise-peer-urls", &for_peers]);
        command.args(["--initial-cluster", &format!("etcd={for_peers}")]);
        // What the environment says to another etcd is not meant for this one.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
            command.env_remove(name);
        }
        let process = guard.start("etcd", &mut command)?;
        let health = Request { method: "GET", path: "/health", key: None, body: "" };
        let address = Address::Tcp(clients);
        wait("etcd", Duration::from_secs(20), || {
            let answer = Connection::open(&address).and_then(|mut connection| connection.call(&health));
            Ok(answer.is_ok_and(|answer| answer.status == 200))
        })
        .map_err(|error| error.context(guard.printed("etcd")))?;
        Ok(Etcd { _process: process, address: clients })
    }
}
