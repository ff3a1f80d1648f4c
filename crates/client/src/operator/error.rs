//! Ways in which the operator API says no, or nothing.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fault::Fault;

/// A problem document (RFC 9457): why the server did not do what was asked.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Problem {
    /// The stable name that programs read, such as `insufficient_credit`.
    pub slug: String,
    /// The HTTP status that goes with it.
    pub status: u16,
    /// What happened, and what to do next, for people.
    pub detail: String,
    /// What the request is known as in the server's log and audit trail.
    #[serde(default)]
    pub request_id: Option<String>,
    /// All other members: the figures that explain it.
    #[serde(flatten)]
    pub figures: Map<String, Value>,
}

impl Problem {
    /// Whether it settles what a command came to. Others say only that this attempt was not taken.
    pub(crate) fn is_decision(&self) -> bool {
        let slug = self.slug.as_str();
        !matches!(slug, "unavailable" | "outcome_unknown" | "unauthorized" | "forbidden" | "too_many_refusals")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.detail, self.slug)
    }
}

/// Why a call to the operator API did not do what it was for.
#[derive(Clone, PartialEq, Debug)]
pub enum OperatorError {
    /// The server said no, and nothing was done.
    Problem(Box<Problem>),
    /// It may have happened, or not. Submit the same command, with the same key, again: that never moves money twice.
    OutcomeUnknown {
        /// What came in between.
        cause: String,
    },
    /// There was no answer, or one that is none, to a call that moves no money or never reached the server.
    Fault(Fault),
    /// The idempotency key is not 1 to 128 visible ASCII characters. Nothing was sent.
    BadKey,
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperatorError::Problem(problem) => problem.fmt(f),
            OperatorError::OutcomeUnknown { cause } => {
                write!(f, "it may have happened ({cause}); submit the same command, with the same key, again")
            }
            OperatorError::Fault(fault) => fault.fmt(f),
            OperatorError::BadKey => f.write_str("an idempotency key is 1 to 128 visible ASCII characters, no spaces"),
        }
    }
}

impl std::error::Error for OperatorError {}
