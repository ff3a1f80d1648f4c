//! haproxy in front of the nodes: eSMS clients with the PROXY protocol, so that their address arrives; operators without.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::guard::{Guard, Process};
use super::node::{Node, is_ready};
use super::wait;
use crate::programs;
use crate::server::free_address;

/// A running haproxy.
pub(crate) struct Haproxy {
    _process: Process,
    pub(crate) public: SocketAddr,
    pub(crate) ops: SocketAddr,
}

impl Haproxy {
    /// Starts it and waits until it has found a node that is ready.
    pub(crate) fn start(guard: &Guard, nodes: &[Node]) -> Result<Haproxy> {
        let program = programs::need("haproxy", "haproxy")?;
        let (public, ops) = (free_address()?, free_address()?);
        let settings = guard.folder().join("haproxy.cfg");
        fs::write(&settings, text(public, ops, nodes))?;
        let process = guard.start("haproxy", Command::new(program).arg("-db").arg("-f").arg(&settings))?;
        wait("haproxy", Duration::from_secs(20), || Ok(is_ready(ops)))
            .map_err(|error| error.context(guard.printed("haproxy")))?;
        Ok(Haproxy { _process: process, public, ops })
    }
}

/// A node that does not say within a second that it is ready gets no calls, and those that wait for it are let go, so that
/// their callers send them again elsewhere.
fn text(public: SocketAddr, ops: SocketAddr, nodes: &[Node]) -> String {
    let mut text = String::from(
        "global\n    maxconn 2000\ndefaults\n    mode tcp\n    timeout connect 2s\n    timeout client 60s\n    \
         timeout server 60s\n    timeout check 1s\n    option redispatch\n    option httpchk GET /readyz\n    \
         http-check expect status 200\n    \
         default-server check inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions\n",
    );
    for (name, address, with) in [("esms", public, " send-proxy-v2"), ("operators", ops, "")] {
        // A string takes whatever is written to it.
        let _ = write!(text, "listen {name}\n    bind {address}\n    balance roundrobin\n");
        for node in nodes {
            let to = if name == "esms" { node.public } else { node.ops };
            let _ = writeln!(text, "    server {} {to}{with} port {}", node.name, node.ops.port());
        }
    }
    text
}
