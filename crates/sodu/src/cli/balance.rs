//! `sodu balance`: what is left, as an eSMS service says it to its customer, or as a ledger of one's own has it.
//!
//! A balance that could not be read is an error and never zero. Keys are never shown, whatever happens.

pub(super) mod demo;
pub(super) mod keys;
pub(super) mod profiles;
mod prompt;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sodu_client::{Client, Decimal, Error, Fault, Settings};

use super::Global;
use super::failure::Failure;
use super::output::{Output, grouped, note};
#[cfg(feature = "server")]
use super::{
    account::account_number,
    output::{money, text},
    session::{Intent, Session},
};
#[cfg(feature = "server")]
pub(super) use demo::{DEMO_FILE, DEMO_FOLDER};
use keys::{Account, Wanted};

/// Where eSMS answers.
pub(super) const ESMS: &str = "https://rest.esms.vn";

const EXAMPLES: &str = "\
Examples:
  export ESMS_API_KEY=… ESMS_SECRET_KEY=…
  sodu balance                        what eSMS says is left
  sodu balance --fail-below 100000    exit code 3 where it is less, for cron
  sodu balance --profile shop         keys from the profile file
  sodu balance --demo                 the first account of a running demo

Keys come from the flags, else from --profile, else from ESMS_API_KEY and
ESMS_SECRET_KEY, else from the profile \"default\"; a person at a terminal is
asked for them. The profile file has a table for each profile:

  [shop]
  api_key = \"…\"
  secret_key = \"…\"
  url = \"https://rest.esms.vn\"    # may be left out

Exit codes: 0 done; 1 no balance; 2 used wrongly; 3 below --fail-below.";

/// Print the balance of an account at an eSMS service, or in this ledger
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Balance {
    /// An account of the ledger on this machine, by its number, instead of one at an eSMS service
    #[cfg(feature = "server")]
    #[arg(value_parser = account_number(), conflicts_with_all = ["url", "demo", "api_key", "secret_key", "profile"])]
    account: Option<u32>,
    /// Where the service answers [default: the profile's, else eSMS itself]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Ask a demo that runs on this machine, wherever it listens, with the keys of its first account
    #[arg(long, conflicts_with_all = ["url", "api_key", "secret_key", "profile"])]
    demo: bool,
    /// The account's API key
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// The account's secret key; other users of this machine can see it while this runs
    #[arg(long, value_name = "KEY")]
    secret_key: Option<String>,
    /// Take keys and address from this table of the profile file
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The profile file [env: SODU_PROFILES] [default: sodu/profiles.toml in your configuration folder]
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// End with exit code 3 where the balance is below this decimal
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    fail_below: Option<Decimal>,
    /// Allow http:// to other machines, which sends the keys in clear text
    #[arg(long)]
    allow_plain_http: bool,
    /// The most that it takes, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

impl Balance {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        #[cfg(feature = "server")]
        if let Some(account) = self.account {
            return self.of_ledger(global, account);
        }
        let json = global.json;
        let fail_below = self.fail_below;
        let settings = Settings {
            timeout: Duration::from_secs(self.timeout),
            allow_plain_http: self.allow_plain_http || self.demo,
            ..Settings::default()
        };
        let Account { url, api_key, secret_key, source, extra_roots } = self.account()?;
        let settings = Settings { extra_roots, ..settings };
        let url = url.unwrap_or_else(|| ESMS.to_owned());
        let client = Client::with(&url, &api_key, &secret_key, settings)
            .map_err(|error| Failure::local("not_asked", format!("Nothing was asked: {error}. Keys: {source}.")))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| Failure::local("no_runtime", format!("The system refused what sodu needs: {error}.")))?;
        let balance = runtime.block_on(client.balance()).map_err(|error| no_balance(&error, &url, &source))?;
        let amount = balance.amount.to_string();
        let mut out = Output::new(json);
        if json {
            out.json(&told(
                json!({ "balance": amount, "user_id": balance.user_id, "url": url }),
                balance.amount,
                fail_below,
            ))?;
        } else {
            out.line(&format!("{} (account {})", grouped(&amount), balance.user_id))?;
        }
        out.flush()?;
        check(balance.amount, fail_below)
    }

    /// Whose balance is asked for, and with which keys.
    fn account(self) -> Result<Account, Failure> {
        if self.demo {
            let account = demo::running()?;
            note(&format!("asking {}", account.source));
            return Ok(account);
        }
        let wanted =
            Wanted { url: self.url, api_key: self.api_key, secret_key: self.secret_key, profile: self.profile };
        keys::find(wanted, self.profiles)
    }

    /// The same of an account in the ledger on this machine.
    #[cfg(feature = "server")]
    fn of_ledger(self, global: &Global, account: u32) -> Result<(), Failure> {
        let mut amount = Decimal::ZERO;
        Session::run(global, Intent::Read, async |session| {
            let balance = session.get(format!("/v1/accounts/{account}/balance")).await?;
            amount = text(&balance, "balance")
                .parse()
                .map_err(|_| Failure::local("bad_answer", "The server's answer holds a figure that is none."))?;
            if session.out.json {
                return session.out.json(&told(balance, amount, self.fail_below));
            }
            session.out.line(&format!("{} {}", money(&balance, "balance"), text(&balance, "currency")))
        })?;
        check(amount, self.fail_below)
    }
}

/// The answer with whether it is below, where that was asked.
fn told(mut answer: Value, amount: Decimal, fail_below: Option<Decimal>) -> Value {
    if let Some(least) = fail_below {
        answer["below"] = (amount < least).into();
    }
    answer
}

fn check(amount: Decimal, fail_below: Option<Decimal>) -> Result<(), Failure> {
    match fail_below {
        Some(least) if amount < least => {
            let (amount, least) = (grouped(&amount.to_string()), grouped(&least.to_string()));
            Err(Failure::Below(format!("{amount} is below {least}: top up before messages stop")))
        }
        _ => Ok(()),
    }
}

/// Why there is no balance, where it was asked for, with which keys.
fn no_balance(error: &Error, url: &str, source: &str) -> Failure {
    Failure::local(slug(error), format!("No balance: {error}. Asked: {url}; keys: {source}."))
}

/// The stable name of why there is no balance.
pub(super) fn slug(error: &Error) -> &'static str {
    match error {
        Error::WrongKeys => "wrong_keys",
        Error::AccountLocked => "account_locked",
        Error::AddressNotAllowed => "address_not_allowed",
        Error::Service { .. } => "service_error",
        Error::Fault(fault) => match fault {
            Fault::Connection { .. } => "no_connection",
            Fault::Broken { .. } => "connection_broken",
            Fault::Timeout { .. } => "timeout",
            Fault::TooLarge { .. } => "answer_too_large",
            Fault::Redirected { .. } => "redirected",
            Fault::Status { .. } => "http_status",
            Fault::Unexpected { .. } => "unexpected_answer",
        },
    }
}
