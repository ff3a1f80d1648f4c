//! `sodu account …`: opening, finding, showing and changing accounts.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Global;
use super::failure::Failure;
use super::list::Listing;
use super::output::{money, note, text};
use super::runway;
use super::session::{Intent, Session, is_interactive, new_key};
use super::table::Lean;
use crate::door::encode;
use crate::times;

#[derive(Subcommand)]
pub(super) enum Account {
    Open(Open),
    List(List),
    Show(Show),
    Set(Set),
    Lock(Lock),
    Unlock(Unlock),
    Close(Close),
}

/// Open an account; makes the database where there is none yet
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu account open --name 'Công ty ABC'
  sodu account open --name 'Reseller 7' --id 9999 --credit-limit 500000")]
pub(super) struct Open {
    /// What people call it, 1 to 200 bytes
    #[arg(long)]
    name: String,
    /// Its number, which is also its eSMS UserID: 1 to 2147483647 [default: the next free one]
    #[arg(long, value_name = "N", value_parser = account_number())]
    id: Option<u32>,
    /// Its currency, for ever [default: VND]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// How far below zero it may spend, a decimal of its currency [default: 0]
    #[arg(long, value_name = "AMOUNT")]
    credit_limit: Option<String>,
    /// Its id in your own system; no two accounts share one
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// 1 to 128 visible ASCII characters; opening again under the same key opens nothing further
    #[arg(short = 'k', long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
}

/// List accounts in the order of their numbers
#[derive(Args)]
#[command(after_help = "Examples:\n  sodu account list\n  sodu account list --query ABC --json")]
pub(super) struct List {
    /// Only those whose name, external id or number contains this
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,
}

/// Show an account: figures, settings, and when it was opened
#[derive(Args)]
#[command(after_help = "Example:\n  sodu account show 9999")]
pub(super) struct Show {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
}

/// Change an account's settings; what is not named stays
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu account set 9999 --credit-limit 200000 --reason 'contract 12'
  sodu account set 9999 --name 'ABC JSC' --external-id '' --metered true")]
pub(super) struct Set {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// A new id in your own system; an empty one ('') takes it away
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// How far below zero it may spend; below what is in use, charges are refused until it is paid back
    #[arg(long, value_name = "AMOUNT")]
    credit_limit: Option<String>,
    /// Whether GetBalance shows what is available, credit included, instead of the account's own money
    #[arg(long, value_name = "true|false")]
    shows_available: Option<bool>,
    /// Whether its balance is a metric of its own
    #[arg(long, value_name = "true|false")]
    metered: Option<bool>,
    /// Why the credit limit changes; kept in the statement
    #[arg(long, value_name = "TEXT", requires = "credit_limit")]
    reason: Option<String>,
}

/// Lock an account: it spends nothing, and GetBalance answers 102; it still takes money
#[derive(Args)]
#[command(after_help = "Example:\n  sodu account lock 9999 --reason 'invoice 2041 is overdue'")]
pub(super) struct Lock {
    #[command(flatten)]
    subject: Subject,
}

/// Unlock an account
#[derive(Args)]
#[command(after_help = "Example:\n  sodu account unlock 9999 --reason 'invoice 2041 was paid'")]
pub(super) struct Unlock {
    #[command(flatten)]
    subject: Subject,
}

/// Close an account for ever; it must have nothing posted and nothing held
#[derive(Args)]
#[command(after_help = "Example:\n  sodu account close 9999 --reason 'the customer left'")]
pub(super) struct Close {
    #[command(flatten)]
    subject: Subject,
}

#[derive(Args)]
struct Subject {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// Why; kept in the statement
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Account {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Account::Open(open) => Session::run(global, Intent::Create, async |session| open.run(session).await),
            Account::List(list) => Session::run(global, Intent::Read, async |session| list.run(session).await),
            Account::Show(show) => Session::run(global, Intent::Read, async |session| show.run(session).await),
            Account::Set(set) => set.run(global),
            Account::Lock(Lock { subject }) => subject.set_status(global, "locked"),
            Account::Unlock(Unlock { subject }) => subject.set_status(global, "active"),
            Account::Close(Close { subject }) => subject.set_status(global, "closed"),
        }
    }
}

impl Open {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        // Without a key of its own, a lost answer could not be asked for again without opening a second account.
        let key = self.idempotency_key.map_or_else(new_key, Ok)?;
        let mut body = json!({ "name": self.name });
        let members = [
            ("currency", self.currency.map(Value::from)),
            ("credit_limit", self.credit_limit.map(Value::from)),
            ("external_id", self.external_id.map(Value::from)),
            ("id", self.id.map(Value::from)),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        let opened = session.send(Method::POST, "/v1/accounts".into(), Some(&key), body).await?;
        if session.out.json {
            return session.out.json(&opened);
        }
        let account = &opened["account"];
        let again = if opened["replayed"] == true { " before, under the same key" } else { "" };
        session.out.line(&format!("opened account {}{again}: {}", account["id"], text(account, "name")))?;
        if is_interactive() {
            note(&format!("next: sodu key issue {0}; sodu topup {0} 100000 -k first-payment", account["id"]));
        }
        Ok(())
    }
}

impl List {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let columns = [
            ("account", 10, Lean::Right),
            ("status", 6, Lean::Left),
            ("balance", 14, Lean::Right),
            ("available", 14, Lean::Right),
            ("name", 0, Lean::Left),
        ];
        let listing = Listing { name: "accounts", columns: &columns, has_times: false };
        let query = self.query.as_deref().map(encode).unwrap_or_default();
        let path = |cursor: &str| format!("/v1/accounts?limit=1000&query={query}&cursor={cursor}");
        session.list(&listing, path, |_, account| row(account)).await
    }
}

fn row(account: &Value) -> Vec<String> {
    let with_currency = |name| format!("{} {}", money(account, name), text(account, "currency"));
    vec![
        account["id"].to_string(),
        text(account, "status").to_owned(),
        with_currency("balance"),
        money(account, "available"),
        text(account, "name").to_owned(),
    ]
}

impl Show {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let account = session.get(format!("/v1/accounts/{}", self.account)).await?;
        print(session, &account)
    }
}

impl Set {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let mut body = Map::new();
        let external_id = self.external_id.map(|id| if id.is_empty() { Value::Null } else { Value::from(id) });
        let members = [
            ("name", self.name.map(Value::from)),
            ("external_id", external_id),
            ("credit_limit", self.credit_limit.map(Value::from)),
            ("shows_available", self.shows_available.map(Value::from)),
            ("metered", self.metered.map(Value::from)),
            ("reason", self.reason.map(Value::from)),
        ];
        body.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        if body.is_empty() {
            return Err(Failure::Usage("name a setting to change, such as --credit-limit; see --help".into()));
        }
        change(global, self.account, Value::Object(body))
    }
}

impl Subject {
    fn set_status(self, global: &Global, status: &str) -> Result<(), Failure> {
        let mut body = json!({ "status": status });
        if let Some(reason) = self.reason {
            body["reason"] = reason.into();
        }
        change(global, self.account, body)
    }
}

/// Changes settings of an account and shows it.
pub(super) fn change(global: &Global, account: u32, body: Value) -> Result<(), Failure> {
    Session::run(global, Intent::Write, async |session| {
        let account = session.send(Method::PATCH, format!("/v1/accounts/{account}"), None, body).await?;
        print(session, &account)
    })
}

fn print(session: &mut Session, account: &Value) -> Result<(), Failure> {
    if session.out.json {
        return session.out.json(account);
    }
    let zone = &session.config.time_zone;
    let opened_at = times::parse(text(account, "opened_at"), times::Bound::Start, zone);
    let opened_at = opened_at.map(|time| format!("{} ({})", times::for_people(time, zone), times::zone_name(zone)));
    let with_currency = |name| format!("{} {}", money(account, name), text(account, "currency"));
    let flag = |name: &str| if account[name] == true { "yes" } else { "no" }.to_owned();
    let lines = [
        ("account", account["id"].to_string()),
        ("name", text(account, "name").to_owned()),
        ("external id", text(account, "external_id").to_owned()),
        ("status", text(account, "status").to_owned()),
        ("balance", with_currency("balance")),
        ("held", with_currency("held")),
        ("open holds", account["open_holds"].to_string()),
        ("credit limit", with_currency("credit_limit")),
        ("available", with_currency("available")),
        ("GetBalance shows available", flag("shows_available")),
        ("balance is a metric", flag("metered")),
        ("lasts", runway::sentence(account, zone)),
        ("entries", account["last_entry"].to_string()),
        ("opened", opened_at.unwrap_or_default()),
    ];
    lines
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .try_for_each(|(name, value)| session.out.line(&format!("{name:<28}{value}")))
}

/// An account's number on the command line.
pub(super) fn account_number() -> fn(&str) -> Result<u32, String> {
    |text| {
        let number = text.parse().ok().and_then(ledger::AccountId::new);
        let not = || format!("an account is named by its number, 1 to {}", ledger::AccountId::MAX);
        number.map(ledger::AccountId::get).ok_or_else(not)
    }
}

/// A text as 32 lower-case hex digits of its hash.
pub(super) fn digest_of(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    hash.as_str().chars().take(32).collect()
}

/// An idempotency key on the command line.
pub(super) fn key(text: &str) -> Result<String, String> {
    ledger::Key::new(text).map(|key| key.as_str().to_owned()).map_err(|error| error.to_string())
}
