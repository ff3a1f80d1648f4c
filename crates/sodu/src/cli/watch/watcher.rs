//! The watcher at work: polls each account in its own time, judges, keeps, delivers, and shows.
//!
//! One loop decides everything, so that nothing is judged twice or out of order; what takes time, polls and deliveries,
//! runs beside it. What follows from a poll is on the disk before anything of it is sent.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sodu_client::{Client, Settings, SetupError};
use tokio::task::JoinSet;

use super::burn::{Burn, Left};
use super::clock::Clock;
use super::journal::{Durable, Journal};
use super::judge::Reading;
use super::memory::{Line, Memory, Outcome, Poll};
use super::metrics::{self, Counts};
use super::notice::Occasion;
use super::outbox::Outbox;
use super::plan::{Account, Terms};
use super::view::{Board, Event, Row, View};
use crate::cli::balance::slug;
use crate::notify::{Courier, Target, Undelivered};

/// Polls that are under way at once.
const POLLS_MAX: usize = 8;
/// How long a stop waits for deliveries that are under way: their receivers may have the message already.
const PARTING: Duration = Duration::from_secs(5);

/// Watches accounts.
pub struct Watcher {
    pub(super) watched: Vec<Watched>,
    pub(super) memory: Memory,
    pub(super) journal: Journal,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) courier: Courier,
    pub(super) outbox: Outbox,
    pub(super) counts: Counts,
    pub(super) history_lost: bool,
    pub(super) work: JoinSet<Done>,
    polling: usize,
    /// Where the metrics go, once somebody asked for them.
    published: Option<tokio::sync::watch::Sender<String>>,
    is_changed: bool,
}

/// An account, and how it stands.
pub(super) struct Watched {
    pub(super) name: String,
    pub(super) terms: Terms,
    /// Its targets by their labels, of which no two are alike.
    pub(super) targets: Vec<(String, Target)>,
    client: Client,
    next_at: Timestamp,
    is_polling: bool,
    burn: Option<Burn>,
    left: Left,
}

/// Work that has ended.
pub(super) enum Done {
    Polled(usize, Outcome),
    Delivered { notice: String, target: String, result: Result<(), Undelivered> },
}

/// What one round over all accounts found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Round {
    /// Accounts whose balance could not be read.
    pub failed: Vec<String>,
    /// Accounts that were read, and are low.
    pub low: Vec<String>,
    /// Deliveries that are still to be made.
    pub undelivered: usize,
}

/// Why an account cannot be watched.
#[derive(Debug)]
pub struct NotWatched {
    /// Which.
    pub account: String,
    /// Why.
    pub error: SetupError,
}

impl Watcher {
    /// A watcher of `accounts` that knows what `memory` says and keeps it in `journal`. Nothing is asked yet.
    ///
    /// # Errors
    /// An account's address or keys cannot be right.
    pub fn new(
        accounts: Vec<Account>,
        (journal, memory): (Journal, Memory),
        courier: Courier,
        clock: Arc<dyn Clock>,
    ) -> Result<Watcher, NotWatched> {
        let now = clock.now();
        let mut watched = Vec::new();
        for account in accounts {
            let Account { name, url, api_key, secret_key, allow_plain_http, extra_roots, terms } = account;
            let settings = Settings { allow_plain_http, extra_roots, ..Settings::default() };
            let client = Client::with(&url, &api_key, &secret_key, settings)
                .map_err(|error| NotWatched { account: name.clone(), error })?;
            let targets = labelled(&terms.notify);
            let (burn, left) = memory.known(&name).map_or((None, Left::Unknown), |known| known.pace());
            watched.push(Watched { name, terms, targets, client, next_at: now, is_polling: false, burn, left });
        }
        Ok(Watcher {
            watched,
            memory,
            journal,
            clock,
            courier,
            outbox: Outbox::default(),
            counts: Counts::default(),
            history_lost: false,
            work: JoinSet::new(),
            polling: 0,
            published: None,
            is_changed: true,
        })
    }

    /// Watches until `stop`.
    ///
    /// # Errors
    /// Nobody can look on any more.
    pub async fn run(&mut self, view: &mut dyn View, stop: impl Future<Output = ()>) -> io::Result<()> {
        let mut stop = pin!(stop);
        loop {
            let now = self.clock.now();
            self.begin_polls(now);
            self.begin_deliveries(now, view)?;
            self.publish();
            if view.next_at().is_some_and(|at| at <= now) {
                view.tick(&self.board())?;
            }
            let next = [self.next_poll(), self.outbox.next_at(self.memory.notices()), view.next_at()];
            let next = next.into_iter().flatten().min().unwrap_or(Timestamp::MAX);
            let is_idle = self.work.is_empty();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(done) = self.work.join_next(), if !is_idle => self.end(done.expect("no task panics"), view)?,
                () = self.clock.sleep_until(next, is_idle) => {}
            }
        }
        self.part(view).await
    }

    /// Polls each account once, judges, and delivers what is due.
    ///
    /// # Errors
    /// As [`Watcher::run`].
    pub async fn once(&mut self, view: &mut dyn View) -> io::Result<Round> {
        let now = self.clock.now();
        loop {
            self.begin_polls(now);
            self.begin_deliveries(now, view)?;
            match self.work.join_next().await {
                Some(done) => self.end(done.expect("no task panics"), view)?,
                None => break,
            }
        }
        let board = self.board();
        let named =
            |is: fn(&Row<'_>) -> bool| board.rows.iter().filter(|row| is(row)).map(|row| row.name.to_owned()).collect();
        Ok(Round {
            failed: named(|row| row.failure().is_some()),
            // An old figure says nothing about now.
            low: named(|row| row.is_low && row.failure().is_none()),
            undelivered: board.undelivered,
        })
    }

    /// How all accounts stand.
    pub fn board<'a>(&'a self) -> Board<'a> {
        let row = |watched: &'a Watched| {
            let known = self.memory.known(&watched.name);
            let last = known.and_then(|known| known.last());
            let is_low = last.is_some_and(|last| watched.terms.rules.is_low(&last.balance, watched.left));
            Row { name: &watched.name, known, burn: watched.burn, left: watched.left, is_low }
        };
        Board {
            now: self.clock.now(),
            zone: self.watched.first().map_or(TimeZone::UTC, |watched| watched.terms.zone.clone()),
            rows: self.watched.iter().map(row).collect(),
            undelivered: self.memory.notices().iter().map(|notice| notice.targets.len()).sum(),
            history_lost: self.history_lost,
        }
    }

    /// The figures for Prometheus, always the newest while this watches.
    pub fn metrics(&mut self) -> tokio::sync::watch::Receiver<String> {
        let (published, metrics) = tokio::sync::watch::channel(metrics::render(&self.board(), &self.counts));
        self.published = Some(published);
        metrics
    }

    fn publish(&mut self) {
        if let Some(published) = self.published.as_ref().filter(|_| self.is_changed) {
            published.send_replace(metrics::render(&self.board(), &self.counts));
        }
        self.is_changed = false;
    }

    fn next_poll(&self) -> Option<Timestamp> {
        let has_room = self.polling < POLLS_MAX;
        self.watched.iter().filter(|watched| has_room && !watched.is_polling).map(|watched| watched.next_at).min()
    }

    /// Begins the polls that are due, the longest due first, as many as may be under way at once.
    fn begin_polls(&mut self, now: Timestamp) {
        let mut due: Vec<usize> = (0..self.watched.len())
            .filter(|index| !self.watched[*index].is_polling && self.watched[*index].next_at <= now)
            .collect();
        due.sort_by_key(|index| self.watched[*index].next_at);
        for index in due.into_iter().take(POLLS_MAX.saturating_sub(self.polling)) {
            let watched = &mut self.watched[index];
            watched.is_polling = true;
            watched.next_at =
                now.checked_add(jittered(watched.terms.every, &watched.name, now)).unwrap_or(Timestamp::MAX);
            self.polling += 1;
            let client = watched.client.clone();
            self.work.spawn(async move {
                Done::Polled(
                    index,
                    match client.balance().await {
                        Ok(balance) => Outcome::Good { balance: balance.amount, user_id: balance.user_id },
                        Err(error) => Outcome::Failed { failed: slug(&error).to_owned(), detail: error.to_string() },
                    },
                )
            });
        }
    }

    pub(super) fn end(&mut self, done: Done, view: &mut dyn View) -> io::Result<()> {
        self.is_changed = true;
        match done {
            Done::Polled(index, outcome) => self.polled(index, outcome, view),
            Done::Delivered { notice, target, result } => self.delivered(&notice, &target, result, view),
        }
    }

    /// Takes what a poll gave: judges it, and keeps both before anything follows.
    fn polled(&mut self, index: usize, outcome: Outcome, view: &mut dyn View) -> io::Result<()> {
        let at = self.clock.now();
        let watched = &mut self.watched[index];
        watched.is_polling = false;
        self.polling -= 1;
        self.counts.polled(&watched.name, &outcome);
        let known = self.memory.read(&watched.name, at, &outcome);
        let reading = match &outcome {
            Outcome::Good { balance, .. } => {
                (watched.burn, watched.left) = known.pace();
                Reading::Good(*balance, watched.left)
            }
            Outcome::Failed { .. } => Reading::Failed,
        };
        let alerts = watched.terms.rules.judge(&mut known.state, at, reading);
        let (state, terms) = (known.state.clone(), &watched.terms);
        let occasion = Occasion { account: &watched.name, at, known, burn: watched.burn, left: watched.left, terms };
        let labels = || watched.targets.iter().map(|(label, _)| label.clone()).collect();
        let notices: Vec<_> = alerts.iter().map(|alert| occasion.notice(alert, labels())).collect();
        let owed: Vec<_> = notices.iter().filter(|notice| !notice.targets.is_empty()).cloned().collect();
        self.memory.owe(&owed);
        // What nobody was told of is found again by the next poll.
        let durable = if alerts.is_empty() { Durable::Later } else { Durable::Now };
        let line = Line::Poll(Poll { account: watched.name.clone(), at, outcome, state, notices: owed });
        self.keep(&line, durable, view)?;
        view.tell(&Event::Polled(index), &self.board())?;
        notices.iter().try_for_each(|notice| view.tell(&Event::Alert(notice), &self.board()))
    }

    /// Adds a line to the history. That it cannot is said once, and once that it can again.
    pub(super) fn keep(&mut self, line: &Line, durable: Durable, view: &mut dyn View) -> io::Result<()> {
        if self.journal.is_long() {
            let watched = &self.watched;
            self.memory.prune(self.clock.now(), |name| watched.iter().any(|watched| watched.name == name));
        }
        match self.journal.append(line, durable, &self.memory) {
            Err(error) if !std::mem::replace(&mut self.history_lost, true) => {
                view.tell(&Event::HistoryLost(&error), &self.board())
            }
            Ok(()) if std::mem::replace(&mut self.history_lost, false) => view.tell(&Event::HistoryKept, &self.board()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits a little for deliveries under way; what is not done by then is done at the next start.
    async fn part(&mut self, view: &mut dyn View) -> io::Result<()> {
        let deadline = tokio::time::Instant::now() + PARTING;
        while self.work.len() > self.polling {
            let Ok(Some(done)) = tokio::time::timeout_at(deadline, self.work.join_next()).await else { break };
            self.end(done.expect("no task panics"), view)?;
        }
        Ok(())
    }
}

/// `every`, less or more up to a twentieth: watchers that were started together do not stay together.
fn jittered(every: Duration, name: &str, now: Timestamp) -> SignedDuration {
    let mut hash = DefaultHasher::new();
    (name, now.as_millisecond()).hash(&mut hash);
    let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX / 2000);
    let part = i64::try_from(hash.finish() % 101).unwrap_or(50);
    SignedDuration::from_millis(every_ms + every_ms / 20 * (part - 50) / 50)
}

/// Each target with a name of its own: two alike are told apart by their numbers.
fn labelled(targets: &[Target]) -> Vec<(String, Target)> {
    let mut labelled: Vec<(String, Target)> = Vec::new();
    for target in targets {
        let label = target.label();
        let alike = labelled.iter().filter(|(_, known)| known.label() == label).count();
        let label = if alike == 0 { label } else { format!("{label} #{}", alike + 1) };
        labelled.push((label, target.clone()));
    }
    labelled
}
