//! `--burn`: an account is charged steadily, as the pipeline that sends its messages would do it.
//!
//! It is an operator like any other: it has a token, comes over the network, and gives every charge a key of its own, which
//! stays the same until the outcome is known. At most one charge a second, of what has come due by then.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use sodu_client::operator::{Command, Movement, Operator, OperatorError};
use tokio::time::{Instant, interval_at};

use crate::cli::output::note;

/// The operator's name in statements and the audit trail.
pub(super) const OPERATOR: &str = "demo-burn";
/// How often it charges.
const SECOND: Duration = Duration::from_secs(1);
/// More than any demo needs, and far from what an account can hold.
const AMOUNT_MAX: i64 = 1_000_000_000;

/// So much in so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rate {
    amount: i64,
    per: Per,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    const ALL: [Per; 3] = [Per::Second, Per::Minute, Per::Hour];

    fn letter(self) -> &'static str {
        match self {
            Per::Second => "s",
            Per::Minute => "m",
            Per::Hour => "h",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let parsed = text.split_once('/').and_then(|(amount, letter)| {
            let per = Per::ALL.into_iter().find(|per| per.letter() == letter)?;
            let is_plain = amount.bytes().all(|byte| byte.is_ascii_digit());
            let amount = amount.parse().ok().filter(|amount| is_plain && (1..=AMOUNT_MAX).contains(amount))?;
            Some(Rate { amount, per })
        });
        parsed.ok_or_else(|| {
            format!("write a whole amount from 1 to {AMOUNT_MAX} and a time, such as 500/h, 500/m or 10/s")
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.amount, self.per.letter())
    }
}

/// What has come due, second by second, in whole units; what is less than one is not lost.
struct Meter {
    rate: Rate,
    rest: i64,
}

impl Iterator for Meter {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let per = self.rate.per.seconds();
        self.rest += self.rate.amount;
        let due = self.rest / per;
        self.rest %= per;
        Some(due)
    }
}

/// Charges `account` as the operator with `token` at the server's address `ops`, until this is dropped.
pub(super) async fn charge(ops: SocketAddr, token: String, account: u32, rate: Rate) {
    let operator = Operator::new(&format!("http://{ops}"), &token);
    let operator = operator.expect("the server is on this machine, and its tokens are as tokens are");
    let mut seconds = interval_at(Instant::now() + SECOND, SECOND);
    let mut is_refused = false;
    for due in (Meter { rate, rest: 0 }) {
        seconds.tick().await;
        if due == 0 {
            continue;
        }
        let command = Command::new(account, Movement::Charge { amount: due.into() }).reference(OPERATOR);
        let refusal = loop {
            match operator.submit(&command).await {
                Ok(_) => break None,
                Err(OperatorError::Problem(problem)) if problem.status < 500 => break Some(problem),
                // Nobody knows yet, or the server could not: the same command again, in the next second.
                Err(
                    OperatorError::Problem(_)
                    | OperatorError::OutcomeUnknown { .. }
                    | OperatorError::Fault(_)
                    | OperatorError::BadKey,
                ) => _ = seconds.tick().await,
            }
        };
        if let Some(problem) = refusal.as_ref().filter(|_| !is_refused) {
            note(&format!("burn: {problem}\nburn: it goes on, and says this again only after a charge that succeeded"));
        }
        is_refused = refusal.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    #[test]
    fn rates_are_read_as_they_are_written() {
        for text in ["500/h", "500/m", "10/s", "1000000000/s"] {
            assert_eq!(rate(text).to_string(), text);
        }
        for bad in ["", "500", "500/", "/h", "500/d", "500/H", "0/h", "-5/h", "+5/h", "1.5/h", "5 /h", "1000000001/h"] {
            assert!(bad.parse::<Rate>().is_err_and(|error| error.contains("500/h")), "{bad}");
        }
    }

    #[test]
    fn what_comes_due_adds_up() {
        let due = |text, seconds| Meter { rate: rate(text), rest: 0 }.take(seconds).collect::<Vec<i64>>();
        assert_eq!(due("10/s", 3), [10, 10, 10]);
        assert_eq!(due("90/m", 4), [1, 2, 1, 2]);
        let hour = due("500/h", 3600);
        assert_eq!(hour.iter().sum::<i64>(), 500);
        assert!(hour.iter().all(|due| *due <= 1), "steadily");
        assert_eq!(hour.iter().position(|due| *due == 1), Some(7), "the first after 7.2 seconds");
    }
}
