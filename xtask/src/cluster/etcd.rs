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

/// By which of etcd's interfaces patroni speaks to it.
///
/// Before 3.1, over the newer one, a primary that was paused past its lease may write its name over that of the one which took
/// over meanwhile, without a look: that one is made to follow it again, and what it had acknowledged is gone
/// (patroni/patroni#2689). Over the older one it compares first. `cargo xtask failover` found that with Debian 12's 3.0.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interface {
    V2,
    V3,
}

impl Interface {
    /// The one that is safe with this patroni, as `patroni --version` shows it.
    pub(crate) fn safe_with(patroni: &str) -> Interface {
        let number = patroni.split_whitespace().last().unwrap_or_default();
        let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = [(); 3].map(|()| parts.next().unwrap_or(0));
        if version < [3, 1, 0] { Interface::V2 } else { Interface::V3 }
    }

    /// Its section of patroni's settings.
    pub(crate) fn section(self) -> &'static str {
        match self {
            Interface::V2 => "etcd",
            Interface::V3 => "etcd3",
        }
    }
}

/// A running etcd.
pub(crate) struct Etcd {
    _process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) interface: Interface,
}

impl Etcd {
    /// Starts one and waits until it answers.
    pub(crate) fn start(guard: &Guard) -> Result<Etcd> {
        let program = programs::need("etcd", "etcd-server")?;
        let interface = Interface::safe_with(&programs::version(programs::need("patroni", "patroni")?, "--version"));
        let (clients, peers) = (free_address()?, free_address()?);
        let (for_clients, for_peers) = (format!("http://{clients}"), format!("http://{peers}"));
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(guard.folder().join("etcd")).args(["--name", "etcd"]);
        command.args(["--listen-client-urls", &for_clients, "--advertise-client-urls", &for_clients]);
        command.args(["--listen-peer-urls", &for_peers, "--initial-advertise-peer-urls", &for_peers]);
        command.args(["--initial-cluster", &format!("etcd={for_peers}")]);
        if interface == Interface::V2 {
            command.arg("--enable-v2");
        }
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
        Ok(Etcd { _process: process, address: clients, interface })
    }
}

#[cfg(test)]
mod tests {
    use super::Interface;

    #[test]
    fn a_patroni_that_overwrites_the_leaders_key_is_not_given_the_newer_interface() {
        for (version, interface) in [
            ("patroni 2.1.7", Interface::V2),
            ("patroni 3.0.2", Interface::V2),
            ("patroni 3.1.0", Interface::V3),
            ("patroni 3.2", Interface::V3),
            ("patroni 4.0.4", Interface::V3),
            ("unknown version", Interface::V2),
        ] {
            assert_eq!(Interface::safe_with(version), interface, "{version}");
        }
    }
}
