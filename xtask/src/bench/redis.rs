//! A yardstick of the ledger benchmark: Redis that syncs every write, and its own load generator.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::server::free_address;

const PATIENCE: Duration = Duration::from_secs(10);
/// How many increments one measurement makes.
const CALLS: u32 = 100_000;

/// A running Redis; dropped, it is killed.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    pub(crate) program: PathBuf,
    load: PathBuf,
}

impl Redis {
    pub(crate) fn start(folder: &Path) -> Result<Redis> {
        let program = programs::need("redis-server", "redis-server")?;
        let load = programs::need("redis-benchmark", "redis-tools")?;
        let port = free_address()?.port();
        let mut command = Command::new(&program);
        command.arg("--port").arg(port.to_string()).arg("--dir").arg(folder);
        command.args(["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("Redis does not start")?;
        let redis = Redis { child, port, program, load };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(began.elapsed() < PATIENCE, "Redis was not ready in {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(redis)
    }

    /// HINCRBY of random fields over 64 connections; how many a second.
    pub(crate) fn hincrby(&self) -> Result<f64> {
        let mut command = Command::new(&self.load);
        command.arg("-p").arg(self.port.to_string()).args(["-c", "64", "-n", &CALLS.to_string(), "-r", "100000"]);
        command.args(["--csv", "HINCRBY", "balances", "__rand_int__", "1"]);
        let output = programs::output(&mut command)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        let rate = last.split("\",\"").nth(1).unwrap_or_default();
        rate.trim_matches('"').parse().with_context(|| format!("redis-benchmark said no rate: {text}"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
