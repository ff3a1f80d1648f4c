//! `sodu deliveries …`: what was told to whom, why not yet, and once more.

use axum::http::Method;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Global;
use super::account::account_number;
use super::failure::Failure;
use super::list::Listing;
use super::output::text;
use super::session::{Intent, Session};
use super::table::Lean;
use crate::times::{self, Bound};

#[derive(Subcommand)]
pub(super) enum Deliveries {
    List(List),
    Show(Show),
    Resend(Resend),
}

/// List deliveries, oldest first: what was delivered, what waits, what was given up
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu deliveries list --status given_up
  sodu deliveries list --account 9999 --json

A server delivers; where none runs, deliveries wait.")]
pub(super) struct List {
    /// Only of this account
    #[arg(long, value_name = "N", value_parser = account_number())]
    account: Option<u32>,
    /// Only those that are that far: waiting, delivered or given_up
    #[arg(long, value_name = "STATUS", value_parser = ["waiting", "delivered", "given_up"])]
    status: Option<String>,
}

/// Show a delivery with every attempt
#[derive(Args)]
#[command(after_help = "Example:\n  sodu deliveries show 12")]
pub(super) struct Show {
    /// Its number
    delivery: u64,
}

/// Try a delivery again at once, under the same id; receivers that have had it recognize it
#[derive(Args)]
#[command(after_help = "Example:\n  sodu deliveries resend 12")]
pub(super) struct Resend {
    /// Its number
    delivery: u64,
}

impl Deliveries {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Deliveries::List(list) => Session::run(global, Intent::Read, async |session| list.run(session).await),
            Deliveries::Show(show) => Session::run(global, Intent::Read, async |session| show.run(session).await),
            Deliveries::Resend(resend) => {
                Session::run(global, Intent::Write, async |session| resend.run(session).await)
            }
        }
    }
}

impl List {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let columns = [
            ("id", 4, Lean::Right),
            ("time", 16, Lean::Left),
            ("account", 7, Lean::Right),
            ("event", 12, Lean::Left),
            ("status; to whom; what went wrong", 0, Lean::Left),
        ];
        let listing = Listing { name: "deliveries", columns: &columns, has_times: true };
        let account = self.account.map(|account| account.to_string()).unwrap_or_default();
        let status = self.status.unwrap_or_default();
        let path = |cursor: &str| format!("/v1/deliveries?limit=500&account={account}&status={status}&cursor={cursor}");
        session.list(&listing, path, |config, delivery| row(delivery, &config.time_zone)).await
    }
}

fn row(delivery: &Value, zone: &TimeZone) -> Vec<String> {
    let parts = [text(delivery, "status"), text(delivery, "to"), text(delivery, "error")];
    vec![
        delivery["id"].to_string(),
        when(delivery, "at", zone).chars().take("2026-07-29 14:03".len()).collect(),
        delivery["account"].to_string(),
        text(delivery, "event").to_owned(),
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "),
    ]
}

fn when(value: &Value, name: &str, zone: &TimeZone) -> String {
    times::parse(text(value, name), Bound::Start, zone).map(|at| times::for_people(at, zone)).unwrap_or_default()
}

impl Show {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let delivery = session.get(format!("/v1/deliveries/{}", self.delivery)).await?;
        print(session, &delivery)
    }
}

impl Resend {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let path = format!("/v1/deliveries/{}/resend", self.delivery);
        let delivery = session.send(Method::POST, path, None, json!({})).await?;
        print(session, &delivery)
    }
}

fn print(session: &mut Session, delivery: &Value) -> Result<(), Failure> {
    if session.out.json {
        return session.out.json(delivery);
    }
    let zone = session.config.time_zone.clone();
    let zone_name = times::zone_name(&zone);
    let lines = [
        ("delivery", delivery["id"].to_string()),
        ("alert", text(delivery, "alert").to_owned()),
        ("event", text(delivery, "event").to_owned()),
        ("account", delivery["account"].to_string()),
        ("happened", format!("{} ({zone_name})", when(delivery, "at", &zone))),
        ("to", text(delivery, "to").to_owned()),
        ("status", text(delivery, "status").to_owned()),
        ("next attempt", when(delivery, "due_at", &zone)),
        ("attempts", delivery["attempts"].to_string()),
        ("what went wrong", text(delivery, "error").to_owned()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        session.out.line(&format!("{name:<17}{value}"))?;
    }
    for attempt in delivery["tries"].as_array().into_iter().flatten() {
        let outcome = attempt["error"].as_str().unwrap_or("delivered");
        session.out.line(&format!("  {} {}  {outcome}", attempt["number"], when(attempt, "at", &zone)))?;
    }
    Ok(())
}
