//! Delivers one message to one target: a signed webhook, Slack, Telegram, a command, e-mail.
//!
//! One attempt, and a result that says whether another can help. No retry loop, no storage, no decision what is worth
//! telling: that is for `watch` and for the server's outbox. What the messages say is in `texts`.

mod chat;
mod command;
mod courier;
mod hidden;
mod http;
mod mail;
#[cfg(feature = "server")]
mod probe;
mod reach;
mod target;
pub mod texts;
mod webhook;

use std::fmt;
use std::time::Duration;

use serde_json::Value;

pub use courier::{Courier, Reach, Settings};
pub use hidden::Hidden;
#[cfg(feature = "server")]
pub use probe::Reached;
pub use target::{BadTarget, Target};

/// What is to be told, whole: each kind of target takes from it what it can carry.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// The same for every attempt and every target, so that receivers recognize what they have had: 1 to 128 ASCII letters,
    /// digits, `_` and `-`. It becomes the `webhook-id` and the `Message-ID`.
    pub id: String,
    /// When what it tells of happened, in seconds since 1970; the same for every attempt.
    pub at_unix_s: i64,
    /// One line for people.
    pub title: String,
    /// Several lines of plain text for people, which go without the title.
    pub text: String,
    /// The event for programs: the body of a webhook, the standard input of a command.
    pub event: Value,
}

impl Message {
    /// Whether the id may stand in a header, a signature and an address of mail. A full stop separates what is signed.
    fn has_good_id(&self) -> bool {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (1..=128).contains(&self.id.len()) && self.id.bytes().all(is_good)
    }
}

/// Why a message was not delivered, or not certainly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undelivered {
    /// Whether to try again.
    pub retry: Retry,
    /// What went wrong and what to do about it, for people; without secrets.
    pub detail: String,
}

/// Whether the same attempt can succeed another time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// It can: what failed may pass.
    TryAgain {
        /// How long the receiver wants to be left alone, where it says so; at most a day.
        after: Option<Duration>,
    },
    /// It cannot until a person changes something.
    GiveUp,
}

impl Undelivered {
    fn try_again(detail: impl Into<String>) -> Undelivered {
        Undelivered { retry: Retry::TryAgain { after: None }, detail: detail.into() }
    }

    fn give_up(detail: impl Into<String>) -> Undelivered {
        Undelivered { retry: Retry::GiveUp, detail: detail.into() }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.retry {
            Retry::TryAgain { .. } => "not delivered yet",
            Retry::GiveUp => "not delivered, and trying again cannot help",
        };
        write!(f, "{state}: {}", self.detail)
    }
}

impl std::error::Error for Undelivered {}

/// Text as it may stand in one line that people read, whoever wrote it.
fn plain(text: &str) -> String {
    const LEN_MAX: usize = 200;
    let letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let line: String = letters.take(LEN_MAX).collect();
    line.trim().to_owned()
}
