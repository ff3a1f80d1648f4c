//! The same calls for code without an async runtime: each returns when its answer is there.
//!
//! One thread of its own keeps the connections. Not for use inside an async runtime, where it panics: use the async
//! clients there.
//!
//! ```
//! # mod service { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/service.rs")); }
//! # let address = service::answering("200 OK", service::PUBLISHED);
//! # let (api_key, secret_key) = ("K", "S");
//! let client = sodu_client::blocking::Client::new(&address, api_key, secret_key)?;
//! let balance = client.balance()?;
//! assert_eq!((balance.amount.to_string(), balance.user_id), ("36693".to_owned(), 9999));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::{Balance, Error, Settings, SetupError};

/// A [`crate::Client`] that waits.
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    thread: Thread,
}

impl Client {
    /// As [`crate::Client::new`].
    ///
    /// # Errors
    /// As there.
    pub fn new(base: &str, api_key: &str, secret_key: &str) -> Result<Client, SetupError> {
        Client::with(base, api_key, secret_key, Settings::default())
    }

    /// As [`crate::Client::with`].
    ///
    /// # Errors
    /// As there.
    pub fn with(base: &str, api_key: &str, secret_key: &str, settings: Settings) -> Result<Client, SetupError> {
        Ok(Client { client: crate::Client::with(base, api_key, secret_key, settings)?, thread: Thread::new()? })
    }

    /// As [`crate::Client::balance`].
    ///
    /// # Errors
    /// As there.
    pub fn balance(&self) -> Result<Balance, Error> {
        self.thread.wait(self.client.balance())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

/// The thread that keeps the connections of a client and of all its clones.
#[derive(Clone)]
struct Thread(Arc<Own>);

struct Own(Option<Runtime>);

impl Thread {
    fn new() -> Result<Thread, SetupError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("sodu-client").enable_all().build();
        let runtime = runtime.map_err(|error| SetupError::NoThread { detail: error.to_string() })?;
        Ok(Thread(Arc::new(Own(Some(runtime)))))
    }

    fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.0.0.as_ref().expect("it is there until the last client is dropped").block_on(call)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // An ordinary drop waits, which is not allowed where the last client happens to go inside an async runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(feature = "operator")]
pub use operator::Operator;

#[cfg(feature = "operator")]
mod operator {
    use super::Thread;
    use crate::operator::{
        Account, AccountChange, Balance, Command, Credential, CredentialChange, Entry, EntryFilter, Issued, KeyOutcome,
        Moved, NewAccount, NewCredential, OpenHold, Opened, OperatorError, Page, Problem,
    };
    use crate::{Settings, SetupError};

    /// An [`Operator`](crate::operator::Operator) that waits.
    #[derive(Clone)]
    pub struct Operator {
        operator: crate::operator::Operator,
        thread: Thread,
    }

    impl std::fmt::Debug for Operator {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.operator.fmt(f)
        }
    }

    /// Declares the calls; each is its async twin, awaited.
    macro_rules! twins {
        ($($name:ident($($argument:ident: $type:ty),*) -> $done:ty;)*) => {
            #[expect(clippy::missing_errors_doc, reason = "each is described at its async twin")]
            impl Operator {
                $(
                    #[doc = concat!("As [`crate::operator::Operator::", stringify!($name), "`].")]
                    pub fn $name(&self, $($argument: $type),*) -> Result<$done, OperatorError> {
                        self.thread.wait(self.operator.$name($($argument),*))
                    }
                )*
            }
        };
    }

    twins! {
        submit(command: &Command) -> Moved;
        batch(commands: &[Command]) -> Vec<Result<Moved, Problem>>;
        open_account(new: &NewAccount) -> Opened;
        account(id: u32) -> Account;
        accounts(query: &str, cursor: Option<&str>) -> Page<Account>;
        change_account(id: u32, change: &AccountChange) -> Account;
        balance(id: u32, at: Option<&str>) -> Balance;
        entries(id: u32, filter: &EntryFilter, cursor: Option<&str>) -> Page<Entry>;
        entry(id: u32, number: u64) -> Entry;
        holds(id: u32, cursor: Option<&str>) -> Page<OpenHold>;
        key_outcome(id: u32, key: &str) -> KeyOutcome;
        add_credential(id: u32, new: &NewCredential) -> Issued;
        credentials(id: u32) -> Vec<Credential>;
        change_credential(id: u32, api_key: &str, change: &CredentialChange) -> Credential;
        revoke_credential(id: u32, api_key: &str) -> Credential;
    }

    impl Operator {
        /// As [`crate::operator::Operator::new`].
        ///
        /// # Errors
        /// As there.
        pub fn new(base: &str, token: &str) -> Result<Operator, SetupError> {
            Ok(Operator { operator: crate::operator::Operator::new(base, token)?, thread: Thread::new()? })
        }

        /// As [`crate::operator::Operator::with`].
        ///
        /// # Errors
        /// As there.
        pub fn with(base: &str, token: &str, settings: Settings) -> Result<Operator, SetupError> {
            Ok(Operator { operator: crate::operator::Operator::with(base, token, settings)?, thread: Thread::new()? })
        }
    }
}
