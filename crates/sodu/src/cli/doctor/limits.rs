//! How many files a server may open, against the connections that it is to hold.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::report::Check;
use super::scene::Scene;
use crate::serve::FILES_RESERVED;

const NAME: &str = "limits.files";

const ADVICE: &str = "raise it: LimitNOFILE= of the systemd unit, or `ulimit -n`; or lower connections_max";

pub(super) fn check(scene: &Scene) -> Vec<Check> {
    vec![one(scene)]
}

fn one(scene: &Scene) -> Check {
    let wanted = u64::try_from(scene.config.connections_max).unwrap_or(u64::MAX);
    let needed = wanted.saturating_add(FILES_RESERVED);
    let Some(pid) = scene.server() else {
        let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let whose = "a server that is started from here";
        return judged(whose, most, needed, wanted);
    };
    let Some(most) = limit_of(pid) else {
        return Check::unseen(NAME, format!("the limits of process {pid} cannot be read"), &scene.who());
    };
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok().map(|files| files.count());
    let open = open.and_then(|open| u64::try_from(open).ok());
    if let Some(open) = open.filter(|open| *open >= most - most / 10) {
        return Check::problem(NAME, format!("process {pid} has {open} files open and may have {most}"), ADVICE);
    }
    judged(&format!("process {pid}"), most, needed, wanted)
}

fn judged(whose: &str, most: u64, needed: u64, wanted: u64) -> Check {
    if most >= needed {
        return Check::ok(NAME, format!("{whose} may open {most}, enough for {wanted} connections"));
    }
    let finding = format!("{whose} may open {most}, and {wanted} connections need {needed}");
    Check::warning(NAME, format!("{finding}: further clients wait"), ADVICE)
}

/// The limit of a process: the soft one, which a server raises at its start as far as it may (proc_pid_limits(5)).
fn limit_of(pid: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
}
