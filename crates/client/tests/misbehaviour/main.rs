//! The client against a service that misbehaves in every way: each gets its own error, within the limits.
//!
//! Where a limit did not work, a test would never end: what misbehaves here does so until the client is gone.

mod operator;
mod service;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use service::{API_KEY, SECRET_KEY, Service, answer, good, hang, say};
use sodu_client::{Client, Error, Fault, Settings, SetupError};

fn short() -> Settings {
    Settings { timeout: Duration::from_millis(400), ..Settings::default() }
}

#[track_caller]
fn unexpected(error: Error) -> String {
    let Error::Fault(Fault::Unexpected { found, .. }) = &error else { panic!("{error:?}") };
    found.clone()
}

#[track_caller]
fn broken(error: Error) -> String {
    let Error::Fault(Fault::Broken { detail }) = &error else { panic!("{error:?}") };
    detail.clone()
}

#[tokio::test]
async fn the_published_request_is_sent() {
    let service = Service::that(&[good]);
    let balance = service.balance().await.expect("a balance");
    assert_eq!((balance.amount.to_string(), balance.user_id), ("36693".to_owned(), 9999));
    let [request] = &service.requests()[..] else { panic!("one request") };
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("POST /MainService.svc/json/GetBalance_json HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("\r\ncontent-type: application/json"), "{head}");
    assert_eq!(body, format!(r#"{{"ApiKey":"{API_KEY}","SecretKey":"{SECRET_KEY}"}}"#));
}

#[tokio::test]
async fn every_code_is_an_error_of_its_own() {
    async fn refused(body: fn(&mut std::net::TcpStream)) -> Error {
        let service = Service::that(&[body]);
        let error = service.balance_with(Settings::default()).await.expect_err("a refusal");
        assert_eq!(service.requests().len(), 1, "a refusal is not asked for again");
        error
    }
    let wrong = refused(|to| {
        answer(to, "200 OK", "", r#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#)
    });
    assert_eq!(wrong.await, Error::WrongKeys);
    assert_eq!(refused(|to| answer(to, "200 OK", "", r#"{"CodeResponse":102}"#)).await, Error::AccountLocked);
    assert_eq!(refused(|to| answer(to, "200 OK", "", r#"{"CodeResponse":"140"}"#)).await, Error::AddressNotAllowed);
    let malformed =
        refused(|to| answer(to, "400 Bad Request", "", r#"{"CodeResponse":"99","ErrorMessage":"not JSON"}"#));
    assert_eq!(malformed.await, Error::Service { code: 99, message: "not JSON".into() });
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let client = Client::new(&address, API_KEY, SECRET_KEY).expect("a client");
    let Err(Error::Fault(Fault::Connection { detail })) = client.balance().await else { panic!("no connection") };
    assert!(detail.contains("refused"), "{detail}");
}

#[tokio::test]
async fn silence_and_dripping_end_with_the_time() {
    let drip: service::Act = |to| {
        say(to, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
        while to.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    for act in [hang, drip] {
        let error = Service::that(&[act]).balance_with(short()).await.expect_err("no answer");
        assert_eq!(error, Error::Fault(Fault::Timeout { limit: short().timeout }));
    }
}

#[tokio::test]
async fn what_breaks_is_asked_for_again_and_then_told() {
    let cut: service::Act = |to| say(to, "HTTP/1.1 200 OK\r\nContent-Length: 52\r\n\r\n{\"Balance\":36693");
    let cut_chunk: service::Act = |to| say(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"Bal");
    let cut_head: service::Act = |to| say(to, "HTTP/1.1 200 OK\r\nConte");
    let gone: service::Act = |_| {};
    let garbage: service::Act = |to| say(to, "\x16\x03\x01 220 mail ready\r\n\r\n");
    for act in [cut, cut_chunk, cut_head, gone, garbage] {
        let service = Service::that(&[act]);
        let error = service.balance_with(Settings { retries_max: 1, ..Settings::default() }).await;
        assert!(!broken(error.expect_err("no answer")).is_empty());
        assert_eq!(service.requests().len(), 2);
        let service = Service::that(&[act, good]);
        assert!(service.balance_with(Settings::default()).await.is_ok());
    }
}

#[tokio::test]
async fn a_service_in_trouble_is_asked_again_only_where_that_helps() {
    let trouble: service::Act = |to| answer(to, "500 Internal Server Error", "", "<h1>Server Error</h1>");
    let service = Service::that(&[trouble]);
    let error = service.balance_with(Settings::default()).await;
    assert_eq!(error, Err(Error::Fault(Fault::Status { status: 500 })));
    assert_eq!(service.requests().len(), 1);

    let busy: service::Act = |to| answer(to, "503 Service Unavailable", "Retry-After: 0\r\n", "");
    let service = Service::that(&[busy, busy, good]);
    assert!(service.balance_with(Settings::default()).await.is_ok());
    let service = Service::that(&[busy]);
    let error = service.balance_with(Settings { retries_max: 1, ..Settings::default() }).await;
    assert_eq!(error, Err(Error::Fault(Fault::Status { status: 503 })));
    assert_eq!(service.requests().len(), 2);

    // Waiting as long as it wants would take longer than the call may.
    let later: service::Act = |to| answer(to, "503 Service Unavailable", "Retry-After: 3600\r\n", "");
    let service = Service::that(&[later]);
    let error = service.balance_with(Settings::default()).await;
    assert_eq!(error, Err(Error::Fault(Fault::Status { status: 503 })));
    assert_eq!(service.requests().len(), 1);

    // Nor can every number of seconds be waited for.
    let never: service::Act = |to| answer(to, "429 Slow", "Retry-After: 18446744073709551615\r\n", "");
    let service = Service::that(&[never]);
    let endless = Settings { timeout: Duration::MAX, retries_max: 0, ..Settings::default() };
    for settings in [Settings::default(), endless] {
        assert_eq!(service.balance_with(settings).await, Err(Error::Fault(Fault::Status { status: 429 })));
    }

    // An error of the server is no refusal, whatever its body says.
    let confused: service::Act = |to| answer(to, "500 Oh", "", r#"{"Balance":0,"CodeResponse":"101"}"#);
    let error = Service::that(&[confused]).balance().await;
    assert_eq!(error, Err(Error::Fault(Fault::Status { status: 500 })));
}

#[tokio::test]
async fn pages_for_people_are_no_balance() {
    let login: service::Act =
        |to| answer(to, "200 OK", "Content-Type: text/html\r\n", "<!DOCTYPE html><title>Log in</title>");
    let error = Service::that(&[login]).balance().await.expect_err("no balance");
    assert!(error.to_string().contains("\"CodeResponse\":\"100\""), "it says what was expected: {error}");
    assert_eq!(unexpected(error), "an HTML or XML page");
    let missing: service::Act = |to| answer(to, "404 Not Found", "", "<h1>Not Found</h1>");
    assert_eq!(Service::that(&[missing]).balance().await, Err(Error::Fault(Fault::Status { status: 404 })));
}

#[tokio::test]
async fn wrong_types_are_told_by_what_they_are() {
    let cases: [(service::Act, &str); 7] = [
        (|to| answer(to, "200 OK", "", ""), "an empty body"),
        (|to| answer(to, "200 OK", "", "[100]"), "JSON that is not an object"),
        (|to| answer(to, "200 OK", "", "{\"CodeResponse\":{}}"), "an object without a numeric CodeResponse"),
        (|to| answer(to, "200 OK", "", "{\"CodeResponse\":100,\"UserID\":1}"), "a success without a numeric Balance"),
        (
            |to| answer(to, "200 OK", "", "{\"CodeResponse\":100,\"Balance\":true,\"UserID\":1}"),
            "a success without a numeric Balance",
        ),
        (
            |to| answer(to, "200 OK", "", "{\"CodeResponse\":100,\"Balance\":1,\"UserID\":\"x\"}"),
            "a success without an account's number in UserID",
        ),
        (|to| answer(to, "200 OK", "", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), "something that is not JSON"),
    ];
    for (act, expected) in cases {
        assert_eq!(unexpected(Service::that(&[act]).balance().await.expect_err("no balance")), expected);
    }
}

#[tokio::test]
async fn what_was_compressed_unasked_is_not_unpacked() {
    let bomb: service::Act = |to| answer(to, "200 OK", "Content-Encoding: gzip\r\n", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    let service = Service::that(&[bomb]);
    let found = unexpected(service.balance().await.expect_err("no balance"));
    assert!(found.contains("gzip"), "{found}");
    assert!(service.requests()[0].to_ascii_lowercase().contains("accept-encoding: identity"));
}

#[tokio::test]
async fn too_much_is_not_read() {
    let announced: service::Act = |to| {
        say(to, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        hang(to);
    };
    let endless: service::Act = |to| {
        say(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while to.write_all(format!("400\r\n{}\r\n", " ".repeat(1024)).as_bytes()).is_ok() {}
    };
    for act in [announced, endless] {
        let error = Service::that(&[act]).balance_with(Settings::default()).await;
        assert_eq!(error, Err(Error::Fault(Fault::TooLarge { len_max: 64 * 1024 })));
    }
    let endless_head: service::Act = |to| {
        say(to, "HTTP/1.1 200 OK\r\n");
        while to.write_all(format!("X-A: {}\r\n", "a".repeat(1024)).as_bytes()).is_ok() {}
    };
    broken(Service::that(&[endless_head]).balance().await.expect_err("no answer"));
}

#[tokio::test]
async fn secrets_follow_no_redirect() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        static TARGET: Mutex<String> = Mutex::new(String::new());
        static STATUS: Mutex<String> = Mutex::new(String::new());
        let target = Service::that(&[good]);
        *TARGET.lock().expect("no panic") = target.address.clone();
        *STATUS.lock().expect("no panic") = status.to_owned();
        let redirect: service::Act = |to| {
            let location = format!("Location: {}/login?key=abc\r\n", TARGET.lock().expect("no panic"));
            answer(to, &STATUS.lock().expect("no panic"), &location, "");
        };
        let error = Service::that(&[redirect]).balance_with(Settings::default()).await;
        assert_eq!(error, Err(Error::Fault(Fault::Redirected { to: Some(target.address.clone()) })));
        assert!(target.requests().is_empty());
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_no_connection() {
    // A server that speaks no TLS is told apart from one that cannot be reached by what it says.
    let service = Service::that(&[|to| say(to, "HTTP/1.1 400 Bad Request\r\n\r\n")]);
    let address = service.address.replace("http://127.0.0.1", "https://127.0.0.1");
    let client = Client::new(&address, API_KEY, SECRET_KEY).expect("a client");
    let Err(Error::Fault(Fault::Connection { detail })) = client.balance().await else { panic!("no connection") };
    assert!(!detail.is_empty());
}

#[tokio::test]
async fn no_output_holds_a_secret() {
    #[derive(Clone)]
    struct Memory(Arc<Mutex<Vec<u8>>>);
    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Memory(Arc::default());
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let echo: service::Act = |to| {
        let message = format!("unknown pair {API_KEY} {SECRET_KEY}");
        answer(to, "200 OK", "", format!(r#"{{"CodeResponse":"99","ErrorMessage":"{message}"}}"#));
    };
    let service = Service::that(&[good, |to| say(to, "?"), |to| answer(to, "500 Oh", "", SECRET_KEY), echo]);
    let client = Client::new(&service.address, API_KEY, SECRET_KEY).expect("a client");
    let mut shown = format!("{client:?}");
    for _ in 0..4 {
        match client.balance().await {
            Ok(balance) => shown += &format!("{balance:?}"),
            Err(error) => shown += &format!("{error} {error:?}"),
        }
    }
    shown += &format!("{:?}", Client::new("http://example.com", API_KEY, SECRET_KEY));
    let logged = String::from_utf8_lossy(&log.0.lock().expect("no panic")).into_owned();
    assert!(logged.contains("TRACE"), "the log is on");
    assert!(shown.contains("unknown pair (ApiKey) (SecretKey)"), "{shown}");
    for secret in [API_KEY, SECRET_KEY] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!logged.contains(secret), "{logged}");
    }
}

#[test]
fn roots_that_are_none_are_told_before_anything_is_sent() {
    let with = |roots: &str| {
        let settings = Settings { extra_roots: roots.to_owned(), ..Settings::default() };
        Client::with("https://rest.example.com", API_KEY, SECRET_KEY, settings).map(drop)
    };
    let section = |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
    // What is no PEM, a section of another kind, one that is no base64, and one that is no certificate.
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for bad in ["/etc/ca.pem", key, &section("%"), &section("AAAA")] {
        assert!(matches!(with(bad), Err(SetupError::BadRoots { .. })), "{bad}");
    }
    assert!(!matches!(with(""), Err(SetupError::BadRoots { .. })));
}
