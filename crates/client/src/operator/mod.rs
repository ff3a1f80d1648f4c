//! The operator API of a sodu ledger (`/v1`): accounts, keys, and every movement of credit.
//!
//! A movement is a [`Command`]; it is made with an idempotency key of its own, which stays the same however often it is
//! sent, by this client or by you. So a lost answer never moves money twice: submit the same command again.
//!
//! ```
//! # mod service { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/service.rs")); }
//! # let address = service::answering("201 Created", service::MOVED);
//! # let token = "sodu_0";
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use sodu_client::operator::{Command, Movement, Operator, OperatorError};
//!
//! let operator = Operator::new(&address, token)?;
//! let charge = Command::new(9999, Movement::Charge { amount: "350".parse()? }).reference("sms-77");
//! match operator.submit(&charge).await {
//!     Ok(moved) => println!("{} left, entry {}", moved.account.available, moved.entry.number),
//!     Err(OperatorError::Problem(no)) if no.slug == "insufficient_credit" => println!("top up first: {no}"),
//!     Err(OperatorError::OutcomeUnknown { .. }) => println!("keep `charge`, and submit it again"),
//!     Err(error) => println!("{error}"),
//! }
//! # assert_eq!(operator.submit(&charge).await?.account.balance, "36343".parse()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: what an administrator does once (operators, currencies, imports, verify, backup); `sodu` on the
//! command line does that.

mod accounts;
mod command;
mod error;
mod shapes;

use std::fmt;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use accounts::{AccountChange, CredentialChange, EntryFilter, NewAccount, NewCredential};
pub use command::{Command, Movement, Named};
pub use error::{OperatorError, Problem};
pub use shapes::{
    Account, Balance, Credential, Entry, Figures, Issued, KeyOutcome, Kind, Moved, OpenHold, Opened, Page, Status,
    Target,
};

use crate::fault::Fault;
use crate::http::{Answered, Ask, Http, Repeat};
use crate::settings::{Settings, SetupError, checked};

/// The longest answer that is read unless the settings say otherwise: a full batch.
const ANSWER_LEN_MAX: usize = 16 * 1024 * 1024;

/// An operator of a sodu ledger, known by a token; cheap to clone, and clones share their connections.
#[derive(Clone)]
pub struct Operator {
    http: Http,
    bearer: HeaderValue,
}

/// Hides the token.
impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("base", &self.http.base().as_str())
            .field("settings", self.http.settings())
            .finish_non_exhaustive()
    }
}

impl Operator {
    /// The operator with `token` at the server's operator address `base`, such as `https://sodu.example.com:8081`.
    ///
    /// # Errors
    /// [`SetupError`] for an address or token that cannot be right; nothing is sent yet.
    pub fn new(base: &str, token: &str) -> Result<Operator, SetupError> {
        Operator::with(base, token, Settings { answer_len_max: ANSWER_LEN_MAX, ..Settings::default() })
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// As [`Operator::new`].
    pub fn with(base: &str, token: &str, settings: Settings) -> Result<Operator, SetupError> {
        let bad = SetupError::BadKey { name: "token" };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", checked("token", token)?)).map_err(|_| bad)?;
        bearer.set_sensitive(true);
        Ok(Operator { http: Http::new(base, settings)?, bearer })
    }

    /// Has the ledger decide `command`; what it did is durable when this returns.
    ///
    /// # Errors
    /// [`OperatorError::Problem`] where it was refused and nothing moved; [`OperatorError::OutcomeUnknown`] where nobody
    /// knows yet: submit the same command again.
    pub async fn submit(&self, command: &Command) -> Result<Moved, OperatorError> {
        let (path, body) = command.route();
        let mut ask = self.request(Method::POST, path, Some(body), Repeat::Harmless);
        with_key(&mut ask, &command.key)?;
        self.settled(&ask).await
    }

    /// Has the ledger decide up to 8,192 commands in order. Nothing is atomic about it: each has its own outcome, in the
    /// same place of the list, and one that is refused stops none after it.
    ///
    /// # Errors
    /// As [`Operator::submit`], for the batch as a whole.
    pub async fn batch(&self, commands: &[Command]) -> Result<Vec<Result<Moved, Problem>>, OperatorError> {
        let items: Vec<Value> = commands.iter().map(Command::item).collect();
        let body = json!({ "commands": items });
        let ask = self.request(Method::POST, "v1/batch".into(), Some(body), Repeat::Harmless);
        let outcomes: shapes::Outcomes = self.settled(&ask).await?;
        if outcomes.outcomes.len() != commands.len() {
            return Err(OperatorError::OutcomeUnknown { cause: "there are fewer outcomes than commands".into() });
        }
        Ok(outcomes.outcomes.into_iter().map(shapes::Item::into_result).collect())
    }

    /// A GET.
    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, OperatorError> {
        read(self.plain(&self.request(Method::GET, path, None, Repeat::Harmless)).await?)
    }

    fn request(&self, method: Method, path: String, body: Option<Value>, repeat: Repeat) -> Ask {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.bearer.clone())]);
        let body = body.map(|body| body.to_string().into_bytes());
        Ask { method, path, headers, body, repeat, leaves_open }
    }

    /// An answer to what moves no money under a key.
    async fn plain(&self, ask: &Ask) -> Result<Answered, OperatorError> {
        let answered = self.http.ask(ask).await.map_err(|failed| OperatorError::Fault(failed.fault))?;
        if answered.status.is_success() { Ok(answered) } else { Err(problem(&answered)) }
    }

    /// An answer to what stands under a key: no failure after the request may have arrived is told as a no.
    async fn settled<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, OperatorError> {
        let answered = match self.http.ask(ask).await {
            Ok(answered) => answered,
            Err(failed) if failed.sent => {
                return Err(OperatorError::OutcomeUnknown { cause: failed.fault.to_string() });
            }
            Err(failed) => return Err(OperatorError::Fault(failed.fault)),
        };
        if answered.status.is_success() {
            return read(answered).map_err(|error| OperatorError::OutcomeUnknown { cause: error.to_string() });
        }
        let error = problem(&answered);
        let is_settled = matches!(&error, OperatorError::Problem(problem) if problem.is_decision());
        let is_unknown = leaves_open(&answered) || (answered.after_lost && !is_settled);
        Err(if is_unknown { OperatorError::OutcomeUnknown { cause: error.to_string() } } else { error })
    }
}

/// Sets the idempotency key of `ask`.
fn with_key(ask: &mut Ask, key: &str) -> Result<(), OperatorError> {
    let is_good = (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(key).ok().filter(|_| is_good).ok_or(OperatorError::BadKey)?;
    ask.headers.insert(HeaderName::from_static("idempotency-key"), value);
    Ok(())
}

/// `text` as one segment of a path, or one value of a query.
fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Whether that answer, which is no success, leaves it open whether a movement happened: sodu says so itself, and what a
/// gateway answers for it says nothing about what it did.
fn leaves_open(answered: &Answered) -> bool {
    match serde_json::from_slice::<Problem>(&answered.body) {
        Ok(problem) => problem.slug == "outcome_unknown",
        Err(_) => answered.status.is_server_error(),
    }
}

fn problem(answered: &Answered) -> OperatorError {
    match serde_json::from_slice::<Problem>(&answered.body) {
        Ok(problem) => OperatorError::Problem(Box::new(problem)),
        Err(_) => OperatorError::Fault(Fault::Status { status: answered.status.as_u16() }),
    }
}

fn read<T: DeserializeOwned>(answered: Answered) -> Result<T, OperatorError> {
    let (found, expected) = ("JSON of another shape, or none,".to_owned(), "an answer of this operator API");
    let unexpected = OperatorError::Fault(Fault::Unexpected { found, expected });
    serde_json::from_slice(&answered.body).map_err(|_| unexpected)
}
