//! The load generator of the GetBalance benchmark: wrk, one thread and 64 kept-alive connections on its own core.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http::Address;
use crate::programs;

const CONNECTIONS: u32 = 64;

/// wrk, its script and the bodies that it sends.
pub(crate) struct Wrk {
    pub(crate) program: PathBuf,
    script: PathBuf,
    bodies: PathBuf,
}

/// What wrk saw in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Wrk {
    pub(crate) fn new(folder: &Path, bodies: PathBuf) -> Result<Wrk> {
        let program = programs::need("wrk", "wrk")?;
        let script = folder.join("wrk.lua");
        fs::write(&script, include_str!("wrk.lua"))?;
        Ok(Wrk { program, script, bodies })
    }

    /// Loads `address` for so many seconds. Any error that wrk counts is an error.
    pub(crate) fn load(&self, address: &Address, seconds: u64) -> Result<Seen> {
        let Address::Tcp(address) = address else { anyhow::bail!("wrk speaks TCP only") };
        let mut command = Command::new(&self.program);
        command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-s"]).arg(&self.script);
        Seen::by(command.arg(format!("http://{address}")).arg("--").arg(&self.bodies), &["errors"])
    }
}

impl Seen {
    /// Runs wrk with a script of ours, which ends in one line of JSON; each of the figures `none` must be zero there.
    pub(crate) fn by(wrk: &mut Command, none: &[&str]) -> Result<Seen> {
        let output = programs::output(wrk)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.starts_with('{'));
        let line = line.with_context(|| format!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        let seen: Value = serde_json::from_str(line)?;
        let figure = |name: &str| seen[name].as_f64().with_context(|| format!("wrk did not say its {name}: {line}"));
        for name in none {
            ensure!(figure(name)? == 0.0, "not every answer was the right one: {line}");
        }
        let requests = figure("requests")?;
        Ok(Seen {
            requests,
            per_second: requests / figure("duration_us")? * 1e6,
            p50_us: figure("p50_us")?,
            p99_us: figure("p99_us")?,
        })
    }
}
