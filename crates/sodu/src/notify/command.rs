//! A program on this machine that is told of the event: JSON on its standard input, words in its environment.
//!
//! No shell reads its arguments. It runs in a process group of its own, which is killed when its time is over.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin};
use tokio::time::timeout;

use super::{Message, Undelivered, plain};

/// How much of what a program says about its failure is kept; the rest is read and dropped, so that it never waits.
const SAID_LEN_MAX: usize = 4096;

/// How long its last words are waited for when it has failed; they end at once unless something that it started holds on.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A program and its arguments.
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
}

impl Command {
    pub(super) fn parse(command: &[String]) -> Result<Command, String> {
        match command {
            [program, arguments @ ..] if !program.is_empty() => {
                Ok(Command { program: program.clone(), arguments: arguments.to_vec() })
            }
            _ => {
                Err("command is a list of a program and its arguments, such as [\"/usr/local/bin/page-me\"]".to_owned())
            }
        }
    }

    /// Runs it and waits for its end, at most for `limit`.
    pub(super) async fn run(&self, message: &Message, limit: Duration) -> Result<(), Undelivered> {
        let mut child = self.start(message).map_err(|error| self.not_started(&error))?;
        let mut said = Vec::new();
        let ended = timeout(limit, end(&mut child, &message.event.to_string(), &mut said)).await;
        let Ok(status) = ended else {
            kill(&child);
            let limit = limit.as_secs_f64();
            let detail = format!("{} did not end within {limit} s and was killed; see what it waits for", self.program);
            return Err(Undelivered::try_again(detail));
        };
        let status = status.map_err(|error| Undelivered::try_again(format!("{} was lost: {error}", self.program)))?;
        if status.success() { Ok(()) } else { Err(Undelivered::try_again(self.failed(status, &said))) }
    }

    /// Whether there is such a program that this user may run, as the system would look for it.
    #[cfg(feature = "server")]
    pub(super) fn found(&self) -> Result<(), Undelivered> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).map(|folder| folder.join(&self.program));
        let named = self.program.contains('/').then(|| (&self.program).into());
        let is_program =
            |file: &std::path::PathBuf| file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok();
        match named.map_or_else(|| folders.into_iter().find(is_program), |named| Some(named).filter(is_program)) {
            Some(_) => Ok(()),
            None => Err(self.not_started(&io::ErrorKind::NotFound.into())),
        }
    }

    fn start(&self, message: &Message) -> io::Result<Child> {
        // The environment takes no zero bytes.
        let word = |text: &str| text.replace('\0', "");
        tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .env("SODU_ALERT_ID", &message.id)
            .env("SODU_ALERT_TITLE", word(&message.title))
            .env("SODU_ALERT_TEXT", word(&message.text))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    fn not_started(&self, error: &io::Error) -> Undelivered {
        let detail = format!("{} cannot be started: {error}", self.program);
        let is_lasting = matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory
        );
        if !is_lasting {
            return Undelivered::try_again(detail);
        }
        Undelivered::give_up(format!(
            "{detail}; is it there, may sodu run it, and does its first line name an interpreter that is there?"
        ))
    }

    fn failed(&self, status: ExitStatus, said: &[u8]) -> String {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        let text = String::from_utf8_lossy(said);
        let line = text.lines().map(plain).find(|line| !line.is_empty());
        let why = line
            .map_or_else(|| "and said nothing on its standard error".to_owned(), |line| format!("and said: {line}"));
        format!("{} {how} {why}", self.program)
    }
}

/// Feeds the program, keeps the beginning of what it says, and waits for its end.
async fn end(child: &mut Child, event: &str, said: &mut Vec<u8>) -> io::Result<ExitStatus> {
    let (input, mut errors) = (child.stdin.take(), child.stderr.take());
    let pipes = async {
        tokio::join!(feed(input, event), drain(errors.as_mut(), said));
        std::future::pending().await
    };
    let status = tokio::select! {
        status = child.wait() => status?,
        never = pipes => never,
    };
    if !status.success() {
        // What it said last may still be in the pipe.
        let _ = timeout(LAST_WORDS, drain(errors.as_mut(), said)).await;
    }
    Ok(status)
}

/// Tells the program of the event. One that does not read it may still do its work.
async fn feed(input: Option<ChildStdin>, event: &str) {
    if let Some(mut input) = input {
        let _ = input.write_all(event.as_bytes()).await;
    }
}

/// Reads to the end, and keeps the beginning.
async fn drain(errors: Option<&mut ChildStderr>, said: &mut Vec<u8>) {
    let Some(errors) = errors else { return };
    let mut piece = [0; 1024];
    while let Ok(len @ 1..) = errors.read(&mut piece).await {
        let kept = len.min(SAID_LEN_MAX.saturating_sub(said.len()));
        said.extend_from_slice(&piece[..kept]);
    }
}

/// Ends the program and all that it started and that did not leave its group, unless it has ended: its number may be
/// another's by now.
fn kill(child: &Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // That none is left is no error.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
