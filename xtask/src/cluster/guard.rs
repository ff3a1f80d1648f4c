//! The folder of a cluster and what runs in it, so that nothing of either stays behind, however this program ends.
//!
//! A shell waits for the end of this program, which closes the pipe between them even where it is killed. Then it ends what
//! is written down in the folder, by id, and removes the folder. A graceful stop is the same: what ran here is thrown away.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Whom PostgreSQL runs as where this runs as root, which it refuses: `nobody` (Debian's base-passwd).
const NOBODY: u32 = 65_534;

/// What ends here was killed, and ends at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// PostgreSQL's servers are no children of ours, and one that was killed leaves its id in its data folder: an id counts only
/// where the command line of that process names the folder.
const SCRIPT: &str = r#"folder=$1
cat >/dev/null
for file in "$folder"/pids/*; do [ -f "$file" ] && kill -KILL "$(cat "$file")" 2>/dev/null; done
runs() { grep -qzxF "$1" "/proc/$(head -n 1 "$1/postmaster.pid")/cmdline" 2>/dev/null; }
signal() { runs "$1" && kill "-$2" "$(head -n 1 "$1/postmaster.pid")"; }
for data in "$folder"/*/data; do signal "$data" CONT; signal "$data" QUIT; done
for data in "$folder"/*/data; do
    tries=100
    while runs "$data" && [ $tries -gt 0 ]; do tries=$((tries - 1)); sleep 0.1; done
    signal "$data" KILL
done
rm -rf "$folder"
"#;

/// The folder, as long as this is kept.
pub(crate) struct Guard {
    folder: PathBuf,
    shell: Child,
    /// Closed to let the shell begin.
    pipe: Option<ChildStdin>,
}

/// A program that was started here.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    /// Where its id is written down as long as it runs.
    note: PathBuf,
}

impl Guard {
    pub(crate) fn new() -> Result<Guard> {
        let folder = TempDir::with_prefix("sodu-cluster-").context("no temporary folder can be made")?.keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "guard"]).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::null());
        // An interrupt at the terminal ends this program, and with it everything else, in this order.
        let mut shell = shell.stderr(Stdio::null()).process_group(0).spawn().context("cannot run sh")?;
        let pipe = shell.stdin.take();
        let guard = Guard { folder, shell, pipe };
        fs::create_dir(guard.folder.join("pids"))?;
        fs::create_dir(guard.folder.join("logs"))?;
        Ok(guard)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where what `name` prints is kept.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// A new folder for a program that [`plain_user`] runs.
    pub(crate) fn plain_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        if rustix::process::geteuid().is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        Ok(folder)
    }

    /// Starts `command`, whose output goes to the log of `name`.
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> Result<Process> {
        let log = fs::File::options().create(true).append(true).open(self.log(name))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let pid = Pid::from_child(&child);
        let note = self.folder.join("pids").join(name);
        fs::write(&note, child.id().to_string())?;
        Ok(Process { child, pid, note })
    }

    /// The last lines that `name` printed.
    pub(crate) fn printed(&self, name: &str) -> String {
        let text = fs::read(self.log(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        // Whatever it could not do is no reason to stay.
        drop(self.shell.wait());
    }
}

impl Process {
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).context("a process of ours cannot be signalled")
    }

    /// Kills it and waits for the end.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        let began = Instant::now();
        while self.ended()?.is_none() {
            ensure!(began.elapsed() < PATIENCE, "a process that was killed does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() && self.note.exists() {
            // Its id may belong to somebody else from now on.
            fs::remove_file(&self.note)?;
        }
        Ok(status)
    }
}

/// A command as whoever runs this, or as nobody where that is root.
pub(crate) fn plain_user(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".into()]).arg(program);
    command
}
