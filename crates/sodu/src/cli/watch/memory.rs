//! What a watcher knows: balances of the last days, what was told, and what is still to be delivered.
//!
//! It is a fold over the lines of the history file (`journal`), and one piece of code does it for a line that was just made
//! and for one that is read back after a restart. It is bounded: a week in hours, the last day poll by poll.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sodu_client::Decimal;

use super::burn::{Burn, Left, Sample};
use super::judge::State;

/// How long balances are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);
/// How long each of them is, rather than one an hour: what the burn looks at, and an hour more.
const WHOLE: SignedDuration = SignedDuration::from_hours(25);

/// One step of a watcher, as a line of its history. What a poll gave and what followed from it stand in one line, so that a
/// line that was torn off takes both away and neither alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// The first line, with the number of this format.
    SoduWatch(u32),
    /// All that was known of an account when the file was written anew.
    Account {
        /// Whose.
        name: String,
        /// What.
        #[serde(flatten)]
        known: Known,
    },
    /// A message that was still to be delivered then.
    Notice(Notice),
    /// A poll, and what it led to.
    Poll(Poll),
    /// The end of a delivery, good or bad.
    Delivery {
        /// The message.
        notice: String,
        /// To whom, as [`crate::notify::Target::label`] says it.
        target: String,
        /// When.
        at: Timestamp,
        /// Why it was given up, where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given_up: Option<String>,
    },
}

/// A poll.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Poll {
    /// Whose.
    pub account: String,
    /// When it was answered.
    pub at: Timestamp,
    /// By what.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What has been told, this poll included.
    #[serde(default, skip_serializing_if = "is_default")]
    pub state: State,
    /// The message that is to be delivered because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// What a poll gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// A balance.
    Good {
        /// How much.
        balance: Decimal,
        /// Of which account of the service.
        user_id: u32,
    },
    /// None.
    Failed {
        /// The stable name of why.
        failed: String,
        /// The sentence for people.
        detail: String,
    },
}

/// A message, and to whom it is still to be delivered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// The same for every attempt.
    pub id: String,
    /// Whose.
    pub account: String,
    /// When what it tells happened.
    pub at: Timestamp,
    /// One line for people.
    pub title: String,
    /// Several.
    pub text: String,
    /// The same for programs.
    pub event: Value,
    /// The labels of the targets that do not have it yet.
    pub targets: Vec<String>,
}

/// What is known of an account.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Known {
    /// Its number at the service.
    pub user_id: Option<u32>,
    /// Good polls, in the order of time.
    #[serde(default, with = "pairs")]
    pub samples: Vec<Sample>,
    /// Why the last poll failed, where it did: its stable name, and the sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(String, String)>,
    /// What was told.
    #[serde(default, skip_serializing_if = "is_default")]
    pub state: State,
}

/// Everything.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Memory {
    accounts: BTreeMap<String, Known>,
    notices: Vec<Notice>,
}

impl Memory {
    /// What is known of an account; nothing of one that was never polled.
    pub fn known(&self, account: &str) -> Option<&Known> {
        self.accounts.get(account)
    }

    /// Messages that are still to be delivered, the oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Takes a line of the history.
    pub(super) fn take(&mut self, line: Line) {
        match line {
            Line::SoduWatch(_) => {}
            Line::Account { name, known } => {
                self.accounts.insert(name, known);
            }
            Line::Notice(notice) => self.notices.push(notice),
            Line::Poll(Poll { account, at, outcome, state, notices }) => {
                self.read(&account, at, &outcome).state = state;
                self.notices.extend(notices);
            }
            Line::Delivery { notice, target, .. } => self.settle(&notice, &target),
        }
    }

    /// Takes what a poll gave; what follows from it is for the caller to say.
    pub(super) fn read(&mut self, account: &str, at: Timestamp, outcome: &Outcome) -> &mut Known {
        let known = self.accounts.entry(account.to_owned()).or_default();
        match outcome {
            Outcome::Good { balance, user_id } => {
                // Other keys under the same name: what was known is about another account.
                if known.user_id.is_some_and(|before| before != *user_id) {
                    *known = Known::default();
                }
                known.user_id = Some(*user_id);
                known.failure = None;
                // A clock that was set back leaves figures from the future, which no later poll could follow.
                if known.last().is_some_and(|last| last.at > at) {
                    known.samples.retain(|sample| sample.at <= at);
                }
                known.samples.push(Sample { at, balance: *balance });
            }
            Outcome::Failed { failed, detail } => known.failure = Some((failed.clone(), detail.clone())),
        }
        known
    }

    /// Adds messages that a poll led to.
    pub(super) fn owe(&mut self, notices: &[Notice]) {
        self.notices.extend_from_slice(notices);
    }

    /// A target has its message, or never will.
    pub(super) fn settle(&mut self, notice: &str, target: &str) {
        if let Some(notice) = self.notices.iter_mut().find(|known| known.id == notice) {
            notice.targets.retain(|label| label != target);
        }
        self.notices.retain(|notice| !notice.targets.is_empty());
    }

    /// Forgets what is older than anything needs, and accounts that nobody watched for as long.
    pub(super) fn prune(&mut self, now: Timestamp, is_watched: impl Fn(&str) -> bool) {
        self.accounts.values_mut().for_each(|known| thin(&mut known.samples));
        let is_recent = |known: &Known| known.last().is_some_and(|sample| now.duration_since(sample.at) < KEPT);
        self.accounts.retain(|name, known| is_watched(name) || is_recent(known));
        self.notices.retain(|notice| now.duration_since(notice.at) < KEPT);
    }

    /// The lines that lead to what is known now.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        let account = |(name, known): (&String, &Known)| Line::Account { name: name.clone(), known: known.clone() };
        let notices = self.notices.iter().cloned().map(Line::Notice);
        self.accounts.iter().map(account).chain(notices)
    }
}

impl Known {
    /// The last good poll.
    pub fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }

    /// How fast credit is used, and for how long it lasts.
    pub fn pace(&self) -> (Option<Burn>, Left) {
        let burn = Burn::over(&self.samples);
        let left = burn.zip(self.last()).map_or(Left::Unknown, |(burn, last)| burn.lasts(&last.balance));
        (burn, left)
    }
}

/// Keeps all of the last day, one an hour before it, and nothing beyond [`KEPT`], counted from the newest.
fn thin(samples: &mut Vec<Sample>) {
    let Some(newest) = samples.last().map(|sample| sample.at) else { return };
    let age = |sample: &Sample| newest.duration_since(sample.at);
    samples.retain(|sample| age(sample) <= KEPT);
    let hour = |sample: &Sample| sample.at.as_second().div_euclid(3600);
    let mut next_hour = None;
    // From the newest backwards, so that of each hour the last one stays.
    let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
    for sample in samples.iter().rev() {
        let is_kept = age(sample) <= WHOLE || next_hour != Some(hour(sample));
        next_hour = Some(hour(sample));
        if is_kept {
            kept.push(*sample);
        }
    }
    kept.reverse();
    *samples = kept;
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Samples as pairs of time and balance: most of a file is these.
mod pairs {
    use super::{Decimal, Sample, Timestamp};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(samples: &[Sample], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(samples.iter().map(|sample| (sample.at, sample.balance)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Sample>, D::Error> {
        let pairs = Vec::<(Timestamp, Decimal)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(at, balance)| Sample { at, balance }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_785_308_400 + minute * 60).expect("an instant")
    }

    fn good(balance: i64, user_id: u32) -> Outcome {
        Outcome::Good { balance: balance.into(), user_id }
    }

    #[test]
    fn a_week_is_kept_in_hours_and_a_day_whole() {
        let mut memory = Memory::default();
        for minute in 0..20 * 24 * 60 {
            memory.read("shop", at(minute), &good(1_000_000 - minute, 7));
        }
        let before = memory.known("shop").expect("it was polled").pace();
        let last = at(20 * 24 * 60);
        memory.prune(last, |_| false);
        let known = memory.known("shop").expect("it was polled");
        assert_eq!(known.pace(), before);
        assert_eq!(known.samples.len(), 25 * 60 + 1 + (8 * 24 - 25));
        memory.prune(last + KEPT, |name| name == "shop");
        assert!(memory.known("shop").is_some());
        memory.prune(last + KEPT, |_| false);
        assert_eq!(memory.known("shop"), None);
    }

    #[test]
    fn other_keys_under_a_name_begin_anew() {
        let mut memory = Memory::default();
        memory.read("shop", at(0), &good(500, 7)).state.empty = true;
        memory.read("shop", at(1), &Outcome::Failed { failed: "timeout".into(), detail: "slow".into() });
        let known = memory.read("shop", at(2), &good(400, 7));
        assert!(known.state.empty && known.failure.is_none() && known.samples.len() == 2);
        let known = memory.read("shop", at(3), &good(300, 8));
        assert!(!known.state.empty && known.samples.len() == 1);
    }

    #[test]
    fn a_clock_that_was_set_back_is_believed() {
        let mut memory = Memory::default();
        memory.read("shop", at(100), &good(500, 7));
        let known = memory.read("shop", at(50), &good(400, 7));
        assert_eq!(known.samples, [Sample { at: at(50), balance: 400.into() }]);
    }

    #[test]
    fn lines_lead_back_to_what_is_known() {
        let notice = Notice {
            id: "a".into(),
            account: "shop".into(),
            at: at(1),
            title: "low".into(),
            text: "it is low".into(),
            event: serde_json::json!({ "type": "balance.low" }),
            targets: vec!["slack".into(), "email".into()],
        };
        let state = State { empty: true, ..State::default() };
        let failed = Outcome::Failed { failed: "timeout".into(), detail: "slow".into() };
        let polls = [
            Poll { account: "shop".into(), at: at(1), outcome: good(0, 7), state, notices: vec![notice] },
            Poll { account: "bank".into(), at: at(1), outcome: failed, state: State::default(), notices: vec![] },
        ];
        let mut memory = Memory::default();
        for poll in polls {
            let text = serde_json::to_string(&Line::Poll(poll)).expect("JSON");
            memory.take(serde_json::from_str(&text).expect("the same"));
        }
        memory.settle("a", "email");
        assert_eq!(memory.notices()[0].targets, ["slack"]);
        let mut copy = Memory::default();
        for line in memory.lines() {
            let text = serde_json::to_string(&line).expect("JSON");
            copy.take(serde_json::from_str(&text).expect("the same"));
        }
        assert_eq!(copy, memory);
        copy.settle("a", "slack");
        assert!(copy.notices().is_empty());
    }
}
