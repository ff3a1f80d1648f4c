//! Ways in which the path to the service fails, rather than the service saying no.

use std::fmt;
use std::time::Duration;

/// The environment failed: no answer, or one that is none. Never a statement about the balance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No connection could be made.
    Connection {
        /// What the system says, such as `Connection refused (os error 111)` or what is wrong with the certificate.
        detail: String,
    },
    /// There was a connection, and it ended, or did not speak HTTP, before the answer was whole.
    Broken {
        /// What was seen.
        detail: String,
    },
    /// The answer was not whole within the time.
    Timeout {
        /// The time that the whole call had.
        limit: Duration,
    },
    /// The answer is longer than it may be.
    TooLarge {
        /// How long it may be, in bytes.
        len_max: usize,
    },
    /// The server sends callers elsewhere; secrets do not follow.
    Redirected {
        /// Scheme and host of where to, if it said so.
        to: Option<String>,
    },
    /// The server answers with an error of HTTP and nothing that explains it.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is of another shape.
    Unexpected {
        /// What came, in words; never the text itself.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Connection { detail } => {
                write!(f, "no connection ({detail}); check the address, the network and the proxy variables")
            }
            Fault::Broken { detail } => {
                write!(f, "the connection broke before the answer was whole ({detail}); try again")
            }
            Fault::Timeout { limit } => {
                write!(f, "no whole answer within {} s; try again, or allow more time", limit.as_secs_f64())
            }
            Fault::TooLarge { len_max } => {
                write!(f, "the answer is longer than {len_max} bytes, which none should be; check the address")
            }
            Fault::Redirected { to: Some(to) } => {
                write!(
                    f,
                    "the server redirects to {to}, and secrets are not sent after it; if that is right, use that address"
                )
            }
            Fault::Redirected { to: None } => {
                f.write_str("the server redirects elsewhere, and secrets are not sent after it; check the address")
            }
            Fault::Status { status: status @ (404 | 405) } => {
                write!(f, "HTTP status {status}: there is no such call at this address; check it")
            }
            Fault::Status { status: 407 } => f.write_str("HTTP status 407: the proxy wants a user name and password"),
            Fault::Status { status } if *status >= 500 => {
                write!(f, "HTTP status {status}: the service is in trouble; try again later")
            }
            Fault::Status { status } => write!(f, "HTTP status {status} without an explanation; check the address"),
            Fault::Unexpected { found, expected } => {
                write!(f, "{found} came instead of {expected}; check the address, and what stands between")
            }
        }
    }
}

impl std::error::Error for Fault {}
