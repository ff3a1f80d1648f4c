//! Servers with a planted bug, to show that the checks can fail: `planted/NAME.patch` on a copy of the tracked tree.
//!
//! The copies lie under `target/planted/` and share one build folder. The tree itself is never touched, and no bug can
//! be switched on in it. The copies get the time of the copying, so that cargo never takes an older build for theirs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::programs::{self, root, target};

/// What `crash` must find.
pub(crate) const CRASH: &[&str] = &["reply-before-commit", "publish-before-commit", "key-outside-commit"];
/// What `sync-proof` must find.
pub(crate) const SYNC: &[&str] = &["synchronous-normal"];

/// Builds the planted bug `name`, or each of `all`, and has `check` find it; `check` returns its evidence.
pub(crate) fn each(name: &str, all: &[&str], check: impl Fn(&str, &Path) -> Result<String>) -> Result<()> {
    let names: Vec<&str> = if name == "all" { all.to_vec() } else { vec![name] };
    for name in names {
        ensure!(
            all.contains(&name),
            "there is no planted bug {name:?} for this check; there are: all, {}",
            all.join(", ")
        );
        let evidence = check(name, &build(name)?)?;
        println!("planted {name}: found, as it must be:\n  {}\n", evidence.replace('\n', "\n  "));
    }
    Ok(())
}

/// Whether every patch still fits the tree: cheap, so that CI notices at once when one must be written anew.
pub(crate) fn all_fit() -> Result<()> {
    for name in CRASH.iter().chain(SYNC) {
        let check =
            programs::output(Command::new("git").current_dir(root()).args(["apply", "--check"]).arg(patch(name)))?;
        let why = String::from_utf8_lossy(&check.stderr);
        ensure!(check.status.success(), "planted/{name}.patch does not fit the tree any more: {why}");
    }
    Ok(())
}

/// A `sodu` with the bug, optimised nearly as the right one is.
fn build(name: &str) -> Result<PathBuf> {
    let folder = target().join("planted");
    let copy = folder.join(name);
    copy_tree(&copy)?;
    // `git apply` would apply nothing, without a word, in a folder that the repository ignores.
    let patched = Command::new("patch").current_dir(&copy).args(["-p1", "--forward", "-i"]).arg(patch(name)).output();
    let patched = patched.context("cannot run patch: install it with `sudo apt-get install patch`")?;
    ensure!(patched.status.success(), "{name} cannot be planted: {}", String::from_utf8_lossy(&patched.stdout));
    println!("planted {name}: building");
    let build_folder = folder.join("build");
    let mut cargo = programs::cargo(["build", "--quiet", "--release", "--package", "sodu"]);
    // What link-time optimisation takes would be the most of it, and matters to no bug.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    programs::run(cargo.current_dir(&copy).env("CARGO_TARGET_DIR", &build_folder))?;
    Ok(build_folder.join("release").join("sodu"))
}

/// Copies every file that git tracks, as it stands in the working tree.
fn copy_tree(to: &Path) -> Result<()> {
    programs::empty(to)?;
    let listed = programs::output(Command::new("git").current_dir(root()).args(["ls-files", "-z"]))?;
    ensure!(listed.status.success(), "`git ls-files` failed: a planted bug needs the repository");
    let mut tar = Command::new("tar");
    let mut packed = tar.current_dir(root()).args(["--create", "--null", "--files-from=-"]);
    packed = packed.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut packed = packed.spawn().context("cannot run tar")?;
    let unpacked = Command::new("tar")
        .current_dir(to)
        .args(["--extract", "--touch"])
        .stdin(packed.stdout.take().expect("piped"))
        .spawn();
    packed.stdin.take().expect("piped").write_all(&listed.stdout)?;
    let both = packed.wait()?.success() && unpacked?.wait()?.success();
    if !both {
        bail!("the tree could not be copied to {}", to.display());
    }
    Ok(())
}

fn patch(name: &str) -> PathBuf {
    root().join("xtask/planted").join(format!("{name}.patch"))
}
