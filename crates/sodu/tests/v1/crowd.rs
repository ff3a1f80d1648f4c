//! Many callers at once over real HTTP: whatever order their commands come in, every law holds, by the callers' own books
//! and by `verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use ledger::Time;
use serde_json::{Value, json};
use sodu::config::Config;
use sodu::serve::{self, PortChoice, Running};
use store::{Options, Store};
use tokio::net::UnixStream;
use tokio::sync::Barrier;

use crate::common::{START_US, options};
use crate::described::{Exchange, check};
use crate::place::Place;

const CALLERS: u64 = 64;
const COMMANDS: u64 = 10_000;
const ACCOUNTS: u64 = 10;

/// A running server whose clock goes on by a millisecond whenever somebody looks at it.
pub(crate) struct Served {
    server: Running,
    store: Store,
    _place: Place,
}

impl Served {
    pub(crate) fn new() -> Served {
        let place = Place::new();
        place.tell_time(START_US);
        place.let_clock_run();
        let clock = AtomicI64::new(START_US);
        let options = Options {
            clock: Arc::new(move || Time::from_micros(clock.fetch_add(1_000, Ordering::SeqCst))),
            ..options(&place, Arc::default())
        };
        let store = Store::open(options).expect("a new database");
        let any_port = || "127.0.0.1:0".parse().expect("an address");
        let config = Config { database: store.url(), listen: any_port(), ops_listen: any_port(), ..Config::default() };
        let server = serve::start(&config, store.clone(), PortChoice::Exact).expect("a server");
        Served { server, store, _place: place }
    }

    pub(crate) fn stop(self) {
        self.server.stop();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.server.bound().socket.clone()
    }
}

/// One kept-alive connection.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn open(socket: &Path) -> Connection {
        let stream = UnixStream::connect(socket).await.expect("a listening socket");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Connection(sender)
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, key: &str, body: String) -> (u16, Value) {
        let request = hyper::Request::builder().method(method).uri(path).header("host", "sodu");
        let request = if key.is_empty() { request } else { request.header("idempotency-key", key) };
        self.0.ready().await.expect("an open connection");
        let request = request.body(Full::from(body.clone())).expect("a request");
        let (head, answer) = self.0.send_request(request).await.expect("an answer").into_parts();
        let bytes = answer.collect().await.expect("a whole body").to_bytes();
        let (status, text) = (head.status.as_u16(), String::from_utf8(bytes.to_vec()).expect("UTF-8"));
        check(&Exchange { method, target: path, sent: &body, status, headers: &head.headers, text: &text });
        (status, serde_json::from_str(&text).expect("JSON"))
    }

    pub(crate) async fn post(&mut self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, key, body.to_string()).await
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// One command as it is sent.
struct Asked {
    account: u64,
    path: String,
    key: String,
    body: Value,
}

/// A command whose account and key follow from few numbers, so that callers who draw the same ask for the same; now and then
/// one asks for another amount under the same key.
fn asked(numbers: &mut Numbers) -> Asked {
    let (n, part) = (numbers.below(900), numbers.below(3));
    let account = n % ACCOUNTS + 1;
    let odd = u64::from(numbers.below(20) == 0);
    let amount = |base: u64| (base + n % 7 + odd).to_string();
    let own = |route: &str| format!("/v1/accounts/{account}/{route}");
    let of_hold = |route: &str| own(&format!("holds/key:h{n}/{route}"));
    let (path, key, body) = match numbers.below(12) {
        0 => (own("topups"), format!("t{n}"), json!({ "amount": amount(20) })),
        1 | 2 => (own("charges"), format!("c{n}"), json!({ "amount": amount(10) })),
        3 | 4 => (own("holds"), format!("h{n}"), json!({ "amount": amount(20), "expires_in": 2 + n % 9 })),
        5 | 6 => (of_hold("captures"), format!("p{n}-{part}"), json!({ "amount": amount(7), "final": part == 2 })),
        7 => (of_hold("extend"), format!("x{n}-{part}"), json!({ "expires_in": 5 + odd })),
        8 => (of_hold("void"), format!("v{n}"), json!({})),
        9 | 10 => {
            (own("refunds"), format!("r{n}-{part}"), json!({ "amount": amount(3), "charge_key": format!("c{n}") }))
        }
        _ => {
            let to = (account + part) % ACCOUNTS + 1;
            let body = json!({ "from": account, "to": to, "amount": amount(15) });
            ("/v1/transfers".to_owned(), format!("f{n}"), body)
        }
    };
    Asked { account, path, key, body }
}

type Answered = (Asked, u16, Value);

async fn call(socket: PathBuf, caller: u64, start: Arc<Barrier>) -> Vec<Answered> {
    let mut connection = Connection::open(&socket).await;
    let mut numbers = Numbers(caller);
    let mut answers = Vec::new();
    start.wait().await;
    for _ in 0..COMMANDS.div_ceil(CALLERS) {
        let asked = asked(&mut numbers);
        let (status, json) = connection.post(&asked.path, &asked.key, &asked.body).await;
        answers.push((asked, status, json));
    }
    answers
}

#[test]
fn ten_thousand_commands_at_once_leave_every_law_intact() {
    let served = Served::new();
    run(crowd(&served));
    let findings = served.store.verify(store::Against::default(), &mut |_| ()).expect("no fault").findings;
    assert_eq!(findings, []);
    served.stop();
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test);
}

async fn crowd(served: &Served) {
    let mut connection = Connection::open(&served.socket()).await;
    for id in 1..=ACCOUNTS {
        let body = json!({ "id": id, "name": "Hot", "credit_limit": "100" });
        assert_eq!(connection.post("/v1/accounts", &format!("open-{id}"), &body).await.0, 201);
    }
    let start = Arc::new(Barrier::new(usize::try_from(CALLERS).expect("few")));
    let calls: Vec<_> =
        (0..CALLERS).map(|caller| tokio::spawn(call(served.socket(), caller, Arc::clone(&start)))).collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.extend(call.await.expect("a caller"));
    }
    assert!(answers.len() >= 10_000);
    keys_moved_money_once(&answers);
    // On a slow machine the server has closed the one that was idle meanwhile.
    let mut connection = Connection::open(&served.socket()).await;
    let mut statements = BTreeMap::new();
    for id in 1..=ACCOUNTS {
        // Holds that end are written by and by, so that one may come between the two looks.
        let (entries, shown) = loop {
            let entries = statement(&mut connection, id).await;
            let shown = connection.send("GET", &format!("/v1/accounts/{id}"), "", String::new()).await.1;
            let last = entries.last().expect("an entry");
            let further = statement(&mut connection, id).await.split_off(entries.len());
            if shown["last_entry"] == last["number"] || further.iter().any(|entry| entry["kind"] != "expire") {
                break (entries, shown);
            }
        };
        let last = entries.last().expect("an entry");
        assert_eq!((&shown["posted"], &shown["last_entry"]), (&last["posted_after"], &last["number"]));
        statements.insert(id, entries);
    }
    books_agree(&answers, &statements);
    statements.values().for_each(|entries| laws_hold(entries));
    let kinds: BTreeSet<&str> = statements.values().flatten().filter_map(|entry| entry["kind"].as_str()).collect();
    let all = ["capture", "charge", "expire", "extend", "hold", "open", "refund", "topup", "transfer", "void"];
    assert!(kinds.into_iter().eq(all), "every movement took place");
}

async fn statement(connection: &mut Connection, id: u64) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::from("0");
    loop {
        let path = format!("/v1/accounts/{id}/entries?limit=1000&cursor={cursor}");
        let (_, page) = connection.send("GET", &path, "", String::new()).await;
        all.extend(page["entries"].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return all,
        }
    }
}

/// Each key was answered with one outcome, once as new; whoever asked for something else under it was told so.
fn keys_moved_money_once(answers: &[Answered]) {
    let mut by_key: BTreeMap<(u64, &str), Vec<&Answered>> = BTreeMap::new();
    for answer in answers {
        by_key.entry((answer.0.account, &answer.0.key)).or_default().push(answer);
    }
    let (mut shared, mut kinds) = (0, BTreeMap::<u16, usize>::new());
    for ((account, key), answers) in &by_key {
        let moved: Vec<_> = answers.iter().filter(|(_, status, _)| matches!(status, 200 | 201)).collect();
        let others = answers.iter().filter(|(_, status, _)| !matches!(status, 200 | 201));
        shared += usize::from(answers.len() > 1);
        answers.iter().for_each(|(_, status, _)| *kinds.entry(*status).or_default() += 1);
        let Some((content, _, first)) = moved.first() else {
            // Refused: whoever repeats exactly what was asked first hears the same, the others that the key is used up.
            let kept = answers.iter().filter(|(.., json)| json["replayed"] == false && json["slug"] != "key_reused");
            assert_eq!(kept.count(), 1, "account {account} key {key}");
            continue;
        };
        assert_eq!(moved.iter().filter(|(_, status, _)| *status == 201).count(), 1, "account {account} key {key}");
        for (asked, status, json) in &moved {
            assert_eq!((&asked.body, &json["entry"]), (&content.body, &first["entry"]));
            assert_eq!((&json["account"], &json["replayed"]), (&first["account"], &json!(*status == 200)));
        }
        for (asked, status, json) in others {
            assert_eq!((*status, &json["slug"]), (422, &json!("key_reused")), "account {account} key {key}");
            assert_ne!(asked.body, content.body);
        }
    }
    assert!(shared > 1_000 && kinds[&200] > 500 && kinds[&201] > 2_000 && kinds[&409] > 100, "{shared} {kinds:?}");
}

/// Whatever was acknowledged is in the statements as it was acknowledged, and nothing that was not.
fn books_agree(answers: &[Answered], statements: &BTreeMap<u64, Vec<Value>>) {
    let mut acknowledged = BTreeMap::new();
    for (asked, status, json) in answers {
        if *status == 201 {
            let number = json["entry"]["number"].as_u64().expect("a number");
            assert!(acknowledged.insert((asked.account, number), &json["entry"]).is_none(), "one entry for two keys");
        }
    }
    let mut found = 0;
    for (&id, entries) in statements {
        let mut posted = 0;
        for (entry, number) in entries.iter().zip(1_u64..) {
            assert_eq!(entry["number"], number);
            match entry["kind"].as_str() {
                Some("open" | "expire") => assert_eq!(entry["posted_after"], money(posted)),
                Some("transfer") if entry["key"].is_null() => {
                    let of = |name: &str| entry["target"][name].as_u64().expect("a number");
                    let sent = acknowledged[&(of("account"), of("number"))];
                    assert_eq!(sent["target"], json!({ "account": id, "number": number }));
                    assert_eq!(units(&sent["amount"]), -units(&entry["amount"]));
                }
                _ => {
                    assert_eq!(acknowledged.get(&(id, number)), Some(&entry), "account {id} entry {number}");
                    found += 1;
                }
            }
            posted += signed(entry);
            assert_eq!(units(&entry["posted_after"]), posted, "account {id} entry {number}");
        }
    }
    assert_eq!(found, acknowledged.len(), "nothing acknowledged is missing");
}

/// No overdraft, holds and refunds within their bounds, instants in order.
fn laws_hold(entries: &[Value]) {
    let mut left: BTreeMap<u64, i64> = BTreeMap::new();
    let mut at = String::new();
    for entry in entries {
        let number = entry["number"].as_u64().expect("a number");
        let kind = entry["kind"].as_str().expect("a kind");
        let target = entry["target"]["number"].as_u64().unwrap_or(0);
        let amount = units(&entry["amount"]);
        let figure = |name: &str| units(&entry[name]);
        let available = figure("balance_after") + figure("credit_limit");
        let spends = matches!(kind, "charge" | "hold") || (kind == "transfer" && amount < 0);
        assert!(!spends || available >= 0, "{entry}");
        let held_before: i64 = held(&left, entries);
        match kind {
            "hold" | "charge" => drop(left.insert(number, amount)),
            "capture" => {
                let released = held_before - figure("held_after");
                assert!(released >= amount);
                *left.get_mut(&target).expect("its hold") -= released;
                left.insert(number, amount);
            }
            "void" | "expire" => *left.get_mut(&target).expect("its hold") -= amount,
            "refund" => *left.get_mut(&target).expect("its charge") -= amount,
            _ => {}
        }
        assert!(left.values().all(|left| *left >= 0), "{entry}");
        assert_eq!(held(&left, entries), figure("held_after"), "{entry}");
        let next = entry["at"].as_str().expect("an instant");
        assert!(at.as_str() <= next, "{entry}");
        next.clone_into(&mut at);
    }
}

/// What is left of all holds together.
fn held(left: &BTreeMap<u64, i64>, entries: &[Value]) -> i64 {
    let is_hold = |number: &u64| entries[usize::try_from(*number - 1).expect("few")]["kind"] == "hold";
    left.iter().filter(|(number, _)| is_hold(number)).map(|(_, left)| left).sum()
}

fn signed(entry: &Value) -> i64 {
    let amount = units(&entry["amount"]);
    match entry["kind"].as_str() {
        Some("topup" | "refund" | "transfer") => amount,
        Some("charge" | "capture") => -amount,
        _ => 0,
    }
}

/// Whole đồng: nothing here asks for less.
fn units(figure: &Value) -> i64 {
    figure.as_str().expect("a decimal").parse().expect("a whole number")
}

fn money(units: i64) -> Value {
    units.to_string().into()
}

#[test]
fn fifty_callers_with_one_key_hear_the_same_and_move_money_once() {
    let served = Served::new();
    run(fifty(&served));
    served.stop();
}

async fn fifty(served: &Served) {
    let mut connection = Connection::open(&served.socket()).await;
    let body = json!({ "id": 1, "name": "One", "credit_limit": "100" });
    assert_eq!(connection.post("/v1/accounts", "o", &body).await.0, 201);
    let start = Arc::new(Barrier::new(50));
    let once = async |socket: PathBuf, start: Arc<Barrier>| {
        let mut connection = Connection::open(&socket).await;
        start.wait().await;
        connection.post("/v1/accounts/1/charges", "same", &json!({ "amount": "7" })).await
    };
    let calls: Vec<_> = (0..50).map(|_| tokio::spawn(once(served.socket(), Arc::clone(&start)))).collect();
    let (mut bodies, mut statuses) = (Vec::new(), Vec::new());
    for call in calls {
        let (status, mut json) = call.await.expect("a caller");
        let replayed = json["replayed"].take();
        assert_eq!(replayed, status == 200);
        statuses.push(status);
        bodies.push(json);
    }
    statuses.sort_unstable();
    assert_eq!((statuses[..49].iter().all(|status| *status == 200), statuses[49]), (true, 201));
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let shown = connection.send("GET", "/v1/accounts/1", "", String::new()).await.1;
    assert_eq!((&shown["posted"], &shown["last_entry"]), (&json!("-7"), &json!(2)));
}
