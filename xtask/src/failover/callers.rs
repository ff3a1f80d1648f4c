//! Who calls while faults are injected: movers, readers, and one client that tells for how long there was no service.
//!
//! Whoever hears a fault, or nothing, sends the same key again, wherever, until it is known what came of it. Nobody retries
//! anything unseen: each sending is a call of the history.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::command::{Command, Kind, Script, UNIT};
use super::history::{History, Read, Said, Sent, Via};
use crate::cluster::Cluster;
use crate::http::{Address, Connection, Request};
use crate::operator::{Account, get_balance};
use crate::random::Random;

const ACCOUNTS: usize = 12;
const MOVERS: usize = 12;
const READERS: usize = 3;
/// Readers of one node, while it is in focus.
const FOCUSED: usize = 2;

/// A little longer than a node gives itself; and what a client has who wants service.
const PATIENCE: Duration = Duration::from_secs(8);
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);

const PAUSE: Duration = Duration::from_millis(100);
/// Between two calls of one caller: the machine is to be loaded, not full.
const PACE_US: u64 = 20_000;
/// How long after the end outcomes are still asked for.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// How many movements are remembered, to be sent again by somebody else.
const RECENT: usize = 300;

/// No node is in focus.
const NOBODY: usize = usize::MAX;

/// What all callers share.
pub(crate) struct Table {
    pub(crate) accounts: Vec<Account>,
    /// Where operators and eSMS clients call: the nodes in their order, then haproxy.
    ops: Vec<SocketAddr>,
    public: Vec<SocketAddr>,
    token: String,
    base: Instant,
    recent: Mutex<VecDeque<Arc<Command>>>,
    history: Mutex<History>,
    /// Movements that were acknowledged for the first time.
    acknowledged: AtomicU64,
    /// When the client's movements were acknowledged.
    served: Mutex<Vec<u64>>,
    focus: AtomicUsize,
    is_over: AtomicBool,
}

impl Table {
    /// Opens the accounts: one for each mover and reader to share, and the client's own, which is the last.
    pub(crate) fn new(cluster: &Cluster, random: &mut Random) -> Result<Table> {
        let mut accounts = Vec::new();
        for id in 1..=(ACCOUNTS as u64 + 1) {
            let credit_limit = if id % 3 == 0 { 50_000 * UNIT } else { 0 };
            let account = Account { id, credit_limit, api_key: random.hex(30), secret_key: random.hex(30) };
            open(cluster, &account)?;
            accounts.push(account);
        }
        let mut ops: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.ops).collect();
        let mut public: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.public).collect();
        ops.push(cluster.haproxy.ops);
        public.push(cluster.haproxy.public);
        Ok(Table {
            accounts,
            ops,
            public,
            token: cluster.token.clone(),
            base: Instant::now(),
            recent: Mutex::default(),
            history: Mutex::default(),
            acknowledged: AtomicU64::new(0),
            served: Mutex::default(),
            focus: AtomicUsize::new(NOBODY),
            is_over: AtomicBool::new(false),
        })
    }

    /// Lets everybody call.
    pub(crate) fn begin<'s>(&'s self, scope: &'s Scope<'s, '_>, random: &mut Random) {
        for mover in 0..MOVERS {
            let script = Script::new(format!("m{mover}"), Random::new(random.next()), &self.accounts[..ACCOUNTS]);
            scope.spawn(move || self.keep_moving(script));
        }
        for reader in 0..READERS + FOCUSED {
            let random = Random::new(random.next());
            scope.spawn(move || self.read(random, reader >= READERS));
        }
        scope.spawn(|| self.be_served());
    }

    /// Microseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Has further readers ask that node and no other, or nobody any more.
    pub(crate) fn focus(&self, node: Option<usize>) {
        self.focus.store(node.unwrap_or(NOBODY), Ordering::SeqCst);
    }

    /// The longest time without an acknowledged movement of the client that touches that interval.
    pub(crate) fn without_service(&self, from: u64, to: u64) -> Duration {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let gaps = served.windows(2).filter(|pair| pair[1] > from && pair[0] < to).map(|pair| pair[1] - pair[0]);
        let since_last = served.last().map_or(to, |last| to.saturating_sub(*last));
        Duration::from_micros(gaps.max().unwrap_or(0).max(since_last))
    }

    /// Nobody begins anything new.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(crate) fn into_history(self) -> (History, Vec<Account>) {
        (self.history.into_inner().unwrap_or_else(PoisonError::into_inner), self.accounts)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Command>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One mover: new movements, and now and then one of somebody else's, which may be under way at the moment.
    fn keep_moving(&self, mut script: Script) {
        let mut calls = Calls::new(self, PATIENCE);
        while !self.is_over() {
            let places = self.ops.len();
            let old = if script.random().chance(10) { self.any_recent(script.random()) } else { None };
            let is_new = old.is_none();
            let command = old.unwrap_or_else(|| script.next());
            if is_new {
                let mut recent = self.recent();
                recent.push_back(Arc::clone(&command));
                if recent.len() > RECENT {
                    recent.pop_front();
                }
            }
            let said = calls.settle(&command, || script.random().index(places));
            if is_new && matches!(said, Some(Said::Done { .. })) {
                script.done(&command);
            }
            thread::sleep(Duration::from_micros(script.random().below(PACE_US)));
        }
    }

    fn any_recent(&self, random: &mut Random) -> Option<Arc<Command>> {
        let recent = self.recent();
        if recent.is_empty() { None } else { recent.get(random.index(recent.len())).cloned() }
    }

    /// One reader: GetBalance of any account through anybody; or, while a node is in focus, through that one.
    fn read(&self, mut random: Random, is_focused: bool) {
        let mut connections: Vec<Option<Connection>> = self.public.iter().map(|_| None).collect();
        while !self.is_over() {
            let focus = self.focus.load(Ordering::SeqCst);
            if is_focused && focus == NOBODY {
                thread::sleep(PAUSE);
                continue;
            }
            let place = if is_focused { focus } else { random.index(self.public.len()) };
            let account = random.index(ACCOUNTS);
            let began = self.now();
            let answer = connected(&mut connections[place], self.public[place], PATIENCE)
                .and_then(|connection| get_balance(connection, &self.accounts[account]));
            let (ended, via) = (self.now(), self.via(place));
            if answer.is_err() {
                connections[place] = None;
            }
            let shown = answer.ok().and_then(Result::ok);
            self.history().reads.push(Read { account, via, began, ended, balance: shown.map(|units| units * UNIT) });
            thread::sleep(Duration::from_micros(random.below(if shown.is_some() { PACE_US / 2 } else { PACE_US * 3 })));
        }
    }

    /// The client: one top-up after the other through haproxy, with little patience.
    fn be_served(&self) {
        let mut calls = Calls::new(self, CLIENT_PATIENCE);
        let haproxy = self.ops.len() - 1;
        for number in 1_u64.. {
            if self.is_over() {
                return;
            }
            let account = self.accounts.len() - 1;
            let (account_id, key) = (self.accounts[account].id, format!("client-{number}"));
            let command = Command { account, account_id, kind: Kind::Topup, amount: UNIT, key };
            if calls.settle(&Arc::new(command), || haproxy).is_some() {
                self.served.lock().unwrap_or_else(PoisonError::into_inner).push(self.now());
            }
            thread::sleep(PAUSE);
        }
    }

    fn via(&self, place: usize) -> Via {
        if place + 1 == self.public.len() { Via::Haproxy } else { Via::Node(place) }
    }
}

/// One caller's connections to everybody.
struct Calls<'t> {
    table: &'t Table,
    patience: Duration,
    connections: Vec<Option<Connection>>,
}

impl<'t> Calls<'t> {
    fn new(table: &'t Table, patience: Duration) -> Calls<'t> {
        Calls { table, patience, connections: table.ops.iter().map(|_| None).collect() }
    }

    /// Sends a movement until it is known what came of it; `None` where that does not come to be known.
    fn settle(&mut self, command: &Arc<Command>, mut place: impl FnMut() -> usize) -> Option<Said> {
        let mut over: Option<Instant> = None;
        loop {
            let said = self.send(command, place());
            if said.is_known() {
                return Some(said);
            }
            if self.table.is_over() && over.get_or_insert_with(Instant::now).elapsed() > SETTLE_MAX {
                return None;
            }
            thread::sleep(PAUSE);
        }
    }

    fn send(&mut self, command: &Arc<Command>, place: usize) -> Said {
        let (path, body) = (command.path(), command.body().to_string());
        let request = Request { method: "POST", path: &path, key: Some(&command.key), body: &body };
        let request = request.prepared(&self.table.token);
        let began = self.table.now();
        let answer = connected(&mut self.connections[place], self.table.ops[place], self.patience)
            .and_then(|connection| connection.send(&request));
        let ended = self.table.now();
        let said = match answer {
            Ok(reply) => {
                let body: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
                Said::of_answer(reply.status, &body)
            }
            Err(_) => {
                self.connections[place] = None;
                Said::Unknown { status: 0, slug: String::new() }
            }
        };
        if matches!(said, Said::Done { replayed: false, .. }) {
            self.table.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        let (command, via) = (Arc::clone(command), self.table.via(place));
        self.table.history().sent.push(Sent { command, via, began, ended, said: said.clone() });
        said
    }
}

/// The connection that is there, or a new one.
fn connected(kept: &mut Option<Connection>, to: SocketAddr, patience: Duration) -> std::io::Result<&mut Connection> {
    let connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open_within(to, patience)?,
    };
    Ok(kept.insert(connection))
}

fn open(cluster: &Cluster, account: &Account) -> Result<()> {
    let Account { id, credit_limit, api_key, secret_key } = account;
    let new = json!({
        "id": id, "name": format!("account {id}"), "credit_limit": crate::money::decimal(*credit_limit),
    });
    let pair = json!({ "api_key": api_key, "secret_key": secret_key });
    for (path, body) in [("/v1/accounts".to_owned(), new), (format!("/v1/accounts/{id}/credentials"), pair)] {
        let answer = cluster.operate(&path, &format!("new-{id}"), &body)?;
        ensure!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
    }
    Ok(())
}

/// The whole statement of an account, through a node.
pub(crate) fn statement(cluster: &Cluster, account: u64) -> Result<Vec<super::history::Line>> {
    let mut connection = Connection::open(&Address::Tcp(cluster.nodes[0].ops))?;
    let (mut lines, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/accounts/{account}/entries?limit=1000{cursor}");
        let request = Request { method: "GET", path: &path, key: None, body: "" };
        let reply = connection.send(&request.prepared(&cluster.token))?;
        let page: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        let items = page["entries"].as_array().with_context(|| format!("not a statement: {}", reply.text()))?;
        for item in items {
            lines.push(super::history::Line::read(item).with_context(|| format!("not an entry: {item}"))?);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(lines),
        }
    }
}
