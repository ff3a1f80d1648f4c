//! Tells people that long work goes on: a bar on a terminal, a line now and then where the output is kept.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::output::note;

/// Work that is done sooner needs no words.
const QUIET: Duration = Duration::from_secs(2);

/// The progress of one piece of work, told on standard error.
pub(super) struct Progress {
    what: &'static str,
    began_at: Instant,
    told_at: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// `what` is being done, such as `verifying`.
    pub(super) fn new(what: &'static str) -> Progress {
        Progress { what, began_at: Instant::now(), told_at: None, terminal: io::stderr().is_terminal() }
    }

    /// `done` of `total` is done.
    pub(super) fn tell(&mut self, done: u64, total: u64) {
        let pause = if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(5) };
        let due = self.told_at.is_none_or(|told_at| told_at.elapsed() >= pause);
        if self.began_at.elapsed() < QUIET || !due {
            return;
        }
        self.told_at = Some(Instant::now());
        let percent = u128::from(done) * 100 / u128::from(total.max(1));
        if self.terminal {
            let filled = usize::try_from(percent.min(100) / 4).unwrap_or(0);
            let bar = format!("{}{}", "#".repeat(filled), "-".repeat(25 - filled));
            let _ = write!(io::stderr(), "\r{} [{bar}] {percent:>3}%", self.what);
        } else {
            note(&format!("{}: {done} of {total} ({percent}%)", self.what));
        }
    }

    /// Takes the bar off the terminal again.
    pub(super) fn end(self) {
        if self.terminal && self.told_at.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
