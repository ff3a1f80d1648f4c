//! Slack and its like, Telegram.

use std::time::Duration;

use serde_json::{Value, json};
use sodu::notify::Target;

use crate::common::*;
use crate::receiver::*;

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

fn slack(receiver: &Receiver) -> Target {
    target(&format!("slack = '{}'", receiver.url()))
}

fn telegram(receiver: &Receiver) -> Target {
    target(&format!("telegram = '{TOKEN}'\nchat = -100123\napi = 'http://127.0.0.1:{}/bots/'", receiver.port))
}

fn body(receiver: &Receiver) -> Value {
    serde_json::from_str(&receiver.request().body).expect("JSON")
}

#[tokio::test]
async fn slack_gets_title_and_text_as_words() {
    let receiver = Receiver::that(&[ok]);
    delivered(&slack(&receiver)).await.expect("delivered");
    let text = "*Sắp hết tiền: Công ty ABC (9999) còn 36.693 VND*\nTài khoản còn 36.693 VND.\n\
                .Dòng này bắt đầu bằng dấu chấm &amp; có &lt;dấu&gt; lạ.\n";
    assert_eq!(body(&receiver), json!({ "text": text }));
    assert_eq!(receiver.request().headers["content-type"], "application/json");
}

#[tokio::test]
async fn what_slack_refuses_is_not_tried_again() {
    let acts: [(Act, &str); 4] = [
        (|stream| answer(stream, "404 Not Found", "", "no_service"), "address; check it (it says: no_service)"),
        (|stream| answer(stream, "410 Gone", "", "channel_is_archived"), "(it says: channel_is_archived)"),
        (|stream| answer(stream, "403 No", "", &"html".repeat(500)), "compare the secret on both sides"),
        (|stream| answer(stream, "403 No", "", "no /hook?token=s3cret"), "compare the secret on both sides"),
    ];
    for (act, words) in acts {
        let why = never(delivered(&slack(&Receiver::that(&[act]))).await);
        assert!(why.ends_with(words), "{why}");
    }
    let busy: Act = |stream| answer(stream, "429 Slow", "Retry-After: 30\r\n", "rate_limited");
    let (after, _) = later(delivered(&slack(&Receiver::that(&[busy]))).await);
    assert_eq!(after, Some(Duration::from_secs(30)));
    let broken: Act = |stream| answer(stream, "500 Oops", "", "rollup_error");
    later(delivered(&slack(&Receiver::that(&[broken]))).await);
}

#[tokio::test]
async fn telegram_gets_title_and_text() {
    let receiver = Receiver::that(&[|stream| answer(stream, "200 OK", "", r#"{"ok":true,"result":{"message_id":7}}"#)]);
    delivered(&telegram(&receiver)).await.expect("delivered");
    assert_eq!(receiver.request().line, format!("POST /bots/bot{TOKEN}/sendMessage HTTP/1.1"));
    let text = "Sắp hết tiền: Công ty ABC (9999) còn 36.693 VND\n\nTài khoản còn 36.693 VND.\n\
                .Dòng này bắt đầu bằng dấu chấm & có <dấu> lạ.\n";
    assert_eq!(body(&receiver), json!({ "chat_id": "-100123", "text": text }));
}

#[tokio::test]
async fn what_telegram_says_decides() {
    let lasting: [(Act, &str); 4] = [
        (
            |stream| {
                answer(
                    stream,
                    "400 Bad",
                    "",
                    r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
                )
            },
            "Telegram says \"Bad Request: chat not found\": check the number of the chat",
        ),
        (
            |stream| answer(stream, "401 No", "", r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#),
            "Telegram says \"Unauthorized\": check the bot's token",
        ),
        (
            |stream| {
                answer(
                    stream,
                    "403 No",
                    "",
                    r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked"}"#,
                )
            },
            "add it to the chat again",
        ),
        (
            |stream| {
                let body = r#"{"ok":false,"description":"upgraded","parameters":{"migrate_to_chat_id":-1009}}"#;
                answer(stream, "400 Bad", "", body);
            },
            "write chat = \"-1009\"",
        ),
    ];
    for (act, words) in lasting {
        let why = never(delivered(&telegram(&Receiver::that(&[act]))).await);
        assert!(why.contains(words) && !why.contains(TOKEN), "{why}");
    }
    let passing: [(Act, Option<u64>, &str); 5] = [
        (
            |stream| {
                let body = r#"{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":5}}"#;
                answer(stream, "429 Slow", "", body);
            },
            Some(5),
            "Too Many Requests",
        ),
        (|stream| answer(stream, "502 Bad", "Retry-After: 3\r\n", "<html>"), Some(3), "HTTP status 502"),
        (|stream| answer(stream, "200 OK", "", "<html>a wall</html>"), None, "instead of Telegram's answer"),
        (|stream| answer(stream, "200 OK", "", &"a".repeat(20_000)), None, "longer than 16384 bytes"),
        (
            |stream| say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":true"),
            None,
            "the connection broke",
        ),
    ];
    for (act, wait_s, words) in passing {
        let (after, why) = later(delivered(&telegram(&Receiver::that(&[act]))).await);
        assert_eq!((after, why.contains(words)), (wait_s.map(Duration::from_secs), true), "{why}");
    }
}
