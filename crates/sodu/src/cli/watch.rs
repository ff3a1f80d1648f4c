//! `sodu watch`: polls balances as their owner would, says how long they last, and warns in time.
//!
//! The parts: `plan` (from `file` and `accounts`) says what to do, `watcher` does it by the time of a `clock`, `burn` reckons,
//! `judge` decides what is worth telling, `memory` and `journal` keep it, `outbox` and `deliver` send it, and the views show
//! it. What a message says and how it travels is the business of `notify`.

mod accounts;
pub mod burn;
pub mod clock;
mod deliver;
mod file;
pub mod frame;
pub mod journal;
mod json;
pub mod judge;
mod lines;
mod listen;
pub mod memory;
mod metrics;
mod notice;
mod outbox;
mod own;
pub mod plan;
mod screen;
mod svg;
pub mod view;
pub mod watcher;
mod words;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

pub use json::Json;
pub use lines::Lines;
pub use svg::svg;

use super::failure::Failure;
use super::output::{Output, is_plain, note, width};
use super::{Global, program};
use crate::notify::Courier;
use accounts::Wanted;
use journal::{Journal, NotOpened};
use memory::Memory;
use plan::{EVERY, Plan, duration};
use screen::{Screen, painted};
use view::View;
use watcher::{NotWatched, Round, Watcher};

const EXAMPLES: &str = "\
Examples:
  sodu watch                           all profiles of `sodu balance`, live
  sodu watch shop bank --every 5m      two of them
  sodu watch --demo                    the first account of a running demo
  sodu watch --print-config > watch.toml && chmod 600 watch.toml
  sodu watch --config watch.toml       thresholds, and whom to tell
  sodu watch --config watch.toml --once            from cron, exit code 3: low
  sodu watch --config watch.toml --json | jq .     a line for each poll
  sodu watch --listen 127.0.0.1:9311               figures for Prometheus

Which accounts: those of --config, or of sodu/watch.toml in your configuration
folder; where there is no such file the named profiles, or ESMS_API_KEY and
ESMS_SECRET_KEY, or all profiles.

BURN/H is what went down from one good poll to the next, added up over the last
24 hours and divided by the hours covered; an hour must be known before it is
said. A top-up takes nothing away from it, a failed poll is no zero: what was
used while polls failed is spread over that time. LEFT is the balance divided by
it. It looks back a whole day, so that a day unlike the one before misleads it:
after a quiet weekend it promises too much until Monday has been burning for a
while, and on Saturday too little (docs/watch.md has figures).

It warns once when a balance falls below a threshold in money or in hours (24
and 6 unless the file says otherwise), reminds every 6 hours until somebody tops
up, and says when a balance cannot be read. A restart neither repeats nor loses
a warning: what was told is kept in the history file.

Exit codes: 0 done; 1 a poll or delivery failed; 2 used wrongly; 3 with --once,
a balance is below a threshold, whatever else failed.";

/// Watch balances, say how long they last, and warn before messages stop
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Watch {
    /// Accounts of the file, or profiles; all of them unless named
    #[arg(value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// What to watch and whom to tell (see --print-config) [default: sodu/watch.toml in your configuration folder,
    /// where that exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How often each account is asked, such as 60s or 5m [default: what the file says, else 60s]
    #[arg(long, value_name = "TIME", value_parser = every)]
    every: Option<Duration>,
    /// Ask each account once, deliver what is due, and end: for cron
    #[arg(long, conflicts_with = "listen")]
    once: bool,
    /// Serve metrics for Prometheus at http://ADDRESS/metrics
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where to keep what is known [default: what the file says, else sodu/watch.jsonl in your state folder]
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Watch a demo that runs on this machine; nothing is kept
    #[arg(long, conflicts_with_all = ["accounts", "config", "url", "profiles", "history"])]
    demo: bool,
    /// Where accounts are asked that name no address of their own [default: eSMS itself]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The profile file [env: SODU_PROFILES] [default: sodu/profiles.toml in your configuration folder]
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// Allow http:// to other machines, which sends the keys in clear text
    #[arg(long)]
    allow_plain_http: bool,
    /// Print a commented file for --config, and end
    #[arg(long)]
    print_config: bool,
}

fn every(text: &str) -> Result<Duration, String> {
    duration(text, EVERY.0, EVERY.1)
}

impl Watch {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        if self.print_config {
            return program::print(file::EXAMPLE);
        }
        let (once, is_demo) = (self.once, self.demo);
        let plan = accounts::plan(Wanted {
            config: self.config,
            profiles: self.profiles,
            names: self.accounts,
            demo: self.demo,
            url: self.url,
            every: self.every,
            listen: self.listen,
            history: self.history,
            allow_plain_http: self.allow_plain_http,
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| Failure::local("no_runtime", format!("The system refused what sodu needs: {error}.")))?;
        runtime.block_on(watch(plan, global.json, once, is_demo))
    }
}

async fn watch(plan: Plan, json: bool, once: bool, is_demo: bool) -> Result<(), Failure> {
    let courier = Courier::new(crate::notify::Settings::default())
        .map_err(|error| Failure::local("not_watched", format!("Nothing was asked: {error}.")))?;
    for account in &plan.accounts {
        for target in &account.terms.notify {
            courier.check(target).map_err(|error| {
                Failure::local("bad_target", format!("Of {}, {target} cannot be told: {}.", account.name, error.detail))
            })?;
        }
    }
    let history = plan.history.unwrap_or_else(accounts::usual_history);
    let kept = if is_demo { (Journal::none(), Memory::default()) } else { open(&history)? };
    let mut watcher = Watcher::new(plan.accounts, kept, courier, Arc::new(clock::System)).map_err(not_watched)?;
    if once {
        return round(&mut watcher, json).await;
    }
    if let Some(address) = plan.listen {
        let metrics = watcher.metrics();
        let (bound, answering) = listen::bind(address, metrics).await.map_err(|error| {
            Failure::local(
                "not_listening",
                format!("The metrics cannot be served on {address}: {error}; choose another --listen."),
            )
        })?;
        note(&format!("metrics: http://{bound}/metrics"));
        tokio::spawn(answering);
    }
    let mut view = looking_on(json);
    let stop = stop().map_err(|error| Failure::local("no_signals", format!("Signals cannot be received: {error}.")))?;
    Ok(watcher.run(view.as_mut(), stop).await?)
}

/// What is known, and the file that keeps it.
fn open(history: &std::path::Path) -> Result<(Journal, Memory), Failure> {
    let path = history.display();
    match Journal::open(history) {
        Ok((journal, memory, unread)) => {
            if unread > 0 {
                note(&format!("warning: {unread} lines of {path} cannot be read (a crash?) and are left out"));
            }
            Ok((journal, memory))
        }
        Err(NotOpened::Owned(owner)) => Err(Failure::local(
            "history_owned",
            format!("Another watcher keeps {path}: {owner}. Stop it, or give this one a --history of its own."),
        )),
        Err(NotOpened::Foreign) => Err(Failure::local(
            "bad_history",
            format!("{path} is no history of this sodu, and is left as it is; name another --history."),
        )),
        Err(NotOpened::Io(error)) => Err(Failure::local(
            "no_history",
            format!("The history {path} cannot be kept: {error}. Make it writable, or name another --history."),
        )),
    }
}

/// One round, told as a table.
async fn round(watcher: &mut Watcher, json: bool) -> Result<(), Failure> {
    let Round { failed, low, undelivered } = if json {
        watcher.once(&mut Json::new(io::stdout())).await?
    } else {
        let round = watcher.once(&mut Events).await?;
        let mut out = Output::new(json);
        for line in frame::frame(&watcher.board(), width()).lines.iter().skip(1) {
            out.line(painted(line, !is_plain(&io::stdout())).trim_end())?;
        }
        out.flush()?;
        round
    };
    if !low.is_empty() {
        return Err(Failure::Below(format!("low: {}", low.join(", "))));
    }
    if !failed.is_empty() {
        return Err(Failure::local(
            "no_balance",
            format!("No balance of {}; the reason stands with each.", failed.join(", ")),
        ));
    }
    match undelivered {
        0 => Ok(()),
        count => Err(Failure::local(
            "not_delivered",
            format!("{count} messages are not delivered; the next run tries again."),
        )),
    }
}

/// What happens in a round beside polls, on standard error.
struct Events;

impl View for Events {
    fn tell(&mut self, event: &view::Event<'_>, board: &view::Board<'_>) -> io::Result<()> {
        if !matches!(event, view::Event::Polled(_)) {
            note(&lines::happening(event, board));
        }
        Ok(())
    }
}

/// Who looks on: a person at a terminal, a program, or a log.
fn looking_on(json: bool) -> Box<dyn View> {
    let out = io::stdout();
    let is_dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    if json {
        Box::new(Json::new(out))
    } else if out.is_terminal() && !is_dumb {
        let is_coloured = !is_plain(&out);
        Box::new(Screen::new(out, is_coloured))
    } else {
        Box::new(Lines::new(out))
    }
}

/// Ends when somebody asks this process to; a second time ends it at once.
fn stop() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        tokio::spawn(async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            // What was told is on the disk.
            std::process::exit(130);
        });
    })
}

fn not_watched(NotWatched { account, error }: NotWatched) -> Failure {
    Failure::local("not_asked", format!("Nothing was asked: of {account}, {error}."))
}
