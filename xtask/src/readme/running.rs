//! What a page starts and leaves running: a demo or a server, from what it prints to the Ctrl-C that ends it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// It may have to be built first.
const BUILD_MAX: Duration = Duration::from_secs(20 * 60);

/// A server that answers; dropped, it gets the Ctrl-C that pages tell of.
pub(super) struct Running {
    child: Child,
    /// What a demo tells its reader to set.
    pub(super) exports: Vec<(String, String)>,
    /// Where eSMS clients reach it, and where operators do.
    pub(super) public: String,
    pub(super) ops: String,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Result<Running> {
        let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().context("cannot run bash")?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let mut running = Running { child, exports: Vec::new(), public: String::new(), ops: String::new() };
        let (sender, lines) = channel();
        // Reads to the end, so that the server never waits for a reader.
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        running.read(&lines)?;
        Ok(running)
    }

    /// Reads what it prints until both addresses, and a demo's two keys, are known.
    fn read(&mut self, lines: &Receiver<String>) -> Result<()> {
        let until = Instant::now() + BUILD_MAX;
        let mut exports_min = 0;
        while self.public.is_empty() || self.ops.is_empty() || self.exports.len() < exports_min {
            let line = match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => bail!("it did not say where it listens within {BUILD_MAX:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended: {}", self.child.wait()?),
            };
            if line.starts_with("sodu demo: ") {
                exports_min = 2;
            }
            let export = line.trim().strip_prefix("export ").and_then(|export| export.split_once('='));
            self.exports
                .extend(export.map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned())));
            for (address, what) in [(&mut self.public, "GetBalance on "), (&mut self.ops, "operator API, ")] {
                if let Some(found) = address_in(&line, what).filter(|_| address.is_empty()) {
                    *address = found;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group.filter(|_| matches!(self.child.try_wait(), Ok(None))) {
            kill_process_group(group, Signal::INT).ok();
        }
        self.child.wait().ok();
    }
}

/// The address that a line names behind `what`.
fn address_in(line: &str, what: &str) -> Option<String> {
    let (_, rest) = line.split_once(what)?;
    let (_, address) = rest.split_once("http://")?;
    Some(address.split('/').next().unwrap_or(address).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_are_announced() {
        let address = |line, what| address_in(line, what);
        let (public, ops) = ("GetBalance on ", "operator API, ");
        let line = "sodu answers GetBalance on http://127.0.0.1:8083";
        assert_eq!(address(line, public).as_deref(), Some("127.0.0.1:8083"));
        assert_eq!(address(line, ops), None);
        let line = "operator API, health and metrics: http://127.0.0.1:8081/v1, /healthz";
        assert_eq!(address(line, ops).as_deref(), Some("127.0.0.1:8081"));
        let line = "           operator API, health and metrics on http://127.0.0.1:8082";
        assert_eq!(address(line, ops).as_deref(), Some("127.0.0.1:8082"));
    }
}
