//! Asks a person at a terminal for keys; the secret is not shown as it is typed.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::failure::Failure;

/// Whether a person can be asked.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and shows what is typed.
pub(super) fn shown(question: &str) -> Result<String, Failure> {
    write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush())?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let answer = line.trim().to_owned();
    if answer.is_empty() {
        Err(Failure::local("no_keys", "Nothing was typed, so nothing was asked."))
    } else {
        Ok(answer)
    }
}

/// Asks, and does not show what is typed.
pub(super) fn hidden(question: &str) -> Result<String, Failure> {
    let silence = Silence::begin()?;
    let answer = shown(question);
    drop(silence);
    let _ = writeln!(io::stderr());
    answer
}

/// The terminal does not show what is typed until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Silence, Failure> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).map_err(io::Error::from)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(io::Error::from)?;
        Ok(Silence(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
