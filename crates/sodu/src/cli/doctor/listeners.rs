//! The two addresses: free, or held by the server that runs.
//!
//! An address is tried without listening on it, so that neither a caller nor a server that starts at this moment notices.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use super::report::Check;
use super::scene::{Presence, Scene, user};
use super::sockets::{self, Listening};
use crate::serve;

pub(super) fn check(scene: &Scene) -> Vec<Check> {
    let listeners = [
        ("listener.public", "listen", scene.config.listen),
        ("listener.operators", "ops_listen", scene.config.ops_listen),
    ];
    listeners.map(|(name, setting, address)| one(scene, name, setting, address)).into()
}

fn one(scene: &Scene, name: &'static str, setting: &str, address: SocketAddr) -> Check {
    if address.port() == 0 {
        return Check::skipped(name, format!("{setting} {address} is any port that is free at the start"));
    }
    let runs = matches!(scene.presence, Presence::Serves { .. });
    match serve::try_address(address) {
        Ok(()) if runs => Check::warning(
            name,
            format!("{address} is free, and the running server listens elsewhere"),
            format!("it was started with another {setting}; restart it, or start this with the settings that it has"),
        ),
        Ok(()) => Check::ok(name, format!("{address} is free")),
        Err(error) => taken(scene, name, setting, address, &error),
    }
}

fn taken(scene: &Scene, name: &'static str, setting: &str, address: SocketAddr, error: &io::Error) -> Check {
    let is = |kind| error.kind() == kind;
    if is(ErrorKind::AddrInUse) {
        held(scene, name, setting, address)
    } else if is(ErrorKind::AddrNotAvailable) {
        let finding = format!("{address} is not an address of this machine");
        Check::problem(name, finding, format!("correct {setting}, or bring the interface up (`ip address`)"))
    } else if is(ErrorKind::PermissionDenied) && !scene.is_own() {
        Check::unseen(name, format!("this user may not listen on {address}"), &scene.who())
    } else if is(ErrorKind::PermissionDenied) {
        Check::problem(
            name,
            format!("this user may not listen on {address}"),
            "ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities= of a systemd unit), or choose a higher one",
        )
    } else {
        Check::problem(name, format!("{address} cannot be listened on: {error}"), format!("correct {setting}"))
    }
}

/// Who has the address that is in use.
fn held(scene: &Scene, name: &'static str, setting: &str, address: SocketAddr) -> Check {
    let found = sockets::listening(address);
    let is_servers = |pid| found.iter().map(|socket| socket.is_of(pid)).reduce(|one, other| one.max(other)).flatten();
    if let Presence::Unseen { .. } = scene.presence {
        return Check::unseen(name, format!("{address} is in use by {}", holder(&found)), &scene.who());
    }
    match scene.server() {
        Some(pid) if is_servers(pid) == Some(true) => {
            Check::ok(name, format!("{address} is held by the running server, process {pid}"))
        }
        Some(pid) if is_servers(pid).is_none() => Check::unseen(
            name,
            format!("{address} is in use, maybe by the running server, process {pid}"),
            &scene.who(),
        ),
        Some(_) | None => Check::problem(
            name,
            format!("{address} is in use by {}", holder(&found)),
            format!("stop that, or choose another address for {setting}"),
        ),
    }
}

fn holder(found: &[Listening]) -> String {
    let process = found.iter().find_map(Listening::process);
    match (process, found.first()) {
        (Some((pid, program)), _) => format!("process {pid} ({program})"),
        (None, Some(socket)) => format!("a program of {}", user(socket.uid)),
        (None, None) => "another program, or another network namespace".to_owned(),
    }
}
