//! `sodu hold`, `extend`, `capture`, `void`, `holds`: money promised for a while, and what becomes of it.

use clap::Args;
use serde_json::{Value, json};

use super::Global;
use super::account::account_number;
use super::failure::Failure;
use super::list::Listing;
use super::movement::Common;
use super::output::{money, text};
use super::session::{Intent, Session};
use super::table::Lean;
use crate::config::Config;
use crate::door::encode;

/// Promise money of an account, until it is captured, voided or its time is over
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu hold 9999 3500000 --expires-in 7200 -k campaign-tet")]
pub(super) struct Hold {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// A decimal of the account's currency, without grouping: 500000 or 12.5
    amount: String,
    /// How long it lives, in seconds, up to 366 days [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// Let an open hold end later
#[derive(Args)]
#[command(after_help = "Example:\n  sodu extend 9999 key:campaign-tet --expires-in 3600 -k campaign-tet-longer")]
pub(super) struct Extend {
    #[command(flatten)]
    hold: HoldName,
    /// How long from now, in seconds; a hold never ends earlier by this
    #[arg(long, value_name = "SECONDS")]
    expires_in: u64,
    #[command(flatten)]
    common: Common,
}

/// Spend part of an open hold, or all that is left of it
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu capture 9999 key:campaign-tet 350000 -k campaign-tet-1
  sodu capture 9999 12 -k hold-12-rest         # all that is left of hold 12
  sodu capture 9999 12 500 --final -k hold-12  # 500, and the rest is released")]
pub(super) struct Capture {
    #[command(flatten)]
    hold: HoldName,
    /// A decimal of the account's currency [default: all that is left]
    amount: Option<String>,
    /// Release what is left afterwards
    #[arg(long = "final")]
    is_final: bool,
    #[command(flatten)]
    common: Common,
}

/// Release what is left of an open hold
#[derive(Args)]
#[command(after_help = "Example:\n  sodu void 9999 key:campaign-tet -k campaign-tet-stopped")]
pub(super) struct Void {
    #[command(flatten)]
    hold: HoldName,
    #[command(flatten)]
    common: Common,
}

/// List the open holds of an account
#[derive(Args)]
#[command(after_help = "Example:\n  sodu holds 9999")]
pub(super) struct Holds {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
}

#[derive(Args)]
struct HoldName {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// The hold: the number of its entry, or key: and its idempotency key
    hold: String,
}

impl Hold {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let mut body = json!({ "amount": self.amount });
        if let Some(seconds) = self.expires_in {
            body["expires_in"] = seconds.into();
        }
        self.common.send(global, format!("/v1/accounts/{}/holds", self.account), body)
    }
}

impl Extend {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        self.common.send(global, self.hold.path("extend"), json!({ "expires_in": self.expires_in }))
    }
}

impl Capture {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let mut body = json!({});
        if let Some(amount) = self.amount {
            body["amount"] = amount.into();
        }
        if self.is_final {
            body["final"] = true.into();
        }
        self.common.send(global, self.hold.path("captures"), body)
    }
}

impl Void {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        self.common.send(global, self.hold.path("void"), json!({}))
    }
}

impl HoldName {
    fn path(&self, what: &str) -> String {
        format!("/v1/accounts/{}/holds/{}/{what}", self.account, encode(&self.hold))
    }
}

impl Holds {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        Session::run(global, Intent::Read, async |session| {
            let columns = [
                ("hold", 6, Lean::Right),
                ("left", 14, Lean::Right),
                ("of", 14, Lean::Right),
                ("ends", 19, Lean::Left),
                ("key", 0, Lean::Left),
            ];
            let listing = Listing { name: "holds", columns: &columns, has_times: true };
            let path = |cursor: &str| format!("/v1/accounts/{}/holds?limit=1000&cursor={cursor}", self.account);
            session.list(&listing, path, row).await
        })
    }
}

fn row(config: &Config, hold: &Value) -> Vec<String> {
    vec![
        hold["number"].to_string(),
        money(hold, "left"),
        money(hold, "amount"),
        config.for_people(text(hold, "expires_at")),
        text(hold, "key").to_owned(),
    ]
}
