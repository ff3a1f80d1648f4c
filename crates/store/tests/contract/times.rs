//! Ledger time: whatever the clock does, over restarts too, nothing that was written is later than what comes after it.

use ledger::{Kind, Movement, Time};

use crate::bench::{Bench, START, command, run, until, vnd};

const SECOND_US: i64 = 1_000_000;

/// Every entry of the accounts 1 and 2, in the order of the log: what is recorded never goes back in it, nor does an
/// account's own time.
fn check_order(bench: &Bench) {
    let shell = rusqlite::Connection::open(bench.path()).expect("the database");
    let mut select = shell.prepare("SELECT account, at, recorded_at FROM entries ORDER BY id").expect("a statement");
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    let rows: Vec<(u32, i64, i64)> = rows.collect::<Result<_, _>>().expect("rows");
    assert!(rows.is_sorted_by_key(|row| row.2), "the log's time goes back: {rows:?}");
    for id in 1..=2 {
        assert!(
            rows.iter().filter(|row| row.0 == id).is_sorted_by_key(|row| row.1),
            "account {id} goes back: {rows:?}"
        );
    }
}

/// Two accounts with a hold each, whose ends the writer has written by itself after the clock jumped forward an hour; so many
/// charges stand before that.
fn ended_after_a_jump(charges: u32) -> Bench {
    let bench = Bench::new();
    for id in 1..=2 {
        bench.open(id);
        bench.topup(id, "100", "t").expect("a top-up");
        bench.hold(id, "10", 5, "h").expect("a hold");
    }
    let charge = |n: u32| command(1, Movement::Charge { amount: vnd("0.01") }, &format!("c{n}"));
    assert!(run(bench.store.submit((0..charges).map(charge).collect())).expect("no fault").iter().all(Result::is_ok));
    bench.pass(3_600 * SECOND_US);
    let held = |id| bench.account(id).expect("an account").number;
    until("the end of both holds", || held(1) == u64::from(charges) + 4 && held(2) == 4);
    bench
}

#[test]
fn after_expire_entries_at_a_jump_a_clock_that_went_back_is_not_followed() {
    // Few rows are read again at the start; of many only their greatest time is kept.
    for charges in [0, 5_000] {
        let bench = ended_after_a_jump(charges);
        let recorded_at = Time::from_micros(START + 3_600 * SECOND_US);
        let number = u64::from(charges) + 4;
        let expire = bench.entry(1, number);
        assert_eq!((expire.kind, expire.recorded_at), (Kind::Expire, recorded_at));
        assert_eq!(expire.at, Time::from_micros(START + 5 * SECOND_US));

        bench.store.close();
        bench.pass(-7_200 * SECOND_US);
        let bench = bench.reopened();
        assert_eq!(bench.now(), recorded_at, "with {charges} charges");
        let topup = bench.topup(1, "1", "later").expect("a top-up").entry;
        assert_eq!((topup.at, topup.recorded_at), (recorded_at, recorded_at));
        let hold = bench.hold(2, "10", 5, "h2").expect("a hold").entry;
        assert_eq!(hold.expires_at, Some(Time::from_micros(recorded_at.micros() + 5 * SECOND_US)));

        // And again, while the clock is behind: no time has passed, so that the hold is open.
        let bench = bench.reopened();
        assert_eq!((bench.now(), bench.held(2)), (recorded_at, ("10".into(), 1)));
        bench.pass((7_200 + 6) * SECOND_US);
        assert_eq!(bench.held(2), ("0".into(), 0));
        bench.charge(2, "100", "all").expect("what was held too");
        check_order(&bench);
        assert_eq!(bench.verify(), [""; 0]);
    }
}

#[test]
fn two_entries_that_changed_places_in_the_log_are_found_though_each_chain_is_whole() {
    let bench = Bench::new();
    (1..=2).for_each(|id| drop(bench.open(id)));
    for id in 1..=2 {
        bench.pass(SECOND_US);
        bench.topup(id, "1", "t").expect("a top-up");
    }
    bench.store.close();
    let tamper = rusqlite::Connection::open(bench.path()).expect("the database");
    let swap = "DROP TRIGGER entries_are_never_changed; UPDATE entries SET id = -1 WHERE id = 3; \
                UPDATE entries SET id = 3 WHERE id = 4; UPDATE entries SET id = 4 WHERE id = -1;";
    tamper.execute_batch(swap).expect("tampered");
    drop(tamper);
    let found = bench.reopened().verify();
    assert_eq!(found, ["Some(AccountId(1)) Some(2): it was written before what stands before it"]);
}

#[test]
fn a_clock_that_jumps_frees_no_key_without_ledger_time_staying_where_it_was() {
    let bench = Bench::new();
    (1..=2).for_each(|id| drop(bench.open(id)));
    bench.charge(1, "10", "k").expect_err("no money");
    let days = 86_400_000_000;
    bench.pass(40 * days);
    // Enough rows for the refusal, which has lapsed, to be removed, and for nothing but refusals to tell the time.
    let many = |round: u32| {
        let poor = (0..5_000_u32).map(|n| command(2, Movement::Charge { amount: vnd("1") }, &format!("{round}-{n}")));
        run(bench.store.submit(poor.collect())).expect("no fault")
    };
    assert!(many(1).iter().all(Result::is_err));
    let then = bench.now();
    bench.pass(-40 * days);
    let bench = bench.reopened();
    assert_eq!(bench.now(), then, "known from refusals, which are no longer replayed");
    bench.topup(1, "100", "t").expect("a top-up");
    assert!(!bench.charge(1, "10", "k").expect("lapsed then, and now").replayed);
    assert_eq!(bench.verify(), [""; 0]);
}
