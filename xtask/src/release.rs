//! `cargo xtask release`: sodu as it should be installed, its code arranged by what runs under load.
//!
//! A sodu works in short bursts between two waits, with caches that others have used meanwhile, so what a call costs is largely
//! how much code has to be fetched for it. Two counts under a load (`bench/training.rs`) tell what runs: after the first the
//! compiler sets aside what hardly does, in all that is Rust (profile-guided optimization); after the second llvm-bolt does
//! so in the whole program, SQLite's C included, and puts side by side what calls each other. BENCHMARKING.md says what that
//! is worth. Nothing else differs from what `cargo build --release` makes without flags of its user's.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs::{self, cargo, target};
use crate::random::Random;
use crate::{bench, crash, sync_proof};

/// What decides how a release is made, besides the sources and the tools: where it changes, all is made anew.
const RECIPE: &str = concat!(include_str!("release.rs"), include_str!("bench/training.rs"));

pub(crate) fn run() -> Result<()> {
    // What the proofs need is asked for before the quarter of an hour that leads to them.
    programs::need("strace", "strace")?;
    let released = folder().join("sodu");
    // Whoever installs from there while this runs, or after it failed, must not get the one of before.
    if released.exists() {
        fs::remove_file(&released)?;
    }
    let arranged = build()?;
    let proven =
        crash::prove(&arranged, crash::FEW_KILLS, Random::fresh_seed()).and_then(|()| sync_proof::prove(&arranged));
    proven.context("there is no release: what was made does not keep its promises")?;
    let new = released.with_extension("new");
    fs::copy(&arranged, &new)?;
    fs::rename(&new, &released)?;
    println!("release: {} is ready to be installed", released.display());
    Ok(())
}

fn folder() -> PathBuf {
    target().join("released")
}

/// Where the program is that is proven and released; each step is done again where what it starts from is newer than what it
/// made.
pub(crate) fn build() -> Result<PathBuf> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "only for x86-64 is a release arranged: install what `cargo build --release` makes, and measure it with `--plain`"
    );
    let (profdata, bolt) = (profdata()?, programs::bolt_folder()?);
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        println!("release: waiting for another one that is being made");
        lock.lock()?;
    }
    let (counts, profile, compiled) = (folder.join("counts"), folder.join("profile"), folder.join("compiled"));
    let (recipe, arranged) = (folder.join("recipe"), folder.join("arranged"));
    let tools = format!("{}\n{}\n{RECIPE}", bolt.display(), said_by_rustc(&["--version", "--verbose"])?);
    if fs::read_to_string(&recipe).ok().as_ref() != Some(&tools) {
        fs::write(&recipe, tools)?;
    }

    let counting = compile(&folder.join("counting"), &[option("-Cprofile-generate=", &counts)])?;
    if is_older(&profile, &counting)? || is_older(&profile, &recipe)? {
        count(&counting, &counts)?;
        // Cargo looks at a profile's name alone.
        programs::empty(&compiled)?;
        make(&profile, Command::new(&profdata).arg("merge").arg(&counts))?;
    }
    let compiled = compile(&compiled, &[option("-Cprofile-use=", &profile), "-Clink-arg=-Wl,--emit-relocs".into()])?;

    if is_older(&arranged, &compiled)? {
        let rewrite = || {
            let mut command = Command::new(bolt.join("llvm-bolt"));
            command.arg(&compiled);
            command
        };
        let (counting, counted) = (folder.join("counting-all"), folder.join("counted"));
        let to = option("--instrumentation-file=", &counts.join("count"));
        make(&counting, rewrite().args(["--instrument", "--instrumentation-file-append-pid"]).arg(to))?;
        count(&counting, &counts)?;
        let files: Vec<PathBuf> = fs::read_dir(&counts)?.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
        make(&counted, Command::new(bolt.join("merge-fdata")).args(files))?;
        let order = ["--reorder-blocks=ext-tsp", "--reorder-functions=cdsort", "--split-functions", "--split-all-cold"];
        make(&arranged, rewrite().arg(option("--data=", &counted)).args(order))?;
    }
    Ok(arranged)
}

/// Builds sodu into a folder of its own, with these options for the compiler.
fn compile(folder: &Path, options: &[OsString]) -> Result<PathBuf> {
    println!("release: building in {}", folder.display());
    let host = said_by_rustc(&["--print", "host-tuple"])?;
    // With a target named, the options are not for what runs while building.
    let mut build = cargo(["build", "--release", "--package", "sodu", "--target", &host]);
    build.env("CARGO_TARGET_DIR", folder).env("CARGO_ENCODED_RUSTFLAGS", options.join(OsStr::new("\x1f")));
    programs::run(&mut build)?;
    Ok(folder.join(host).join("release").join("sodu"))
}

/// Has `binary` work, so that it leaves in the folder what it counts.
fn count(binary: &Path, counts: &Path) -> Result<()> {
    println!("release: counting what runs under load");
    programs::empty(counts)?;
    bench::train(binary)?;
    ensure!(
        fs::read_dir(counts)?.next().is_some(),
        "{} left no counts in {}: is LLVM_PROFILE_FILE set?",
        binary.display(),
        counts.display()
    );
    Ok(())
}

/// Has `command` write `file`, which is there only once it is whole.
fn make(file: &Path, command: &mut Command) -> Result<()> {
    let new = file.with_extension("new");
    programs::said(command.arg("-o").arg(&new))?;
    fs::rename(&new, file).with_context(|| format!("{} was not made", file.display()))
}

/// Whether `made` is missing, or from before `source`.
fn is_older(made: &Path, source: &Path) -> Result<bool> {
    Ok(!made.exists() || fs::metadata(made)?.modified()? < fs::metadata(source)?.modified()?)
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}

/// The toolchain's llvm-profdata, which has to be of the compiler's own version.
fn profdata() -> Result<PathBuf> {
    let tool = PathBuf::from(said_by_rustc(&["--print", "target-libdir"])?).with_file_name("bin/llvm-profdata");
    if !tool.exists() {
        println!("llvm-profdata is missing: installing the toolchain's component llvm-tools");
        let add = programs::said(Command::new("rustup").current_dir(programs::root()).args([
            "component",
            "add",
            "llvm-tools",
        ]));
        add.context("llvm-profdata is missing: install the toolchain's component llvm-tools")?;
        ensure!(tool.exists(), "llvm-profdata is not where {} should be: use the toolchain of rustup", tool.display());
    }
    Ok(tool)
}

fn said_by_rustc(arguments: &[&str]) -> Result<String> {
    programs::said(Command::new("rustc").current_dir(programs::root()).args(arguments))
}
