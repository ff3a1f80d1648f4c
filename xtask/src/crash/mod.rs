//! `cargo xtask crash`: kills the server under load again and again, and holds what it kept against a list of its own.
//!
//! Every acknowledged movement must be there after the restart, none twice, refusals must stay refused, and every figure
//! that anybody read must be one that stayed. `kill -9` loses what a process had not written, not what the system had
//! not yet put on the disk: that is `sync-proof`'s part. `--plant` shows that the checker can fail.

mod audit;
mod book;
mod command;
mod round;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::contradiction::Contradiction;
use crate::operator::{Account, Operator};
use crate::planted;
use crate::programs;
use crate::random::Random;
use crate::server::{self, Server, Setup, Starting};
use book::Book;
use command::Deck;
use round::End;

/// Few enough for CI and for a release, enough for two generations of everything that is written behind the commits.
/// `cargo xtask crash` takes a hundred.
pub(crate) const FEW_KILLS: u32 = 8;
const ACCOUNTS: u64 = 100;
/// A round is killed after at most so many answers.
const ANSWERS_MAX: u64 = 10_000;
/// In so many of a hundred rounds the disk is slow: strace delays each write to a file. A commit is then long under way, and
/// a server that vouches for it too early is caught by the kill.
const SLOW_PERCENT: u64 = 30;
const SLOW_ANSWERS_MAX: u64 = 500;
/// The first round goes on for so many: what is written behind the commits, a generation of keys at a time, is under way
/// in the rounds after it.
const FIRST_ANSWERS: u64 = 200_000;
/// After so many kills `sodu verify` looks at the database before the server does.
const VERIFY_EVERY: u32 = 10;
/// A planted bug must show itself within so many kills.
const PLANTED_KILLS_MAX: u32 = 60;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often the server is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Chooses the commands, their order and the moments of the kills; printed by every run
    #[arg(long)]
    seed: Option<u64>,
    /// Builds the server with a planted bug (or `all`, one after the other), which must be found
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(Random::fresh_seed);
    match &arguments.plant {
        None => prove(&server::build()?, arguments.kills, seed),
        Some(name) => planted::each(name, planted::CRASH, |name, binary| {
            let folder = new_folder()?;
            match kill(binary, folder.path(), PLANTED_KILLS_MAX, seed) {
                Ok(()) => bail!("{name} was not found within {PLANTED_KILLS_MAX} kills (seed {seed})"),
                Err(error) => error.downcast::<Contradiction>().map(|found| found.0),
            }
        }),
    }
}

/// Kills `binary` so many times. After a failure the database and the server's log are kept.
pub(crate) fn prove(binary: &Path, kills: u32, seed: u64) -> Result<()> {
    let folder = new_folder()?;
    kill(binary, folder.path(), kills, seed).map_err(|error| {
        let kept = folder.keep();
        error.context(format!("database and log are kept in {}", kept.display()))
    })
}

/// Kills `binary` so many times in `folder`; a [`Contradiction`] says what it did wrong.
fn kill(binary: &Path, folder: &Path, kills: u32, seed: u64) -> Result<()> {
    programs::need("strace", "strace")?;
    println!("crash: {kills} kills, seed {seed}");
    let mut run = Run::new(binary, folder, seed);
    let outcome = run.all(kills);
    match run.contradiction() {
        Some(what) => Err(Contradiction(format!("{what}\n(seed {seed}, after {} kills)", run.kills)).into()),
        None => outcome.with_context(|| format!("seed {seed}, after {} kills", run.kills)),
    }
}

fn new_folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("crash-").tempdir_in(programs::target())?)
}

struct Run<'a> {
    binary: &'a Path,
    database: PathBuf,
    log: PathBuf,
    random: Random,
    accounts: Vec<Account>,
    book: Book,
    deck: Deck,
    kills: u32,
    /// Whether the disk is slow in this round.
    is_slow: bool,
}

impl<'a> Run<'a> {
    fn new(binary: &'a Path, folder: &Path, seed: u64) -> Run<'a> {
        let mut random = Random::new(seed);
        let account = |number: u64| Account {
            id: 1000 + number,
            credit_limit: if number.is_multiple_of(3) { 1_000_000 } else { 0 },
            api_key: random.hex(30),
            secret_key: random.hex(30),
        };
        let accounts: Vec<Account> = (0..ACCOUNTS).map(account).collect();
        let deck = Deck::new(Random::new(seed ^ 0xdeca), &accounts);
        let (database, log) = (folder.join("sodu.db"), folder.join("sodu.log"));
        Run { binary, database, log, random, book: Book::new(&accounts), deck, accounts, kills: 0, is_slow: false }
    }

    fn all(&mut self, kills: u32) -> Result<()> {
        let began = Instant::now();
        let server = self.start()?;
        let mut operator = Operator::open(&server.socket)?;
        self.accounts.iter().try_for_each(|account| operator.open_account(account))?;
        self.between(&server)?;
        let mut server = Some(server);
        while self.kills < kills && self.book.findings.is_empty() {
            let running = match server.take() {
                Some(first) => first,
                None => self.restart()?,
            };
            let answers = 1 + self.random.below(if self.is_slow { SLOW_ANSWERS_MAX } else { ANSWERS_MAX });
            let end = match self.random.chance(50) {
                _ if self.kills == 0 => End::Answer(FIRST_ANSWERS),
                true => End::Answer(answers),
                false => End::Reading(answers),
            };
            round::play(&running, &mut self.book, &mut self.deck, end, self.random.next())?;
            running.kill()?;
            self.kills += 1;
        }
        if !self.book.findings.is_empty() {
            return Ok(());
        }
        self.end(began.elapsed())
    }

    /// Starts the server after a kill, sometimes killing it once more while it starts, and audits it.
    fn restart(&mut self) -> Result<Server> {
        if self.kills.is_multiple_of(VERIFY_EVERY) {
            self.verify();
        }
        if self.random.chance(15) {
            let starting = Starting::spawn(&self.setup(&[]))?;
            // Not a wait for anything: the fault to be injected is a kill at a random moment of the start.
            std::thread::sleep(Duration::from_micros(self.random.below(40_000)));
            drop(starting);
        }
        self.is_slow = self.random.chance(SLOW_PERCENT);
        let server = self.start()?;
        self.between(&server)?;
        Ok(server)
    }

    /// Between two rounds: everything that was sent in the last one goes on top of the deck, and the audit.
    fn between(&mut self, server: &Server) -> Result<()> {
        let (in_doubt, decided) = audit::to_resend(&mut self.book);
        self.deck.resend(in_doubt, decided);
        audit::audit(&mut self.book, server)
    }

    /// The last restart: everything in doubt is sent again, nothing new; then the audit, a graceful stop and verify.
    fn end(&mut self, elapsed: Duration) -> Result<()> {
        let server = self.restart()?;
        let seed = self.random.next();
        round::play(&server, &mut self.book, &mut self.deck, End::Drained, seed)?;
        audit::audit(&mut self.book, &server)?;
        server.stop()?;
        self.verify();
        let undecided = self.book.records.values().filter(|record| !self.book.is_decided(&record.command.key)).count();
        if undecided > 0 {
            self.book.find(format!("{undecided} keys were never answered"));
        }
        let refused = self.book.records.values().filter(|record| record.refusal.is_some()).count();
        let entries: usize = self.book.pages.iter().map(|page| page.entries.len()).sum();
        println!(
            "crash: {} kills in {:.0} s: {} keys, {entries} entries, {refused} refused, {} calls cut off by a kill",
            self.kills,
            elapsed.as_secs_f64(),
            self.book.records.len(),
            self.book.unanswered
        );
        Ok(())
    }

    fn verify(&mut self) {
        if let Err(what) = server::verify(self.binary, &self.database) {
            self.book.find(what.to_string());
        }
    }

    fn contradiction(&self) -> Option<String> {
        let findings = &self.book.findings;
        let first = findings.first()?;
        Some(format!("{} contradictions, the first:\n{first}", findings.len()))
    }

    fn start(&self) -> Result<Server> {
        let slow = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64"];
        let slow = slow.into_iter().chain(["-e", "inject=pwrite64:delay_enter=300"]).filter(|_| self.is_slow);
        // The callers are refused far more often than any customer may be, and a refusal that is not kept proves nothing.
        let prefix: Vec<OsString> =
            ["env", "SODU_REFUSALS_PER_SECOND=1000000"].into_iter().chain(slow).map(OsString::from).collect();
        Server::start(&self.setup(&prefix)).context("the server did not start")
    }

    fn setup<'s>(&'s self, prefix: &'s [OsString]) -> Setup<'s> {
        Setup { binary: self.binary, database: &self.database, log: &self.log, prefix, flags: &[] }
    }
}
