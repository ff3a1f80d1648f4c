//! The watcher's deliveries: begins what the outbox says is due, and keeps how each ended.

use std::io;

use jiff::Timestamp;

use super::journal::Durable;
use super::memory::{Line, Notice};
use super::notice::message;
use super::outbox::Fate;
use super::view::{Event, View};
use super::watcher::{Done, Watcher};
use crate::notify::Undelivered;

impl Watcher {
    /// Begins the deliveries that are due.
    pub(super) fn begin_deliveries(&mut self, now: Timestamp, view: &mut dyn View) -> io::Result<()> {
        let mut lost = Vec::new();
        for (notice, label) in self.outbox.begin(self.memory.notices(), now) {
            let Some(watched) = self.watched.iter().find(|watched| watched.name == notice.account) else {
                // Watched another time, perhaps: its messages wait for that, and get old.
                continue;
            };
            let Some((_, target)) = watched.targets.iter().find(|(known, _)| known == label) else {
                lost.push((notice.clone(), label.clone()));
                continue;
            };
            let (courier, target, message) = (self.courier.clone(), target.clone(), message(notice));
            let (notice, label) = (notice.id.clone(), label.clone());
            self.work.spawn(async move {
                let result = courier.deliver(&target, &message).await;
                Done::Delivered { notice, target: label, result }
            });
        }
        lost.iter().try_for_each(|(notice, target)| self.give_up(notice, target, "it is configured no more", view))
    }

    /// Takes how a delivery ended.
    pub(super) fn delivered(
        &mut self,
        id: &str,
        target: &str,
        result: Result<(), Undelivered>,
        view: &mut dyn View,
    ) -> io::Result<()> {
        let now = self.clock.now();
        let Some(notice) = self.memory.notices().iter().find(|notice| notice.id == id).cloned() else { return Ok(()) };
        self.counts.delivered(&notice.account, target, result.is_ok());
        match result {
            Ok(()) => {
                self.settle(&notice, target, None, view)?;
                view.tell(&Event::Delivered { notice: &notice, target }, &self.board())
            }
            Err(why) => match self.outbox.failed(&notice, target, &why, now) {
                Fate::Again(at) => {
                    let event = Event::Undelivered { notice: &notice, target, detail: &why.detail, again_at: Some(at) };
                    view.tell(&event, &self.board())
                }
                Fate::GivenUp => self.give_up(&notice, target, &why.detail, view),
            },
        }
    }

    fn give_up(&mut self, notice: &Notice, target: &str, detail: &str, view: &mut dyn View) -> io::Result<()> {
        self.settle(notice, target, Some(detail.to_owned()), view)?;
        view.tell(&Event::Undelivered { notice, target, detail, again_at: None }, &self.board())
    }

    fn settle(
        &mut self,
        notice: &Notice,
        target: &str,
        given_up: Option<String>,
        view: &mut dyn View,
    ) -> io::Result<()> {
        self.memory.settle(&notice.id, target);
        let (notice, target, at) = (notice.id.clone(), target.to_owned(), self.clock.now());
        self.keep(&Line::Delivery { notice, target, at, given_up }, Durable::Now, view)
    }
}
