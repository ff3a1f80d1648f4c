//! What goes wrong between a node and its database: nothing acknowledged is lost, nothing is done twice, nobody hears no
//! where it may be yes, and the node comes back by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::{Movement, Time};
use store::{DatabaseUrl, Fault, KeyOutcome, OpenError, Options, Store};

use crate::bench::{Bench, Decided, account, command, key, new_account, options, run, until, vnd};
use crate::cluster::{self, Cluster, Shell};
use crate::proxy::{Fate, Proxy};

/// The longest that a call may take, with room for a busy machine.
const LIMIT: Duration = Duration::from_secs(12);

/// A store whose way to the database can be cut, with account 1 and 100 on it.
fn through_proxy() -> (Bench, Store, Proxy) {
    let bench = Bench::new();
    bench.open(1);
    bench.topup(1, "100", "t").expect("a top-up");
    let proxy = Proxy::to(cluster::shared().socket());
    let url = DatabaseUrl::parse(&proxy.url(bench.place.database())).expect("a URL");
    let store = Store::open(options(url, &bench.time)).expect("the store through the proxy");
    (bench, store, proxy)
}

fn charge(store: &Store, with_key: &str) -> Result<Decided, Fault> {
    let began = Instant::now();
    let charge = command(1, Movement::Charge { amount: vnd("30") }, with_key);
    let decided = run(store.submit(vec![charge]));
    assert!(began.elapsed() < LIMIT, "a call took {:?}", began.elapsed());
    decided.map(|mut decided| decided.pop().expect("one command, one outcome"))
}

#[test]
fn a_connection_that_is_cut_before_its_commit_arrives_costs_nothing() {
    let (bench, store, proxy) = through_proxy();
    proxy.next_commit(Fate::CutBefore);
    let outcome = charge(&store, "k").expect("no fault").expect("decided again");
    assert!(proxy.is_done() && !outcome.replayed);
    assert_eq!((bench.posted(1), bench.account(1).expect("an account").number), ("70".into(), 3));
    store.close();
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_by_its_key_and_not_done_again() {
    let (bench, store, proxy) = through_proxy();
    for (n, posted) in [(1, "70"), (2, "40"), (3, "10")] {
        proxy.next_commit(Fate::CutAfter);
        let outcome = charge(&store, &format!("k{n}")).expect("no fault").expect("it happened");
        assert!(proxy.is_done() && !outcome.replayed, "its own outcome is no replay");
        assert_eq!(bench.posted(1), posted);
    }
    proxy.next_commit(Fate::CutAfter);
    let refused = charge(&store, "k4").expect("no fault").expect_err("too much");
    assert_eq!((refused.replayed_from, proxy.is_done()), (None, true));
    assert!(charge(&store, "k4").expect("no fault").expect_err("as before").replayed_from.is_some());
    store.close();
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn a_commit_without_a_key_whose_answer_is_lost_is_unknown() {
    let (bench, store, proxy) = through_proxy();
    proxy.next_commit(Fate::CutAfter);
    assert_eq!(charge(&store, ""), Err(Fault::OutcomeUnknown));
    assert_eq!(bench.posted(1), "70");
    store.close();
}

#[test]
fn an_opening_whose_answer_is_lost_is_found_by_its_key() {
    let (bench, store, proxy) = through_proxy();
    proxy.next_commit(Fate::CutAfter);
    let new = store::NewAccount { key: Some(key("open-7")), ..new_account(0) };
    let opened = run(store.open_account(new)).expect("found");
    assert_eq!((opened.entry.account, proxy.is_done()), (account(2), true));
    proxy.next_commit(Fate::CutAfter);
    let keyless = run(store.open_account(new_account(9)));
    assert_eq!(keyless, Err(store::ChangeError::Fault(Fault::OutcomeUnknown)));
    assert!(bench.account(9).is_some());
    store.close();
    assert_eq!(bench.verify(), [""; 0]);
}

#[test]
fn of_a_batch_only_the_guilty_one_gets_the_fault() {
    let bench = Bench::new();
    for id in 1..=4 {
        bench.open(id);
        bench.topup(id, "100", "t").expect("a top-up");
    }
    // An entry of account 3 that is none: whatever needs it cannot be decided.
    bench.shell().tamper("UPDATE entries SET hash = '\\x00' WHERE account = 3 AND number = 2");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (1..=4)
            .map(|id| {
                let bench = &bench;
                scope.spawn(move || bench.try_submit(command(id, Movement::Topup { amount: vnd("100") }, "t")))
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).collect()
    });
    for (id, outcome) in (1..).zip(outcomes) {
        match outcome {
            Ok(decided) => assert!(id != 3 && decided.expect("the outcome").replayed, "account {id}"),
            Err(fault) => assert_eq!((id, fault), (3, Fault::Unavailable)),
        }
    }
    let several = (2..=4).map(|id| command(id, Movement::Topup { amount: vnd("1") }, if id == 3 { "t" } else { "u" }));
    let decided = run(bench.store.submit(several.collect()));
    assert_eq!(decided, Err(Fault::OutcomeUnknown), "one of its commands is durable");
    assert_eq!((bench.posted(2), bench.posted(4)), ("101".into(), "100".into()));
}

#[test]
fn an_account_that_somebody_else_keeps_locked_is_unavailable_and_the_others_are_not() {
    let bench = Bench::new();
    // Of one lane.
    for id in [1, 3] {
        bench.open(id);
        bench.topup(id, "100", "t").expect("a top-up");
    }
    let paused = bench.server_shell();
    paused.run("BEGIN; SELECT FROM accounts WHERE id = 1 FOR UPDATE");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| charge(&bench.store, "k"));
        let others = scope.spawn(|| bench.try_submit(command(3, Movement::Charge { amount: vnd("30") }, "k")));
        assert_eq!(waits.join().expect("a caller"), Err(Fault::Unavailable));
        assert!(others.join().expect("a caller").expect("no fault").is_ok());
    });
    paused.run("COMMIT");
    assert!(!charge(&bench.store, "k").expect("no fault").expect("now it is").replayed);
    assert_eq!(bench.verify(), [""; 0]);
}

/// A store on a server of its own, with account 1, a pair of keys, and 100.
fn on_own_server() -> (Cluster, String, Store) {
    let cluster = Cluster::start();
    let database = cluster.database("template1");
    let store = open(&cluster.url("sodu", &database));
    run(store.open_account(new_account(1))).expect("an account");
    let pair = crate::bench::new_credential(1, "KEY", "0123456789ABCDEF");
    run(store.add_credential(crate::bench::actor(), pair)).expect("a credential");
    let topup = command(1, Movement::Topup { amount: vnd("100") }, "t");
    assert!(run(store.submit(vec![topup])).expect("no fault").iter().all(Result::is_ok));
    (cluster, database, store)
}

fn open(url: &str) -> Store {
    let url = DatabaseUrl::parse(url).expect("a URL");
    let clock: store::Clock = Arc::new(Time::default);
    Store::open(Options { clock, ..options(url, &Arc::default()) }).expect("a store")
}

#[test]
fn with_the_database_stopped_every_call_is_a_fault_in_time_and_the_node_comes_back_by_itself() {
    let (cluster, _, store) = on_own_server();
    cluster.kill();
    std::thread::scope(|scope| {
        let began = Instant::now();
        let calls = [
            scope.spawn(|| charge(&store, "k").map(drop)),
            scope.spawn(|| run(store.authenticate("KEY", "0123456789ABCDEF")).map(|_| ())),
            scope.spawn(|| run(store.account(account(1))).map(drop)),
            scope.spawn(|| store.entry(account(1), 1).map(drop)),
            scope.spawn(|| store.verify(store::Against::default(), &mut |_| ()).map(drop)),
            scope.spawn(|| run(store.now()).map(drop)),
        ];
        for call in calls {
            assert_eq!(call.join().expect("a caller"), Err(Fault::Unavailable));
        }
        let opened = run(store.open_account(new_account(2)));
        assert_eq!(opened, Err(store::ChangeError::Fault(Fault::Unavailable)));
        assert!(began.elapsed() < 2 * LIMIT, "{:?}", began.elapsed());
    });
    until("the word that nothing can be written", || !store.stats().writable);
    assert!(cluster.serve(), "the server starts again");
    until("the word that movements are taken", || store.stats().writable);
    assert!(!charge(&store, "k").expect("no fault").expect("a charge").replayed, "nothing had happened");
    let now = run(store.account(account(1))).expect("no fault").expect("an account");
    assert_eq!(now.posted.decimal(2).to_string(), "70");
    assert_eq!(store.verify(store::Against::default(), &mut |_| ()).expect("no fault").findings, []);
    store.close();
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_keeps_nobody_from_the_one_that_answers() {
    let (cluster, database, store) = on_own_server();
    store.close();
    // What a paused primary is like: the kernel takes connections for it, and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = (silent.local_addr().expect("an address").port(), silent);
    let store = open(&format!("postgres://sodu@127.0.0.1:{},127.0.0.1:{}/{database}", silent.0, cluster.port()));
    assert!(!charge(&store, "k").expect("no fault").expect("a charge").replayed);
    assert!(run(store.authenticate("KEY", "0123456789ABCDEF")).expect("no fault").is_some());
    store.close();
    let url = DatabaseUrl::parse(&format!("postgres://sodu@127.0.0.1:{}/{database}", silent.0)).expect("a URL");
    let opened = Store::open(options(url, &Arc::default()));
    assert!(matches!(opened, Err(OpenError::Io(why)) if why.contains("said nothing")), "it is not waited for");
}

#[test]
fn a_node_whose_commits_no_standby_confirms_is_not_ready_even_if_nobody_calls() {
    let (cluster, database, store) = on_own_server();
    let admin = Shell::open(&cluster.url("admin", &database));
    for (names, is_writable) in [("nobody", false), ("", true)] {
        admin.run(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        admin.run("SELECT pg_reload_conf()");
        until("the word that nothing, or something, can be written", || store.stats().writable == is_writable);
    }
    store.close();
}

#[test]
fn without_its_standby_nothing_is_acknowledged_and_nothing_is_read() {
    let (cluster, database, store) = on_own_server();
    let admin = Shell::open(&cluster.url("admin", &database));
    let standbys = |names: &str| {
        admin.run(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        admin.run("SELECT pg_reload_conf()");
        let shown = format!("SELECT (current_setting('synchronous_standby_names') = '{names}')::int");
        until("the setting", || Shell::open(&cluster.url("sodu", &database)).number(&shown) == 1);
    };
    standbys("nobody");
    std::thread::scope(|scope| {
        let charging = scope.spawn(|| charge(&store, "k"));
        let reading = scope.spawn(|| run(store.authenticate("KEY", "0123456789ABCDEF")).map(|_| ()));
        // What a person does whose commit hangs, and what makes the server answer as if it were durable.
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%COMMIT%'";
        until("the commit's wait", || admin.number(waiting) > 0);
        admin.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        assert_eq!(charging.join().expect("a caller"), Err(Fault::OutcomeUnknown));
        assert_eq!(reading.join().expect("a caller"), Err(Fault::Unavailable));
    });
    standbys("");
    let again = charge(&store, "k").expect("no fault").expect("the outcome");
    assert!(again.replayed, "it had been committed, and is found under its key");
    let outcome = run(store.key_outcome(account(1), key("k"))).expect("no fault");
    assert_eq!(outcome, Some(KeyOutcome::Entry(Box::new(again.entry))));
    assert!(run(store.authenticate("KEY", "0123456789ABCDEF")).expect("no fault").is_some());
    store.close();
}
