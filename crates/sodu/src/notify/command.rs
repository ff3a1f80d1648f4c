//! A program on this machine that is told of the event: JSON on its standard input, words in its environment.
//!
//! No shell reads its arguments. It runs in a process group of its own, which is killed when its time is over.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use super::{Message, Undelivered, plain};

/// How much of what a program says about its failure is kept; the rest is read and dropped, so that it never waits.
const SAID_LEN_MAX: usize = 4096;

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
        let group = Group::of(&child);
        let mut said = Vec::new();
        let ended = timeout(limit, end(&mut child, &message.event.to_string(), &mut said, &group)).await;
        let Ok(status) = ended else {
            group.kill();
            let limit = limit.as_secs_f64();
            let detail = format!("{} did not end within {limit} s and was killed; see what it waits for", self.program);
            return Err(Undelivered::try_again(detail));
        };
        let status = status.map_err(|error| Undelivered::try_again(format!("{} was lost: {error}", self.program)))?;
        if status.success() { Ok(()) } else { Err(Undelivered::try_again(self.failed(status, &said))) }
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
async fn end(child: &mut Child, event: &str, said: &mut Vec<u8>, group: &Group) -> io::Result<ExitStatus> {
    let (mut input, mut errors) = (child.stdin.take(), child.stderr.take());
    let pipes = async {
        let feed = async {
            if let Some(mut input) = input.take() {
                // A program that does not read what it is told may still have done its work.
                let _ = input.write_all(event.as_bytes()).await;
            }
        };
        tokio::join!(feed, drain(&mut errors, said));
    };
    let status = tokio::select! {
        status = child.wait() => status?,
        () = async { pipes.await; std::future::pending().await } => unreachable!("what is pending has no end"),
    };
    if !status.success() {
        // What it said last may still be in the pipe, which ends with the last program that holds it.
        group.kill();
        drain(&mut errors, said).await;
    }
    Ok(status)
}

/// Reads to the end, and keeps the beginning.
async fn drain(errors: &mut Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(errors) = errors else { return };
    let mut piece = [0; 1024];
    while let Ok(len @ 1..) = errors.read(&mut piece).await {
        let kept = len.min(SAID_LEN_MAX.saturating_sub(said.len()));
        said.extend_from_slice(&piece[..kept]);
    }
}

/// The program and all that it started and that did not leave its group.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Ends all of them. That none is left is no error.
    fn kill(&self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
