//! Delivers what the ledger has written to tell: each alert to each of its targets, until they have it or days have passed.
//!
//! On a thread of its own, so that a target that is slow or gone slows nothing but itself. What became of an attempt is kept
//! in the ledger; an attempt that was made and not kept, as by a crash between the two, is made again under the same id, by
//! which receivers recognize it. Of several processes on one ledger each takes deliveries that no other has. Nothing here
//! decides what is worth telling.

mod message;
mod quiet;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use ledger::Time;
use sodu_client::SetupError;
use store::{AttemptResult, Attempted, Channel, DeliveryTarget, Due, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, error, warn};

use crate::config::{Alerts, Config};
use crate::notify::{Courier, Hidden, Reach, Retry, Settings, Target, Undelivered};

/// How many deliveries are under way at once.
const AT_ONCE_MAX: usize = 16;
/// And how many of them to one target: a slow one leaves room for the others.
const AT_ONCE_OF_TARGET_MAX: usize = 4;
/// How many deliveries are looked at before some are dealt with.
const LOOK_MAX: usize = 256;
/// How often it looks where nobody says that there is something.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often it takes what is under way for longer: others wait some seconds before they try it too.
const TAKE_AGAIN: Duration = Duration::from_secs(1);
/// How often old alerts are forgotten, and how many at a time.
const FORGET_EVERY: Duration = Duration::from_secs(60);
const FORGET_MAX: usize = 1000;
/// How long a delivery waits after its first attempt, its second, …; after all of these as long as after the last.
const BACK_OFF_S: [i64; 9] = [10, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400];
/// How long a target that failed is left alone by all other deliveries to it.
const REST_S: i64 = 10;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// The running deliveries.
pub(crate) struct Outbox {
    thread: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Outbox {
    /// Delivers until [`Outbox::stop`].
    ///
    /// # Errors
    /// The system has no root certificates to judge receivers by, or no thread to give.
    pub(crate) fn start(config: &Config, store: Store) -> anyhow::Result<Outbox> {
        let couriers = Couriers::new(&config.alerts)?;
        let (stop, stopped) = watch::channel(false);
        let worker = Worker {
            store,
            couriers,
            alerts: Arc::new(config.alerts.clone()),
            time_zone: config.time_zone.clone(),
            under_way: HashMap::new(),
            taken_at: Instant::now(),
            resting: HashMap::new(),
            unkept: Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("outbox".into()).spawn(move || {
            runtime.block_on(worker.run(stopped));
            // What is under way is cut off here, and made again after the next start.
            runtime.shutdown_background();
        })?;
        Ok(Outbox { thread, stop })
    }

    /// Ends it, whatever is under way.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            warn!("the thread of deliveries had panicked");
        }
    }
}

/// Who carries: the operator's own targets may be anywhere, others' only where the operator says so.
#[derive(Clone)]
struct Couriers {
    own: Courier,
    others: Courier,
}

impl Couriers {
    fn new(alerts: &Alerts) -> Result<Couriers, SetupError> {
        let own = Courier::new(Settings { reach: Reach::Anywhere, ..Settings::default() })?;
        let reach = if alerts.allow_private { Reach::Anywhere } else { Reach::PublicOnly };
        let others = Courier::new(Settings { reach, ..Settings::default() })?;
        Ok(Couriers { own, others })
    }
}

struct Worker {
    store: Store,
    couriers: Couriers,
    alerts: Arc<Alerts>,
    time_zone: TimeZone,
    /// By number, to whom each delivery under way goes.
    under_way: HashMap<u64, String>,
    /// When these were last taken.
    taken_at: Instant,
    /// Targets that failed, and until when they are left alone.
    resting: HashMap<String, Time>,
    /// What became of attempts, and could not be kept yet.
    unkept: Vec<Attempted>,
}

/// What came of an attempt.
type Came = (Due, Result<(), Undelivered>);

impl Worker {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut attempts: JoinSet<Came> = JoinSet::new();
        let mut forgotten_at: Option<Instant> = None;
        loop {
            self.keep().await;
            self.take_again().await;
            if forgotten_at.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
                forgotten_at = Some(Instant::now());
                self.forget().await;
            }
            self.begin(&mut attempts).await;
            let store = self.store.clone();
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                Some(came) = attempts.join_next() => self.came(came).await,
                () = store.alerts_written() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            while let Some(came) = attempts.try_join_next() {
                self.came(came).await;
            }
        }
    }

    /// Begins what is due, as far as there is room for it.
    async fn begin(&mut self, attempts: &mut JoinSet<Came>) {
        // What became of earlier attempts comes first: the ledger would give them out again.
        if !self.unkept.is_empty() || attempts.len() >= AT_ONCE_MAX {
            return;
        }
        let store = self.store.clone();
        let Ok(now) = store.now().await else { return };
        self.resting.retain(|_, until| *until > now);
        let looked = tokio::task::spawn_blocking(move || store.due_deliveries(now, LOOK_MAX)).await;
        let Ok(Ok(due)) = looked else { return };
        let mut chosen = Vec::new();
        for due in due {
            let (id, to) = (due.delivery.id, due.delivery.target.label());
            if self.under_way.contains_key(&id) {
                continue;
            }
            if let Some(result) = self.put_off(&due, now) {
                self.unkept.push(Attempted { delivery: id, result });
                continue;
            }
            let beside = self.under_way.values().filter(|other| **other == to).count();
            if attempts.len() + chosen.len() < AT_ONCE_MAX && beside < AT_ONCE_OF_TARGET_MAX {
                self.under_way.insert(id, to);
                chosen.push(due);
            }
        }
        if chosen.is_empty() {
            return;
        }
        let taken = self.store.take_deliveries(chosen.iter().map(|due| due.delivery.id).collect()).await;
        let taken = taken.unwrap_or_default();
        for due in chosen {
            if !taken.contains(&due.delivery.id) {
                self.under_way.remove(&due.delivery.id);
                continue;
            }
            let (couriers, alerts, zone) = (self.couriers.clone(), Arc::clone(&self.alerts), self.time_zone.clone());
            attempts.spawn(async move {
                let result = deliver(&couriers, &alerts, &zone, &due).await;
                (due, result)
            });
        }
    }

    /// Keeps others from what is under way here.
    async fn take_again(&mut self) {
        if self.under_way.is_empty() || self.taken_at.elapsed() < TAKE_AGAIN {
            return;
        }
        self.taken_at = Instant::now();
        if let Err(fault) = self.store.take_deliveries(self.under_way.keys().copied().collect()).await {
            debug!(%fault, "what is under way cannot be taken for longer; another process may try it too");
        }
    }

    /// Why a delivery is not tried now, if it is not.
    fn put_off(&self, due: &Due, now: Time) -> Option<AttemptResult> {
        if let Some(until) = self.resting.get(&due.delivery.target.label()) {
            return Some(AttemptResult::Postponed { due_at: *until });
        }
        // A program sleeps at no time.
        let is_person = due.contact.as_ref().is_some_and(|contact| contact.channel != Channel::Webhook);
        let until = due.quiet.as_ref().filter(|_| is_person).and_then(|quiet| quiet::until(quiet, now));
        until.map(|due_at| AttemptResult::Postponed { due_at })
    }

    async fn came(&mut self, came: Result<Came, tokio::task::JoinError>) {
        let (due, result) = match came {
            Ok(came) => came,
            // Its number is not known any more; the next start tries it again.
            Err(panic) => return error!(%panic, "a delivery panicked; this is a bug, report it"),
        };
        let delivery = &due.delivery;
        // Where nobody tells the time, a retry is counted from when the alert was written.
        let now = self.store.now().await.unwrap_or(delivery.alert.at);
        let to = delivery.target.label();
        let result = match result {
            Ok(()) => {
                self.resting.remove(&to);
                debug!(delivery = delivery.id, to, "delivered");
                AttemptResult::Delivered
            }
            Err(Undelivered { retry: Retry::GiveUp, detail }) => {
                warn!(delivery = delivery.id, to, error = detail, "given up; see `sodu deliveries list`");
                AttemptResult::GivenUp { error: detail }
            }
            Err(Undelivered { retry: Retry::TryAgain { after }, detail }) => {
                let rest = Time::from_micros(now.micros() + REST_S * SECOND_US);
                self.resting.insert(to.clone(), rest);
                let age_max = i64::from(self.alerts.give_up_days) * DAY_US;
                if now.micros() - delivery.alert.at.micros() > age_max {
                    warn!(delivery = delivery.id, to, error = detail, "given up; see `sodu deliveries list`");
                    AttemptResult::GivenUp { error: detail }
                } else {
                    debug!(delivery = delivery.id, to, error = detail, "not delivered yet");
                    AttemptResult::Again { due_at: next(now, delivery.attempts, after), error: detail }
                }
            }
        };
        self.unkept.push(Attempted { delivery: delivery.id, result });
    }

    /// Keeps what became of attempts. Where the ledger cannot be written, that is tried again, and they are not made again
    /// meanwhile.
    async fn keep(&mut self) {
        if self.unkept.is_empty() {
            return;
        }
        match self.store.record_attempts(self.unkept.clone()).await {
            Ok(()) => {
                for Attempted { delivery, .. } in self.unkept.drain(..) {
                    self.under_way.remove(&delivery);
                }
            }
            Err(fault) => {
                debug!(%fault, "what became of deliveries cannot be kept; trying on");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    async fn forget(&self) {
        let keep_us = i64::from(self.alerts.keep_days) * DAY_US;
        let Ok(now) = self.store.now().await else { return };
        let before = Time::from_micros(now.micros().saturating_sub(keep_us));
        if let Err(fault) = self.store.forget_alerts(before, FORGET_MAX).await {
            debug!(%fault, "old alerts cannot be forgotten now");
        }
    }
}

/// When a delivery is tried again that has failed once more than `attempts` times.
fn next(now: Time, attempts: u32, after: Option<Duration>) -> Time {
    let step = usize::try_from(attempts).unwrap_or(usize::MAX).min(BACK_OFF_S.len() - 1);
    let wanted_s = after.and_then(|after| i64::try_from(after.as_secs()).ok()).unwrap_or(0);
    Time::from_micros(now.micros() + BACK_OFF_S[step].max(wanted_s) * SECOND_US)
}

async fn deliver(couriers: &Couriers, alerts: &Alerts, zone: &TimeZone, due: &Due) -> Result<(), Undelivered> {
    let give_up = |detail: &str| Undelivered { retry: Retry::GiveUp, detail: detail.to_owned() };
    match (&due.delivery.target, &due.contact) {
        (DeliveryTarget::Operator(name), _) => {
            let found = alerts.targets.iter().find(|(known, _)| known == name);
            let (_, target) = found.ok_or_else(|| {
                give_up("the configuration has no target of that name any more; name one so under [alerts], then send again")
            })?;
            couriers.own.deliver(target, &message::written(due, alerts.language, zone)).await
        }
        (DeliveryTarget::Contact { .. }, None) => {
            Err(give_up("the account has no such contact any more; set it with `sodu alerts set`, then send again"))
        }
        (DeliveryTarget::Contact { .. }, Some(contact)) => {
            let message = message::written(due, message::language(contact.language), zone);
            let address = &contact.address;
            match contact.channel {
                Channel::Webhook => {
                    let secrets = contact.secret.iter().map(Hidden::literal).collect();
                    let target = Target::Webhook { url: Hidden::literal(address), secrets };
                    couriers.others.deliver(&target, &message).await
                }
                Channel::Email => {
                    let (smtp, from) = alerts.smtp.clone().zip(alerts.from.clone()).ok_or_else(|| {
                        give_up("there is no mail server: set smtp and from under [alerts], restart, then send again")
                    })?;
                    couriers.own.deliver(&Target::Email { to: address.clone(), smtp, from }, &message).await
                }
                Channel::Telegram => {
                    let token = alerts.telegram.clone().ok_or_else(|| {
                        give_up("there is no Telegram bot: set telegram under [alerts], restart, then send again")
                    })?;
                    let target = Target::Telegram { token, chat: address.clone(), api: None };
                    couriers.own.deliver(&target, &message).await
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_ever_more_seldom_and_never_before_the_receiver_wants_them() {
        let now = Time::from_micros(0);
        let after =
            |attempts, wanted: Option<u64>| next(now, attempts, wanted.map(Duration::from_secs)).micros() / SECOND_US;
        assert_eq!((after(0, None), after(1, None), after(8, None), after(500, None)), (10, 30, 14_400, 14_400));
        assert_eq!((after(0, Some(3)), after(0, Some(120))), (10, 120));
    }
}
