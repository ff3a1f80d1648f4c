//! `cargo xtask packaging`: holds the units of `packaging/` against systemd, and the server against its unit.
//!
//! systemd's own tools read the units and score what they keep from a server. Where they do not run a service, as in a
//! container, strace shows instead what a server does, from its start over movements and a backup to its stop: every system
//! call, address family and kind of memory must be one that the unit leaves to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::operator::{Account, Operator, get_balance};
use crate::programs::{self, root};
use crate::random::Random;
use crate::server::{self, Server, Setup};

/// The most that `systemd-analyze security` may find, in tenths of its points of ten: what is left is that a server has a
/// network, Unix sockets, and names of users.
const EXPOSURE_MAX: &str = "15";

/// Where the units say that the program is.
const INSTALLED: &str = "/usr/local/bin/sodu";

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// The program to watch [default: what `cargo build --release` makes]
    #[arg(long)]
    binary: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    programs::need("systemd-analyze", "systemd")?;
    programs::need("strace", "strace")?;
    let binary = match &arguments.binary {
        Some(binary) => fs::canonicalize(binary)?,
        None => server::build()?,
    };
    let folder = tempfile::Builder::new().prefix("packaging-").tempdir_in(programs::target())?;
    read_by_systemd(&binary, folder.path())?;
    let unit = fs::read_to_string(packaging().join("sodu.service"))?;
    let trace = Trace::of(&binary, folder.path())?;
    trace.is_within(&unit)?;
    println!(
        "packaging: systemd takes the units, and {} kinds of system calls of a server are ones that its unit leaves to it",
        trace.calls.len()
    );
    Ok(())
}

fn packaging() -> PathBuf {
    root().join("packaging")
}

/// Has systemd read copies of the units that name the program where it is.
fn read_by_systemd(binary: &Path, folder: &Path) -> Result<()> {
    let units = ["sodu.service", "sodu-backup.service", "sodu-backup.timer"];
    for unit in units {
        let text = fs::read_to_string(packaging().join(unit))?;
        fs::write(folder.join(unit), text.replace(INSTALLED, &binary.display().to_string()))?;
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--man=no", "verify"]).args(units.map(|unit| folder.join(unit)));
    // The copies are found before what may be installed; the empty path behind stands for the usual ones.
    said_nothing(verify.env("SYSTEMD_UNIT_PATH", format!("{}:", folder.display())))?;
    for unit in units.into_iter().filter(|unit| unit.ends_with(".service")) {
        let mut score = Command::new("systemd-analyze");
        score.args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX]).arg(folder.join(unit));
        let scored = programs::output(&mut score)?;
        let table = String::from_utf8_lossy(&scored.stdout);
        ensure!(scored.status.success(), "{unit} keeps too little from the service:\n{table}");
    }
    said_nothing(Command::new("systemd-sysusers").arg("--dry-run").arg(packaging().join("sodu.sysusers")))
        .or_else(|error| if error.to_string().contains("Creating user 'sodu'") { Ok(()) } else { Err(error) })
}

/// Runs a program that has nothing to complain of.
fn said_nothing(command: &mut Command) -> Result<()> {
    let output = programs::output(command)?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said).trim());
    Ok(())
}

/// What a server did.
struct Trace {
    calls: BTreeSet<String>,
    /// Address families of its sockets.
    families: BTreeSet<String>,
    /// Memory that is both written and executed.
    unsafe_memory: Vec<String>,
}

impl Trace {
    fn of(binary: &Path, folder: &Path) -> Result<Trace> {
        let file = folder.join("trace");
        // In a namespace of its own it is not root, for whom SQLite does more.
        let strace = [
            "unshare",
            "--user",
            "--map-user=1000",
            "--map-group=1000",
            "strace",
            "--follow-forks",
            "--quiet=all",
            "--signal=none",
            "--output",
        ];
        let strace = strace.map(Into::into);
        let prefix = [strace.as_slice(), &[file.clone().into(), "--".into()]].concat();
        let (database, log) = (folder.join("sodu.db"), folder.join("sodu.log"));
        let server = Server::start(&Setup { binary, database: &database, log: &log, prefix: &prefix, flags: &[] })?;
        live(&server, binary, &database, folder)?;
        server.stop()?;
        Ok(Trace::read(&fs::read_to_string(file)?))
    }

    fn read(text: &str) -> Trace {
        let mut trace = Trace { calls: BTreeSet::new(), families: BTreeSet::new(), unsafe_memory: Vec::new() };
        for line in text.lines() {
            // `4711 name(arguments) = result`; what does not begin so goes on with a call, or tells of an end.
            let Some((name, arguments)) = line.split_once(' ').and_then(|(_, call)| call.trim_start().split_once('('))
            else {
                continue;
            };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                continue;
            }
            trace.calls.insert(name.to_owned());
            if name == "socket" {
                trace.families.extend(arguments.split(',').next().map(str::to_owned));
            }
            if arguments.contains("PROT_WRITE") && arguments.contains("PROT_EXEC") {
                trace.unsafe_memory.push(line.to_owned());
            }
        }
        trace
    }

    /// Holds it against what the unit leaves to a service.
    fn is_within(&self, unit: &str) -> Result<()> {
        let mut allowed = BTreeSet::new();
        for filter in settings(unit, "SystemCallFilter") {
            match filter.strip_prefix('~') {
                Some(denied) => allowed = &allowed - &members(denied)?,
                None => allowed.extend(members(filter)?),
            }
        }
        let denied: Vec<_> = self.calls.difference(&allowed).collect();
        ensure!(denied.is_empty(), "the unit does not leave these system calls to the server: {denied:?}");
        ensure!(self.calls.len() > 30, "strace saw next to nothing: {:?}", self.calls);
        let families: BTreeSet<String> =
            settings(unit, "RestrictAddressFamilies").flat_map(str::split_whitespace).map(str::to_owned).collect();
        ensure!(self.families.is_subset(&families), "the server uses sockets of {:?}", self.families);
        ensure!(self.unsafe_memory.is_empty(), "the unit denies this memory: {:?}", self.unsafe_memory);
        Ok(())
    }
}

/// Everything that a server does for callers.
fn live(server: &Server, binary: &Path, database: &Path, folder: &Path) -> Result<()> {
    let mut random = Random::new(11);
    let account = Account { id: 7, credit_limit: 0, api_key: random.hex(30), secret_key: random.hex(30) };
    let mut operator = Operator::open(&server.socket)?;
    operator.open_account(&account)?;
    for number in 0..200 {
        let body = json!({ "amount": "1" });
        let answer = operator.post("/v1/accounts/7/topups", &format!("packaging-{number}"), &body)?;
        ensure!(answer.status == 201, "a top-up was not taken: {answer:?}");
    }
    let shown = get_balance(&mut crate::http::Connection::open(&server.public)?, &account)??;
    ensure!(shown == 200, "GetBalance shows {shown}");
    let url = format!("sqlite:{}", database.display());
    for command in [vec!["verify".into()], vec!["backup".into(), folder.join("backup.db")]] {
        programs::run(Command::new(binary).args(command).args(["--database", &url]))?;
    }
    Ok(())
}

/// The values of a setting that may stand in several lines.
fn settings<'a>(unit: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    unit.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix('='))
}

/// The system calls of a filter, with those of the sets that it names.
fn members(filter: &str) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for word in filter.split_whitespace() {
        if !word.starts_with('@') {
            all.extend([word.to_owned()]);
            continue;
        }
        let output = programs::output(Command::new("systemd-analyze").args(["--no-pager", "syscall-filter", word]))?;
        ensure!(output.status.success(), "systemd knows no {word}");
        let text = String::from_utf8(output.stdout).context("names are text")?;
        // Its name and what it is for stand first.
        for line in text.lines().skip(1).filter(|line| !line.trim_start().starts_with('#')) {
            all.extend(members(line)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_call_by_call() {
        let text = "12 execve(\"sodu\", [\"sodu\"], 0x7) = 0\n12 socket(AF_NETLINK, SOCK_RAW, 0) = 3\n\
                    13 futex(0x1, FUTEX_WAIT <unfinished ...>\n13 <... futex resumed>) = 0\n13 +++ exited with 0 +++\n\
                    12  mmap(NULL, 1, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE, -1, 0) = 0x7\n";
        let trace = Trace::read(text);
        assert_eq!(trace.calls.iter().collect::<Vec<_>>(), ["execve", "futex", "mmap", "socket"]);
        assert_eq!(trace.families.iter().collect::<Vec<_>>(), ["AF_NETLINK"]);
        assert_eq!(trace.unsafe_memory.len(), 1);
    }

    #[test]
    fn a_setting_may_stand_in_several_lines() {
        let unit = "SystemCallFilter=@a\n#SystemCallFilter=@b\nSystemCallFilter=~@c\nSystemCallFilters=@d\n";
        assert_eq!(settings(unit, "SystemCallFilter").collect::<Vec<_>>(), ["@a", "~@c"]);
    }
}
