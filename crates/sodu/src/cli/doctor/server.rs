//! The server that runs: whether it answers on its socket, takes movements, and is the program that is installed.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::report::Check;
use super::scene::{Presence, Scene};

/// How long it may take over an answer from memory.
const PATIENCE: Duration = Duration::from_secs(5);

const NAME: &str = "server";

pub(super) fn check(scene: &Scene) -> Vec<Check> {
    let pid = match &scene.presence {
        Presence::Serves { pid } => *pid,
        Presence::Nobody => return vec![nobody(scene)],
        Presence::Holds { owner } => {
            return vec![Check::warning(
                NAME,
                format!("{owner} has the database and does not answer on its socket"),
                "a command ends in a moment, and a big ledger takes a while to load or to close: look again; if it stays so, \
                 see what that process does before you end it",
            )];
        }
        Presence::Unseen { why } => return vec![Check::unseen(NAME, why, &scene.who())],
    };
    let process = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
    match ask(&crate::ops::socket_path(&scene.config), "/readyz") {
        Ok(answer) => vec![ready(&process, &answer), version(scene, pid)],
        Err(error) => vec![silent(&process, &error)],
    }
}

fn nobody(scene: &Scene) -> Check {
    let socket = crate::ops::socket_path(&scene.config);
    if socket.exists() {
        return Check::warning(
            NAME,
            "none runs on this database, and the last one did not end by itself: its socket was left behind",
            "look why (`journalctl -u sodu`, `dmesg` for the out-of-memory killer), then start it again",
        );
    }
    Check::ok(NAME, "none runs on this database")
}

fn ready(process: &str, (status, body): &(u16, String)) -> Check {
    if *status == 200 {
        return Check::ok(NAME, format!("{process} takes movements"));
    }
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let why = body["why"].as_str().unwrap_or("it does not say why");
    let advice = "see the lines about disk and database; it takes movements again by itself when the cause is gone";
    Check::problem(NAME, format!("{process} is not ready: {why}"), advice)
}

fn silent(process: &str, error: &io::Error) -> Check {
    let is_slow = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind());
    let why = if is_slow { format!("within {} s", PATIENCE.as_secs()) } else { format!("({error})") };
    Check::problem(
        NAME,
        format!("{process} has the socket and gives no answer {why}"),
        "look at its log; if it does not recover, restart it: what was acknowledged is on the disk",
    )
}

/// Compares the running program with this one.
fn version(scene: &Scene, pid: Option<i32>) -> Check {
    const NAME: &str = "server.version";
    let own = env!("CARGO_PKG_VERSION");
    let advice = "restart the server to run what is installed";
    let metrics = ask(&crate::ops::socket_path(&scene.config), "/metrics").map(|(_, body)| body).unwrap_or_default();
    let line = metrics.lines().find_map(|line| line.strip_prefix("sodu_build_info{version=\""));
    let Some((running, _)) = line.and_then(|line| line.split_once('"')) else {
        return Check::skipped(NAME, "it does not tell its version");
    };
    if running != own {
        return Check::warning(NAME, format!("{running} runs, and this is {own}"), advice);
    }
    // The kernel marks the program of a process when its file is gone (proc_pid_exe(5)).
    let program = pid.and_then(|pid| fs::read_link(format!("/proc/{pid}/exe")).ok());
    if program.is_some_and(|program| program.to_string_lossy().ends_with(" (deleted)")) {
        return Check::warning(NAME, format!("{own}, from a file that was replaced since it started"), advice);
    }
    Check::ok(NAME, format!("{own}, as this one"))
}

/// Asks on the socket; status and body.
fn ask(socket: &Path, path: &str) -> io::Result<(u16, String)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: sodu\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))?;
    Ok((status, body.to_owned()))
}
