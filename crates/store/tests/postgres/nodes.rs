//! Several nodes on one database, and what a database is refused for.

use ledger::{Event, Level, Movement, Refusal};
use store::{AlertEvent, DatabaseUrl, OpenError, Options, Store};

use crate::alerts::rules;
use crate::bench::{Bench, account, command, key, minor, new_account, options, run, until, vnd};
use crate::cluster;

#[test]
fn three_nodes_charge_one_account_and_overdraw_nothing() {
    let bench = Bench::new();
    bench.open(1);
    bench.open(2);
    bench.topup(1, "1000", "t").expect("a top-up");
    let nodes: Vec<Store> = (0..3).map(|_| again(&bench)).collect();
    let taken: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..24)
            .map(|caller| {
                let node = &nodes[caller % 3];
                scope.spawn(move || {
                    // Each key is sent to two nodes, and a transfer crosses the charges now and then.
                    let send = |n: usize| match n % 4 {
                        0 => command(
                            1,
                            Movement::Transfer { to: account(2), amount: vnd("7") },
                            &format!("{}-{n}", caller / 2),
                        ),
                        _ => command(1, Movement::Charge { amount: vnd("7") }, &format!("{}-{n}", caller / 2)),
                    };
                    let outcome = |n| run(node.submit(vec![send(n)])).expect("no fault").pop().expect("one outcome");
                    (0..20).filter(|n| outcome(*n).is_ok_and(|outcome| !outcome.replayed)).count()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).sum()
    });
    assert_eq!(taken, 142);
    assert_eq!(bench.posted(1), "6");
    nodes.iter().for_each(Store::close);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn what_one_node_acknowledged_every_node_sees() {
    let bench = Bench::new();
    bench.open(1);
    bench.credential(1, "KEY", "0123456789ABCDEF").expect("a credential");
    let other = again(&bench);
    for n in 0..50_i64 {
        bench.topup(1, "1", &format!("k{n}")).expect("a top-up");
        let seen = run(other.authenticate("KEY", "0123456789ABCDEF")).expect("no fault").expect("the pair").account;
        assert_eq!(Some(seen.posted), ledger::Minor::new((n + 1) * 100));
        let outcome = run(other.submit(vec![command(1, Movement::Topup { amount: vnd("1") }, &format!("k{n}"))]));
        assert!(outcome.expect("no fault").iter().all(|outcome| outcome.as_ref().is_ok_and(|it| it.replayed)));
    }
    let revoke = store::CredentialChange { revoke: true, ..store::CredentialChange::default() };
    run(bench.store.change_credential(crate::bench::actor(), account(1), "KEY", revoke)).expect("revoked");
    let seen = run(other.authenticate("KEY", "0123456789ABCDEF")).expect("no fault").expect("the pair");
    assert!(!seen.is_live(), "revoked everywhere at once");
    drop(seen);
    other.close();
}

#[test]
fn refusals_are_counted_over_all_nodes() {
    let bench = Bench::keeping_refusals(5);
    bench.open(1);
    let other = Store::open(Options { refusals_per_second: 5, ..options(bench.place.url(), &bench.time) });
    let other = other.expect("another node");
    let charge = |store: &Store, n: u32| {
        let charge = command(1, Movement::Charge { amount: vnd("1") }, &format!("c{n}"));
        run(store.submit(vec![charge])).expect("no fault").pop().expect("one").expect_err("no money").refusal
    };
    for n in 0..5 {
        let expected = Refusal::InsufficientCredit { available: minor("0"), amount: minor("1") };
        assert_eq!(charge(if n % 2 == 0 { &bench.store } else { &other }, n), expected);
    }
    assert_eq!([charge(&bench.store, 5), charge(&other, 6)], [Refusal::TooManyRefusals; 2]);
    other.close();
}

#[test]
fn what_time_alone_brings_is_told_once_however_many_nodes_there_are() {
    const HOUR_US: i64 = 3_600_000_000;
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t1").expect("money");
    let mut settings = rules(&[Level::Money(minor("50"))], &[Event::HoldExpired]);
    settings.rules.remind_hours = Some(6);
    bench.set_alerts(1, Some(settings));
    bench.charge(1, "60", "c1").expect("enough");
    let nodes: Vec<Store> = (0..3).map(|_| again(&bench)).collect();
    for n in 1..=4 {
        bench.hold(1, "1", 3600, &format!("h{n}")).expect("enough");
        bench.pass(6 * HOUR_US);
        until("a reminder and the end of a hold", || bench.told().len() > 2 * n);
    }
    nodes.iter().for_each(Store::close);
    let told = bench.told();
    let ended = |told: &&AlertEvent| matches!(told, AlertEvent::HoldExpired { .. });
    assert_eq!((told.len(), told.iter().filter(ended).count()), (9, 4), "{told:?}");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn openings_by_several_nodes_get_numbers_of_their_own() {
    let bench = Bench::new();
    let nodes = [again(&bench), again(&bench)];
    let mut opened: Vec<u32> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|n| {
                let node = &nodes[n % 2];
                scope.spawn(move || {
                    (0..5)
                        .map(|_| run(node.open_account(new_account(0))).expect("opened").entry.account.get())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect()
    });
    opened.sort_unstable();
    assert_eq!(opened, (1..=40).collect::<Vec<_>>());
    nodes.iter().for_each(Store::close);
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn what_is_written_cannot_be_changed_by_the_servers_own_user() {
    let bench = Bench::new();
    bench.open(1);
    let shell = bench.server_shell();
    for sql in ["UPDATE entries SET posted = 1", "DELETE FROM entries", "TRUNCATE entries", "TRUNCATE audit"] {
        let error = shell.try_run(sql).expect_err("it is written");
        assert!(error.contains("permission denied"), "{sql}: {error}");
    }
    let overdrawn = "INSERT INTO entries SELECT account, number + 1, 5, 1, -1, held, credit_limit, status, at, recorded_at, \
                     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, actor, hash FROM entries";
    let error = shell.try_run(overdrawn).expect_err("the second line of defence");
    assert!(error.contains("check constraint"), "{error}");
}

#[test]
fn a_database_that_cannot_be_served_says_why_and_is_left_as_it_was() {
    let cluster = cluster::shared();
    let opened = |user: &str, database: &str, create: bool| {
        let url = DatabaseUrl::parse(&cluster.url(user, database)).expect("a URL");
        let opened = Store::open(Options { create, ..options(url, &std::sync::Arc::default()) });
        opened.map(|store| store.close())
    };
    let (empty, foreign, newer) =
        (cluster.database("template1"), cluster.database("template1"), cluster.database("template1"));
    assert!(matches!(opened("sodu", &empty, false), Err(OpenError::Missing)));
    let Err(OpenError::Io(why)) = opened("admin", &empty, true) else { panic!("a superuser is not taken") };
    assert!(why.contains("may change entries"), "{why}");
    assert!(opened("sodu", &empty, true).is_ok(), "nothing was left there");
    cluster.run(&foreign, "CREATE SCHEMA sodu; CREATE TABLE sodu.things (id int)");
    let Err(OpenError::Io(why)) = opened("sodu", &foreign, true) else { panic!("not ours") };
    assert!(why.contains("permission denied") || why.contains("belongs to something else"), "{why}");
    assert!(opened("sodu", &newer, true).is_ok() && opened("sodu", &newer, true).is_ok());
    cluster.run(&newer, "UPDATE sodu.meta SET value = 2 WHERE name = 'schema'");
    assert!(matches!(opened("sodu", &newer, true), Err(OpenError::Newer { found: 2, known: 1 })));
    let Err(OpenError::Io(why)) = opened("sodu", "nothing_there", true) else { panic!("there is none") };
    assert!(why.contains("does not exist"), "{why}");
}

#[test]
fn a_node_serves_on_while_a_newer_one_has_added_to_the_schema() {
    let bench = Bench::new();
    bench.open(1);
    bench.shell().run(
        "UPDATE meta SET value = value + 1 WHERE name = 'schema'; ALTER TABLE entries ADD COLUMN colour text; \
         ALTER TABLE accounts ADD COLUMN colour text NOT NULL DEFAULT 'red'; CREATE TABLE colours (name text)",
    );
    bench.topup(1, "100", "t").expect("a top-up");
    bench.hold(1, "20", 3600, "h").expect("a hold");
    run(bench.store.open_account(new_account(2))).expect("an account");
    bench.transfer(1, 2, "30", "x").expect("a transfer");
    assert_eq!(bench.posted(2), "30");
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_key_that_no_text_of_the_database_can_be_is_nobodys() {
    let bench = Bench::new();
    bench.open(1);
    bench.credential(1, "KEY", "0123456789ABCDEF").expect("a credential");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(bench.authenticate("KEY\0", "0123456789ABCDEF").is_none()));
            scope.spawn(|| assert!(bench.authenticate("KEY", "0123456789ABCDEF").is_some()));
        }
    });
    assert_eq!(bench.store.profiles(Some("\0"), None, 10).expect("no fault").items, []);
    let wanted = store::AuditQuery { actor: Some("\0".into()), ..store::AuditQuery::default() };
    assert_eq!(bench.store.audit(&wanted, 10).expect("no fault").items, []);
    assert_eq!(run(bench.store.key_outcome(account(1), key("k"))), Ok(None));
}

/// Another node on the same database.
fn again(bench: &Bench) -> Store {
    Store::open(options(bench.place.url(), &bench.time)).expect("another node")
}
