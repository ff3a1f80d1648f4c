//! A server with accounts to ask for, and a client that speaks in bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use ledger::{AccountId, Actor, Amount, Command, Key, Metadata, Minor, Movement, Status, Time};
use sodu::config::Config;
use sodu::serve::{Bound, PortChoice, Running, start};
use store::{DatabaseUrl, NewAccount, NewCredential, Options, Store};

use crate::place::Place;

/// The keys of account 9999, whose balance is 36693.
pub(crate) const API_KEY: &str = "6AD1E2F3059B4C7D8E9FA0B1C2D3E4";
pub(crate) const SECRET_KEY: &str = "F0E1D2C3B4A5968778695A4B3C2D1E";

/// The published bodies (esms-wire, section 1), with our balance.
pub(crate) const SUCCESS: &str = r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#;
pub(crate) const REFUSED: &str = r#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#;

/// When each server's ledger begins.
const START_US: i64 = 1_700_000_000_000_000;

/// Every log line of this process, at the finest level of every library.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// A running server.
pub(crate) struct Server {
    running: Option<Running>,
    pub(crate) store: Store,
    clock: Arc<AtomicI64>,
    place: Arc<Place>,
}

impl Server {
    /// With the default settings.
    pub(crate) fn start() -> Server {
        Server::with(|_| {})
    }

    /// With settings of its own.
    pub(crate) fn with(adjust: impl FnOnce(&mut Config)) -> Server {
        log_to_memory();
        let place = Place::new();
        let mut config = Config {
            database: place.url(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            threads: 2,
            ..Config::default()
        };
        adjust(&mut config);
        let clock = Arc::new(AtomicI64::new(START_US));
        place.tell_time(START_US);
        let store = open(&config.database, &clock);
        let running = start(&config, store.clone(), PortChoice::Exact).expect("the server starts");
        let server = Server { running: Some(running), store, clock, place: Arc::new(place) };
        server.open(9999, "36693");
        server.issue(9999, API_KEY, SECRET_KEY, |_| {});
        server
    }

    pub(crate) fn bound(&self) -> &Bound {
        self.running.as_ref().expect("running until it is dropped").bound()
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.place.path()
    }

    /// Moves the ledger's time on.
    pub(crate) fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a short time");
        self.place.tell_time(self.clock.fetch_add(micros, Ordering::Relaxed) + micros);
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_micros(self.clock.load(Ordering::Relaxed))
    }

    /// Opens an account and corrects its balance to what is given.
    pub(crate) fn open(&self, id: u32, balance: &str) {
        let account = AccountId::new(id).expect("an account number");
        let new = NewAccount {
            id: Some(account),
            name: format!("Account {id}"),
            external_id: None,
            currency: "VND".into(),
            credit_limit: minor("1000000"),
            key: None,
            by: actor(),
        };
        block_on(self.store.open_account(new)).expect("the account is opened");
        match minor(balance) {
            Minor::ZERO => {}
            amount if amount > Minor::ZERO => {
                self.act(id, Movement::Topup { amount: Amount::new(amount).expect("more than zero") });
            }
            amount => {
                let spent = Minor::ZERO.minus(amount).and_then(Amount::new).expect("less than zero");
                self.act(id, Movement::Charge { amount: spent });
            }
        }
    }

    /// Issues a credential, as `adjust` will have it.
    pub(crate) fn issue(&self, id: u32, api_key: &str, secret_key: &str, adjust: impl FnOnce(&mut NewCredential)) {
        let mut new = NewCredential {
            account: AccountId::new(id).expect("an account number"),
            api_key: api_key.into(),
            secret_key: secret_key.into(),
            label: None,
            cidrs: Vec::new(),
            is_imported: true,
            expires_at: None,
            key: None,
        };
        adjust(&mut new);
        block_on(self.store.add_credential(actor(), new)).expect("the credential is issued");
    }

    pub(crate) fn set_status(&self, id: u32, status: Status) {
        self.act(id, Movement::Status { status });
    }

    pub(crate) fn act(&self, id: u32, movement: Movement) {
        static NEXT: AtomicI64 = AtomicI64::new(0);
        let command = Command {
            account: AccountId::new(id).expect("an account number"),
            movement,
            key: Some(Key::new(&format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))).expect("a key")),
            reference: None,
            reason: None,
            metadata: Metadata::default(),
            by: actor(),
        };
        let outcomes = block_on(self.store.submit(vec![command])).expect("the store answers");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }

    pub(crate) fn client(&self) -> Client<TcpStream> {
        Client::connect(self.bound().public)
    }

    /// The response to one request on a connection of its own.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.client();
        client.send(request);
        client.response()
    }

    /// The response of the operator listener to a GET.
    pub(crate) fn ops(&self, path: &str) -> Response {
        let mut client = Client::connect(self.bound().ops);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        client.response()
    }

    /// Asks for the metrics until that line is among them: what ends with a connection is counted a moment after it.
    pub(crate) fn await_metric(&self, line: &str) {
        let began = Instant::now();
        loop {
            let metrics = self.ops("/metrics").body;
            if metrics.lines().any(|found| found == line) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{line} is missing in\n{metrics}");
        }
    }

    /// A client on the socket beside the database.
    pub(crate) fn local(&self) -> Client<UnixStream> {
        let stream = UnixStream::connect(&self.bound().socket).expect("the socket takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        Client { stream: BufReader::new(stream) }
    }

    /// What a test stops by hand is not stopped again.
    pub(crate) fn into_running(mut self) -> (Running, Arc<Place>) {
        (self.running.take().expect("running until it is dropped"), Arc::clone(&self.place))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

/// Opens a new ledger with that clock.
pub(crate) fn open(url: &DatabaseUrl, clock: &Arc<AtomicI64>) -> Store {
    let clock = Arc::clone(clock);
    let options = Options {
        url: url.clone(),
        create: true,
        clock: Arc::new(move || Time::from_micros(clock.load(Ordering::Relaxed))),
        queue_len_max: 1000,
        refusal_days: 30,
        refusals_per_second: 1000,
        connections_max: 8,
        alert_targets: Vec::new(),
    };
    Store::open(options).expect("the database opens")
}

pub(crate) fn minor(decimal: &str) -> Minor {
    Minor::parse(decimal, ledger::Currency::VND).expect("a decimal")
}

pub(crate) fn actor() -> Actor {
    Actor::new("local:test").expect("an actor")
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn log_to_memory() {
    struct Memory;
    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            LOG.lock().expect("no panic while logging").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::level_filters::LevelFilter::TRACE)
            .with_writer(|| Memory)
            .with_ansi(false)
            .init();
    });
}

/// Everything that was logged so far, by every test of this process.
pub(crate) fn logged() -> String {
    String::from_utf8_lossy(&LOG.lock().expect("no panic while logging")).into_owned()
}

/// How long a test waits for a socket before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that sends what it is told, byte for byte.
pub(crate) struct Client<S> {
    pub(crate) stream: BufReader<S>,
}

impl Client<TcpStream> {
    pub(crate) fn connect(address: SocketAddr) -> Client<TcpStream> {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_nodelay(true).expect("no delay");
        Client { stream: BufReader::new(stream) }
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next response, of which the request was no HEAD.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = self.head();
        let length = response.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the whole body");
        response.body = String::from_utf8(body).expect("a body in UTF-8");
        response
    }

    /// The head of the next response.
    pub(crate) fn head(&mut self) -> Response {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let length = self.stream.read_line(&mut line).expect("a response in time");
            assert!(length > 0, "the connection ended after {lines:?}");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        Response { lines, body: String::new() }
    }

    /// Waits for the end of the connection; what came before it.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
        String::from_utf8(rest).expect("a response in UTF-8")
    }
}

/// A response, with the lines of its head as they came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Response {
    lines: Vec<String>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn status_line(&self) -> &str {
        &self.lines[0]
    }

    pub(crate) fn status(&self) -> u16 {
        let status = self.lines[0].split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no status in {:?}", self.lines))
    }

    /// The value of the header, which stands at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.lines[1..].iter().filter_map(|line| {
            let (found, value) = line.split_once(": ").expect("a header line");
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice in {:?}", self.lines);
        value
    }

    /// Its status and body, for comparing.
    pub(crate) fn said(&self) -> (u16, &str) {
        (self.status(), &self.body)
    }
}

/// A POST as curl sends it.
pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(crate) const POST_JSON: &str = "/MainService.svc/json/GetBalance_json";
pub(crate) const POST_XML: &str = "/MainService.svc/xml/GetBalance_json/";

/// The published body with these keys.
pub(crate) fn keys(api_key: &str, secret_key: &str) -> String {
    format!(r#"{{"ApiKey":"{api_key}","SecretKey":"{secret_key}"}}"#)
}

/// The published call with these keys.
pub(crate) fn call(api_key: &str, secret_key: &str) -> Vec<u8> {
    post(POST_JSON, keys(api_key, secret_key))
}

/// A GET on that path.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// The older call with these keys in its path.
pub(crate) fn legacy(format: &str, api_key: &str, secret_key: &str) -> String {
    format!("/MainService.svc/{format}/GetBalance/{api_key}/{secret_key}")
}
