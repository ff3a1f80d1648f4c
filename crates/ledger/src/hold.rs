//! Open holds, and what a decision knows of the entry that a command names.

use crate::{Kind, Minor, Time};

/// How long a hold lives, in seconds: 1 to 31,622,400 (366 days).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lifetime(u32);

impl Lifetime {
    /// The longest, in seconds.
    pub const MAX: u32 = 366 * 24 * 60 * 60;

    /// The longest there is.
    pub const LONGEST: Lifetime = Lifetime(Lifetime::MAX);

    /// One hour: what a hold has unless it is given another.
    pub const HOUR: Lifetime = Lifetime(3600);

    /// So many seconds, or `None` outside 1 to [`Lifetime::MAX`].
    pub fn new(seconds: u32) -> Option<Lifetime> {
        (1..=Lifetime::MAX).contains(&seconds).then_some(Lifetime(seconds))
    }

    /// The number of seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// The instant that lies this long after `from`.
    pub(crate) fn after(self, from: Time) -> Time {
        Time::from_micros(from.micros().saturating_add(i64::from(self.0).saturating_mul(1_000_000)))
    }
}

/// A hold that has not ended: what is left of it, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    /// The number of its entry within the account.
    pub number: u64,
    /// What is neither captured nor released yet; greater than zero.
    pub left: Minor,
    /// From this instant on it counts no more.
    pub expires_at: Time,
}

impl Hold {
    /// Whether it counts no more at `now`.
    pub fn is_due(&self, now: Time) -> bool {
        self.expires_at <= now
    }
}

/// The entry that a command names, as it stands now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A hold that is open; never one that is due, since those get their expire entries first.
    Open(Hold),
    /// A hold that has ended.
    Ended {
        /// The number of its entry.
        number: u64,
        /// What ended it: capture, void or expire.
        by: Kind,
        /// When.
        at: Time,
    },
    /// A charge or a capture.
    Spent {
        /// The number of its entry.
        number: u64,
        /// What it spent.
        amount: Minor,
        /// What was given back of that so far.
        refunded: Minor,
    },
    /// An entry of another kind, which no command can name.
    Other {
        /// Its number.
        number: u64,
    },
}

impl Subject {
    /// The entry's number within the account.
    pub fn number(&self) -> u64 {
        match *self {
            Subject::Open(Hold { number, .. })
            | Subject::Ended { number, .. }
            | Subject::Spent { number, .. }
            | Subject::Other { number } => number,
        }
    }
}
