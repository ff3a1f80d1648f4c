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

    /// Loads `address`, where process `pid` serves, for so many seconds; what was seen, and the processor time that the server
    /// took for each request, in microseconds. Any error that wrk counts is an error.
    pub(crate) fn load(&self, address: &Address, pid: i32, seconds: u64) -> Result<(Seen, f64)> {
        let Address::Tcp(address) = address else { anyhow::bail!("wrk speaks TCP only") };
        let mut command = Command::new(&self.program);
        command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-s"]).arg(&self.script);
        command.arg(format!("http://{address}")).arg("--").arg(&self.bodies).arg(pid.to_string());
        let figures = figures(&mut command, &["errors"])?;
        let ticks = figure(&figures, "cpu_ticks")?;
        let seen = Seen::of(&figures)?;
        #[expect(clippy::cast_precision_loss, reason = "some hundred ticks a second")]
        let cpu_us = ticks * 1e6 / rustix::param::clock_ticks_per_second() as f64 / seen.requests;
        Ok((seen, cpu_us))
    }
}

impl Seen {
    /// What wrk saw with a script of ours; each of the figures `none` must be zero.
    pub(crate) fn by(wrk: &mut Command, none: &[&str]) -> Result<Seen> {
        Seen::of(&figures(wrk, none)?)
    }

    fn of(figures: &Value) -> Result<Seen> {
        let requests = figure(figures, "requests")?;
        Ok(Seen {
            requests,
            per_second: requests / figure(figures, "duration_us")? * 1e6,
            p50_us: figure(figures, "p50_us")?,
            p99_us: figure(figures, "p99_us")?,
        })
    }
}

/// Runs wrk with a script of ours, which ends in one line of JSON; each of the figures `none` must be zero there.
fn figures(wrk: &mut Command, none: &[&str]) -> Result<Value> {
    let output = programs::output(wrk)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with('{'));
    let line = line.with_context(|| format!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    let figures: Value = serde_json::from_str(line)?;
    for name in none {
        ensure!(figure(&figures, name)? == 0.0, "not every answer was the right one: {line}");
    }
    Ok(figures)
}

fn figure(figures: &Value, name: &str) -> Result<f64> {
    figures[name].as_f64().with_context(|| format!("wrk did not say its {name}: {figures}"))
}
