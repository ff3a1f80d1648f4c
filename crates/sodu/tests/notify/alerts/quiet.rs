//! People are left alone in their quiet hours, and told at their end; programs are told at once.

use std::time::Duration;

use store::{Language, Quiet};

use super::common::*;
use crate::receiver::ok;

#[test]
fn mail_waits_for_the_morning_and_webhooks_do_not() {
    let (hook, mails) = (receiver(&[ok]), mail_server());
    let mut server = Server::with(with_mail(&mails));
    server.open(7, "1000");
    let quiet = Quiet { from_minute: 22 * 60, until_minute: 7 * 60, zone: "Asia/Ho_Chi_Minh".into() };
    let contacts = vec![webhook(&hook), email(Language::Vietnamese)];
    server.set(7, store::AlertSettings { quiet: Some(quiet), ..settings(&[money("500")], contacts) });
    // 14:00 there, and nine hours later 23:00.
    server.pass(Duration::from_secs(9 * 3600));
    server.charge(7, "600");
    until("the webhook", || !hook.requests().is_empty());
    let morning = START_US + 17 * 3_600_000_000;
    until("the end of the night to be waited for", || {
        server.deliveries().iter().any(|delivery| delivery.due_at.micros() == morning)
    });
    server = server.restarted();
    server.pass(Duration::from_secs(8 * 3600));
    server.await_all();
    let tried_at = |n: usize| server.deliveries()[n].attempted_at.map(ledger::Time::micros);
    assert_eq!((tried_at(0), tried_at(1)), (Some(START_US + 9 * 3_600_000_000), Some(morning)));
    let [mail] = &mails.mails()[..] else { panic!("{:?}", mails.mails()) };
    // It tells when it was: in the evening, in their own time.
    assert!(mail.data.contains("Date: Wed, 29 Jul 2026 16:00:00"), "{}", mail.data);
}
