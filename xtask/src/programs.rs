//! Runs programs: cargo, the tools of Debian that some checks need, and nothing silently.
//!
//! A tool that is missing is installed where that is possible (root, apt-get), else one line says what to install. No
//! check is ever skipped because its tool is not there.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository's root")
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The cargo that runs us, for `folder`'s workspace.
pub(crate) fn cargo<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_cargo)) {
        command.env_remove(name);
    }
    command
}

/// Whether cargo set this variable to tell us which package we are. Handed on to another cargo, such a variable has build
/// scripts run again that look at it, and with them a release build of minutes.
pub(crate) fn is_of_cargo(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// Runs `command` to its end with our own output; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(())
}

/// Runs `command` to its end and returns what it printed, whether it succeeded or not.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", shown(command)))
}

/// Runs `command` to its end and returns what it said; anything but success is an error that shows its complaint.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ended with {}:\n{complaint}", shown(command), output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Makes the folder, or leaves nothing of it but itself.
pub(crate) fn empty(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(fs::create_dir_all(folder)?),
    }
}

/// The first line that `program --version` (or another flag) prints, wherever it prints it.
pub(crate) fn version(program: impl AsRef<OsStr>, flag: &str) -> String {
    let Ok(output) = output(Command::new(program).arg(flag)) else { return "unknown version".to_owned() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

/// Where `program` is; installs Debian's `package` that has it when it is missing.
pub(crate) fn need(program: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = found(program) {
        return Ok(path);
    }
    let install = install(program, package)?;
    found(program).with_context(|| install_failed(package, &install))
}

/// The same of a part of `program`, such as an extension, which is there if it succeeds with `arguments`.
pub(crate) fn need_part(program: &str, arguments: &[&str], package: &str) -> Result<()> {
    let is_there = || Ok::<bool, anyhow::Error>(output(Command::new(program).args(arguments))?.status.success());
    if is_there()? {
        return Ok(());
    }
    let install = install(&format!("a part of {program}"), package)?;
    ensure!(is_there()?, "{program} lacks what {package} has; {}", install_failed(package, &install));
    Ok(())
}

/// The server programs of PostgreSQL, which Debian keeps off the path, a folder a version; the tests start one themselves.
pub(crate) fn need_postgres() -> Result<()> {
    postgres_folder().map(drop)
}

/// Where those of the newest version that is installed are.
pub(crate) fn postgres_folder() -> Result<PathBuf> {
    need_newest("/usr/lib/postgresql", "", 0, "initdb", "postgresql")
}

/// Where llvm-bolt and its tools are, of the newest version that is installed; those before 19 do not know all that is asked.
pub(crate) fn bolt_folder() -> Result<PathBuf> {
    need_newest("/usr/lib", "llvm-", 19, "llvm-bolt", "bolt-19")
}

/// The `bin` folder of the newest version of `program`, not under `least`, among the folders `all/prefixVERSION`; installs
/// `package` where there is none.
fn need_newest(all: &str, prefix: &str, least: u32, program: &str, package: &str) -> Result<PathBuf> {
    let version = |folder: &Path| {
        let number: u32 = folder.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()?;
        let programs = folder.join("bin");
        (number >= least && programs.join(program).is_file()).then_some((number, programs))
    };
    let newest = || {
        let versions = fs::read_dir(all).into_iter().flatten().flatten();
        versions.filter_map(|entry| version(&entry.path())).max().map(|(_, programs)| programs)
    };
    if let Some(folder) = newest() {
        return Ok(folder);
    }
    let install = install(program, package)?;
    newest().with_context(|| install_failed(package, &install))
}

/// Installs Debian's `package`, where that is possible.
fn install(missing: &str, package: &str) -> Result<Output> {
    if !rustix::process::geteuid().is_root() || found("apt-get").is_none() {
        bail!("{missing} is missing: install it with `sudo apt-get install {package}`, then run this again");
    }
    println!("{missing} is missing: installing {package}");
    let apt =
        |arguments: &[&str]| output(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments));
    apt(&["update", "-q"])?;
    apt(&["install", "-q", "-y", "--no-install-recommends", package])
}

fn install_failed(package: &str, install: &Output) -> String {
    format!(
        "apt-get install {package} ended with {}: {}",
        install.status,
        String::from_utf8_lossy(&install.stderr).trim()
    )
}

/// Where `program` is: on the path, or where Debian keeps the programs of administrators.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}
