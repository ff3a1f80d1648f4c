//! The command line of a build without the feature `server`: what an eSMS customer needs, and no ledger.
//!
//! Its commands are those of the whole program, from the same files.

mod balance;
mod failure;
mod output;

use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use failure::Failure;
use output::Output;

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
    /// Print a completion script for your shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: Shell,
    },
}

/// Runs the command that this process was started with; what it returns is the process's exit code.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads to its end (`sodu help | head`) is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let json = cli.global.json;
    let done = match cli.command {
        Command::Balance(balance) => balance.run(&cli.global),
        Command::Completions { shell } => completions(shell),
    };
    done.map_or_else(|failure| failure.tell(json), |()| ExitCode::SUCCESS)
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sodu", &mut script);
    let mut out = Output::new(false);
    out.text(&String::from_utf8_lossy(&script))?;
    out.flush()
}
