//! `cargo xtask client-only` and `cargo xtask fuzz`: the build that a customer of an eSMS service needs, and what keeps
//! its reader honest.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::programs::{self, cargo, target};

/// What a build without the feature `server` must not contain.
const ABSENT: [&str; 6] = ["axum", "ledger", "libsqlite3-sys", "mimalloc", "rusqlite", "store"];

/// Builds `sodu` without its default features, looks at what is in it, and asks it for help.
pub(crate) fn run() -> Result<()> {
    let features = ["--package", "sodu", "--no-default-features"];
    let mut tree = cargo(["tree", "--prefix", "none", "--format", "{lib}", "--edges", "normal"]);
    let output = programs::output(tree.args(features))?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && listed.contains("sodu_client"), "cargo tree failed: {listed}");
    let is_in = |name: &&str| listed.lines().any(|line| line.trim() == name.replace('-', "_"));
    let wrong: Vec<&str> = ABSENT.into_iter().filter(is_in).collect();
    ensure!(wrong.is_empty(), "a build without server and database contains {}", wrong.join(", "));

    programs::run(cargo(["build", "--quiet"]).args(features))?;
    let help = programs::output(Command::new(target().join("debug/sodu")).arg("--help"))?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    ensure!(
        help.contains("balance") && help.contains("watch") && !help.contains("serve "),
        "it has other commands than it should:\n{help}"
    );
    println!("client-only: sodu builds without server and database");
    Ok(())
}

/// Runs the fuzzer of the GetBalance answer's reader.
pub(crate) fn fuzz(seconds: u32) -> Result<()> {
    let mut fuzz = cargo(["run", "--quiet", "--package", "wire", "--example", "fuzz", "--"]);
    programs::run(fuzz.arg(seconds.to_string()))
}
