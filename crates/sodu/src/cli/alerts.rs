//! `sodu alerts …`: what an account's people want to hear, and whom to tell.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use super::account::account_number;
use super::failure::Failure;
use super::output::{note, text};
use super::session::{Intent, Session};
use crate::door::Call;
use crate::times::{self, Bound};

#[derive(Subcommand)]
pub(super) enum Alerts {
    Show(Show),
    Set(Box<Set>),
    Clear(Clear),
}

/// Show an account's alerts, and what has been reached
#[derive(Args)]
#[command(after_help = "Example:\n  sodu alerts show 9999")]
pub(super) struct Show {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
}

/// Set an account's alerts, all of them: what is not named is not told
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu alerts set 9999 --hours-left 24 --hours-left 6 --email ke-toan@example.vn --language vi
  sodu alerts set 9999 --below 100000 --remind-hours 24 --webhook https://example.com/hook
  sodu alerts set 9999 --percent 20 --event charge.refused --quiet 22:00-07:00 --telegram -100123

Each level is told once, and again only after the figure has risen above it by
the margin; that nothing is left is told beside any level. The operator's own
targets ([alerts] in the configuration) are told of everything too. `sodu
deliveries list` shows what was told to whom.")]
pub(super) struct Set {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// Tell when less than this is available; may be repeated
    #[arg(long, value_name = "AMOUNT")]
    below: Vec<String>,
    /// Tell when what is available lasts for fewer hours than this, at the rate of the last day; may be repeated
    #[arg(long, value_name = "HOURS")]
    hours_left: Vec<u32>,
    /// Tell when less than this part of the last top-up is available; may be repeated
    #[arg(long, value_name = "PERCENT")]
    percent: Vec<u32>,
    /// How far above a level the figure must rise before it is told again, in per cent of the level [default: 10]
    #[arg(long, value_name = "PERCENT")]
    margin: Option<u32>,
    /// Tell again after so many hours while it is so [default: never]
    #[arg(long, value_name = "HOURS")]
    remind_hours: Option<u32>,
    /// Tell of this too; may be repeated
    #[arg(long = "event", value_name = "EVENT", value_parser = ledger::Event::ALL.map(ledger::Event::name))]
    events: Vec<String>,
    /// When people are left alone: FROM-UNTIL, such as 22:00-07:00; webhooks are told at once
    #[arg(long, value_name = "HOURS")]
    quiet: Option<String>,
    /// The time zone of --quiet [default: the configured one]
    #[arg(long, value_name = "ZONE", requires = "quiet")]
    quiet_zone: Option<String>,
    /// Tell by mail; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    /// Tell by a signed webhook (Standard Webhooks); may be repeated
    #[arg(long, value_name = "URL")]
    webhook: Vec<String>,
    /// Tell in this chat with the operator's Telegram bot; may be repeated
    #[arg(long, value_name = "CHAT", allow_hyphen_values = true)]
    telegram: Vec<String>,
    /// The language of these contacts
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = ["en", "vi"])]
    language: String,
}

/// Take an account's alerts away; what was written before is delivered all the same
#[derive(Args)]
#[command(after_help = "Example:\n  sodu alerts clear 9999")]
pub(super) struct Clear {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
}

impl Alerts {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Alerts::Show(Show { account }) => Session::run(global, Intent::Read, async |session| {
                let alerts = session.get(path(account)).await?;
                print(session, &alerts)
            }),
            Alerts::Set(set) => Session::run(global, Intent::Write, async |session| set.run(session).await),
            Alerts::Clear(Clear { account }) => Session::run(global, Intent::Write, async |session| {
                let call = Call { method: Method::DELETE, path: path(account), key: None, body: None };
                let alerts = session.ask(call).await?;
                print(session, &alerts)
            }),
        }
    }
}

fn path(account: u32) -> String {
    format!("/v1/accounts/{account}/alerts")
}

impl Set {
    async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let zone = self.quiet_zone.clone();
        let zone = zone.unwrap_or_else(|| times::zone_name(&session.config.time_zone));
        let quiet = self.quiet.as_deref().map(|hours| quiet(hours, &zone)).transpose()?;
        let channels = [("email", &self.email), ("webhook", &self.webhook), ("telegram", &self.telegram)];
        let contacts = channels.into_iter().flat_map(|(channel, addresses)| {
            let language = &self.language;
            addresses.iter().map(move |address| json!({ "channel": channel, "address": address, "language": language }))
        });
        let body = json!({
            "below": self.below,
            "hours_left": self.hours_left,
            "percent_of_topup": self.percent,
            "margin_percent": self.margin,
            "remind_hours": self.remind_hours,
            "events": self.events,
            "quiet": quiet,
            "contacts": contacts.collect::<Vec<_>>(),
        });
        let alerts = session.send(Method::PUT, path(self.account), None, body).await?;
        print(session, &alerts)
    }
}

fn quiet(hours: &str, zone: &str) -> Result<Value, Failure> {
    match hours.split_once('-') {
        Some((from, until)) => Ok(json!({ "from": from, "until": until, "time_zone": zone })),
        None => Err(Failure::Usage("--quiet takes FROM-UNTIL, such as 22:00-07:00".into())),
    }
}

fn print(session: &mut Session, alerts: &Value) -> Result<(), Failure> {
    if session.out.json {
        return session.out.json(alerts);
    }
    let zone = &session.config.time_zone;
    let when = |name: &str| {
        let at = times::parse(text(alerts, name), Bound::Start, zone);
        at.map(|at| format!("{} ({})", times::for_people(at, zone), times::zone_name(zone))).unwrap_or_default()
    };
    let every = |hours: u64| format!("every {hours} h");
    let quiet = &alerts["quiet"];
    let contacts = alerts["contacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let contact = |contact: &Value| {
        format!("{} {} ({})", text(contact, "channel"), text(contact, "address"), text(contact, "language"))
    };
    let refused = alerts["refused_count"].as_u64().filter(|count| *count > 0);
    let lines = [
        ("account", alerts["account"].to_string()),
        ("available below", list(&alerts["below"])),
        ("hours left below", list(&alerts["hours_left"])),
        ("% of the last top-up below", list(&alerts["percent_of_topup"])),
        ("margin in %", alerts["margin_percent"].to_string()),
        ("told again", alerts["remind_hours"].as_u64().map(every).unwrap_or_default()),
        ("events", list(&alerts["events"])),
        (
            "left alone",
            if quiet.is_null() {
                String::new()
            } else {
                format!("{} to {} ({})", text(quiet, "from"), text(quiet, "until"), text(quiet, "time_zone"))
            },
        ),
        ("contacts", contacts.iter().map(contact).collect::<Vec<_>>().join(", ")),
        ("reached", reached(&alerts["reached"])),
        ("low since", when("low_since")),
        ("next reminder", when("remind_at")),
        (
            "charges refused",
            refused.map(|count| format!("{count} since {}", when("refused_since"))).unwrap_or_default(),
        ),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        session.out.line(&format!("{name:<28}{value}"))?;
    }
    for contact in contacts {
        if let Some(secret) = contact["secret"].as_str() {
            session.out.line(&format!("export WEBHOOK_SECRET={secret}"))?;
            note(&format!("the secret of {} is shown this once", text(contact, "address")));
        }
    }
    Ok(())
}

fn list(items: &Value) -> String {
    let item = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    items.as_array().into_iter().flatten().map(item).collect::<Vec<_>>().join(", ")
}

fn reached(levels: &Value) -> String {
    let members = levels.as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
    let said = members.map(|(kind, figure)| match kind.as_str() {
        "below" => format!("below {}", figure.as_str().unwrap_or_default()),
        "hours_left" => format!("{figure} h"),
        _ => format!("{figure}%"),
    });
    said.collect::<Vec<_>>().join(", ")
}
