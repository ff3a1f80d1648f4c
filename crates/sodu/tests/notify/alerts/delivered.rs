//! Each crossing reaches each target, under one id, whatever goes wrong between.

use std::collections::BTreeSet;
use std::time::Duration;

use ledger::{Movement, Named};
use serde_json::json;
use sodu::notify::Target;
use store::{DeliveryStatus, Language};

use super::common::*;
use crate::receiver::{Stream, answer, hang, ok};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The answer is lost: the connection ends before it.
fn lost(_: &mut dyn Stream) {}

fn away(stream: &mut dyn Stream) {
    answer(stream, "503 Service Unavailable", "", "");
}

fn gone(stream: &mut dyn Stream) {
    answer(stream, "410 Gone", "", "");
}

#[test]
fn a_crossing_is_told_to_every_target_under_one_id() {
    let (hook, ops, mails) = (receiver(&[ok]), receiver(&[ok]), mail_server());
    let target = json!({ "webhook": ops.url(), "secret": SECRET });
    let target: Target = serde_json::from_value(target).expect("a target");
    let mut alerts = with_mail(&mails);
    alerts.targets = vec![("ops".to_owned(), target)];
    let server = Server::with(alerts);
    server.open(7, "1000000");
    server.set(7, settings(&[money("400000")], vec![webhook(&hook), email(Language::Vietnamese)]));
    server.pass(Duration::from_secs(2 * 3600));
    server.charge(7, "700000");
    server.await_all();
    server.charge(7, "1");
    assert_eq!((seen(&hook).len(), seen(&ops)), (1, seen(&hook)), "one id for all");
    let [mail] = &mails.mails()[..] else { panic!("{:?}", mails.mails()) };
    assert!(mail.to.contains("ke-toan@example.vn"), "{}", mail.to);
    let id = seen(&hook).into_keys().next().expect("an id");
    assert!(mail.data.contains(&format!("Message-ID: <{id}@example.com>")), "{}", mail.data);
    let event = events(&hook).remove(0);
    let expected = json!({
        "type": "balance.low", "timestamp": "2026-07-29T09:00:00.000000Z",
        "data": {
            "account": 7, "name": "Công ty ABC", "entry": 3, "currency": "VND", "balance": "300000", "available": "300000",
            // 700,000 in two hours: 350,000 an hour.
            "burn_per_hour": "350000", "hours_left": 0.85, "levels": [{ "below": "400000" }], "last_topup": "1000000",
        },
    });
    assert_eq!(event, expected);
    assert!(server.deliveries().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
}

#[test]
fn lost_answers_and_servers_that_are_away_are_tried_again_under_the_same_id() {
    let hook = receiver(&[lost, away, lost, ok]);
    let server = Server::with(here());
    server.open(7, "1000");
    server.set(7, settings(&[money("500")], vec![webhook(&hook)]));
    server.charge(7, "600");
    for n in 1..=3 {
        until("an attempt", || server.deliveries()[0].attempts >= n);
        server.pass(Duration::from_secs(3600));
    }
    server.await_all();
    assert_eq!(seen(&hook).into_values().collect::<Vec<_>>(), [4]);
    let (delivery, attempts) = server.store.delivery(1).expect("no fault").expect("a delivery");
    assert_eq!((delivery.status, delivery.error), (DeliveryStatus::Delivered, None));
    let errors: Vec<bool> = attempts.iter().map(|attempt| attempt.error.is_some()).collect();
    assert_eq!(errors, [true, true, true, false]);
    // The next crossing is another alert.
    server.act(7, Movement::Topup { amount: vnd("1000") });
    server.charge(7, "1200");
    server.await_all();
    assert_eq!(seen(&hook).into_values().collect::<BTreeSet<_>>(), BTreeSet::from([1, 4]));
}

#[test]
fn a_kill_between_delivery_and_its_record_delivers_again_under_the_same_id() {
    let hook = receiver(&[hang, ok]);
    let server = Server::with(here());
    server.open(7, "1000");
    server.set(7, settings(&[money("500")], vec![webhook(&hook)]));
    server.charge(7, "600");
    // It has arrived, and nobody knows that.
    until("the first request", || !hook.requests().is_empty());
    let server = server.killed();
    server.await_all();
    assert_eq!(seen(&hook).into_values().collect::<Vec<_>>(), [2]);
    let server = server.restarted();
    server.charge(7, "1");
    server.await_all();
    assert_eq!((server.deliveries().len(), seen(&hook).len()), (1, 1));
}

#[test]
fn a_kill_right_after_the_commit_loses_no_alert() {
    let hook = receiver(&[hang, ok]);
    let server = Server::with(here());
    server.open(7, "1000");
    server.open(8, "1000");
    server.set(7, settings(&[money("500")], vec![webhook(&hook)]));
    // The one connection that is answered late keeps nobody else from being told.
    server.set(8, settings(&[money("500")], vec![webhook(&hook)]));
    server.charge(7, "600");
    until("the first request", || !hook.requests().is_empty());
    server.charge(8, "600");
    let server = server.killed();
    server.await_all();
    assert_eq!(seen(&hook).len(), 2);
    assert!(server.deliveries().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
}

#[test]
fn what_cannot_help_is_given_up_told_and_sent_again_when_asked() {
    let hook = receiver(&[gone, ok]);
    let server = Server::with(here());
    server.open(7, "1000");
    let no_mail = email(Language::English);
    server.set(7, settings(&[money("500")], vec![webhook(&hook), no_mail]));
    server.charge(7, "600");
    server.await_all();
    let errors: Vec<_> = server.deliveries().into_iter().map(|delivery| delivery.error.expect("a word")).collect();
    assert!(errors[0].contains("410") && errors[1].contains("mail server"), "{errors:?}");
    assert_eq!(server.store.delivery_counts().expect("no fault"), (0, 2));
    block_on(server.store.resend(actor(), 1)).expect("no fault").expect("a delivery");
    server.await_all();
    assert_eq!(server.deliveries()[0].status, DeliveryStatus::Delivered);
    assert_eq!(seen(&hook).into_values().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_target_inside_this_network_is_not_called_unless_the_operator_allows_it() {
    let hook = receiver(&[ok]);
    let server = Server::with(sodu::config::Alerts::default());
    server.open(7, "1000");
    server.set(7, settings(&[money("500")], vec![webhook(&hook)]));
    server.charge(7, "600");
    server.await_all();
    let [delivery] = &server.deliveries()[..] else { panic!("one delivery") };
    assert_eq!(delivery.status, DeliveryStatus::GivenUp);
    assert!(delivery.error.as_deref().is_some_and(|error| error.contains("public")), "{:?}", delivery.error);
    assert_eq!(hook.connections(), 0);
}

#[test]
fn deliveries_are_given_up_after_days() {
    let hook = receiver(&[away]);
    let server = Server::with(here());
    server.open(7, "1000");
    server.set(7, settings(&[money("500")], vec![webhook(&hook)]));
    server.charge(7, "600");
    until("an attempt", || server.deliveries()[0].attempts >= 1);
    server.pass(Duration::from_secs(4 * 86_400));
    server.await_all();
    assert_eq!(server.deliveries()[0].status, DeliveryStatus::GivenUp);
}

#[test]
fn every_crossing_of_many_accounts_is_seen_once_by_its_id_under_load_and_kills() {
    const ACCOUNTS: u32 = 60;
    // Every third answer is lost.
    let acts: Vec<crate::receiver::Act> = (0..30).flat_map(|_| [ok as crate::receiver::Act, lost, ok]).collect();
    let hook = receiver(&acts);
    let mut server = Server::with(here());
    for id in 1..=ACCOUNTS {
        server.open(id, "1000");
        server.set(id, settings(&[money("500"), money("0")], vec![webhook(&hook)]));
    }
    // Two crossings each, among charges that cross nothing, a kill in the middle of it.
    for round in 0..10 {
        let charges = (1..=ACCOUNTS).map(|id| command(id, Movement::Charge { amount: vnd("100") })).collect();
        let outcomes = block_on(server.store.submit(charges)).expect("no fault");
        assert!(outcomes.iter().all(Result::is_ok));
        if round == 5 {
            server = server.killed();
        }
        server.pass(Duration::from_secs(3600));
    }
    until("all of them", || {
        server.pass(Duration::from_secs(60));
        server.deliveries().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered)
    });
    let written: BTreeSet<String> = server.deliveries().into_iter().map(|delivery| delivery.alert.name).collect();
    assert_eq!(written.len(), 2 * usize::try_from(ACCOUNTS).expect("few"), "two crossings each");
    let told: BTreeSet<String> = seen(&hook).into_keys().collect();
    assert_eq!(told, written, "each of them, and nothing else");
}

#[test]
fn a_series_of_refusals_is_told_with_as_many_as_there_are_when_it_is_told() {
    let hook = receiver(&[away, ok]);
    let server = Server::with(here());
    server.open(7, "10");
    server.set(7, settings(&[], vec![webhook(&hook)]));
    let refused = |amount: &str| {
        let movement = Movement::Charge { amount: vnd(amount) };
        let outcomes = block_on(server.store.submit(vec![command(7, movement)])).expect("no fault");
        assert!(outcomes[0].is_err());
    };
    refused("50");
    until("an attempt", || server.deliveries()[0].attempts >= 1);
    refused("60");
    refused("70");
    server.pass(Duration::from_secs(60));
    server.await_all();
    let data = events(&hook)[1]["data"].clone();
    assert_eq!((&data["amount"], &data["count"]), (&json!("50"), &json!(3)));
    // What names an earlier entry is no charge, and its refusal no want of credit.
    let refund = Movement::Refund { amount: vnd("1"), charge: Named::Number(99) };
    assert!(block_on(server.store.submit(vec![command(7, refund)])).expect("no fault")[0].is_err());
    assert_eq!(server.deliveries().len(), 1);
}
