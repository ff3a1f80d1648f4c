//! What a watcher shows to whoever looks on: events as they happen, and a board of all accounts.

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::burn::{Burn, Left, Sample};
use super::memory::{Known, Notice};

/// Somebody who looks on.
pub trait View: Send {
    /// Something happened; `board` is how things are after it.
    ///
    /// # Errors
    /// Nobody can look on any more, which ends the watching.
    fn tell(&mut self, event: &Event<'_>, board: &Board<'_>) -> io::Result<()>;

    /// When to be called without an event; never where none.
    fn next_at(&self) -> Option<Timestamp> {
        None
    }

    /// That time has come.
    ///
    /// # Errors
    /// As [`View::tell`].
    fn tick(&mut self, _board: &Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// An account was polled, the one of that row.
    Polled(usize),
    /// There is something to tell its owner.
    Alert(&'a Notice),
    /// A target has a message.
    Delivered {
        /// The message.
        notice: &'a Notice,
        /// The target's label.
        target: &'a str,
    },
    /// It does not.
    Undelivered {
        /// The message.
        notice: &'a Notice,
        /// The target's label.
        target: &'a str,
        /// Why.
        detail: &'a str,
        /// When it is tried again; not at all where none.
        again_at: Option<Timestamp>,
    },
    /// The history cannot be written; watching goes on.
    HistoryLost(&'a io::Error),
    /// The history is written again, with all that it lacked.
    HistoryKept,
}

/// All accounts at an instant.
#[derive(Clone, Debug)]
pub struct Board<'a> {
    /// When.
    pub now: Timestamp,
    /// The zone in which times are shown.
    pub zone: TimeZone,
    /// The accounts.
    pub rows: Vec<Row<'a>>,
    /// Deliveries that are still to be made.
    pub undelivered: usize,
    /// Whether the history lacks what it should hold.
    pub history_lost: bool,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its name.
    pub name: &'a str,
    /// What is known of it; nothing before the first poll.
    pub known: Option<&'a Known>,
    /// How fast credit is used.
    pub burn: Option<Burn>,
    /// How long it lasts.
    pub left: Left,
    /// Whether it is low.
    pub is_low: bool,
}

impl<'a> Row<'a> {
    /// The last good poll.
    pub fn last(&self) -> Option<&'a Sample> {
        self.known?.last()
    }

    /// Good polls.
    pub(super) fn samples(&self) -> &'a [Sample] {
        self.known.map_or(&[], |known| known.samples.as_slice())
    }

    /// Why the last poll failed, where it did: its stable name, and the sentence for people.
    pub fn failure(&self) -> Option<(&'a str, &'a str)> {
        self.known?.failure.as_ref().map(|(failed, detail)| (failed.as_str(), detail.as_str()))
    }
}
