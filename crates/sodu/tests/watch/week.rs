//! A week of three accounts: warned at the right hour, once per crossing, reminded as configured, and nothing made up while
//! polls fail.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::{TimeZone, offset};
use sodu::cli::watch::frame::{Frame, frame};
use sodu::cli::watch::journal::Journal;
use sodu::cli::watch::judge::Rules;
use sodu::cli::watch::plan::{Account, Terms};
use sodu::cli::watch::svg;
use sodu::cli::watch::view::{Board, Event, View};
use sodu::cli::watch::watcher::Watcher;
use sodu::notify::texts::Language;
use sodu::notify::{Courier, Hidden, Settings, Target};

use crate::receiver::{Received, SECRET};
use crate::script::{BANK, CODES, DOWN, END, KILLED, PICTURE, REFUSED, SHOP, START_S, Script, TICK_S, TOPUP, tick};
use crate::world::{World, api_key, secret_key};

/// The longest time from one poll to the next: ten minutes and a twentieth.
const POLL_S: i64 = 630;

fn account(world: &World, script: &Script, below: &[i64], hours: &[u32], remind_hours: i64) -> Account {
    let rules = Rules {
        below: below.iter().map(|amount| (*amount).into()).collect(),
        hours: hours.to_vec(),
        remind_every: Some(SignedDuration::from_hours(remind_hours)),
        failed_polls: 4,
    };
    let url = Hidden::literal(format!("http://{}/hook", world.receiver.address));
    Account {
        name: script.name.into(),
        url: world.url.clone(),
        api_key: api_key(script.id),
        secret_key: secret_key(script.id),
        allow_plain_http: false,
        extra_roots: String::new(),
        terms: Terms {
            every: Duration::from_secs(600),
            rules,
            language: Language::English,
            zone: TimeZone::fixed(offset(7)),
            notify: vec![Target::Webhook { url, secrets: vec![Hidden::literal(SECRET)] }],
        },
    }
}

/// A watcher as a start of the program makes it: from the configuration and what the history holds.
fn watcher(world: &Arc<World>) -> Watcher {
    let mut wrong = account(world, &BANK, &[], &[], 6);
    (wrong.name, wrong.secret_key) = ("Old keys".into(), "copied-wrong".into());
    let accounts = vec![
        account(world, &SHOP, &[200_000, 50_000], &[24, 6], 6),
        account(world, &BANK, &[1_000_000], &[24], 6),
        account(world, &CODES, &[20_000], &[], 12),
        wrong,
    ];
    let (journal, memory, unread) = Journal::open(&world.folder.path().join("watch.jsonl")).expect("the history");
    assert_eq!(unread, 0);
    let courier = Courier::new(Settings::default()).expect("a courier");
    let clock: Arc<World> = Arc::clone(world);
    Watcher::new(accounts, (journal, memory), courier, clock).expect("a watcher")
}

/// Keeps the table of the moment when the picture is made.
#[derive(Default)]
struct Painter(Option<Frame>);

impl View for Painter {
    fn tell(&mut self, event: &Event<'_>, board: &Board<'_>) -> io::Result<()> {
        assert!(!matches!(event, Event::Undelivered { again_at: None, .. }), "{event:?}");
        if self.0.is_none() && board.now.as_second() >= START_S + PICTURE * TICK_S {
            self.0 = Some(frame(board, 80));
        }
        Ok(())
    }
}

/// Runs the week; what the receiver was sent, and the table.
async fn run(world: &Arc<World>) -> (Vec<Received>, Frame) {
    let mut painter = Painter::default();
    let mut first = watcher(world);
    tokio::select! {
        biased;
        () = world.killed.notified() => {}
        ended = first.run(&mut painter, std::future::pending()) => ended.expect("it does not end"),
    }
    // Nothing is said to it: it is gone, as after kill -9, with a message in hand.
    drop(first);
    world.pass_to(KILLED.end).await;
    let mut second = watcher(world);
    second.run(&mut painter, world.ended.notified()).await.expect("somebody looks on");
    (world.receiver.received(), painter.0.expect("the moment came"))
}

/// What was taken of an account's messages: what it is about, when in seconds, and the id.
struct Told<'a> {
    what: String,
    at_s: i64,
    received: &'a Received,
}

fn told_of<'a>(received: &'a [Received], name: &str) -> Vec<Told<'a>> {
    let of = received.iter().filter(|received| received.is_taken && received.event["data"]["account"] == name);
    of.map(|received| {
        let data = &received.event["data"];
        let kind = received.event["type"].as_str().expect("a type").trim_start_matches("balance.");
        let figure = data["below"]
            .as_str()
            .map(str::to_owned)
            .or_else(|| data["below_hours"].as_u64().map(|hours| hours.to_string()));
        let what = figure.map_or_else(|| kind.to_owned(), |figure| format!("{kind} {figure}"));
        Told { what, at_s: received.at_s, received }
    })
    .collect()
}

fn at_s(tick: i64) -> i64 {
    START_S + tick * TICK_S
}

/// A message came with the first poll after `tick`, and says what the script says.
#[track_caller]
fn expect_at(told: &Told<'_>, what: &str, script: &Script, tick: i64) {
    assert_eq!(told.what, what);
    let late_s = told.at_s - at_s(tick);
    assert!((0..=POLL_S).contains(&late_s), "{what} came {late_s} s after the script had it");
    let balance = &told.received.event["data"]["balance"];
    let at_poll = (told.at_s - START_S) / TICK_S;
    assert_eq!(balance, &script.balance(at_poll).to_string(), "{what}");
}

/// A message about hours left: the watcher sees a charge up to a poll late, and reckons its 24 hours from poll to poll.
#[track_caller]
fn expect_near(told: &Told<'_>, what: &str, tick: i64) {
    assert_eq!(told.what, what);
    let off_s = told.at_s - at_s(tick);
    assert!(off_s.abs() <= TICK_S + POLL_S, "{what} came {off_s} s from where the script has it");
}

/// A reminder came with the first poll after `hours` since `last`.
#[track_caller]
fn expect_reminder(told: &Told<'_>, last: &Told<'_>, hours: i64) {
    assert_eq!(told.what, "reminder");
    let late_s = told.at_s - last.at_s - hours * 3600;
    assert!((0..=POLL_S).contains(&late_s), "it came {late_s} s late");
}

#[tokio::test]
async fn a_week_is_watched() {
    let world = World::begin().await;
    let (received, table) = run(&world).await;

    the_shop_is_warned_and_reminded_in_time(&told_of(&received, SHOP.name));
    the_codes_run_dry(&told_of(&received, CODES.name));
    // The bank has plenty, and its owner hears only of the hours without an answer; the one with wrong keys once.
    let bank = told_of(&received, BANK.name);
    let [unreadable, readable] = bank.as_slice() else { panic!("{} messages to the bank", bank.len()) };
    the_outage_is_told(unreadable, readable);
    let wrong = told_of(&received, "Old keys");
    let [unreadable] = wrong.as_slice() else { panic!("{} messages about wrong keys", wrong.len()) };
    let data = &unreadable.received.event["data"];
    assert_eq!(
        (unreadable.what.as_str(), &data["failed"], &data["failed_polls"]),
        ("unreadable", &"wrong_keys".into(), &4.into())
    );
    assert!(unreadable.at_s - START_S <= 3 * POLL_S);

    nothing_is_told_twice_and_a_restart_loses_nothing(&received);
    the_picture_is_this_run(&table);
}

fn the_shop_is_warned_and_reminded_in_time(told: &[Told<'_>]) {
    let whats: Vec<&str> = told.iter().map(|told| told.what.as_str()).collect();
    let expected = [
        "low 200000",
        "unreadable",
        "readable",
        "reminder",
        "reminder",
        "reminder",
        "reminder",
        "low_hours 24",
        "reminder",
        "reminder",
        "low 50000",
        "reminder",
        "low_hours 6",
        "recovered",
        "low 200000",
        "reminder",
    ];
    assert_eq!(whats, expected);
    expect_at(&told[0], "low 200000", &SHOP, SHOP.falls_below(200_000, 0));
    the_outage_is_told(&told[1], &told[2]);
    // It was due during the outage, and came when there was a figure again.
    assert_eq!(told[3].at_s, told[2].at_s);
    for reminder in 4..=6 {
        expect_reminder(&told[reminder], &told[reminder - 1], 6);
    }
    // The receiver did not take this one until after the restart: the event has its own time.
    let event_s = event_s(&told[7]);
    let crossed = SHOP.lasts_less_than(24, 0);
    assert!((event_s - at_s(crossed)).abs() <= TICK_S + POLL_S, "{}", event_s - at_s(crossed));
    assert!((at_s(KILLED.end)..=at_s(KILLED.end) + POLL_S).contains(&told[7].at_s));
    // Reminders count from the warning, not from its delivery.
    let late_s = told[8].at_s - event_s - 6 * 3600;
    assert!((0..=POLL_S).contains(&late_s), "{late_s}");
    expect_reminder(&told[9], &told[8], 6);
    expect_at(&told[10], "low 50000", &SHOP, SHOP.falls_below(50_000, 0));
    expect_reminder(&told[11], &told[10], 6);
    expect_near(&told[12], "low_hours 6", SHOP.lasts_less_than(6, 0));
    expect_at(&told[13], "recovered", &SHOP, TOPUP.0);
    // After the weekend it falls below the same threshold again.
    expect_at(&told[14], "low 200000", &SHOP, SHOP.falls_below(200_000, TOPUP.0));
    expect_reminder(&told[15], &told[14], 6);
    assert!(at_s(END) - told[15].at_s < 6 * 3600);
}

fn the_codes_run_dry(told: &[Told<'_>]) {
    let (warned, empty) = (&told[2], &told[5]);
    the_outage_is_told(&told[0], &told[1]);
    expect_at(warned, "low 20000", &CODES, CODES.falls_below(20_000, 0));
    expect_reminder(&told[3], warned, 12);
    expect_reminder(&told[4], &told[3], 12);
    expect_at(empty, "empty", &CODES, CODES.falls_below(1, 0));
    // Zero is a balance, and nobody tops up: reminders to the end.
    for pair in told[5..].windows(2) {
        expect_reminder(&pair[1], &pair[0], 12);
        assert_eq!(pair[1].received.event["data"]["balance"], "0");
    }
    assert!(at_s(END) - told.last().expect("reminders").at_s < 12 * 3600);
}

/// Told after the fourth failed poll, and with the first good one.
fn the_outage_is_told(unreadable: &Told<'_>, readable: &Told<'_>) {
    assert_eq!((unreadable.what.as_str(), readable.what.as_str()), ("unreadable", "readable"));
    let since_s = unreadable.at_s - at_s(DOWN.start);
    assert!((3 * 570..=4 * POLL_S).contains(&since_s), "{since_s}");
    let late_s = readable.at_s - at_s(DOWN.end);
    assert!((0..=POLL_S).contains(&late_s), "{late_s}");
    assert_eq!(unreadable.received.event["data"]["failed"], "no_connection");
}

fn event_s(told: &Told<'_>) -> i64 {
    let timestamp = told.received.event["timestamp"].as_str().expect("a time");
    timestamp.parse::<jiff::Timestamp>().expect("RFC 3339").as_second()
}

fn nothing_is_told_twice_and_a_restart_loses_nothing(received: &[Received]) {
    let during_outage = received.iter().filter(|received| (at_s(DOWN.start)..at_s(DOWN.end)).contains(&received.at_s));
    for received in during_outage {
        assert_eq!(received.event["type"], "balance.unreadable", "{received:?}");
    }
    let taken: Vec<&str> =
        received.iter().filter(|received| received.is_taken).map(|received| received.id.as_str()).collect();
    let once: BTreeSet<&str> = taken.iter().copied().collect();
    assert_eq!(taken.len(), once.len(), "a message came twice");
    let refused: Vec<&Received> = received.iter().filter(|received| !received.is_taken).collect();
    assert!(refused.len() > 3, "it was tried again and again");
    for attempt in refused {
        assert!(once.contains(attempt.id.as_str()) && attempt.event["type"] == "balance.low_hours", "{attempt:?}");
        assert!((at_s(REFUSED.start)..at_s(KILLED.start)).contains(&attempt.at_s));
    }
}

/// The picture in the README is what this run draws.
fn the_picture_is_this_run(table: &Frame) {
    let title = "sodu watch on a Friday at ten: a shop that is running low, a bank with plenty, an account that is empty, \
                 and one whose keys are wrong";
    let drawn = svg(table, 80, title);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/watch.svg");
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("watch.svg");
    std::fs::write(&made, &drawn).expect("written");
    let is_same = std::fs::read_to_string(&committed).is_ok_and(|committed| committed == drawn);
    assert!(
        is_same,
        "docs/watch.svg is not what this run draws; if that is meant: cp {} docs/watch.svg",
        made.display()
    );
}

#[test]
fn the_script_has_a_weekend_and_a_working_day() {
    assert_eq!((SHOP.charge(tick(0, 12, 0)), SHOP.charge(tick(4, 3, 0))), (2000, 400));
    assert_eq!((SHOP.charge(tick(5, 12, 0)), SHOP.charge(tick(6, 3, 0)), SHOP.charge(tick(7, 12, 0))), (400, 80, 2000));
}
