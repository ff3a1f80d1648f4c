//! `cargo xtask ci`: everything that has to be right before a commit lands, in one command, the same on a laptop.
//!
//! Each step says how long it took; the first that fails ends the run. What a step needs beyond Rust it finds, installs, or
//! names. No step is skipped because something is missing.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::programs::{self, cargo, run as run_program};
use crate::{
    bench, client_only, cluster, crash, disk_full, fuzz_api, packaging, planted, readme, samples, server, sync_proof,
};

/// What every CI run sends, always the same; `cargo xtask fuzz-api` takes more, and other seeds.
const FUZZ: fuzz_api::Arguments = fuzz_api::Arguments { examples: 5, seconds: None, seed: 1 };
/// Some hundred thousand bodies; `cargo xtask fuzz` goes on for ten minutes.
const FUZZ_SECONDS: u32 = 10;

pub(crate) fn run() -> Result<()> {
    let began = Instant::now();
    step("format", || run_program(&mut cargo(["fmt", "--all", "--check"])))?;
    step("lints", || run_program(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])))?;
    step("documentation", || {
        let mut doc = cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
        run_program(doc.env("RUSTDOCFLAGS", "--deny warnings"))
    })?;
    step("planted bugs fit the tree", planted::all_fit)?;
    step("README and docs", readme::run_all)?;
    step("samples", || samples::run(&samples::Arguments::default()))?;
    step("client only", client_only::run)?;
    step("fuzz", || client_only::fuzz(FUZZ_SECONDS))?;
    step("training", || bench::train(&server::build()?))?;
    step("crash", || crash::prove(&server::build()?, crash::FEW_KILLS, crate::random::Random::fresh_seed()))?;
    step("sync-proof", || sync_proof::run(&sync_proof::Arguments::default()))?;
    step("disk-full", || disk_full::run(&disk_full::Arguments::default()))?;
    step("packaging", || packaging::run(&packaging::Arguments::default()))?;
    step("cluster", || cluster::check(&server::build()?))?;
    step("fuzz-api", || fuzz_api::run(&FUZZ))?;
    step("tests", || {
        // Some tests tamper with a ledger in the shell that everybody has for it, and some sit at a terminal.
        programs::need("sqlite3", "sqlite3")?;
        programs::need("script", "bsdutils")?;
        programs::need("setpriv", "util-linux")?;
        programs::need_postgres()?;
        run_program(&mut cargo(["test", "--workspace"]))
    })?;
    println!("ci: all of it passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("==> {name}");
    let began = Instant::now();
    work().with_context(|| format!("ci: {name} failed"))?;
    println!("<== {name}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}
