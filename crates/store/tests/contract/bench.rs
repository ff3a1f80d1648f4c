//! A store in a place of its own with a clock that the test moves.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ledger::{
    AccountId, Actor, Amount, Command, Currency, Entry, Key, Lifetime, Metadata, Minor, Movement, Named, Reason, Time,
};
use store::{
    AccountChange, AccountNow, ChangeError, Clock, DatabaseUrl, Fault, Grant, Login, NewAccount, NewCredential,
    Options, Outcome, ProfileChange, Refused, Store,
};

use crate::engine::{Place, Shell};

/// 2026-11-01 00:00 UTC, in microseconds.
pub(crate) const START: i64 = 1_793_491_200_000_000;

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) time: Arc<AtomicI64>,
    pub(crate) place: Place,
}

pub(crate) type Decided = Result<Outcome, Refused>;

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::keeping_refusals(1_000)
    }

    /// One that keeps so many refusals of an account within a second.
    pub(crate) fn keeping_refusals(per_second: u32) -> Bench {
        let place = Place::new();
        let time = Arc::new(AtomicI64::new(START));
        place.tell_time(START);
        let options = options(place.url(), &time);
        let store = Store::open(Options { refusals_per_second: per_second, ..options }).expect("a new store");
        Bench { store, time, place }
    }

    /// Closes the store and opens it again, as a restart would.
    pub(crate) fn reopened(self) -> Bench {
        self.store.close();
        drop(self.store);
        let store = Store::open(options(self.place.url(), &self.time)).expect("the store again");
        Bench { store, time: self.time, place: self.place }
    }

    /// The same with a clock that goes on by a microsecond whenever somebody looks at it.
    pub(crate) fn with_a_clock_that_runs(self) -> Bench {
        self.store.close();
        let time = Arc::clone(&self.time);
        let clock: Clock = Arc::new(move || Time::from_micros(time.fetch_add(1, Ordering::Relaxed)));
        self.place.let_clock_run();
        let store = Store::open(Options { clock, ..options(self.place.url(), &self.time) }).expect("the store again");
        Bench { store, ..self }
    }

    /// The same with a second currency, which no interface makes yet.
    pub(crate) fn with_dollars(self) -> Bench {
        self.store.close();
        self.shell().run("INSERT INTO currencies VALUES (1, 'USD', 2, 2)");
        self.reopened()
    }

    /// SQL on the database itself, past the store, as whoever may do everything there.
    pub(crate) fn shell(&self) -> Shell {
        self.place.shell()
    }

    /// The same as the user that the server itself is there.
    pub(crate) fn server_shell(&self) -> Shell {
        self.place.server_shell()
    }

    pub(crate) fn pass(&self, micros: i64) {
        let before = self.time.fetch_add(micros, Ordering::Relaxed);
        self.place.tell_time(before + micros);
    }

    pub(crate) fn now(&self) -> Time {
        run(self.store.now()).expect("no fault")
    }

    pub(crate) fn account(&self, id: u32) -> Option<AccountNow> {
        run(self.store.account(account(id))).expect("no fault")
    }

    pub(crate) fn open_hold_count(&self, id: u32) -> usize {
        run(self.store.open_hold_count(account(id))).expect("no fault")
    }

    pub(crate) fn authenticate(&self, api_key: &str, secret_key: &str) -> Option<Grant<'_>> {
        run(self.store.authenticate(api_key, secret_key)).expect("no fault")
    }

    pub(crate) fn login(&self, token: &str) -> Option<Login> {
        run(self.store.login(token)).expect("no fault")
    }

    /// Whether that text stands among the operators, wherever they are kept.
    pub(crate) fn holds(&self, part: &str) -> bool {
        self.place.holds(part)
    }

    pub(crate) fn open(&self, id: u32) -> Outcome {
        run(self.store.open_account(new_account(id))).expect("a new account")
    }

    pub(crate) fn topup(&self, id: u32, amount: &str, key: &str) -> Decided {
        self.submit(id, Movement::Topup { amount: vnd(amount) }, key)
    }

    pub(crate) fn charge(&self, id: u32, amount: &str, key: &str) -> Decided {
        self.submit(id, Movement::Charge { amount: vnd(amount) }, key)
    }

    /// A hold for so many seconds.
    pub(crate) fn hold(&self, id: u32, amount: &str, seconds: u32, key: &str) -> Decided {
        self.submit(id, hold(amount, seconds), key)
    }

    /// Part of a hold, or with `""` all that is left of it.
    pub(crate) fn capture(&self, id: u32, hold: u64, amount: &str, key: &str) -> Decided {
        self.submit(id, capture(Named::Number(hold), amount), key)
    }

    pub(crate) fn refund(&self, id: u32, charge: Named, amount: &str, key: &str) -> Decided {
        self.submit(id, Movement::Refund { amount: vnd(amount), charge }, key)
    }

    pub(crate) fn transfer(&self, from: u32, to: u32, amount: &str, key: &str) -> Decided {
        self.submit(from, Movement::Transfer { to: account(to), amount: vnd(amount) }, key)
    }

    pub(crate) fn entry(&self, id: u32, number: u64) -> Entry {
        self.store.entry(account(id), number).expect("no fault").expect("an entry")
    }

    /// What an account holds now, and how many of its holds are open.
    pub(crate) fn held(&self, id: u32) -> (String, usize) {
        let now = self.account(id).expect("an account");
        (now.held.decimal(2).to_string(), self.open_hold_count(id))
    }

    pub(crate) fn submit(&self, id: u32, movement: Movement, key: &str) -> Decided {
        self.try_submit(command(id, movement, key)).expect("no fault")
    }

    pub(crate) fn try_submit(&self, command: Command) -> Result<Decided, Fault> {
        run(self.store.submit(vec![command])).map(|mut decided| decided.pop().expect("one command, one outcome"))
    }

    pub(crate) fn posted(&self, id: u32) -> String {
        self.account(id).expect("an account").posted.decimal(2).to_string()
    }

    pub(crate) fn verify(&self) -> Vec<String> {
        let report = self.store.verify(store::Against::default(), &mut |_| ()).expect("no fault");
        report
            .findings
            .into_iter()
            .map(|finding| format!("{:?} {:?}: {}", finding.account, finding.number, finding.what))
            .collect()
    }

    pub(crate) fn credential(&self, id: u32, api_key: &str, secret_key: &str) -> Result<(), ChangeError> {
        run(self.store.add_credential(actor(), new_credential(id, api_key, secret_key))).map(|_| ())
    }
}

pub(crate) fn hold(amount: &str, seconds: u32) -> Movement {
    Movement::Hold { amount: vnd(amount), expires_in: Lifetime::new(seconds).expect("a lifetime") }
}

pub(crate) fn capture(hold: Named, amount: &str) -> Movement {
    Movement::Capture { hold, amount: (!amount.is_empty()).then(|| vnd(amount)), is_final: false }
}

/// Waits until `is_so`, and fails where it never comes.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

pub(crate) fn options(url: DatabaseUrl, time: &Arc<AtomicI64>) -> Options {
    let time = Arc::clone(time);
    let clock: Clock = Arc::new(move || Time::from_micros(time.load(Ordering::Relaxed)));
    Options {
        url,
        create: true,
        clock,
        queue_len_max: 10_000,
        refusal_days: 30,
        refusals_per_second: 1_000,
        connections_max: 10,
        alert_targets: vec!["ops".into()],
    }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

pub(crate) fn account(id: u32) -> AccountId {
    AccountId::new(id).expect("an account number")
}

pub(crate) fn vnd(amount: &str) -> Amount {
    Amount::parse(amount, Currency::VND).expect("an amount")
}

pub(crate) fn minor(figure: &str) -> Minor {
    Minor::parse(figure, Currency::VND).expect("a figure")
}

pub(crate) fn key(key: &str) -> Key {
    Key::new(key).expect("a key")
}

pub(crate) fn reason(text: &str) -> Reason {
    Reason::new(text).expect("a reason")
}

pub(crate) fn actor() -> Actor {
    Actor::new("local:test").expect("an actor")
}

pub(crate) fn command(id: u32, movement: Movement, with_key: &str) -> Command {
    Command {
        account: account(id),
        movement,
        key: (!with_key.is_empty()).then(|| key(with_key)),
        reference: None,
        reason: None,
        metadata: Metadata::default(),
        by: actor(),
    }
}

pub(crate) fn new_account(id: u32) -> NewAccount {
    NewAccount {
        id: AccountId::new(id),
        name: format!("Account {id}"),
        external_id: None,
        currency: "VND".into(),
        credit_limit: Minor::ZERO,
        key: None,
        by: actor(),
    }
}

pub(crate) fn new_credential(id: u32, api_key: &str, secret_key: &str) -> NewCredential {
    NewCredential {
        account: account(id),
        api_key: api_key.into(),
        secret_key: secret_key.into(),
        is_imported: true,
        label: None,
        cidrs: Vec::new(),
        expires_at: None,
        key: None,
    }
}

/// A change of settings that decide no movement.
pub(crate) fn settings(profile: ProfileChange) -> AccountChange {
    AccountChange { profile, ..AccountChange::default() }
}
