//! A server whose clock the test moves, an account with alerts, and those who are told.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ledger::{AccountId, Actor, Amount, Command, Currency, Event, Key, Level, Metadata, Minor, Movement, Rules, Time};
use serde_json::Value;
use sodu::config::{Alerts, Config};
use sodu::serve::{PortChoice, Running, start};
use store::{
    AlertSettings, Channel, Contact, Delivery, DeliveryQuery, DeliveryStatus, Language, NewAccount, Options, Store,
};

use crate::mail_server::{MailServer, Setup};
use crate::place::Place;
use crate::receiver::{Act, Receiver};

/// 2026-07-29T07:00:00Z, 14:00 in Vietnam.
pub(crate) const START_US: i64 = 1_785_308_400_000_000;

pub(crate) struct Server {
    pub(crate) running: Option<Running>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) config: Config,
    pub(crate) place: Place,
}

impl Server {
    pub(crate) fn with(alerts: Alerts) -> Server {
        Server::begin(Place::new(), Arc::new(AtomicI64::new(START_US)), alerts)
    }

    pub(crate) fn begin(place: Place, clock: Arc<AtomicI64>, alerts: Alerts) -> Server {
        place.tell_time(clock.load(Ordering::Relaxed));
        let config = Config {
            database: place.url(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            threads: 1,
            alerts,
            ..Config::default()
        };
        let store = opened(&config, &clock);
        let running = start(&config, store.clone(), PortChoice::Exact).expect("the server starts");
        Server { running: Some(running), store, clock, config, place }
    }

    /// Stops it as a signal does, and starts it again.
    pub(crate) fn restarted(mut self) -> Server {
        self.running.take().expect("it runs").stop();
        Server::begin(self.place.again(), Arc::clone(&self.clock), self.config.alerts.clone())
    }

    /// As a kill at this instant leaves it: what was committed, served by another process.
    pub(crate) fn killed(self) -> Server {
        Server::begin(self.place.as_it_is(), Arc::clone(&self.clock), self.config.alerts.clone())
    }

    pub(crate) fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a short time");
        self.place.tell_time(self.clock.fetch_add(micros, Ordering::Relaxed) + micros);
    }

    /// Opens an account with that much on it.
    pub(crate) fn open(&self, id: u32, balance: &str) {
        let new = NewAccount {
            id: AccountId::new(id),
            name: "Công ty ABC".into(),
            external_id: None,
            currency: "VND".into(),
            credit_limit: Minor::ZERO,
            key: None,
            by: actor(),
        };
        block_on(self.store.open_account(new)).expect("an account");
        self.act(id, Movement::Topup { amount: vnd(balance) });
    }

    pub(crate) fn charge(&self, id: u32, amount: &str) {
        self.act(id, Movement::Charge { amount: vnd(amount) });
    }

    pub(crate) fn act(&self, id: u32, movement: Movement) {
        let outcomes = block_on(self.store.submit(vec![command(id, movement)])).expect("the store answers");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }

    pub(crate) fn set(&self, id: u32, settings: AlertSettings) {
        let account = AccountId::new(id).expect("an account number");
        let measured = self.store.measure(account).expect("no fault").expect("an account");
        block_on(self.store.change_alerts(actor(), account, Some(settings), measured)).expect("alerts");
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.store.deliveries(&DeliveryQuery::default(), 10_000).expect("no fault").items
    }

    /// Waits until no delivery is left to be tried.
    pub(crate) fn await_all(&self) {
        until("the end of all deliveries", || {
            self.deliveries().iter().all(|delivery| delivery.status != DeliveryStatus::Waiting)
        });
    }
}

/// The ledger of a configuration, which tells `clock`'s time.
pub(crate) fn opened(config: &Config, clock: &Arc<AtomicI64>) -> Store {
    let clock = Arc::clone(clock);
    let store = Store::open(Options {
        url: config.database.clone(),
        create: true,
        clock: Arc::new(move || Time::from_micros(clock.load(Ordering::Relaxed))),
        queue_len_max: 10_000,
        refusal_days: 30,
        refusals_per_second: 1000,
        connections_max: 8,
        alert_targets: config.alerts.targets.iter().map(|(name, _)| name.clone()).collect(),
    });
    store.expect("the database opens")
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

pub(crate) fn command(id: u32, movement: Movement) -> Command {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Command {
        account: AccountId::new(id).expect("an account number"),
        movement,
        key: Some(Key::new(&format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))).expect("a key")),
        reference: None,
        reason: None,
        metadata: Metadata::default(),
        by: actor(),
    }
}

pub(crate) fn vnd(amount: &str) -> Amount {
    Amount::parse(amount, Currency::VND).expect("an amount")
}

pub(crate) fn money(figure: &str) -> Level {
    Level::Money(Minor::parse(figure, Currency::VND).expect("a figure"))
}

pub(crate) fn actor() -> Actor {
    Actor::new("local:test").expect("an actor")
}

/// Alerts that can be delivered to this machine.
pub(crate) fn here() -> Alerts {
    Alerts { allow_private: true, ..Alerts::default() }
}

/// The same with a mail server.
pub(crate) fn with_mail(server: &MailServer) -> Alerts {
    let smtp = format!("smtp://127.0.0.1:{}", server.port);
    Alerts { smtp: Some(smtp.as_str().into()), from: Some("Số dư <alerts@example.com>".into()), ..here() }
}

pub(crate) fn mail_server() -> MailServer {
    MailServer::with(Setup::default())
}

pub(crate) fn settings(levels: &[Level], contacts: Vec<Contact>) -> AlertSettings {
    let rules = Rules {
        levels: levels.into(),
        margin_percent: 10,
        remind_hours: None,
        events: [Event::ChargeRefused].into_iter().collect(),
    };
    AlertSettings { rules, quiet: None, contacts }
}

pub(crate) fn webhook(receiver: &Receiver) -> Contact {
    Contact {
        channel: Channel::Webhook,
        address: receiver.url(),
        language: Language::English,
        secret: Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
    }
}

pub(crate) fn email(language: Language) -> Contact {
    Contact { channel: Channel::Email, address: "ke-toan@example.vn".into(), language, secret: None }
}

/// How often each alert came, by its id.
pub(crate) fn seen(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for request in receiver.requests() {
        *seen.entry(request.headers["webhook-id"].clone()).or_default() += 1;
    }
    seen
}

/// The bodies that came.
pub(crate) fn events(receiver: &Receiver) -> Vec<Value> {
    receiver.requests().iter().map(|request| serde_json::from_str(&request.body).expect("JSON")).collect()
}

pub(crate) fn receiver(acts: &[Act]) -> Receiver {
    Receiver::that(acts)
}

/// Waits until `is_so`, and fails where it never comes.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
