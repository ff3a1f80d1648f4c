//! The command line of a build without the feature `server`: what an eSMS customer needs, and no ledger.
//!
//! Its commands are those of the whole program, from the same files.

mod balance;
mod failure;
mod output;
mod program;
mod table;
pub mod watch;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Asks an eSMS service how much credit is left. This build has no ledger and no server.
#[derive(Parser)]
#[command(name = "sodu", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
struct Global {
    /// Print JSON instead of text for people
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    Balance(balance::Balance),
    Watch(watch::Watch),
    /// Print a completion script for your shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: Shell,
    },
}

/// Runs the command that this process was started with; what it returns is the process's exit code.
pub fn run() -> ExitCode {
    program::run::<Cli>(
        |cli| cli.global.json,
        |cli| match cli.command {
            Command::Balance(balance) => balance.run(&cli.global),
            Command::Watch(watch) => watch.run(&cli.global),
            Command::Completions { shell } => program::completions::<Cli>(shell),
        },
    )
}
