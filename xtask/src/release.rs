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
    programs::need("strace", "strace")?;
    let released = folder().join("sodu");
    // What lies there while nothing is proven is never an older one, or one that failed.
    if released.exists() {
        fs::remove_file(&released)?;
    }
    let arranged = build()?;
    let proven =
        crash::prove(&arranged, crash::KILLS_IN_CI, Random::fresh_seed()).and_then(|()| sync_proof::prove(&arranged));
    proven.context("there is no release: what was made does not keep its promises")?;
    fs::copy(&arranged, &released)?;
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
        for made in [&profile, &arranged].into_iter().filter(|made| made.exists()) {
            fs::remove_file(made)?;
        }
        fs::write(&recipe, tools)?;
    }

    let counting = compile(&folder.join("counting"), &[option("-Cprofile-generate=", &counts)])?;
    if is_older(&profile, &counting)? {
        count(&counting, &counts)?;
        // Cargo looks at a profile's name alone.
        empty(&compiled)?;
        make(&profile, |new| {
            let mut merge = Command::new(&profdata);
            merge.arg("merge").arg("-o").arg(new).arg(&counts);
            merge
        })?;
    }
    let compiled = compile(&compiled, &[option("-Cprofile-use=", &profile), "-Clink-arg=-Wl,--emit-relocs".into()])?;

    if is_older(&arranged, &compiled)? {
        let (counting, counted) = (folder.join("counting-all"), folder.join("counted"));
        make(&counting, |new| {
            let mut rewrite = Command::new(bolt.join("llvm-bolt"));
            rewrite.arg(&compiled).arg("-o").arg(new).args(["--instrument", "--instrumentation-file-append-pid"]);
            rewrite.arg(option("--instrumentation-file=", &counts.join("count")));
            rewrite
        })?;
        count(&counting, &counts)?;
        let files: Vec<PathBuf> = fs::read_dir(&counts)?.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
        make(&counted, |new| {
            let mut merge = Command::new(bolt.join("merge-fdata"));
            merge.arg("-o").arg(new).args(files);
            merge
        })?;
        make(&arranged, |new| {
            let mut rewrite = Command::new(bolt.join("llvm-bolt"));
            rewrite.arg(&compiled).arg("-o").arg(new).arg(option("--data=", &counted));
            rewrite.args(["--reorder-blocks=ext-tsp", "--reorder-functions=cdsort", "--split-functions"]);
            rewrite.arg("--split-all-cold");
            rewrite
        })?;
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
    empty(counts)?;
    bench::train(binary)?;
    ensure!(
        fs::read_dir(counts)?.next().is_some(),
        "{} left no counts in {}: is LLVM_PROFILE_FILE set?",
        binary.display(),
        counts.display()
    );
    Ok(())
}

/// Runs what makes `file`, which is there only once it is whole.
fn make(file: &Path, by: impl FnOnce(&Path) -> Command) -> Result<()> {
    let new = file.with_extension("new");
    let mut command = by(&new);
    let output = programs::output(&mut command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ended with {}:\n{said}", command.get_program().display(), output.status);
    fs::rename(&new, file).with_context(|| format!("{} was not made:\n{said}", file.display()))
}

/// Whether `made` is missing, or from before `source`.
fn is_older(made: &Path, source: &Path) -> Result<bool> {
    Ok(!made.exists() || fs::metadata(made)?.modified()? < fs::metadata(source)?.modified()?)
}

/// Leaves nothing of `folder` but itself.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
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
        println!("llvm-profdata is missing: `rustup component add llvm-tools`");
        let add = programs::output(Command::new("rustup").args(["component", "add", "llvm-tools"]));
        let why =
            add.map_or_else(|error| format!("{error:#}"), |add| String::from_utf8_lossy(&add.stderr).into_owned());
        ensure!(tool.exists(), "llvm-profdata is missing: install the toolchain's component llvm-tools; {why}");
    }
    Ok(tool)
}

fn said_by_rustc(arguments: &[&str]) -> Result<String> {
    let output = programs::output(Command::new("rustc").current_dir(programs::root()).args(arguments))?;
    ensure!(output.status.success(), "rustc {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
