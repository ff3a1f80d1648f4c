//! The command `sodu`; see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sodu::cli::run()
}
