//! A ledger moved between the engines and back: nothing is lost, nothing is there twice, whatever happens on the way.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ledger::{AccountId, Currency, Movement, Named, Refusal, Time};
use rusqlite::Connection;
use store::{
    AccountChange, AuditQuery, CredentialChange, DatabaseUrl, MoveError, Moved, NewCredential, NewOperator, OpenError,
    OperatorName, Options, ProfileChange, Role, Stage, Store, migrate,
};
use tempfile::TempDir;

use crate::alerted::alerted;
use crate::bench::{
    Bench, START, account, actor, capture, command, hold, key, minor, new_account, new_credential, options, reason,
    run, settings, vnd,
};
use crate::cluster;
use crate::engine::Place;

/// A clock, a folder for files, and databases that have that clock too.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) time: Arc<AtomicI64>,
    places: RefCell<Vec<Place>>,
}

impl World {
    pub(crate) fn new() -> World {
        let (folder, time) = (TempDir::new().expect("a folder"), Arc::new(AtomicI64::new(START)));
        World { folder, time, places: RefCell::default() }
    }

    pub(crate) fn file(&self, name: &str) -> DatabaseUrl {
        DatabaseUrl::file(self.folder.path().join(name))
    }

    /// A new database, without any ledger in it.
    pub(crate) fn database(&self) -> DatabaseUrl {
        let place = Place::new();
        place.tell_time(self.time.load(Ordering::Relaxed));
        let url = place.url();
        self.places.borrow_mut().push(place);
        url
    }

    /// Opens it once nobody has it any more: PostgreSQL notices a moment later that a move was cut off.
    pub(crate) fn open(&self, url: &DatabaseUrl) -> Result<Store, OpenError> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match Store::open(options(url.clone(), &self.time)) {
                Err(OpenError::Owned { .. }) if Instant::now() < until => std::thread::yield_now(),
                opened => return opened,
            }
        }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        let now = self.time.fetch_add(seconds * 1_000_000, Ordering::Relaxed) + seconds * 1_000_000;
        self.places.borrow().iter().for_each(|place| place.tell_time(now));
    }
}

pub(crate) fn moved(from: &DatabaseUrl, to: &DatabaseUrl) -> Result<Moved, MoveError> {
    migrate(from, to, "2026-11-25T03:00:00Z", &mut |_, _| ())
}

/// Cut off as soon as it is at that, as a process that is killed leaves it.
pub(crate) fn cut_off(from: &DatabaseUrl, to: &DatabaseUrl, at: Stage) {
    let cut = catch_unwind(AssertUnwindSafe(|| {
        migrate(from, to, "2026-11-25T02:00:00Z", &mut |stage, _| assert!(stage != at, "cut off"))
    }));
    assert!(cut.is_err(), "it came as far as that");
}

fn done(store: &Store, id: u32, movement: Movement, with_key: &str) {
    let decided = run(store.submit(vec![command(id, movement, with_key)])).expect("no fault");
    decided.into_iter().for_each(|decided| drop(decided.expect("nothing in the way")));
}

fn refused(store: &Store, id: u32, movement: Movement, with_key: &str) -> Refusal {
    let mut decided = run(store.submit(vec![command(id, movement, with_key)])).expect("no fault");
    decided.pop().expect("one").expect_err("a refusal").refusal
}

/// Something of everything.
fn fill(store: &Store, world: &World) {
    run(store.add_currency(actor(), Currency::new("USD", 2, 2).expect("a currency"))).expect("dollars");
    for id in 1..=4 {
        run(store.open_account(store::NewAccount { key: Some(key(&format!("o{id}"))), ..new_account(id) }))
            .expect("open");
        done(store, id, Movement::Topup { amount: vnd("1000") }, "t");
    }
    let dollars = store::NewAccount { currency: "USD".into(), external_id: Some("x-9".into()), ..new_account(9) };
    run(store.open_account(dollars)).expect("an account");
    done(store, 1, Movement::Charge { amount: vnd("300") }, "c");
    done(store, 1, Movement::Refund { amount: vnd("10.5"), charge: Named::Key(key("c")) }, "r1");
    done(store, 1, hold("100", 3600), "open");
    done(store, 1, capture(Named::Key(key("open")), "25"), "part");
    done(store, 2, hold("50", 10), "short");
    done(store, 2, hold("60", 3600), "void");
    done(store, 2, Movement::Void { hold: Named::Key(key("void")) }, "v");
    world.pass(20);
    done(store, 2, Movement::Charge { amount: vnd("1") }, "after");
    done(store, 1, Movement::Transfer { to: account(2), amount: vnd("7") }, "x");
    done(store, 2, Movement::Transfer { to: account(3), amount: vnd("9") }, "x");
    done(store, 3, Movement::Adjust { amount: minor("-3"), reason: reason("sai sót") }, "a");
    done(store, 1, Movement::Refund { amount: vnd("4"), charge: Named::Key(key("c")) }, "r2");
    refused(store, 3, Movement::Charge { amount: vnd("99999") }, "no");
    let profile = ProfileChange { metered: Some(true), shows_available: Some(true), ..ProfileChange::default() };
    run(store.change_account(actor(), account(2), settings(profile))).expect("settings");
    let locked = Movement::Status { status: ledger::Status::Locked };
    let locked = AccountChange { commands: vec![command(4, locked, "")], ..AccountChange::default() };
    run(store.change_account(actor(), account(4), locked)).expect("locked");
    let credential = |api_key: &str, with_key: &str| NewCredential {
        label: Some("Máy chủ 1".into()),
        cidrs: vec!["10.0.0.0/8".parse().expect("a network")],
        key: Some(key(with_key)),
        ..new_credential(1, api_key, "0123456789abcdef")
    };
    run(store.add_credential(actor(), credential("KEY1", "k1"))).expect("a credential");
    run(store.add_credential(actor(), credential("KEY2", "k2"))).expect("a credential");
    let revoke = CredentialChange { revoke: true, ..CredentialChange::default() };
    run(store.change_credential(actor(), account(1), "KEY2", revoke)).expect("revoked");
    for (name, token) in [("anna", "sodu_1"), ("bob", "sodu_2")] {
        let name = OperatorName::new(name).expect("a name");
        run(store.add_operator(actor(), NewOperator { name, role: Role::Money, token: token.into() })).expect("added");
    }
    run(store.revoke_operator(actor(), OperatorName::new("bob").expect("a name"))).expect("revoked");
}

/// All that can be read of a ledger.
fn seen(store: &Store) -> Vec<String> {
    let mut seen = Vec::new();
    for id in (1..=9).filter_map(AccountId::new) {
        seen.push(format!("{:?}", run(store.account(id)).expect("no fault")));
        seen.push(format!("{:?}", store.profile(id).expect("no fault")));
        let entries = store.entries(id, None, None, 0, 1000).expect("no fault").items;
        for entry in &entries {
            seen.push(format!("{entry:?}"));
            let then = store.account_as_of(id, entry.at).expect("no fault");
            seen.push(format!("{then:?}"));
        }
        for name in ["t", "c", "r1", "open", "part", "x", "a", "no", "after", "never"] {
            seen.push(format!("{name}: {:?}", run(store.key_outcome(id, key(name))).expect("no fault")));
        }
        seen.push(format!("{:?}", store.open_holds(id, 0, 100).expect("no fault").items));
        seen.push(format!("{:?}", store.credentials(id).expect("no fault")));
    }
    seen.push(format!("{:?}", store.operators().expect("no fault")));
    seen.push(format!("{:?}", run(store.currencies()).expect("no fault")));
    seen.push(format!("{:?}", store.audit(&AuditQuery::default(), 1000).expect("no fault").items));
    seen.push(format!("{:?}", run(store.login("sodu_1")).expect("no fault")));
    seen.push(format!("{:?}", run(store.login("sodu_2")).expect("no fault")));
    let report = store.verify(store::Against::default(), &mut |_| ()).expect("no fault");
    assert_eq!(report.findings, []);
    seen.push(format!("{} {} {:?}", report.accounts, report.entries, report.root));
    seen
}

/// The same, opened for that alone.
pub(crate) fn seen_at(world: &World, url: &DatabaseUrl) -> Vec<String> {
    let store = world.open(url).expect("a store");
    let seen = seen(&store);
    store.close();
    seen
}

/// Fails with the first line in which they differ.
#[track_caller]
pub(crate) fn assert_same(seen: &[String], before: &[String]) {
    let differs = seen.iter().zip(before).find(|(seen, before)| seen != before);
    assert_eq!(differs, None);
    assert_eq!(seen.len(), before.len());
}

/// A ledger with something of everything, in a file.
pub(crate) fn filled(world: &World, name: &str) -> DatabaseUrl {
    let url = world.file(name);
    let store = world.open(&url).expect("a new store");
    fill(&store, world);
    store.close();
    url
}

#[test]
fn it_arrives_whole_there_and_back_and_goes_on() {
    let world = World::new();
    let first = filled(&world, "first.db");
    let (database, second, third) = (world.database(), world.file("second.db"), world.file("third.db"));
    let alerts = alerted(&world.open(&first).expect("a store"), &first);
    let before = seen_at(&world, &first);
    let root = moved(&first, &database).expect("moved").figures.root;
    assert_same(&seen_at(&world, &database), &before);
    for (from, to) in [(&database, &second), (&second, &third)] {
        assert_eq!(moved(from, to).expect("moved").figures.root, root);
        assert_same(&seen_at(&world, to), &before);
    }
    assert_eq!(crate::alerted::rows(&third), alerts);

    let store = world.open(&third).expect("a store");
    let decide = |movement, with_key: &str| {
        run(store.submit(vec![command(1, movement, with_key)])).expect("no fault").pop().expect("one")
    };
    let charge = Movement::Charge { amount: vnd("300") };
    let again = decide(charge.clone(), "c").expect("the first outcome");
    assert!(again.replayed && again.entry.number == 3);
    let last = run(store.account(account(1))).expect("no fault").expect("an account").number;
    assert_eq!(decide(charge, "c-2").expect("enough").entry.number, last + 1);
    let given = decide(Movement::Refund { amount: vnd("285.51"), charge: Named::Key(key("c")) }, "r3");
    assert!(matches!(given.expect_err("too much").refusal, Refusal::RefundExceedsCharge { .. }), "refunds add up");
    decide(capture(Named::Key(key("open")), ""), "rest").expect("what is left of the hold");
    let no = run(store.submit(vec![command(3, Movement::Charge { amount: vnd("99999") }, "no")])).expect("no fault");
    assert!(no[0].as_ref().expect_err("as before").replayed_from.is_some());
    assert!(run(store.authenticate("KEY1", "0123456789abcdef")).expect("no fault").is_some());
    seen(&store);
    store.close();
    for (left, to) in [(&first, &database), (&database, &second), (&second, &third)] {
        let Err(OpenError::Moved { to: told, .. }) = world.open(left) else { panic!("{left} was opened again") };
        assert_eq!(told, to.to_string());
    }
}

#[test]
fn cut_off_at_any_stage_it_goes_on_though_the_source_went_on_serving_meanwhile() {
    let world = World::new();
    let file = filled(&world, "file.db");
    let (database, back) = (world.database(), world.file("back.db"));
    for (from, to, key_part) in [(&file, &database, "there"), (&database, &back, "back")] {
        for (stage, n) in [Stage::Proving, Stage::Entries, Stage::Rest, Stage::Comparing].into_iter().zip(0..) {
            cut_off(from, to, stage);
            let barred = world.open(to).map(|store| store.close());
            assert!(matches!(barred, Err(OpenError::Arriving { from: told }) if told == from.to_string()));
            let name = |what: &str| format!("{what}-{key_part}-{n}");
            let store = world.open(from).expect("it is where it was");
            done(&store, 1, Movement::Refund { amount: vnd("1"), charge: Named::Key(key("c")) }, &name("refund"));
            done(&store, 2, Movement::Transfer { to: account(1), amount: vnd("1") }, &name("transfer"));
            done(&store, 1, capture(Named::Key(key("open")), "1"), &name("capture"));
            done(&store, 3, hold("5", 3600), &name("hold"));
            refused(&store, 3, Movement::Charge { amount: vnd("88888") }, &name("no"));
            run(store.add_credential(actor(), new_credential(2, &name("KEY"), "0123456789abcdef"))).expect("one more");
            store.close();
        }
        let before = seen_at(&world, from);
        assert!(!moved(from, to).expect("moved").is_old);
        assert_same(&seen_at(&world, to), &before);
        assert!(moved(from, to).expect("it is done").is_old);
    }
}

#[test]
fn cut_off_between_its_two_last_steps_it_is_ended_by_the_same_command() {
    let world = World::new();
    let (file, database, back) = (filled(&world, "file.db"), world.database(), world.file("back.db"));
    let before = seen_at(&world, &file);
    moved(&file, &database).expect("moved");
    let name = database.to_string();
    let name = name.rsplit('/').next().expect("its name");
    cluster::shared().run(name, "UPDATE sodu.moves SET ended_at = NULL");
    assert!(matches!(world.open(&database).map(|_| ()), Err(OpenError::Arriving { .. })));
    assert!(!moved(&file, &database).expect("ended").is_old);
    assert_same(&seen_at(&world, &database), &before);
    moved(&database, &back).expect("moved");
    let path = &back.as_file().expect("a file").path;
    let undone = "UPDATE moves SET ended_at = NULL; PRAGMA application_id = 0x736f646d";
    Connection::open(path).expect("the file").execute_batch(undone).expect("undone");
    assert!(matches!(world.open(&back).map(|_| ()), Err(OpenError::Arriving { .. })));
    assert!(!moved(&database, &back).expect("ended").is_old);
    assert_same(&seen_at(&world, &back), &before);
}

/// Over PostgreSQL an account's time never goes back, but the times of two accounts may cross, as after a failover to a
/// server whose clock is behind.
#[test]
fn a_clock_that_went_back_is_no_obstacle() {
    let bench = Bench::new();
    for id in 1..=3 {
        bench.open(id);
        bench.topup(id, "100", "t").expect("money");
    }
    bench.hold(1, "5", 10, "h").expect("a hold");
    bench.pass(100_000_000);
    crate::bench::until("the hold's end", || bench.account(1).expect("an account").number == 4);
    bench.topup(2, "1", "late").expect("money");
    bench.pass(-50_000_000);
    bench.charge(1, "1", "back").expect("before the hold's end was written");
    bench.transfer(1, 2, "2", "x").expect("the other's last entry is later");
    bench.transfer(2, 3, "3", "x").expect("and this one's earlier");
    bench.charge(3, "1", "c").expect("money");
    let entries = |bench: &Bench| -> Vec<_> {
        (1..=3).flat_map(|id| bench.store.entries(account(id), None, None, 0, 100).expect("no fault").items).collect()
    };
    let before = entries(&bench);
    let bench = bench.moved();
    assert_eq!((entries(&bench), bench.verify()), (before, vec![]));
    assert_eq!(bench.account(2).map(|now| now.posted), Some(minor("100")));
}

#[test]
fn refusals_that_came_along_lapse_as_they_would_have() {
    let world = World::new();
    let (file, database) = (filled(&world, "file.db"), world.database());
    let day = 86_400;
    let store = world.open(&file).expect("a store");
    for days in 1..=5 {
        world.pass(5 * day);
        for n in 0..3 {
            refused(&store, 2, Movement::Charge { amount: vnd("77777") }, &format!("no-{days}-{n}"));
        }
        done(&store, 2, Movement::Topup { amount: vnd("1") }, &format!("t-{days}"));
    }
    store.close();
    let back = world.file("back.db");
    moved(&file, &database).expect("moved");
    moved(&database, &back).expect("moved");
    let store = world.open(&back).expect("a store");
    world.pass(12 * day);
    for n in 0..40 {
        done(&store, 2, Movement::Topup { amount: vnd("1") }, &format!("later-{n}"));
    }
    let outcome = |name: &str| run(store.key_outcome(account(2), key(name))).expect("no fault").is_some();
    assert!(!outcome("no-1-0") && outcome("no-5-2"));
    seen(&store);
    store.close();
    let store = Store::open(Options { refusal_days: 1, ..options(back, &world.time) }).expect("a store");
    world.pass(day);
    for n in 0..40 {
        done(&store, 2, Movement::Topup { amount: vnd("1") }, &format!("last-{n}"));
    }
    assert_eq!(run(store.now()).map(Time::micros), Ok(world.time.load(Ordering::Relaxed)));
    seen(&store);
    store.close();
}
