//! `sodu key …`: the pairs of API key and secret with which an account's owner calls GetBalance.
//!
//! A secret is printed once, when its pair is issued. It is taken from a flag, from standard input or from the
//! environment, and never repeated in a message.

use std::io::{self, Read};

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use super::account::{account_number, key};
use super::failure::Failure;
use super::output::{note, text, width};
use super::session::{Intent, Session, new_key};
use super::table::{Lean, Table};
use crate::door::encode;
use crate::times::{self, Bound};

#[derive(Subcommand)]
pub(super) enum Key {
    Issue(Issue),
    Import(Import),
    List(List),
    Revoke(Revoke),
    Rotate(Rotate),
}

/// Issue a new pair and print it, the secret for the only time
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu key issue 9999 --label 'web shop'
  sodu key issue 9999 --cidr 192.0.2.0/24 --expires 2027-12-31")]
pub(super) struct Issue {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    #[command(flatten)]
    limits: Limits,
}

/// Take over a pair that exists already, from eSMS or another platform
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu key import 9999 --api-key \"$ESMS_API_KEY\" --secret-key - < secret.txt
  ESMS_SECRET_KEY=… sodu key import 9999 --api-key \"$ESMS_API_KEY\"

Other users of this machine can read a secret that is given as a flag; prefer
one of these.")]
pub(super) struct Import {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// The API key: 1 to 128 visible ASCII characters, compared exactly
    #[arg(long, value_name = "KEY")]
    api_key: String,
    /// The secret: 1 to 128 visible ASCII characters; - reads it from standard input
    #[arg(long, value_name = "SECRET", env = "ESMS_SECRET_KEY", hide_env_values = true)]
    secret_key: String,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Args)]
struct Limits {
    /// What people call it, 1 to 100 bytes
    #[arg(long)]
    label: Option<String>,
    /// A network or an address that it may be used from; may be repeated [default: from anywhere]
    #[arg(long = "cidr", value_name = "CIDR")]
    cidrs: Vec<String>,
    /// When it stops to work: RFC 3339, or a date, that day included [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// 1 to 128 visible ASCII characters; asking again under the same key makes no further pair
    #[arg(short = 'k', long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
}

/// List an account's keys: which work, until when, and when they were last used
#[derive(Args)]
#[command(after_help = "Example:\n  sodu key list 9999")]
pub(super) struct List {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
}

/// Revoke a key for ever; GetBalance answers it 101 from now on
#[derive(Args)]
#[command(after_help = "Example:\n  sodu key revoke 9999 3F2504E04F8911D39A0C0305E82C33")]
pub(super) struct Revoke {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// The API key, whole
    api_key: String,
}

/// Issue a new pair with the same label and networks, and let the old one end a little later
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu key rotate 9999 3F2504E04F8911D39A0C0305E82C33
  sodu key rotate 9999 3F2504E04F8911D39A0C0305E82C33 --overlap 7d")]
pub(super) struct Rotate {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// The old API key, whole
    api_key: String,
    /// How long the old pair goes on working: a number with s, m, h or d; 0s ends it at once
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    overlap: std::time::Duration,
    /// When the new pair stops to work: RFC 3339, or a date, that day included [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

impl Key {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Key::Issue(issue) => add(global, issue.account, json!({}), issue.limits),
            Key::Import(import) => {
                let secret = if import.secret_key == "-" { secret_from_input()? } else { import.secret_key };
                let pair = json!({ "api_key": import.api_key, "secret_key": secret });
                add(global, import.account, pair, import.limits)
            }
            Key::List(list) => Session::run(global, Intent::Read, async |session| list.run(session).await),
            Key::Revoke(revoke) => Session::run(global, Intent::Write, async |session| revoke.run(session).await),
            Key::Rotate(rotate) => Session::run(global, Intent::Write, async |session| rotate.run(session).await),
        }
    }
}

fn add(global: &Global, account: u32, mut body: Value, limits: Limits) -> Result<(), Failure> {
    let key = limits.idempotency_key.map_or_else(new_key, Ok)?;
    for (name, value) in [("label", limits.label), ("expires_at", limits.expires)] {
        if let Some(value) = value {
            body[name] = value.into();
        }
    }
    if !limits.cidrs.is_empty() {
        body["cidrs"] = limits.cidrs.into();
    }
    Session::run(global, Intent::Write, async |session| {
        let path = format!("/v1/accounts/{account}/credentials");
        let credential = session.send(Method::POST, path, Some(&key), body).await?;
        print_new(session, &credential)
    })
}

fn print_new(session: &mut Session, credential: &Value) -> Result<(), Failure> {
    for member in ["warning", "note"] {
        if let Some(said) = credential[member].as_str() {
            note(&format!("{member}: {said}"));
        }
    }
    if session.out.json {
        return session.out.json(credential);
    }
    let api_key = text(credential, "api_key");
    match credential["secret_key"].as_str() {
        Some(secret) => {
            session.out.line(&format!("export ESMS_API_KEY={api_key}"))?;
            session.out.line(&format!("export ESMS_SECRET_KEY={secret}"))?;
            note("the secret is shown this once; the ledger keeps only a digest of it");
        }
        None => session.out.line(&format!("account {} has the key {api_key}", credential["account"]))?,
    }
    Ok(())
}

impl List {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let listed = session.get(format!("/v1/accounts/{}/credentials", self.account)).await?;
        if session.out.json {
            return session.out.json(&listed);
        }
        let columns = [
            ("api key", 30, Lean::Left),
            ("state", 6, Lean::Left),
            ("expires", 10, Lean::Left),
            ("last used", 10, Lean::Left),
            ("label, networks", 0, Lean::Left),
        ];
        let mut table = Table::new(&columns, width());
        let credentials = listed["credentials"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rows: Vec<Vec<String>> = credentials.iter().map(|credential| row(session, credential)).collect();
        table.fit(&rows);
        session.out.line(&table.titles())?;
        rows.iter().try_for_each(|row| session.out.line(&table.row(row)))
    }
}

fn row(session: &Session, credential: &Value) -> Vec<String> {
    let zone = &session.config.time_zone;
    let time = |name: &str| times::parse(text(credential, name), Bound::Start, zone).ok();
    let day = |name: &str| time(name).map_or_else(String::new, |time| times::for_people(time, zone)[..10].to_owned());
    let is_past = time("expires_at").is_some_and(|end| end <= crate::clock::system()());
    let state = match (&credential["revoked_at"], is_past) {
        (Value::Null, false) => "active",
        (Value::Null, true) => "expired",
        _ => "revoked",
    };
    let networks = credential["cidrs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts = std::iter::once(text(credential, "label")).chain(networks.iter().filter_map(Value::as_str));
    let remark: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    vec![
        text(credential, "api_key").to_owned(),
        state.to_owned(),
        day("expires_at"),
        day("last_used_at"),
        remark.join(", "),
    ]
}

impl Revoke {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let path = format!("/v1/accounts/{}/credentials/{}", self.account, encode(&self.api_key));
        let call = crate::door::Call { method: Method::DELETE, path, key: None, body: None };
        let credential = session.ask(call).await?;
        if session.out.json {
            return session.out.json(&credential);
        }
        session.out.line(&format!("revoked: {}", text(&credential, "api_key")))
    }
}

impl Rotate {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let credentials = format!("/v1/accounts/{}/credentials", self.account);
        let listed = session.get(credentials.clone()).await?;
        let mut known = listed["credentials"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let Some(old) = known.find(|credential| credential["api_key"] == self.api_key.as_str()) else {
            let detail = format!("Account {} has no such API key; `sodu key list {0}` shows them.", self.account);
            return Err(Failure::local("unknown_credential", detail));
        };
        if !old["revoked_at"].is_null() {
            let detail = "That key is revoked, so there is nothing to overlap with; `sodu key issue` makes a new pair.";
            return Err(Failure::local("credential_revoked", detail));
        }
        let mut body = json!({ "label": old["label"], "cidrs": old["cidrs"] });
        if let Some(expires) = self.expires {
            body["expires_at"] = expires.into();
        }
        let new = session.send(Method::POST, credentials.clone(), Some(&new_key()?), body).await?;
        // Told before the old pair is touched: whatever happens next, this secret is not shown again.
        print_new(session, &new)?;
        session.out.flush()?;

        let zone = session.config.time_zone.clone();
        let end = times::parse(text(&new, "created_at"), Bound::Start, &zone).ok().and_then(|made_at| {
            let overlap = i64::try_from(self.overlap.as_micros()).ok()?;
            Some(ledger::Time::from_micros(made_at.micros().checked_add(overlap)?))
        });
        let sooner = times::parse(text(old, "expires_at"), Bound::Start, &zone).ok();
        let Some(end) = end.map(|end| sooner.map_or(end, |sooner| end.min(sooner))) else {
            return Err(Failure::local("bad_overlap", "The overlap is too long; the old key was left as it is."));
        };
        let path = format!("{credentials}/{}", encode(&self.api_key));
        session.send(Method::PATCH, path, None, json!({ "expires_at": times::rfc3339(end) })).await?;
        let (at, zone) = (times::for_people(end, &zone), times::zone_name(&zone));
        note(&format!("the old key works until {at} ({zone})"));
        Ok(())
    }
}

fn secret_from_input() -> Result<String, Failure> {
    let mut secret = String::new();
    let read = io::stdin().take(1024).read_to_string(&mut secret);
    read.map_err(|_| Failure::Usage("no secret could be read from standard input".into()))?;
    Ok(secret.trim_end_matches(['\r', '\n']).to_owned())
}

/// `90s`, `30m`, `24h`, `7d`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let seconds = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)].into_iter().find_map(|(unit, seconds)| {
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(seconds).filter(|total| *total <= 366 * 86_400)
    });
    let allowed = "write a number with s, m, h or d, at most 366d: 24h";
    seconds.map(std::time::Duration::from_secs).ok_or_else(|| allowed.to_owned())
}
