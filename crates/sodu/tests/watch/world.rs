//! A real server, whose accounts are charged over its API by the script, and the one clock of everything.
//!
//! The clock takes a step only when the watcher waits for nothing else. On its way it does what the script says, so that a
//! week takes as long as its requests do, and every run is the same.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use ledger::{Actor, Time};
use sodu::cli::watch::clock::Clock;
use sodu::config::Config;
use sodu::serve::{PortChoice, Running, start};
use sodu_client::operator::{Command, Movement, NewAccount, NewCredential, Operator};
use store::{DatabaseUrl, NewOperator, OperatorName, Options, Role, Store};
use tempfile::TempDir;
use tokio::sync::{Mutex, Notify};

use crate::receiver::Receiver;
use crate::relay::Relay;
use crate::script::{ALL, DOWN, END, KILLED, REFUSED, START_S, TICK_S};

pub(crate) struct World {
    now_ms: Arc<AtomicI64>,
    things: Mutex<Things>,
    pub(crate) receiver: Receiver,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
    /// Told when the watcher is to be killed, and when all is over.
    pub(crate) killed: Notify,
    pub(crate) ended: Notify,
    running: Option<Running>,
}

struct Things {
    operator: Operator,
    relay: Relay,
    /// The tick that was done last.
    tick: i64,
}

pub(crate) fn api_key(id: u32) -> String {
    format!("key-of-{id}")
}

pub(crate) fn secret_key(id: u32) -> String {
    format!("secret-of-account-{id}")
}

impl World {
    pub(crate) async fn begin() -> Arc<World> {
        let folder = tempfile::tempdir().expect("a folder");
        let now_ms = Arc::new(AtomicI64::new(START_S * 1000));
        let (running, token) = serve(&folder, Arc::clone(&now_ms)).await;
        let operator = Operator::new(&format!("http://{}", running.bound().ops), &token).expect("an operator");
        for script in ALL {
            let account = NewAccount { id: Some(script.id), ..NewAccount::new(script.name) };
            operator.open_account(&account).await.expect("it is opened");
            let topup = Command::new(script.id, Movement::Topup { amount: script.start.into() });
            operator.submit(&topup).await.expect("it is topped up");
            let pair = NewCredential::import(api_key(script.id), secret_key(script.id));
            operator.add_credential(script.id, &pair).await.expect("it is imported");
        }
        let relay = Relay::open(running.bound().public).await;
        let clock = Arc::clone(&now_ms);
        let receiver = Receiver::start(move || clock.load(Ordering::SeqCst) / 1000).await;
        Arc::new(World {
            now_ms,
            receiver,
            url: format!("http://{}", relay.address),
            things: Mutex::new(Things { operator, relay, tick: 0 }),
            folder,
            killed: Notify::new(),
            ended: Notify::new(),
            running: Some(running),
        })
    }

    /// Lets time pass up to `at_ms`, with everything that happens in it.
    async fn pass(&self, at_ms: i64) {
        let mut things = self.things.lock().await;
        loop {
            let next_ms = (START_S + (things.tick + 1) * TICK_S) * 1000;
            if next_ms > at_ms {
                break;
            }
            self.now_ms.store(next_ms, Ordering::SeqCst);
            things.tick += 1;
            self.act(&mut things).await;
        }
        self.now_ms.fetch_max(at_ms, Ordering::SeqCst);
    }

    /// Lets time pass while nobody watches.
    pub(crate) async fn pass_to(&self, tick: i64) {
        self.pass((START_S + tick * TICK_S) * 1000).await;
    }

    async fn act(&self, things: &mut Things) {
        let tick = things.tick;
        if tick == DOWN.start {
            things.relay.cut().await;
        } else if tick == DOWN.end {
            things.relay.mend().await;
        }
        self.receiver.be_in_trouble(REFUSED.contains(&tick));
        let mut commands = Vec::new();
        for script in ALL {
            let topup = Movement::Topup { amount: script.topup(tick).into() };
            commands.extend((script.topup(tick) > 0).then(|| Command::new(script.id, topup)));
            commands.push(Command::new(script.id, Movement::Charge { amount: script.charge(tick).into() }));
        }
        // A charge that there is no credit for is refused, as it would be in life.
        things.operator.batch(&commands).await.expect("the server answers");
        if tick == KILLED.start {
            self.killed.notify_one();
        } else if tick == END {
            self.ended.notify_one();
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms.load(Ordering::SeqCst)).expect("an instant")
    }

    fn sleep_until(&self, at: Timestamp, is_idle: bool) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if !is_idle {
                return std::future::pending().await;
            }
            let over_ms = |tick: i64| (START_S + tick * TICK_S) * 1000;
            let last_ms = if self.now_ms.load(Ordering::SeqCst) < over_ms(KILLED.start) { KILLED.start } else { END };
            self.pass(at.as_millisecond().min(over_ms(last_ms))).await;
            if self.now_ms.load(Ordering::SeqCst) >= over_ms(last_ms) {
                // The watcher that sleeps here wakes no more.
                std::future::pending().await
            }
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A runtime may not be waited for within another.
            let stopped = std::thread::spawn(|| running.stop()).join();
            assert!(stopped.is_ok() || std::thread::panicking(), "the server stops");
        }
    }
}

/// A server on free ports with the world's clock, and the token of an operator.
async fn serve(folder: &TempDir, now_ms: Arc<AtomicI64>) -> (Running, String) {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config {
        database: DatabaseUrl::file(folder.path().join("sodu.db")),
        listen: free,
        ops_listen: free,
        threads: 1,
        ..Config::default()
    };
    let options = Options {
        url: config.database.clone(),
        create: true,
        clock: Arc::new(move || Time::from_micros(now_ms.load(Ordering::SeqCst) * 1000)),
        queue_len_max: 1000,
        refusal_days: 30,
        refusals_per_second: 1000,
        connections_max: 8,
        alert_targets: Vec::new(),
    };
    let store = Store::open(options).expect("the database opens");
    let token = "0123456789ABCDEF0123456789ABCDEF".to_owned();
    let new =
        NewOperator { name: OperatorName::new("script").expect("a name"), role: Role::Admin, token: token.clone() };
    store.add_operator(Actor::new("local:test").expect("a name"), new).await.expect("the operator is added");
    (start(&config, store, PortChoice::Exact).expect("the server starts"), token)
}
