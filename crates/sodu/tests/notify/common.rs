//! What all tests deliver, and how.

use std::time::Duration;

use serde_json::json;
use sodu::notify::{Courier, Message, Retry, Settings, Target, Undelivered};

/// Longer than any of these deliveries takes, unless its receiver hangs.
pub(crate) const SOON: Duration = Duration::from_millis(300);

/// A webhook's secret.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn message() -> Message {
    Message {
        id: "low-9999-17".to_owned(),
        at_unix_s: 1_785_308_591,
        title: "Sắp hết tiền: Công ty ABC (9999) còn 36.693 VND".to_owned(),
        text: "Tài khoản còn 36.693 VND.\n.Dòng này bắt đầu bằng dấu chấm & có <dấu> lạ.\n".to_owned(),
        event: json!({"type": "balance.low", "data": {"account": 9999, "balance": "36693", "name": "Công ty ABC"}}),
    }
}

/// The target that a line of configuration describes.
pub(crate) fn target(toml: &str) -> Target {
    toml::from_str(toml).expect(toml)
}

/// Why that is no target.
pub(crate) fn no_target(toml: &str) -> String {
    toml::from_str::<Target>(toml).expect_err(toml).message().to_owned()
}

/// Delivers the message under those limits.
pub(crate) async fn deliver(settings: Settings, target: &Target) -> Result<(), Undelivered> {
    Courier::new(settings).expect("a courier").deliver(target, &message()).await
}

/// Delivers the message under the usual limits.
pub(crate) async fn delivered(target: &Target) -> Result<(), Undelivered> {
    deliver(Settings::default(), target).await
}

/// The words of a failure after which another attempt can help, and how long that should wait.
#[track_caller]
pub(crate) fn later(result: Result<(), Undelivered>) -> (Option<Duration>, String) {
    let undelivered = result.expect_err("a failure");
    match undelivered.retry {
        Retry::TryAgain { after } => (after, undelivered.detail),
        Retry::GiveUp => panic!("it gives up: {undelivered}"),
    }
}

/// The words of a failure after which no other attempt can help.
#[track_caller]
pub(crate) fn never(result: Result<(), Undelivered>) -> String {
    let undelivered = result.expect_err("a failure");
    assert_eq!(undelivered.retry, Retry::GiveUp, "{undelivered}");
    undelivered.detail
}
