//! What an account's people hear of what happens to it, decided on what is known of the account alone.
//!
//! The same for either engine: each brings the watch as its commit finds it, and keeps what came of it in that commit.

use ledger::{Account, Entry, Event, Level, Minor, Reached, Rules, Standing, Status, Time, ends_refusals};

use crate::AlertEvent;
use crate::watch::{Ruled, Series, Watch};

/// What something led to.
#[derive(Default)]
pub(crate) struct Heard {
    /// Whether what the rules have reached is another, and is to be kept.
    pub(crate) is_changed: bool,
    /// What is told of it.
    pub(crate) told: Option<AlertEvent>,
    /// What the entry itself is, where somebody wants to hear of that too.
    pub(crate) event: Option<Event>,
}

impl Watch {
    /// Takes in an entry that has been folded into `account`, of which so much was available `before`.
    pub(crate) fn hear(&mut self, entry: &Entry, account: &Account, before: Minor, now: Time) -> Heard {
        let Watch { usage, ruled, calm_down_to } = self;
        usage.add(entry);
        let Some(ruled) = ruled else {
            *calm_down_to = Some(Minor::LEAST);
            return Heard::default();
        };
        let standing = Standing { available: account.available(), usage, now };
        let ends_series = ruled.refused.is_some() && ends_refusals(entry, before);
        if ends_series {
            ruled.refused = None;
        }
        let crossing = ruled.cross(&standing);
        *calm_down_to = ruled.rules.calm_down_to(ruled.reached, &standing);
        Heard {
            is_changed: ends_series || crossing.is_some(),
            told: crossing.flatten(),
            event: Event::of(entry).filter(|event| ruled.rules.events.has(*event)),
        }
    }

    /// Takes in that the account was refused for want of credit: the first time since money came in is told.
    pub(crate) fn hear_refusal(&mut self, amount: Minor, now: Time) -> Heard {
        let wants = |ruled: &&mut Box<Ruled>| ruled.rules.events.has(Event::ChargeRefused);
        let Some(ruled) = self.ruled.as_mut().filter(wants) else { return Heard::default() };
        if let Some(series) = &mut ruled.refused {
            series.count += 1;
            return Heard { is_changed: true, ..Heard::default() };
        }
        ruled.refused = Some(Series { since: now, amount, count: 1 });
        ruled.remind_at = ruled.remind_at.or(remind_at(&ruled.rules, now));
        let told = AlertEvent::ChargeRefused { amount, count: 1, since: now };
        Heard { is_changed: true, told: Some(told), event: None }
    }

    /// Whether the account's people want to hear of `event`.
    pub(crate) fn wants(&self, event: Event) -> bool {
        self.ruled.as_ref().is_some_and(|ruled| ruled.rules.events.has(event))
    }

    /// What is told again now that the time has come, if the account is still as its people were told.
    pub(crate) fn remind(&mut self, account: &Account, now: Time) -> Option<AlertEvent> {
        let Watch { usage, ruled: Some(ruled), calm_down_to } = self else { return None };
        // What was used leaves the last day with time alone.
        let standing = Standing { available: account.available(), usage, now };
        let crossing = ruled.cross(&standing).flatten();
        *calm_down_to = ruled.rules.calm_down_to(ruled.reached, &standing);
        let is_over = account.status == Status::Closed;
        ruled.remind_at = remind_at(&ruled.rules, now).filter(|_| ruled.is_pressing() && !is_over);
        crossing.or_else(|| ruled.reminder()).filter(|_| !is_over)
    }
}

impl Ruled {
    /// New rules, where there were `before`. What is reached already is told at once, but for what was reached before, and
    /// for an account that never had money.
    pub(crate) fn under(rules: &Rules, before: Option<&Ruled>, standing: &Standing<'_>) -> (Ruled, Option<AlertEvent>) {
        let known = before.map_or(Reached::default(), |before| before.known(rules));
        let reached = rules.reached(known, standing);
        let low_since = before.and_then(|before| before.low_since).or(Some(standing.now));
        let low_since = low_since.filter(|_| !reached.is_empty());
        let refused = before.and_then(|before| before.refused);
        let ruled = Ruled {
            reached,
            low_since,
            remind_at: low_since.and_then(|_| remind_at(rules, standing.now)),
            refused: refused.filter(|_| rules.events.has(Event::ChargeRefused)),
            rules: rules.clone(),
        };
        let has_had_money = standing.usage.last_topup.is_some() || standing.available > Minor::ZERO;
        let levels = ruled.levels(reached.since(known));
        let told = (has_had_money && !levels.is_empty()).then_some(AlertEvent::CreditLow { levels });
        (ruled, told)
    }

    /// The levels of `rules` that are reached under these.
    fn known(&self, rules: &Rules) -> Reached {
        let mut known = Reached::default();
        for (n, level) in rules.levels.iter().enumerate() {
            let was = self.rules.levels.iter().position(|other| other == level);
            if was.is_some_and(|was| self.reached.has(was)) {
                known.set(n);
            }
        }
        known
    }

    fn levels(&self, numbers: impl Iterator<Item = usize>) -> Vec<Level> {
        numbers.filter_map(|n| self.rules.levels.get(n).copied()).collect()
    }

    /// Brings what is reached up to `standing`: `None` where nothing changes, otherwise what that tells, if anything.
    fn cross(&mut self, standing: &Standing<'_>) -> Option<Option<AlertEvent>> {
        let after = self.rules.reached(self.reached, standing);
        if after == self.reached {
            return None;
        }
        let levels = self.levels(after.since(self.reached));
        self.reached = after;
        if after.is_empty() {
            self.remind_at = self.remind_at.filter(|_| self.refused.is_some());
            let since = self.low_since.take().filter(|_| self.rules.events.has(Event::Recovered));
            return Some(since.map(|since| AlertEvent::Recovered { since }));
        }
        if levels.is_empty() {
            return Some(None);
        }
        self.low_since.get_or_insert(standing.now);
        self.remind_at = remind_at(&self.rules, standing.now);
        Some(Some(AlertEvent::CreditLow { levels }))
    }

    fn is_pressing(&self) -> bool {
        !self.reached.is_empty() || self.refused.is_some()
    }

    /// What people are told again.
    fn reminder(&self) -> Option<AlertEvent> {
        match (self.reached.is_empty(), self.low_since, self.refused) {
            (false, Some(since), _) => Some(AlertEvent::StillLow { since }),
            (_, _, Some(Series { since, amount, count })) => Some(AlertEvent::ChargeRefused { amount, count, since }),
            _ => None,
        }
    }
}

/// When they are told again of what was told at `now`.
fn remind_at(rules: &Rules, now: Time) -> Option<Time> {
    const HOUR_US: i64 = 3_600_000_000;
    let hours = i64::from(rules.remind_hours?);
    Some(Time::from_micros(now.micros().saturating_add(hours.saturating_mul(HOUR_US))))
}
