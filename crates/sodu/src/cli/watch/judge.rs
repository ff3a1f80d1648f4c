//! When an account's owner is to be told something: a state machine without clock, disk or network.
//!
//! A threshold is crossed by the first good poll below it, and is told then, once; it is armed again by a poll that is above
//! it by a margin, so that a balance on the line does not warn with each message sent. An empty account is told of whatever the
//! thresholds are. One poll is told once, by the most urgent thing that it crossed. While something is crossed, reminders
//! follow at their interval. Polls that fail say nothing about the balance: they are told once, when there were enough in a
//! row, and once when they end.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sodu_client::Decimal;

use super::burn::Left;

/// What an account's owner wants to hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Balances below which it warns, each above zero.
    pub below: Vec<Decimal>,
    /// Hours left below which it warns.
    pub hours: Vec<u32>,
    /// How long after the last word about a low balance it reminds; never where none.
    pub remind_every: Option<SignedDuration>,
    /// How many polls fail in a row before that is told.
    pub failed_polls: u32,
}

/// What was told already. It is kept on disk, so that a restart neither repeats nor loses a warning.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Whether the account was empty, and was told to be.
    pub empty: bool,
    /// Balances that are crossed: told, and not armed again.
    pub below: BTreeSet<Decimal>,
    /// The same of hours left.
    pub hours: BTreeSet<u32>,
    /// When the first of what is crossed was.
    pub low_since: Option<Timestamp>,
    /// The last warning or reminder, while something is crossed.
    pub told_at: Option<Timestamp>,
    /// How many polls failed in a row.
    pub failed: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// Whether it was told that the balance cannot be read.
    pub unreadable: bool,
}

/// What a poll gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// A balance, and how long it lasts.
    Good(Decimal, Left),
    /// No balance. That is nothing about the balance.
    Failed,
}

/// Something to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alert {
    /// The balance fell to zero or below.
    Empty,
    /// The balance fell below this threshold.
    Below(Decimal),
    /// What is left fell below so many hours.
    Hours(u32),
    /// It is still low, since then.
    Reminder(Timestamp),
    /// Everything is armed again that was crossed since then: it was topped up.
    Recovered(Timestamp),
    /// Polls failed in a row since then.
    Unreadable(Timestamp),
    /// The balance can be read again, which it could not since then.
    Readable(Timestamp),
}

impl Rules {
    /// Takes what a poll at `at` gave into `state`, and says what is to be told of it.
    pub fn judge(&self, state: &mut State, at: Timestamp, reading: Reading) -> Vec<Alert> {
        match reading {
            Reading::Failed => self.failed(state, at),
            Reading::Good(balance, left) => {
                state.failed = 0;
                let since = state.failing_since.take().filter(|_| std::mem::take(&mut state.unreadable));
                let readable = since.map(Alert::Readable);
                readable.into_iter().chain(self.weighed(state, at, balance, left)).collect()
            }
        }
    }

    fn failed(&self, state: &mut State, at: Timestamp) -> Vec<Alert> {
        state.failed = state.failed.saturating_add(1);
        let since = *state.failing_since.get_or_insert(at);
        if state.unreadable || state.failed < self.failed_polls {
            return Vec::new();
        }
        state.unreadable = true;
        vec![Alert::Unreadable(since)]
    }

    /// What a balance is worth telling.
    fn weighed(&self, state: &mut State, at: Timestamp, balance: Decimal, left: Left) -> Option<Alert> {
        // A threshold that is configured no more is forgotten, and that is no top-up.
        state.below.retain(|threshold| self.below.contains(threshold));
        state.hours.retain(|hours| self.hours.contains(hours));
        let since = state.low_since.take().filter(|_| state.is_low());

        state.empty &= !self.is_filled_by(&balance);
        state.below.retain(|threshold| !is_armed_by(threshold, &balance));
        state.hours.retain(|hours| !is_armed_by_hours(*hours, left));
        let crossed = self.cross(state, &balance, left);
        if !state.is_low() {
            state.told_at = None;
            return since.map(Alert::Recovered);
        }
        let since = *state.low_since.insert(since.unwrap_or(at));
        let reminder = || (self.is_low(&balance, left) && self.is_due(state, at)).then_some(Alert::Reminder(since));
        let alert = crossed.or_else(reminder);
        if alert.is_some() {
            state.told_at = Some(at);
        }
        alert
    }

    /// Marks everything that is crossed now and was not before; the most urgent of it.
    fn cross(&self, state: &mut State, balance: &Decimal, left: Left) -> Option<Alert> {
        let is_empty = *balance <= Decimal::ZERO;
        let empty = (is_empty && !state.empty).then_some(Alert::Empty);
        state.empty |= is_empty;
        let below = self.below.iter().filter(|threshold| balance < threshold && state.below.insert(**threshold)).min();
        let hours =
            self.hours.iter().filter(|hours| is_below_hours(**hours, left) && state.hours.insert(**hours)).min();
        empty.or(below.copied().map(Alert::Below)).or(hours.copied().map(Alert::Hours))
    }

    fn is_due(&self, state: &State, at: Timestamp) -> bool {
        let next = state.told_at.zip(self.remind_every).and_then(|(told, every)| told.checked_add(every).ok());
        next.is_some_and(|next| at >= next)
    }

    /// Whether a balance arms the warning of an empty account: it is above zero, and above the lowest threshold by its margin.
    fn is_filled_by(&self, balance: &Decimal) -> bool {
        *balance > Decimal::ZERO && self.below.iter().min().is_none_or(|lowest| is_armed_by(lowest, balance))
    }

    /// Whether a balance is low, whatever was told of it.
    pub fn is_low(&self, balance: &Decimal, left: Left) -> bool {
        *balance <= Decimal::ZERO
            || self.below.iter().any(|threshold| balance < threshold)
            || self.hours.iter().any(|hours| is_below_hours(*hours, left))
    }
}

impl State {
    /// Whether something is crossed.
    fn is_low(&self) -> bool {
        self.empty || !self.below.is_empty() || !self.hours.is_empty()
    }
}

/// Whether `balance` is above a threshold by a twentieth of it. Thresholds are above zero.
fn is_armed_by(threshold: &Decimal, balance: &Decimal) -> bool {
    let margin = |units: i128| Decimal::of_units(units.checked_mul(105)?, threshold.scale() + 2);
    threshold.to_units(threshold.scale()).and_then(margin).is_none_or(|armed| *balance >= armed)
}

fn is_below_hours(hours: u32, left: Left) -> bool {
    matches!(left, Left::Minutes(minutes) if minutes < i64::from(hours) * 60)
}

/// The same for hours, by a tenth: the speed of the last 24 hours moves with the time of day.
fn is_armed_by_hours(hours: u32, left: Left) -> bool {
    match left {
        Left::Unknown => false,
        Left::Endless => true,
        Left::Minutes(minutes) => minutes >= i64::from(hours) * 66,
    }
}

#[cfg(test)]
mod tests;
