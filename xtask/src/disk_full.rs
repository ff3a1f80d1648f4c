//! `cargo xtask disk-full`: movements are refused while the disk is full, reading goes on, and service comes back by itself.
//!
//! The database lies on a small tmpfs in a mount namespace of its own, which needs no root; this program runs itself again
//! inside it. The server is never restarted in between.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::http::Connection;
use crate::money;
use crate::operator::{Account, Answer, Operator, get_balance};
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup};

/// Room for a small ledger and its write-ahead log.
const DISK_SIZE: &str = "64m";
/// So many while there is room: enough for the log to have been copied into the database and begun again, so that the
/// full disk is met in a log that has room of its own, then in the copying, then in the log.
const MOVEMENTS_BEFORE: u32 = 4_000;
/// A full disk must turn movements away within so many of them: the log may have had room left from before.
const MOVEMENTS_MAX: u32 = 50_000;
/// How long the server may take to notice that there is room again.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// The server to use; set where this program runs itself inside the namespace, as is the next one
    #[arg(long, hide = true, requires = "folder")]
    inside: Option<PathBuf>,
    /// An empty folder to mount the disk on
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let (Some(binary), Some(folder)) = (&arguments.inside, &arguments.folder) {
        return inside(binary, folder);
    }
    programs::need("unshare", "util-linux")?;
    let binary = server::build()?;
    let folder = tempfile::Builder::new().prefix("disk-full-").tempdir_in(programs::target())?;
    let namespace = ["--user", "--map-root-user", "--mount"];
    let possible = programs::output(Command::new("unshare").args(namespace).arg("true"))?;
    ensure!(
        possible.status.success(),
        "this machine lets nobody but root make a mount namespace ({}): run this as root",
        String::from_utf8_lossy(&possible.stderr).trim()
    );
    let mut command = Command::new("unshare");
    command.args(namespace).arg(env::current_exe()?).arg("disk-full");
    programs::run(command.arg("--inside").arg(binary).arg("--folder").arg(folder.path()))
}

fn inside(binary: &Path, folder: &Path) -> Result<()> {
    let disk = folder.join("disk");
    fs::create_dir(&disk)?;
    let size = format!("size={DISK_SIZE}");
    programs::run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&disk))?;
    let log = folder.join("sodu.log");
    let outcome = fill_and_relieve(binary, &disk, &log);
    outcome.with_context(|| format!("what the server printed:\n{}", fs::read_to_string(&log).unwrap_or_default()))
}

fn fill_and_relieve(binary: &Path, disk: &Path, log: &Path) -> Result<()> {
    let database = disk.join("sodu.db");
    let server = Server::start(&Setup { binary, database: &database, log, prefix: &[], flags: &[] })?;
    let mut till = Till::open(&server)?;
    for _ in 0..MOVEMENTS_BEFORE {
        ensure!(matches!(till.top_up()?, Outcome::Done), "a top-up was turned away while there was room");
    }

    let ballast = disk.join("ballast");
    fill(&ballast)?;
    let unknown = till.until_turned_away(&ballast)?;
    for _ in 0..50 {
        ensure!(!matches!(till.top_up()?, Outcome::Done), "a top-up was taken although the disk is full");
        till.check_balance()?;
    }
    let (taken, doubt) = (till.done.len(), if unknown.is_some() { "in doubt" } else { "refused" });
    println!(
        "disk-full: after {taken} top-ups the disk is full: one {doubt}, further ones get 503, GetBalance goes on"
    );

    fs::remove_file(&ballast)?;
    let waited = till.until_taken_again()?;
    if let Some(key) = unknown {
        ensure!(matches!(till.send(&key)?, Outcome::Done), "a movement in doubt was not taken when it was sent again");
    }
    till.check_balance()?;
    till.check_statement()?;
    server.stop()?;
    server::verify(binary, &database)?;
    println!("disk-full: service was back {waited:.1?} after there was room, nothing acknowledged was lost");
    Ok(())
}

/// What came of a top-up.
enum Outcome {
    Done,
    /// Nothing happened.
    NotNow,
    /// Nobody knows.
    Unknown,
}

/// A caller who tops one account up by one unit at a time, and remembers what was acknowledged.
struct Till {
    operator: Operator,
    public: Connection,
    account: Account,
    /// The keys of acknowledged top-ups.
    done: Vec<String>,
    sent: u32,
}

impl Till {
    fn open(server: &Server) -> Result<Till> {
        let mut random = Random::new(7);
        let account = Account { id: 7, credit_limit: 0, api_key: random.hex(30), secret_key: random.hex(30) };
        let mut operator = Operator::open(&server.socket)?;
        operator.open_account(&account)?;
        Ok(Till { operator, public: Connection::open(&server.public)?, account, done: Vec::new(), sent: 0 })
    }

    fn top_up(&mut self) -> Result<Outcome> {
        let key = self.next_key();
        self.send(&key)
    }

    fn next_key(&mut self) -> String {
        self.sent += 1;
        format!("disk-{:06}", self.sent)
    }

    fn send(&mut self, key: &str) -> Result<Outcome> {
        let body = json!({ "amount": "1", "reference": "r".repeat(100) });
        let answer = self.operator.post(&format!("/v1/accounts/{}/topups", self.account.id), key, &body)?;
        Ok(match (answer.status, answer.slug()) {
            (200 | 201, _) => {
                self.done.push(key.to_owned());
                Outcome::Done
            }
            (503, "unavailable") => Outcome::NotNow,
            (503, "outcome_unknown") => Outcome::Unknown,
            _ => return Err(wrong(&answer)),
        })
    }

    /// Tops up until that is turned away, filling again whatever room the server made meanwhile. Returns the key of the
    /// movement whose outcome is in doubt, if there is one.
    fn until_turned_away(&mut self, ballast: &Path) -> Result<Option<String>> {
        for _ in 0..MOVEMENTS_MAX {
            fill(ballast)?;
            let key = self.next_key();
            match self.send(&key)? {
                Outcome::Done => {}
                Outcome::NotNow => return Ok(None),
                Outcome::Unknown => return Ok(Some(key)),
            }
        }
        anyhow::bail!("{MOVEMENTS_MAX} top-ups were taken on a full disk")
    }

    /// Tops up until that works, and says how long it took.
    fn until_taken_again(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let key = self.next_key();
        while !matches!(self.send(&key)?, Outcome::Done) {
            ensure!(
                began.elapsed() < RECOVERY_MAX,
                "movements are still turned away {RECOVERY_MAX:?} after there was room"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(began.elapsed())
    }

    /// GetBalance shows exactly what was acknowledged: a movement that failed for lack of room is not in it.
    fn check_balance(&mut self) -> Result<()> {
        let shown = get_balance(&mut self.public, &self.account)??;
        let right = i64::try_from(self.done.len())?;
        ensure!(shown == right, "GetBalance shows {shown}, and {right} top-ups of 1 were acknowledged");
        Ok(())
    }

    /// The statement has every acknowledged key, once, and nothing else.
    fn check_statement(&mut self) -> Result<()> {
        let entries = self.operator.statement(self.account.id, None)?;
        let keys: Vec<&str> = entries.iter().skip(1).filter_map(|entry| entry.key.as_deref()).collect();
        ensure!(keys == self.done, "the statement has {} top-ups, {} were acknowledged", keys.len(), self.done.len());
        let posted = entries.last().map_or(0, |entry| entry.posted_after);
        ensure!(money::shown(posted) == i64::try_from(self.done.len())?, "the statement ends with {posted}");
        Ok(())
    }
}

fn wrong(answer: &Answer) -> anyhow::Error {
    anyhow::anyhow!("a top-up was neither done nor turned away: {answer:?}")
}

/// Writes into `ballast` until there is no room left on its disk.
fn fill(ballast: &Path) -> Result<()> {
    let mut file = File::options().create(true).append(true).open(ballast)?;
    for size in [64 << 10, 4 << 10, 1] {
        loop {
            match file.write(&vec![0; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
