//! What every build of `sodu` does with its command line, whichever commands it has.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use super::failure::Failure;
use super::output::Output;

/// Reads the command line and runs it; what it returns is the process's exit code. `is_json` says whether a failure is told to
/// a program.
pub(super) fn run<C: Parser>(is_json: fn(&C) -> bool, command: fn(C) -> Result<(), Failure>) -> ExitCode {
    let cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help that nobody reads to its end (`sodu help | head`) is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let json = is_json(&cli);
    command(cli).map_or_else(|failure| failure.tell(json), |()| ExitCode::SUCCESS)
}

/// `sodu completions SHELL`.
pub(super) fn completions<C: CommandFactory>(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut C::command(), "sodu", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Prints a text as it is.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = Output::new(false);
    out.text(text)?;
    out.flush()
}
