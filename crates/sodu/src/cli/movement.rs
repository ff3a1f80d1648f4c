//! `sodu topup`, `sodu charge`, `sodu adjust`: credit moves, once per idempotency key.

use axum::http::Method;
use clap::Args;
use serde_json::{Map, Value, json};

use super::Global;
use super::account::{account_number, key};
use super::failure::Failure;
use super::output::{money, note, text};
use super::session::{Intent, Session, is_interactive, new_key};

/// Put money into an account
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu topup 9999 500000 -k invoice-2041 --reference 'transfer VCB 88123'")]
pub(super) struct Topup {
    #[command(flatten)]
    movement: Movement,
}

/// Spend from an account, as far as it has credit
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu charge 9999 350 -k message-77 --reference sms-77 --metadata campaign=tet")]
pub(super) struct Charge {
    #[command(flatten)]
    movement: Movement,
}

/// Correct an account's balance, up or down, with a reason
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu adjust 9999 -500 -k correction-9 --reason 'charged twice on 3 July'")]
pub(super) struct Adjust {
    #[command(flatten)]
    movement: Movement,
    /// Why; kept in the statement
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Args)]
struct Movement {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// A decimal of the account's currency, without grouping: 500000 or 12.5
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// 1 to 128 visible ASCII characters, new for each movement and the same for each repetition of it; may be left out
    /// on a terminal only
    #[arg(short = 'k', long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
    /// What it belongs to outside: an invoice, a message, a payment
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// A name and a value to find again; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

impl Topup {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        self.movement.run(global, "topups", None)
    }
}

impl Charge {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        self.movement.run(global, "charges", None)
    }
}

impl Adjust {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        self.movement.run(global, "adjustments", Some(self.reason))
    }
}

impl Movement {
    fn run(self, global: &Global, route: &str, reason: Option<String>) -> Result<(), Failure> {
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
        let mut body = json!({ "amount": self.amount });
        for (name, value) in [("reference", self.reference), ("reason", reason)] {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        if !self.metadata.is_empty() {
            body["metadata"] = Value::Object(unique(self.metadata)?);
        }
        let path = format!("/v1/accounts/{}/{route}", self.account);
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
    session.out.line(&format!(
        "entry {} of account {}: {} {} {currency}; balance {} {currency}, available {} {currency}",
        entry["number"],
        entry["account"],
        text(entry, "kind"),
        money(entry, "amount"),
        money(account, "balance"),
        money(account, "available"),
    ))?;
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
