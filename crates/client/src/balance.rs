//! GetBalance: one question, one exact figure.

use std::fmt;

use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use wire::{Code, Decimal, Format, Keys, NotAReply, Reply};

use crate::fault::Fault;
use crate::http::{Ask, Http, Repeat};
use crate::secret::Secret;
use crate::settings::{Settings, SetupError, checked};
use crate::transport::Failed;

/// What GetBalance answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    /// The balance of the main account, exactly as the service wrote it. May be negative while credit is in use.
    pub amount: Decimal,
    /// The account's number at the service.
    pub user_id: u32,
}

/// Why there is no balance. None of these means that the balance is zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// Code 101: the API key or the secret key is wrong, revoked or expired.
    WrongKeys,
    /// Code 102: the account is locked or closed.
    AccountLocked,
    /// Code 140: the address that the call came from is not on the allow-list.
    AddressNotAllowed,
    /// The service answered with another code.
    Service {
        /// The code; 99 is "unknown error, try again later".
        code: u32,
        /// What the service says about it, at most 300 characters without control characters; may be empty.
        message: String,
    },
    /// There was no answer, or one that is none.
    Fault(Fault),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::WrongKeys => f.write_str(
                "the service does not know this pair of ApiKey and SecretKey (code 101); copy both from the same place \
                 again",
            ),
            Error::AccountLocked => f.write_str("the account is locked (code 102); ask the provider to unlock it"),
            Error::AddressNotAllowed => f.write_str(
                "the service does not take calls from this machine's address (code 140); ask the provider to put it on \
                 the allow-list",
            ),
            Error::Service { code, message } if message.is_empty() => {
                write!(f, "the service answered with code {code}; look it up in its table of codes")
            }
            Error::Service { code, message } => write!(f, "the service answered with code {code}: {message}"),
            Error::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Fault(fault)
    }
}

/// Asks one account's balance, as often as wanted; cheap to clone, and clones share their connections.
///
/// ```
/// # mod service { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/service.rs")); }
/// # let address = service::answering("200 OK", service::PUBLISHED);
/// # let (api_key, secret_key) = ("K", "S");
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use sodu_client::{Client, Error};
///
/// let client = Client::new(&address, api_key, secret_key)?;
/// match client.balance().await {
///     Ok(balance) => println!("account {} has {}", balance.user_id, balance.amount),
///     Err(Error::WrongKeys) => println!("check both keys"),
///     Err(error) => println!("no balance this time: {error}"),
/// }
/// # assert_eq!(client.balance().await?.amount, "36693".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    http: Http,
    api_key: Secret,
    secret_key: Secret,
}

/// Hides both keys.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.http.base().as_str())
            .field("settings", self.http.settings())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the service at `base` (scheme and host, such as `https://rest.esms.vn`), with the default [`Settings`].
    ///
    /// # Errors
    /// [`SetupError`] for an address or key that cannot be right; nothing is sent yet.
    pub fn new(base: &str, api_key: &str, secret_key: &str) -> Result<Client, SetupError> {
        Client::with(base, api_key, secret_key, Settings::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with(base: &str, api_key: &str, secret_key: &str, settings: Settings) -> Result<Client, SetupError> {
        let api_key = Secret::new(checked("ApiKey", api_key)?);
        let secret_key = Secret::new(checked("SecretKey", secret_key)?);
        Ok(Client { http: Http::new(base, settings)?, api_key, secret_key })
    }

    /// Asks for the balance. It changes nothing, so it is asked again after a failure that passes.
    ///
    /// # Errors
    /// [`Error`]; it comes within the time of the [`Settings`].
    pub async fn balance(&self) -> Result<Balance, Error> {
        let answered = self.http.ask(&self.request()).await.map_err(|Failed { fault, .. }| fault)?;
        let status = answered.status;
        // An error of the server is one, whatever its body says: no figure and no refusal comes with it.
        if status.is_server_error() {
            return Err(Fault::Status { status: status.as_u16() }.into());
        }
        match wire::read_reply(&answered.body) {
            Ok(Reply::Balance { balance, user_id }) if status.is_success() => Ok(Balance { amount: balance, user_id }),
            Ok(Reply::Refused { code, message }) => Err(refused(code, self.without_keys(&message))),
            Ok(Reply::Balance { .. }) => Err(Fault::Status { status: status.as_u16() }.into()),
            Err(_) if !status.is_success() => Err(Fault::Status { status: status.as_u16() }.into()),
            Err(not) => {
                let found = not.found().to_owned();
                Err(Fault::Unexpected { found, expected: NotAReply::EXPECTED }.into())
            }
        }
    }

    /// What the service says, should it repeat what it was sent.
    fn without_keys(&self, message: &str) -> String {
        message.replace(self.secret_key.expose(), "(SecretKey)").replace(self.api_key.expose(), "(ApiKey)")
    }

    fn request(&self) -> Ask {
        let keys = Keys { api_key: self.api_key.expose().into(), secret_key: self.secret_key.expose().into() };
        let mut body = Vec::new();
        wire::write_request(&keys, &mut body);
        let path = wire::Route::Post(Format::Json).template().trim_start_matches('/').to_owned();
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        Ask { method: Method::POST, path, headers, body: Some(body), repeat: Repeat::Harmless, leaves_open: |_| false }
    }
}

fn refused(code: u32, message: String) -> Error {
    if code == Code::AuthorizeFailed as u32 {
        Error::WrongKeys
    } else if code == Code::AccountLocked as u32 {
        Error::AccountLocked
    } else if code == Code::AddressNotAllowed as u32 {
        Error::AddressNotAllowed
    } else {
        Error::Service { code, message }
    }
}
