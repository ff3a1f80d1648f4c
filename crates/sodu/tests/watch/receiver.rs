//! Somebody who receives signed webhooks, checks them as Standard Webhooks tells receivers to, and writes down what came.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;

/// 25 bytes that nobody else has.
pub(crate) const SECRET: &str = "whsec_YSB3ZWVrIGluIGEgc2ltdWxhdGVkIGRheQ==";

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    /// When, in seconds of the simulated time.
    pub(crate) at_s: i64,
    pub(crate) event: Value,
    /// Whether it was taken.
    pub(crate) is_taken: bool,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    book: Arc<Book>,
}

struct Book {
    now_s: Box<dyn Fn() -> i64 + Send + Sync>,
    is_in_trouble: AtomicBool,
    received: Mutex<Vec<Received>>,
}

impl Receiver {
    pub(crate) async fn start(now_s: impl Fn() -> i64 + Send + Sync + 'static) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let book = Arc::new(Book {
            now_s: Box::new(now_s),
            is_in_trouble: AtomicBool::new(false),
            received: Mutex::default(),
        });
        let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&book));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { address, book }
    }

    /// From now on it answers 503, or no more.
    pub(crate) fn be_in_trouble(&self, is_in_trouble: bool) {
        self.book.is_in_trouble.store(is_in_trouble, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.book.received.lock().expect("no panic").clone()
    }
}

async fn take(State(book): State<Arc<Book>>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers[name].to_str().expect("ASCII");
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("base64");
    let signature = header("webhook-signature").strip_prefix("v1,").expect("the first version");
    let signature = STANDARD.decode(signature).expect("base64");
    let signed = format!("{id}.{timestamp}.{body}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    if hmac::verify(&key, signed.as_bytes(), &signature).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let is_taken = !book.is_in_trouble.load(Ordering::SeqCst);
    let event = serde_json::from_str(&body).expect("JSON");
    let received = Received { id: id.to_owned(), at_s: (book.now_s)(), event, is_taken };
    book.received.lock().expect("no panic").push(received);
    if is_taken { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}
