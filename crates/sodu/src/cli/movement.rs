//! `sodu topup`, `charge`, `refund`, `transfer`, `adjust`, `limit`: credit moves, once per idempotency key.

use axum::http::Method;
use clap::Args;
use serde_json::{Map, Value, json};

use super::Global;
use super::account::{account_number, change, key};
use super::failure::Failure;
use super::output::{money, note, text};
use super::session::{Intent, Session, is_interactive, new_key};
use crate::times;

/// Put money into an account
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu topup 9999 500000 -k invoice-2041 --reference 'transfer VCB 88123'")]
pub(super) struct Topup {
    #[command(flatten)]
    movement: Amount,
}

/// Spend from an account, as far as it has credit
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu charge 9999 350 -k message-77 --reference sms-77 --metadata campaign=tet")]
pub(super) struct Charge {
    #[command(flatten)]
    movement: Amount,
}

/// Give a charge or a capture back, or part of it
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu refund 9999 350 --charge-key message-77 -k refund-77
  sodu refund 9999 350 --charge 12 -k refund-12 --reason 'not delivered'")]
pub(super) struct Refund {
    #[command(flatten)]
    movement: Amount,
    #[command(flatten)]
    charge: ChargeName,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ChargeName {
    /// The number of the charge's or capture's entry
    #[arg(long, value_name = "N")]
    charge: Option<u64>,
    /// The idempotency key that it was made under
    #[arg(long, value_name = "KEY", value_parser = key)]
    charge_key: Option<String>,
}

/// Move money from one account to another of the same currency
#[derive(Args)]
#[command(after_help = "Example:\n  sodu transfer 9999 20001 50000 -k allotment-7")]
pub(super) struct Transfer {
    /// The account that it leaves
    #[arg(value_parser = account_number())]
    from: u32,
    /// The account that gets it
    #[arg(value_parser = account_number())]
    to: u32,
    /// A decimal of their currency, without grouping: 500000 or 12.5
    amount: String,
    #[command(flatten)]
    common: Common,
}

/// Correct an account's balance, up or down, with a reason
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu adjust 9999 -500 -k correction-9 --reason 'charged twice on 3 July'")]
pub(super) struct Adjust {
    #[command(flatten)]
    movement: Amount,
}

/// Set how far below zero an account may spend
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu limit 9999 200000 --reason 'contract 12'

Below what is in use, charges are refused until it is paid back.")]
pub(super) struct Limit {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// A decimal of the account's currency, zero or more
    credit_limit: String,
    /// Why; kept in the statement
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Args)]
struct Amount {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// A decimal of the account's currency, without grouping: 500000 or 12.5
    #[arg(allow_negative_numbers = true)]
    amount: String,
    #[command(flatten)]
    common: Common,
}

/// What every movement takes.
#[derive(Args)]
pub(super) struct Common {
    /// 1 to 128 visible ASCII characters, new for each movement and the same for each repetition of it; may be left out
    /// on a terminal only
    #[arg(short = 'k', long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
    /// What it belongs to outside: an invoice, a message, a payment
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// Why; kept in the statement
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A name and a value to find again; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

impl Topup {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        self.movement.send(global, "topups", json!({}))
    }
}

impl Charge {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        self.movement.send(global, "charges", json!({}))
    }
}

impl Refund {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let named = match self.charge {
            ChargeName { charge_key: Some(key), .. } => json!({ "charge_key": key }),
            ChargeName { charge, .. } => json!({ "charge": charge }),
        };
        self.movement.send(global, "refunds", named)
    }
}

impl Transfer {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let body = json!({ "from": self.from, "to": self.to, "amount": self.amount });
        self.common.send(global, "/v1/transfers".into(), body)
    }
}

impl Adjust {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        if self.movement.common.reason.is_none() {
            return Err(Failure::Usage("--reason TEXT is missing: an adjustment says why it is made".into()));
        }
        self.movement.send(global, "adjustments", json!({}))
    }
}

impl Limit {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let mut body = json!({ "credit_limit": self.credit_limit });
        if let Some(reason) = self.reason {
            body["reason"] = reason.into();
        }
        change(global, self.account, body)
    }
}

impl Amount {
    fn send(self, global: &Global, route: &str, mut body: Value) -> Result<(), Failure> {
        body["amount"] = self.amount.into();
        self.common.send(global, format!("/v1/accounts/{}/{route}", self.account), body)
    }
}

impl Common {
    /// Sends `body`, with what every movement takes, to `path`, and prints what came of it.
    pub(super) fn send(self, global: &Global, path: String, mut body: Value) -> Result<(), Failure> {
        let key = match self.idempotency_key {
            Some(key) => key,
            None if is_interactive() => {
                let key = new_key()?;
                note(&format!("idempotency key: {key} (if this is interrupted, repeat it with -k {key})"));
                key
            }
            None => {
                return Err(Failure::Usage(
                    "-k KEY is missing: a script names each movement itself, so that running it again moves nothing twice"
                        .into(),
                ));
            }
        };
        for (name, value) in [("reference", self.reference), ("reason", self.reason)] {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        if !self.metadata.is_empty() {
            body["metadata"] = Value::Object(unique(self.metadata)?);
        }
        Session::run(global, Intent::Write, async |session| {
            let moved = session.send(Method::POST, path, Some(&key), body).await?;
            print(session, &moved)
        })
    }
}

fn print(session: &mut Session, moved: &Value) -> Result<(), Failure> {
    if session.out.json {
        return session.out.json(moved);
    }
    let (entry, account) = (&moved["entry"], &moved["account"]);
    let currency = text(account, "currency");
    let what = match text(entry, "amount") {
        "0" => text(entry, "kind").to_owned(),
        _ => format!("{} {} {currency}", text(entry, "kind"), money(entry, "amount")),
    };
    session.out.line(&format!(
        "entry {} of account {}: {what}; balance {} {currency}, available {} {currency}",
        entry["number"],
        entry["account"],
        money(account, "balance"),
        money(account, "available"),
    ))?;
    if let Some(end) = entry["expires_at"].as_str() {
        let zone = times::zone_name(&session.config.time_zone);
        session.out.line(&format!("the hold ends at {} ({zone})", session.config.for_people(end)))?;
    }
    if moved["replayed"] == true {
        note("this key did that before; nothing moved now, and the figures are those of then");
    }
    Ok(())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() { Err("write NAME=VALUE".into()) } else { Ok((name.into(), value.into())) }
}

fn unique(pairs: Vec<(String, String)>) -> Result<Map<String, Value>, Failure> {
    let mut metadata = Map::new();
    for (name, value) in pairs {
        if metadata.contains_key(&name) {
            return Err(Failure::Usage(format!("--metadata {name}=… stands there twice")));
        }
        metadata.insert(name, value.into());
    }
    Ok(metadata)
}
