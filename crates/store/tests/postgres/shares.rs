//! What takes long beside what must not: changes by hand come one after the other on the whole platform, and none of them
//! keeps the others waiting for long; sums over every account have a limit of their own.

use ledger::{Key, Minor};
use store::{Fault, Imported, ImportedAccount};

use crate::bench::{Bench, account, actor, new_account, run, until};
use crate::cluster::Shell;

/// The lock that whoever writes into the audit trail takes.
const ALONE: &str = "BEGIN; SELECT pg_advisory_xact_lock(8388002217265783149)";

/// More than a transaction of an import takes, and no multiple of it.
const ROWS: u32 = 150;

fn row(id: u32) -> ImportedAccount {
    let mut account = new_account(id);
    account.key = Some(Key::new(&format!("import-{id}")).expect("a key"));
    ImportedAccount { account, credential: None, balance: Minor::new(100).expect("a figure") }
}

#[test]
fn an_import_leaves_the_lock_of_all_changes_free_between_its_transactions() {
    let bench = Bench::new();
    let rows = || (1..=ROWS).map(row).collect();
    let import = |is_check| run(bench.store.import(actor(), rows(), is_check)).expect("no fault");
    assert_eq!(import(true).len(), usize::try_from(ROWS).expect("few"));
    let admin = bench.shell();
    assert_eq!(admin.number("SELECT count(*) FROM entries"), 0, "a look makes nothing");
    let made = |replayed| (1..=ROWS).map(move |id| Ok(Imported { account: account(id), replayed })).collect::<Vec<_>>();
    assert_eq!(import(false), made(false));
    let most = "SELECT max(rows) FROM (SELECT count(DISTINCT account) AS rows FROM entries GROUP BY xmin::text) made";
    assert_eq!(admin.number(most), 64, "no transaction makes more");
    assert_eq!(import(false), made(true), "the same again makes nothing");
    assert_eq!(bench.verify(), [""; 0]);
}

/// When the session that waits for the lock began to: in microseconds; 0 while none does.
fn waiting_since(admin: &Shell) -> i64 {
    admin.number(
        "SELECT coalesce(max((extract(epoch FROM query_start) * 1000000)::int8), 0) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'",
    )
}

#[test]
fn a_change_asks_for_the_lock_again_where_it_was_not_to_be_had_in_time() {
    let bench = Bench::new();
    let (owner, admin) = (bench.shell(), bench.shell());
    owner.run(ALONE);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| run(bench.store.open_account(new_account(1))));
        until("the wait", || waiting_since(&admin) > 0);
        let first = waiting_since(&admin);
        until("the next wait", || waiting_since(&admin) > first);
        owner.run("ROLLBACK");
        assert!(opening.join().expect("a caller").is_ok(), "it is opened, late");
    });
}

#[test]
fn sums_over_every_account_have_a_limit_of_their_own() {
    let bench = Bench::new();
    bench.open(1);
    // A clock that only whoever has more time than callers wait may look at.
    bench.shell().run(
        "CREATE OR REPLACE FUNCTION sodu.ledger_clock() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN \
         IF current_setting('statement_timeout') <> '1min' THEN RAISE 'a limit that callers wait for'; END IF; \
         RETURN 0; END $$",
    );
    for _ in 0..2 {
        assert_eq!(bench.store.totals(None).expect("no fault").iter().map(|sums| sums.accounts).sum::<u64>(), 1);
        // Those who come after it on its session have the limit again.
        assert_eq!(run(bench.store.now()), Err(Fault::Unavailable));
    }
}
