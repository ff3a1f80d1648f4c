//! E-mail: what arrives, over what, and what a mail server's answers lead to.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use sodu::notify::{Courier, Message, Settings, Target};

use crate::common::*;
use crate::mail_server::*;
use crate::receiver::certificate;

/// A name that only these tests know, with a certificate.
const HOST: &str = "mail.example.test";

/// A mail to that server, whose name the settings make known.
fn mail(smtp: &str) -> Target {
    target(&format!("email = 'ops@example.com'\nsmtp = '{smtp}'\nfrom = 'Số dư <alerts@example.com>'"))
}

fn settings(extra_roots: &str) -> Settings {
    let here = "127.0.0.1".parse().expect("an address");
    Settings { hosts: vec![(HOST.to_owned(), here)], extra_roots: extra_roots.to_owned(), ..Settings::default() }
}

/// A server with STARTTLS, and settings that trust it.
fn encrypted(setup: Setup) -> (MailServer, Settings) {
    let (root, tls) = certificate(&[HOST]);
    let tls: Option<Arc<ServerConfig>> = Some(tls);
    (MailServer::with(Setup { tls, ..setup }), settings(&root))
}

/// A header of a mail, unfolded.
fn header(data: &str, name: &str) -> String {
    let head = data.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
    let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// Reads a header with encoded words (RFC 2047), of which those side by side are one.
fn words(header: &str) -> String {
    let mut text = String::new();
    let mut was_encoded = true;
    for word in header.split(' ') {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?="));
        if !(was_encoded && encoded.is_some()) {
            text.push(' ');
        }
        match encoded {
            Some(base64) => text += &String::from_utf8(STANDARD.decode(base64).expect("base64")).expect("UTF-8"),
            None => text += word,
        }
        was_encoded = encoded.is_some();
    }
    text.trim().to_owned()
}

/// Reads the body of a mail of one part.
fn body(data: &str) -> String {
    let body = data.split_once("\r\n\r\n").expect("a body").1;
    match header(data, "Content-Transfer-Encoding").as_str() {
        "base64" => {
            let bytes = STANDARD.decode(body.replace("\r\n", "")).expect("base64");
            String::from_utf8(bytes).expect("UTF-8")
        }
        "quoted-printable" => {
            let mut bytes = Vec::new();
            let joined = body.replace("=\r\n", "");
            let mut pieces = joined.split('=');
            bytes.extend(pieces.next().unwrap_or_default().bytes());
            for piece in pieces {
                bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two digits"));
                bytes.extend(piece[2..].bytes());
            }
            String::from_utf8(bytes).expect("UTF-8")
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_mail_arrives_encrypted_whole_and_as_what_it_is() {
    let (server, settings) = encrypted(Setup { user: Some(("ops@example.com", "p:/ä%")), ..Setup::default() });
    let target = mail(&format!("smtp://ops%40example.com:p%3A%2F%C3%A4%25@{HOST}:{}", server.port));
    for _ in 0..2 {
        deliver(settings.clone(), &target).await.expect("delivered");
    }
    let mails = server.mails();
    let Taken { from, to, data, is_encrypted, is_user } = mails[0].clone();
    assert_eq!((from.as_str(), to.as_str()), ("MAIL FROM:<alerts@example.com>", "RCPT TO:<ops@example.com>"));
    assert!(is_encrypted && is_user);
    assert!(data.is_ascii(), "every server takes it");
    assert_eq!(words(&header(&data, "Subject")), message().title);
    assert_eq!(body(&data).replace("\r\n", "\n").trim_end(), message().text.trim_end());
    assert_eq!(header(&data, "To"), "ops@example.com");
    assert_eq!(words(header(&data, "From").split_once('<').expect("a name").0), "Số dư");
    assert_eq!(header(&data, "Message-ID"), "<low-9999-17@example.com>");
    assert_eq!(header(&data, "Date"), "Wed, 29 Jul 2026 07:03:11 +0000");
    assert_eq!(header(&data, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&data, "Content-Type"), "text/plain; charset=utf-8");
    assert_eq!(header(&data, "MIME-Version"), "1.0");
    assert_eq!(mails[1].data, data, "another attempt is the same mail");
    let asked_first: Vec<String> = server.lines().into_iter().take_while(|line| line != "STARTTLS").collect();
    assert!(asked_first.iter().all(|line| line.starts_with("EHLO ")), "{asked_first:?}");
    assert_eq!(server.lines().last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let (server, settings) = encrypted(Setup { is_implicit: true, ..Setup::default() });
    deliver(settings, &mail(&format!("smtps://{HOST}:{}", server.port))).await.expect("delivered");
    assert!(server.mails()[0].is_encrypted && !server.lines().contains(&"STARTTLS".to_owned()));
}

#[tokio::test]
async fn within_this_machine_no_certificate_is_asked_for() {
    let server = MailServer::with(Setup::default());
    delivered(&mail(&format!("smtp://127.0.0.1:{}", server.port))).await.expect("delivered");
    assert!(!server.mails()[0].is_encrypted);
}

#[tokio::test]
async fn nothing_leaves_this_machine_in_clear_text() {
    let plain = MailServer::with(Setup { user: Some(("u", "s3cret")), ..Setup::default() });
    let (_, why) = later(deliver(settings(""), &mail(&format!("smtp://u:s3cret@{HOST}:{}", plain.port))).await);
    assert!(why.contains("offers no STARTTLS, without which nothing is sent"), "{why}");
    assert!(plain.lines().iter().all(|line| line.starts_with("EHLO ") || line == "QUIT"), "{:?}", plain.lines());
    let (unknown, _) = encrypted(Setup { user: Some(("u", "s3cret")), ..Setup::default() });
    let (_, why) = later(deliver(settings(""), &mail(&format!("smtp://u:s3cret@{HOST}:{}", unknown.port))).await);
    assert!(why.contains("certificate"), "{why}");
    assert_eq!(unknown.lines().last().map(String::as_str), Some("STARTTLS"));
}

#[tokio::test]
async fn an_answer_of_the_mail_server_says_whether_another_attempt_can_help() {
    let lasting = [
        (("<", "554 no service here"), "the mail server mail.example.test refuses: 554 no service here"),
        (("MAIL", "550 5.7.1 who are you"), "refuses: 550 5.7.1 who are you"),
        (("RCPT", "550 5.1.1 no such user"), "refuses: 550 5.1.1 no such user"),
        (("DATA", "554 no valid recipients"), "refuses: 554 no valid recipients"),
        ((".", "552-5.2.2 mailbox\r\n552 full"), "refuses: 552 5.2.2 mailbox full"),
    ];
    for (says, words) in lasting {
        let (server, settings) = encrypted(Setup { says: vec![says], ..Setup::default() });
        let why = never(deliver(settings, &mail(&format!("smtp://{HOST}:{}", server.port))).await);
        assert!(why.ends_with(words), "{why}");
    }
    let passing = [
        (("<", "421 too busy"), "does not take it now: 421 too busy"),
        (("RCPT", "451 4.7.1 greylisted, come back"), "does not take it now: 451 4.7.1 greylisted, come back"),
        ((".", "452 disk full"), "does not take it now: 452 disk full"),
        (("MAIL", "nonsense"), "check its name, port and certificate"),
    ];
    for (says, words) in passing {
        let (server, settings) = encrypted(Setup { says: vec![says], ..Setup::default() });
        let (_, why) = later(deliver(settings, &mail(&format!("smtp://{HOST}:{}", server.port))).await);
        assert!(why.ends_with(words), "{why}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again_and_not_shown() {
    let (server, settings) = encrypted(Setup { user: Some(("u", "right")), ..Setup::default() });
    let why = never(deliver(settings, &mail(&format!("smtp://u:s3cret@{HOST}:{}", server.port))).await);
    assert!(why.ends_with("refuses: 535 5.7.8 wrong user or password; compare user and password"), "{why}");
    assert!(!why.contains("s3cret") && server.mails().is_empty());
    let echo = ("AUTH", "500 5.5.1 Command unrecognized: AUTH PLAIN AHUAczNjcmV0");
    let (server, settings) = encrypted(Setup { user: Some(("u", "s3cret")), says: vec![echo], ..Setup::default() });
    let why = never(deliver(settings, &mail(&format!("smtp://u:s3cret@{HOST}:{}", server.port))).await);
    assert_eq!(why, "the mail server mail.example.test does not let anybody log in so (500)");
}

#[tokio::test]
async fn a_mail_server_that_lacks_something_will_lack_it_again() {
    let (server, settings) = encrypted(Setup::default());
    let why = never(deliver(settings, &mail(&format!("smtp://u:s3cret@{HOST}:{}", server.port))).await);
    let words = "the mail server mail.example.test cannot do what this mail needs: No compatible authentication mechanism \
                 was found; compare user and password";
    assert_eq!(why, words);
}

#[tokio::test]
async fn a_mail_has_a_date_whatever_the_clock_says() {
    let server = MailServer::with(Setup::default());
    let courier = Courier::new(Settings::default()).expect("a courier");
    for at_unix_s in [i64::MIN, i64::MAX] {
        let message = Message { at_unix_s, ..message() };
        courier.deliver(&mail(&format!("smtp://127.0.0.1:{}", server.port)), &message).await.expect("delivered");
    }
    let dates: Vec<String> = server.mails().iter().map(|mail| header(&mail.data, "Date")).collect();
    assert_eq!(dates, ["Thu, 01 Jan 1970 00:00:00 +0000", "Fri, 01 Jan 9999 00:00:00 +0000"]);
}

#[tokio::test]
async fn a_mail_server_that_is_slow_is_waited_for_so_long_and_no_longer() {
    for step in ["<", "EHLO", "DATA", "."] {
        let (server, settings) = encrypted(Setup { says: vec![(step, "")], ..Setup::default() });
        let settings = Settings { mail_timeout: SOON, ..settings };
        let (_, why) = later(deliver(settings, &mail(&format!("smtp://{HOST}:{}", server.port))).await);
        assert_eq!(why, "the mail server mail.example.test did not take the mail within 0.3 s");
    }
    let (server, settings) = encrypted(Setup { says: vec![("QUIT", "")], ..Setup::default() });
    deliver(settings, &mail(&format!("smtp://{HOST}:{}", server.port))).await.expect("it has the mail");
    assert_eq!(server.mails().len(), 1);
}
