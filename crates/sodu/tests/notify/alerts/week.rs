//! A week of a customer's messages: the alert comes in their language at the hour in which a day's credit is left, once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger::{Level, Movement};
use store::{DeliveryStatus, Language};

use super::common::*;

/// What an hour of the day takes: nothing at night, much in the evening.
fn hourly(hour: u32) -> u32 {
    match hour % 24 {
        0..=6 => 0,
        18..=21 => 3_000,
        _ => 1_000,
    }
}

#[test]
fn a_customer_is_told_a_day_before_the_end_in_their_language_once() {
    let mails = mail_server();
    let server = Server::with(with_mail(&mails));
    // A day takes 25,000: five days and a half.
    server.open(7, "137500");
    server.set(7, settings(&[Level::Hours(24)], vec![email(Language::Vietnamese)]));
    let mut left = 137_500;
    let mut told_at = None;
    for hour in 0..7 * 24 {
        // The ledger begins at 14:00 in Vietnam; what an hour takes is taken at half past.
        server.pass(Duration::from_secs(1800));
        let used = hourly(14 + hour).min(left);
        if used > 0 {
            server.charge(7, &used.to_string());
            left -= used;
        }
        if told_at.is_none() && !server.deliveries().is_empty() {
            told_at = Some((hour, left));
        }
        if left == 0 {
            break;
        }
        server.pass(Duration::from_secs(1800));
    }
    server.await_all();
    let (hour, left) = told_at.expect("it was told");
    // A day takes 25,000, and the method is off by at most what one hour takes.
    assert!((22_000..=28_000).contains(&left), "told with {left} left, after {hour} hours");
    assert!(server.deliveries().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
    let [mail] = &mails.mails()[..] else { panic!("{} mails", mails.mails().len()) };
    let text = body(&mail.data);
    assert!(text.contains("Công ty ABC (7)") && text.contains("VND"), "{text}");
    server.act(7, Movement::Topup { amount: vnd("500000") });
    assert_eq!(server.deliveries().len(), 1);
}

/// The text of a mail of one part, whose encoding is base64 or none.
fn body(data: &str) -> String {
    let (head, body) = data.split_once("\r\n\r\n").expect("a body");
    if head.to_ascii_lowercase().contains("content-transfer-encoding: base64") {
        let digits: String = body.split_whitespace().collect();
        return String::from_utf8(STANDARD.decode(digits).expect("base64")).expect("UTF-8");
    }
    body.to_owned()
}
