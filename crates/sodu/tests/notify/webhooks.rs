//! Signed webhooks: what receivers can check, and what their answers lead to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use sodu::notify::{Settings, Target};

use crate::common::*;
use crate::receiver::*;

const OTHER_SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

fn webhook(receiver: &Receiver) -> Target {
    target(&format!("webhook = '{}'\nsecret = '{SECRET}'", receiver.url()))
}

/// HMAC-SHA256 as RFC 2104 writes it down, for keys of one block and less.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// What a receiver does (Standard Webhooks, "Verifying signatures"): one signature among those in the header must be right.
fn is_genuine(secret: &str, id: &str, timestamp: &str, signatures: &str, body: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
    let right = STANDARD.encode(hmac(&key, format!("{id}.{timestamp}.{body}").as_bytes()));
    signatures.split(' ').any(|signature| signature.strip_prefix("v1,") == Some(&right))
}

fn is_signed_with(request: &Request, secret: &str) -> bool {
    let header = |name: &str| request.headers[name].as_str();
    is_genuine(secret, header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"), &request.body)
}

#[test]
fn this_receiver_checks_as_the_specification_does() {
    let (id, time, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
    let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert!(is_genuine(SECRET, id, time, right, body));
    assert!(is_genuine(SECRET, id, time, &format!("v1,AAAA {right}"), body));
    assert!(!is_genuine(SECRET, id, "1614265331", right, body));
    assert!(!is_genuine(OTHER_SECRET, id, time, right, body));
}

#[tokio::test]
async fn a_webhook_carries_the_event_signed_now() {
    let receiver = Receiver::that(&[ok]);
    let now_unix_s = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let before = now_unix_s();
    delivered(&webhook(&receiver)).await.expect("delivered");
    let request = receiver.request();
    assert_eq!(request.line, "POST /hook?token=s3cret HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(request.headers["user-agent"].starts_with("sodu/"));
    assert_eq!(request.headers["webhook-id"], message().id);
    let signed_at: u64 = request.headers["webhook-timestamp"].parse().expect("seconds");
    assert!(
        (before..=now_unix_s()).contains(&signed_at),
        "the attempt's time, which receivers compare with their clock"
    );
    assert!(is_signed_with(&request, SECRET));
    assert!(!is_signed_with(&request, OTHER_SECRET));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&request.body).expect("JSON"), message().event);
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign() {
    let receiver = Receiver::that(&[ok]);
    let both = format!("webhook = '{}'\nsecret = ['{OTHER_SECRET}', '{SECRET}']", receiver.url());
    delivered(&target(&both)).await.expect("delivered");
    let request = receiver.request();
    assert!(is_signed_with(&request, SECRET) && is_signed_with(&request, OTHER_SECRET));
}

#[tokio::test]
async fn a_secret_in_a_file_is_read_at_each_attempt() {
    let receiver = Receiver::that(&[ok]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    let hook = target(&format!("webhook = '{}'\nsecret = 'file:{}'", receiver.url(), file.display()));
    for secret in [SECRET, OTHER_SECRET] {
        std::fs::write(&file, format!("{secret}\n")).expect("written");
        delivered(&hook).await.expect("delivered");
        assert!(is_signed_with(receiver.requests().last().expect("a request"), secret));
    }
    std::fs::write(&file, "not one").expect("written");
    let why = never(delivered(&hook).await);
    assert!(why.starts_with("secret does not begin with whsec_"), "{why}");
    std::fs::remove_file(&file).expect("removed");
    let why = never(delivered(&hook).await);
    assert!(why.starts_with(&format!("secret cannot be read: the file {} cannot be read", file.display())), "{why}");
    assert_eq!(receiver.connections(), 2, "without a secret nothing is sent");
}

#[tokio::test]
async fn every_2xx_is_delivered_whatever_comes_with_it() {
    let acts: [Act; 4] = [
        |stream| answer(stream, "201 Created", "", "{}"),
        |stream| say(stream, "HTTP/1.1 204 No Content\r\n\r\n"),
        |stream| say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"),
        |stream| say(stream, "HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\ncut"),
    ];
    for act in acts {
        delivered(&webhook(&Receiver::that(&[act]))).await.expect("delivered");
    }
}

#[tokio::test]
async fn an_answer_says_whether_another_attempt_can_help() {
    let acts: [(Act, Option<u64>, &str); 9] = [
        (|stream| answer(stream, "500 Oops", "", ""), None, "HTTP status 500: it is in trouble"),
        (|stream| answer(stream, "503 Busy", "Retry-After: 120\r\n", ""), Some(120), "HTTP status 503"),
        (|stream| answer(stream, "429 Slow", "Retry-After: 7\r\n", ""), Some(7), "429: it gets too many messages"),
        (|stream| answer(stream, "429 Slow", "Retry-After: 999999999999\r\n", ""), Some(86_400), "429"),
        (|stream| answer(stream, "429 Slow", "Retry-After: Fri, 31 Dec 2027 00:00:00 GMT\r\n", ""), None, "429"),
        (
            |stream| answer(stream, "401 Who", "", ""),
            None,
            "HTTP status 401: it does not let sodu in; compare the secret",
        ),
        (|stream| answer(stream, "404 Where", "", ""), None, "HTTP status 404: there is no such receiver"),
        (|stream| answer(stream, "413 Long", "", ""), None, "HTTP status 413: the message is too long"),
        (|stream| answer(stream, "418 Tea", "", "s3cret"), None, "HTTP status 418: it does not take the message"),
    ];
    for (act, wait_s, words) in acts {
        let (after, why) = later(delivered(&webhook(&Receiver::that(&[act]))).await);
        assert_eq!((after, why.contains(words)), (wait_s.map(Duration::from_secs), true), "{why}");
        assert!(!why.contains("s3cret"), "{why}");
    }
    let gone: Act = |stream| answer(stream, "410 Gone", "Retry-After: 7\r\n", "");
    let why = never(delivered(&webhook(&Receiver::that(&[gone]))).await);
    assert!(why.contains("HTTP status 410: the receiver is gone and wants no more messages"), "{why}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let act: Act = |stream| answer(stream, "307 Temporary", "Location: https://elsewhere.example/a?b=s3cret\r\n", "");
    let receiver = Receiver::that(&[act]);
    let (_, why) = later(delivered(&webhook(&receiver)).await);
    assert!(why.starts_with("the server redirects to https://elsewhere.example, and"), "{why}");
    assert!(!why.contains("s3cret"), "{why}");
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_in_time_is_tried_again() {
    let slow = Receiver::that(&[hang]);
    let (_, why) = later(deliver(Settings { timeout: SOON, ..Settings::default() }, &webhook(&slow)).await);
    assert_eq!(why, "no whole answer within 0.3 s; try again, or allow more time");
    let cut: Act = |stream| say(stream, "HTTP/1.1 2");
    let (_, why) = later(delivered(&webhook(&Receiver::that(&[cut]))).await);
    assert!(why.starts_with("the connection broke before the answer was whole"), "{why}");
    let garbage: Act = |stream| say(stream, "220 mail.example.com ESMTP\r\n");
    let (_, why) = later(delivered(&webhook(&Receiver::that(&[garbage]))).await);
    assert!(why.starts_with("the connection broke"), "{why}");
    let endless: Act = |stream| {
        say(stream, "HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b'a'; 8192]).is_ok() {}
    };
    later(delivered(&webhook(&Receiver::that(&[endless]))).await);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (_, why) = later(delivered(&target(&format!("webhook = 'http://{closed}/'\nsecret = '{SECRET}'"))).await);
    assert!(why.starts_with("no connection (Connection refused"), "{why}");
}

#[tokio::test]
async fn certificates_are_looked_at() {
    let (root, tls) = certificate(&["hooks.example.test"]);
    let receiver = Receiver::secure(&[ok], tls);
    let to = |host: &str| target(&format!("webhook = 'https://{host}:{}/'\nsecret = '{SECRET}'", receiver.port));
    let here = "127.0.0.1".parse().expect("an address");
    let hosts = ["hooks.example.test", "other.example.test"].map(|name| (name.to_owned(), here)).to_vec();
    let settings = Settings { hosts, ..Settings::default() };
    let (_, why) = later(deliver(settings.clone(), &to("hooks.example.test")).await);
    assert!(why.contains("certificate"), "{why}");
    let trusting = Settings { extra_roots: root, ..settings };
    let (_, why) = later(deliver(trusting.clone(), &to("other.example.test")).await);
    assert!(why.contains("certificate"), "{why}");
    assert!(receiver.requests().is_empty());
    deliver(trusting, &to("hooks.example.test")).await.expect("delivered");
    assert_eq!(receiver.request().headers["host"], format!("hooks.example.test:{}", receiver.port));
}
