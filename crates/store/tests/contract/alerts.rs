//! Alerts: one a crossing, written with the entry that crosses, through restarts and crashes; what became of deliveries.

use ledger::{Event, Level, Movement, Rules, Status};
use store::{
    AlertEvent, AlertSettings, AttemptResult, Attempted, Channel, Contact, Delivery, DeliveryQuery, DeliveryStatus,
    Language,
};

use crate::bench::{Bench, START, account, actor, minor, reason, run, settings, until};

const HOUR_US: i64 = 3_600_000_000;

pub(crate) fn rules(levels: &[Level], events: &[Event]) -> AlertSettings {
    let rules = Rules {
        levels: levels.into(),
        margin_percent: 10,
        remind_hours: None,
        events: events.iter().copied().collect(),
    };
    let contact = Contact {
        channel: Channel::Email,
        address: "ke-toan@example.vn".into(),
        language: Language::Vietnamese,
        secret: None,
    };
    AlertSettings { rules, quiet: None, contacts: vec![contact] }
}

impl Bench {
    pub(crate) fn set_alerts(&self, id: u32, settings: Option<AlertSettings>) {
        let measured = self.store.measure(account(id)).expect("no fault").expect("an account");
        run(self.store.change_alerts(actor(), account(id), settings, measured)).expect("alerts");
    }

    fn all(&self) -> Vec<Delivery> {
        self.store.deliveries(&DeliveryQuery::default(), 10_000).expect("no fault").items
    }

    /// What the operator was told, in order.
    pub(crate) fn told(&self) -> Vec<AlertEvent> {
        let operators = self.all().into_iter().filter(|delivery| delivery.target.label() == "operator ops");
        operators.map(|delivery| delivery.alert.event).collect()
    }
}

fn low(levels: &[Level]) -> AlertEvent {
    AlertEvent::CreditLow { levels: levels.to_vec() }
}

#[test]
fn one_alert_a_crossing_to_the_contacts_and_the_operator_through_restarts() {
    let mut bench = Bench::new();
    bench.open(1);
    bench.topup(1, "1000", "t1").expect("money");
    let levels = [Level::Percent(20), Level::Money(minor("100"))];
    bench.set_alerts(1, Some(rules(&levels, &[Event::Recovered])));
    bench.charge(1, "800", "c1").expect("enough");
    assert_eq!(bench.told(), []);
    bench.charge(1, "0.01", "c2").expect("enough");
    assert_eq!(bench.told(), [low(&levels[..1])]);
    bench = bench.reopened();
    bench.charge(1, "50", "c3").expect("enough");
    assert_eq!(bench.told().len(), 1, "it is reached still");
    // A replay writes nothing, and so tells nothing.
    bench.charge(1, "50", "c3").expect("a replay");
    bench.charge(1, "149.99", "c4").expect("enough");
    assert_eq!(bench.told(), [low(&levels[..1]), low(&levels[1..])]);
    bench.topup(1, "5000", "t2").expect("money");
    assert_eq!(bench.told()[2..], [AlertEvent::Recovered { since: ledger::Time::from_micros(START) }]);
    bench = bench.reopened();
    // Both at once are one crossing, and one alert.
    bench.charge(1, "5000", "c5").expect("enough");
    assert_eq!(bench.told()[3..], [low(&levels)]);
    let all = bench.all();
    assert_eq!(all.len(), 8, "each for a contact and the operator");
    let names: std::collections::BTreeSet<_> = all.iter().map(|delivery| delivery.alert.name.clone()).collect();
    assert_eq!(names.len(), 4, "an alert has one name, whoever is told");
    let last = &all[7].alert;
    assert_eq!((last.balance, last.available, last.entry), (minor("0"), minor("0"), 8));
    assert_eq!(last.last_topup, Some(minor("5000")));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn what_is_reached_already_is_told_when_the_rule_is_set_and_once() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    bench.topup(1, "50", "t1").expect("money");
    let level = Level::Money(minor("100"));
    bench.set_alerts(1, Some(rules(&[level], &[])));
    assert_eq!(bench.told(), [low(&[level])]);
    let more = Level::Money(minor("60"));
    bench.set_alerts(1, Some(rules(&[level, more], &[])));
    assert_eq!(bench.told()[1..], [low(&[more])]);
    // An account that never had money fell nowhere, and tells of it from its first money on.
    bench.set_alerts(2, Some(rules(&[level], &[])));
    assert_eq!(bench.told().len(), 2);
    bench.topup(2, "200", "t2").expect("money");
    bench.charge(2, "150", "c2").expect("enough");
    assert_eq!(bench.told()[2..], [low(&[level])]);
    bench.set_alerts(1, None);
    bench.charge(1, "1", "c1").expect("enough");
    assert_eq!((bench.told().len(), bench.store.alerts(account(1)).expect("no fault")), (3, None));
}

#[test]
fn hours_left_are_told_from_what_the_last_day_used() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "10000", "t1").expect("money");
    bench.set_alerts(1, Some(rules(&[Level::Hours(24)], &[])));
    // 100 an hour, and 25 of them in the 24 hours that end with a charge, both ends taken in.
    for hour in 1..=80 {
        bench.pass(HOUR_US);
        bench.charge(1, "100", &format!("c{hour}")).expect("enough");
        assert_eq!(bench.told().len(), usize::from(hour > 75), "after {hour} hours");
    }
    let now = bench.account(1).expect("an account");
    let runway = bench.store.runway(&now).expect("no fault").expect("it is known");
    assert_eq!((runway.used, runway.left_s), (minor("2500"), Some(69_120)));
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_series_of_refusals_is_told_once_until_money_comes_in() {
    let mut bench = Bench::new();
    bench.open(1);
    bench.topup(1, "10", "t1").expect("money");
    bench.set_alerts(1, Some(rules(&[], &[Event::ChargeRefused])));
    let charged = bench.charge(1, "7", "c0").expect("enough").entry.number;
    for n in 0..3 {
        bench.charge(1, "5", &format!("no{n}")).expect_err("too little");
    }
    bench = bench.reopened();
    bench.refund(1, ledger::Named::Number(charged), "1", "r1").expect("a refund");
    bench.charge(1, "5", "no3").expect_err("too little");
    assert_eq!(bench.told().len(), 1);
    let due = bench.store.due_deliveries(bench.now(), 10).expect("no fault");
    let AlertEvent::ChargeRefused { amount, count, .. } = due[0].delivery.alert.event else { panic!("{due:?}") };
    assert_eq!((amount, count), (minor("5"), 4), "as many as there are by now");
    bench.topup(1, "1", "t2").expect("money");
    bench.charge(1, "6", "no4").expect_err("too little");
    assert_eq!(bench.told().len(), 2);
}

#[test]
fn people_are_reminded_until_money_comes_in() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t1").expect("money");
    let mut with_reminders = rules(&[Level::Money(minor("50"))], &[]);
    with_reminders.rules.remind_hours = Some(6);
    bench.set_alerts(1, Some(with_reminders));
    bench.charge(1, "60", "c1").expect("enough");
    for n in 1..=3 {
        bench.pass(6 * HOUR_US);
        until("a reminder", || bench.told().len() > n);
    }
    let since = ledger::Time::from_micros(START);
    assert_eq!(
        bench.told()[1..],
        [AlertEvent::StillLow { since }, AlertEvent::StillLow { since }, AlertEvent::StillLow { since }]
    );
    bench.topup(1, "100", "t2").expect("money");
    let remind_at = || bench.store.alerts(account(1)).expect("no fault").expect("rules").remind_at;
    assert_eq!(remind_at(), None);
    // Whoever has left is reminded of nothing.
    bench.charge(1, "140", "c2").expect("enough");
    bench.submit(1, Movement::Status { status: Status::Closed }, "").expect("it is empty");
    bench.pass(6 * HOUR_US);
    until("the last look", || remind_at().is_none());
    assert_eq!(bench.told().len(), 5);
}

#[test]
fn events_are_told_to_those_who_want_them() {
    let bench = Bench::new();
    for id in 1..=3 {
        bench.open(id);
        bench.topup(id, "100", &format!("t{id}")).expect("money");
    }
    bench.set_alerts(1, Some(rules(&[], &Event::ALL)));
    bench.set_alerts(2, Some(rules(&[], &[])));
    for id in 1..=3 {
        bench
            .submit(id, Movement::Adjust { amount: minor("-5"), reason: reason("a slip") }, "a")
            .expect("a correction");
        bench.submit(id, Movement::Status { status: Status::Locked }, "").expect("a lock");
        bench.submit(id, Movement::Status { status: Status::Active }, "").expect("an unlock");
        bench.credential(id, &format!("KEYNUMBER{id}"), "a-secret-of-some-length").expect("a credential");
        let revoke = store::CredentialChange { revoke: true, ..Default::default() };
        let key = format!("KEYNUMBER{id}");
        run(bench.store.change_credential(actor(), account(id), &key, revoke.clone())).expect("revoked");
        run(bench.store.change_credential(actor(), account(id), &key, revoke)).expect("revoked already");
        bench.hold(id, "30", 60, "h").expect("a hold");
    }
    bench.pass(60_000_000);
    until("the end of the hold", || bench.told().len() == 5);
    let by = "local:test".to_owned();
    let key = "KEYN…".to_owned();
    let expected = [
        AlertEvent::AdjustmentMade { amount: minor("-5"), by: by.clone(), reason: "a slip".into() },
        AlertEvent::AccountLocked { by: by.clone(), reason: None },
        AlertEvent::KeyIssued { key: key.clone(), by: by.clone() },
        AlertEvent::KeyRevoked { key, by },
        AlertEvent::HoldExpired { hold: 6, released: minor("30"), made_at: ledger::Time::from_micros(START) },
    ];
    assert_eq!(bench.told(), expected);
}

#[test]
fn deliveries_are_tried_given_up_sent_again_and_forgotten() {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t1").expect("money");
    bench.set_alerts(1, Some(rules(&[Level::Money(minor("50"))], &[])));
    bench.charge(1, "60", "c1").expect("enough");
    let now = bench.now();
    let due = bench.store.due_deliveries(now, 10).expect("no fault");
    let [mail, ops] = [due[0].delivery.id, due[1].delivery.id];
    assert_eq!(due[0].contact.as_ref().map(Contact::label).as_deref(), Some("email ke-toan@example.vn"));
    assert_eq!((due[0].account_name.as_str(), &due[1].contact), ("Account 1", &None));
    let later = ledger::Time::from_micros(START + HOUR_US);
    let again = AttemptResult::Again { due_at: later, error: "the server is away".into() };
    let record =
        |delivery, result| run(bench.store.record_attempts(vec![Attempted { delivery, result }])).expect("kept");
    record(mail, again);
    record(ops, AttemptResult::Delivered);
    assert_eq!(bench.store.due_deliveries(now, 10).expect("no fault"), []);
    let then = bench.store.due_deliveries(later, 10).expect("no fault");
    assert_eq!(then.iter().map(|due| due.delivery.id).collect::<Vec<_>>(), [mail]);
    record(mail, AttemptResult::GivenUp { error: "no such mailbox".into() });
    assert_eq!(bench.store.delivery_counts().expect("no fault"), (0, 1));
    let (delivery, attempts) = bench.store.delivery(mail).expect("no fault").expect("a delivery");
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::GivenUp, 2));
    let errors: Vec<_> = attempts.into_iter().map(|attempt| (attempt.number, attempt.error)).collect();
    assert_eq!(errors, [(1, Some("the server is away".into())), (2, Some("no such mailbox".into()))]);

    let sent_again = run(bench.store.resend(actor(), mail)).expect("no fault").expect("a delivery");
    assert_eq!(sent_again.status, DeliveryStatus::Waiting);
    assert_eq!(run(bench.store.resend(actor(), 77)), Ok(None));
    assert_eq!(bench.store.due_deliveries(now, 10).expect("no fault").len(), 1);
    // What still waits is not forgotten, however old.
    let forget = || run(bench.store.forget_alerts(later, 100)).expect("no fault");
    assert_eq!(forget(), 0);
    record(mail, AttemptResult::Delivered);
    assert_eq!((forget(), bench.all()), (1, vec![]));
}

#[test]
fn accounts_are_told_by_how_soon_they_run_dry_and_what_they_used_is_proved() {
    let bench = Bench::new();
    for (id, rate) in [(1, "10"), (2, "50"), (3, "30"), (4, "0.5")] {
        bench.open(id);
        bench.topup(id, "1000", &format!("t{id}")).expect("money");
        for hour in 0..3 {
            bench.charge(id, rate, &format!("c{id}-{hour}")).expect("enough");
        }
    }
    // One by its rules, one by its metric, one only when it is asked for; one uses nothing from here on.
    bench.set_alerts(1, Some(rules(&[Level::Hours(1)], &[])));
    let metered = |on| settings(store::ProfileChange { metered: Some(on), ..Default::default() });
    for id in [2, 4] {
        run(bench.store.change_account(actor(), account(id), metered(true))).expect("a setting");
    }
    bench.pass(2 * HOUR_US);
    let dry = |limit| -> Vec<u32> {
        let first = bench.store.dry_first(limit).expect("no fault");
        first.iter().map(|(now, _)| now.id.get()).collect()
    };
    assert_eq!((dry(10), dry(1)), (vec![2, 1, 4], vec![2]));
    let asked = bench.account(3).expect("an account");
    let used = |now| bench.store.runway(now).expect("no fault").map(|runway| runway.used);
    assert_eq!(used(&asked), Some(minor("90")));
    let shown = run(bench.store.metered_accounts()).expect("no fault");
    let used = |(account, runway): &(store::AccountNow, Option<ledger::Runway>)| (account.id, runway.map(|it| it.used));
    assert_eq!(
        shown.iter().map(used).collect::<Vec<_>>(),
        [(account(2), Some(minor("150"))), (account(4), Some(minor("1.5")))]
    );
    run(bench.store.change_account(actor(), account(4), metered(false))).expect("a setting");
    assert_eq!(dry(10), [2, 1]);
    // A figure that was put in by hand is found.
    assert_eq!(bench.verify(), [""; 0]);
    let bench = bench.reopened();
    bench.store.close();
    bench.shell().run("UPDATE accounts SET watch = (SELECT watch FROM accounts WHERE id = 1) WHERE id = 2");
    let bench = bench.reopened();
    assert_eq!(bench.verify(), ["Some(AccountId(2)) Some(5): what the account used differs from its entries"]);
}
