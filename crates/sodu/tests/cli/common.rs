//! A folder of its own for each test, and the binary in it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

use crate::engine;

pub(crate) struct Sodu {
    pub(crate) folder: TempDir,
    pub(crate) database: String,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sodu {
    pub(crate) fn new() -> Sodu {
        let folder = tempfile::tempdir().expect("a folder");
        let database = engine::database(folder.path());
        Sodu { folder, database }
    }

    /// With account 9999, "Công ty ABC", and 36693 on it.
    pub(crate) fn with_account() -> Sodu {
        let sodu = Sodu::new();
        sodu.run(&["account", "open", "--name", "Công ty ABC", "--id", "9999"]).expect(0);
        sodu.run(&["topup", "9999", "36693", "-k", "first"]).expect(0);
        sodu
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        self.database.clone()
    }

    /// The binary, cut off from this process's settings, in a zone of its own and with the test's database.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command.env("SODU_DATABASE", self.url()).args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        run(&mut self.command(args))
    }

    /// Runs with `--json` and gives the value that it prints.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ended = self.run(&[args, &["--json"]].concat()).expect(0);
        ended.json()
    }

    /// A server on free ports, once it answers.
    pub(crate) fn serve(&self) -> Server {
        let args = ["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json"];
        Server::spawn(&mut self.command(&args))
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sodu"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", folder).env("TMPDIR", folder).env("TZ", "Asia/Ho_Chi_Minh");
    command.env("XDG_RUNTIME_DIR", folder);
    command
}

pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Fails the test unless it ended with 1 and an error of that slug; gives the error.
    #[track_caller]
    pub(crate) fn refused(self, slug: &str) -> String {
        let ended = self.expect(1);
        let error = ended.err.lines().find(|line| line.starts_with("error: ")).expect("an error").to_owned();
        assert!(error.ends_with(&format!("[{slug}]")), "{error}");
        error
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("one JSON value")
    }
}

/// A process that serves, killed if the test ends before it.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it printed when it was ready.
    pub(crate) ready: Value,
}

impl Server {
    pub(crate) fn spawn(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).unwrap_or(Value::Null);
        Server { child, out, ready }
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn interrupt(self) -> ExitStatus {
        self.end(Signal::INT)
    }

    /// Ends it by that signal.
    pub(crate) fn end(mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it runs");
        let status = self.child.wait().expect("it ends");
        let mut rest = String::new();
        self.out.read_line(&mut rest).expect("the end");
        assert_eq!(rest, "", "a server says nothing further on standard output");
        status
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A terminal, and the name of its other side.
pub(crate) fn terminal() -> (File, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("granted");
    unlockpt(&terminal).expect("unlocked");
    let name = ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("UTF-8");
    (File::from(terminal), name)
}

/// How many columns `line` takes, in text without wide letters.
pub(crate) fn columns(line: &str) -> usize {
    line.chars().count()
}
