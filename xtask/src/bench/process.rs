//! What the kernel says about a process, and which core a process may use.
//!
//! CPU time comes in clock ticks of 10 ms: exact enough over the seconds of a round, useless for a single request.

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The server's core; everything that loads it runs on [`LOAD_CORE`].
pub(crate) const SERVER_CORE: usize = 0;
/// The core of the load generators.
pub(crate) const LOAD_CORE: usize = 1;

/// What stands before a command line to keep what it starts on a core.
pub(crate) fn on_core(core: usize) -> Vec<OsString> {
    ["taskset", "--cpu-list", &core.to_string()].map(OsString::from).into()
}

/// Keeps this thread, and whatever it starts from now on, on a core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).context("these benchmarks need two cores, numbered 0 and 1")
}

/// User and system time of all threads of a process.
pub(crate) fn cpu_time(pid: i32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Fields are counted after the name, which may hold spaces and parentheses; user time is then the 12th.
    let (_, fields) = stat.rsplit_once(')').context("not a stat line")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// The resident set of a process, in bytes.
pub(crate) fn resident(pid: i32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
