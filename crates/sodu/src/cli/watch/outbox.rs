//! Which message is delivered to whom, and when: the oldest first to each target, again with growing waits where that can help,
//! and not beyond three days.
//!
//! What is to be delivered lies in `memory`, which is durable; how often it was tried does not, so that a restart tries at
//! once. Nothing is sent here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::memory::Notice;
use crate::notify::{Retry, Undelivered};

/// How long a message is worth delivering.
const WORTH: SignedDuration = SignedDuration::from_hours(72);
/// The wait after the first attempt that failed; each further one doubles it.
const WAIT: Duration = Duration::from_secs(30);
/// The longest wait, unless the receiver asks for a longer one.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// A message and the label of a target.
pub(super) type Way = (String, String);

/// The attempts so far.
#[derive(Default)]
pub(super) struct Outbox {
    tries: BTreeMap<Way, Try>,
}

struct Try {
    count: u32,
    next_at: Timestamp,
    is_under_way: bool,
}

/// What becomes of a delivery that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It is tried again then.
    Again(Timestamp),
    /// It is not.
    GivenUp,
}

impl Outbox {
    /// What may be sent, by account: for each target its oldest message, unless that is under way.
    fn firsts(notices: &[Notice]) -> impl Iterator<Item = (&Notice, &String)> {
        let mut seen = BTreeSet::new();
        let ways = notices.iter().flat_map(|notice| notice.targets.iter().map(move |target| (notice, target)));
        ways.filter(move |(notice, target)| seen.insert((&notice.account, *target)))
    }

    /// Takes what is due at `now` under way.
    pub(super) fn begin<'a>(&mut self, notices: &'a [Notice], now: Timestamp) -> Vec<(&'a Notice, &'a String)> {
        self.tries
            .retain(|(id, target), _| notices.iter().any(|notice| notice.id == *id && notice.targets.contains(target)));
        let mut due = Vec::new();
        for (notice, target) in Outbox::firsts(notices) {
            let way = (notice.id.clone(), target.clone());
            let attempt = self.tries.entry(way).or_insert(Try { count: 0, next_at: now, is_under_way: false });
            if !attempt.is_under_way && attempt.next_at <= now {
                attempt.is_under_way = true;
                attempt.count += 1;
                due.push((notice, target));
            }
        }
        due
    }

    /// When something is due again; what is under way, and what waits behind it, is not.
    pub(super) fn next_at(&self, notices: &[Notice]) -> Option<Timestamp> {
        let firsts = Outbox::firsts(notices);
        let next = firsts.map(|(notice, target)| match self.tries.get(&(notice.id.clone(), target.clone())) {
            None => Some(Timestamp::MIN),
            Some(attempt) => (!attempt.is_under_way).then_some(attempt.next_at),
        });
        next.flatten().min()
    }

    /// An attempt failed; what becomes of it.
    pub(super) fn failed(&mut self, notice: &Notice, target: &str, why: &Undelivered, now: Timestamp) -> Fate {
        let way = (notice.id.clone(), target.to_owned());
        let Some(attempt) = self.tries.get_mut(&way) else { return Fate::GivenUp };
        let Retry::TryAgain { after } = why.retry else { return Fate::GivenUp };
        let wait = WAIT.saturating_mul(2_u32.saturating_pow(attempt.count.saturating_sub(1).min(16))).min(WAIT_MAX);
        let wait = SignedDuration::try_from(wait.max(after.unwrap_or_default())).unwrap_or(WORTH);
        let next_at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        if next_at.duration_since(notice.at) > WORTH {
            return Fate::GivenUp;
        }
        attempt.is_under_way = false;
        attempt.next_at = next_at;
        Fate::Again(next_at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_785_308_400 + second).expect("an instant")
    }

    fn notice(id: &str, account: &str, targets: &[&str]) -> Notice {
        Notice {
            id: id.into(),
            account: account.into(),
            at: at(0),
            title: String::new(),
            text: String::new(),
            event: Value::Null,
            targets: targets.iter().map(ToString::to_string).collect(),
        }
    }

    fn begun(outbox: &mut Outbox, notices: &[Notice], second: i64) -> String {
        let begun = outbox.begin(notices, at(second));
        begun.iter().map(|(notice, target)| format!("{}>{target}", notice.id)).collect::<Vec<_>>().join(" ")
    }

    fn passing(after_s: Option<u64>) -> Undelivered {
        Undelivered { retry: Retry::TryAgain { after: after_s.map(Duration::from_secs) }, detail: "busy".into() }
    }

    #[test]
    fn each_target_has_its_messages_in_order() {
        let mut notices =
            vec![notice("1", "shop", &["a", "b"]), notice("2", "shop", &["a", "b"]), notice("3", "bank", &["a"])];
        let mut outbox = Outbox::default();
        assert_eq!(outbox.next_at(&notices), Some(Timestamp::MIN));
        assert_eq!(begun(&mut outbox, &notices, 0), "1>a 1>b 3>a");
        assert_eq!(begun(&mut outbox, &notices, 99), "");
        assert_eq!(outbox.next_at(&notices), None);
        notices[0].targets.retain(|target| target != "b");
        assert_eq!(begun(&mut outbox, &notices, 99), "2>b");
        assert_eq!(outbox.failed(&notices[0], "a", &passing(None), at(100)), Fate::Again(at(130)));
        assert_eq!(outbox.next_at(&notices), Some(at(130)));
        assert_eq!(begun(&mut outbox, &notices, 129), "");
        assert_eq!(begun(&mut outbox, &notices, 130), "1>a");
    }

    #[test]
    fn waits_grow_up_to_a_limit_and_end() {
        let notices = [notice("1", "shop", &["a"])];
        let mut outbox = Outbox::default();
        let mut now = 0;
        let mut waits = Vec::new();
        let given_up = loop {
            assert_eq!(begun(&mut outbox, &notices, now), "1>a");
            match outbox.failed(&notices[0], "a", &passing(None), at(now)) {
                Fate::Again(next) => {
                    waits.push(next.duration_since(at(now)).as_secs());
                    now = next.duration_since(at(0)).as_secs();
                }
                Fate::GivenUp => break now,
            }
        };
        assert_eq!(waits[..7], [30, 60, 120, 240, 480, 900, 900]);
        assert!((71 * 3600..=72 * 3600).contains(&given_up), "{given_up}");
    }

    #[test]
    fn the_receiver_may_ask_for_a_longer_wait_and_some_cannot_be_helped() {
        let notices = [notice("1", "shop", &["a"])];
        let mut outbox = Outbox::default();
        begun(&mut outbox, &notices, 0);
        assert_eq!(outbox.failed(&notices[0], "a", &passing(Some(7200)), at(0)), Fate::Again(at(7200)));
        begun(&mut outbox, &notices, 7200);
        let hopeless = Undelivered { retry: Retry::GiveUp, detail: "no such chat".into() };
        assert_eq!(outbox.failed(&notices[0], "a", &hopeless, at(7200)), Fate::GivenUp);
    }
}
