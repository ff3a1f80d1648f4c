//! `sodu currency …`: what accounts are kept in.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Global;
use super::failure::Failure;
use super::output::{text, width};
use super::session::{Intent, Session};
use super::table::{Lean, Table};

#[derive(Subcommand)]
pub(super) enum Currency {
    Add(Add),
    List(List),
}

/// Add a currency, for ever; makes the database where there is none yet
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu currency add USD --scale 4 --public-decimals 2
  sodu account open --name 'ABC Inc.' --currency USD")]
pub(super) struct Add {
    /// Its code: 3 to 8 upper-case letters or digits
    code: String,
    /// How many decimals figures keep, for ever: 0 to 9
    #[arg(long, value_name = "N")]
    scale: u8,
    /// How many of them GetBalance shows, rounded down; 0 suits clients that expect a whole number
    #[arg(long, value_name = "M", default_value_t = 0)]
    public_decimals: u8,
}

/// List the currencies
#[derive(Args)]
#[command(after_help = "Example:\n  sodu currency list")]
pub(super) struct List {}

impl Currency {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Currency::Add(add) => Session::run(global, Intent::Create, async |session| add.run(session).await),
            Currency::List(List {}) => Session::run(global, Intent::Read, async |session| list(session).await),
        }
    }
}

impl Add {
    async fn run(self, session: &mut Session) -> Result<(), Failure> {
        let body = json!({ "code": self.code, "scale": self.scale, "public_decimals": self.public_decimals });
        let added = session.send(Method::POST, "/v1/currencies".into(), None, body).await?;
        if session.out.json {
            return session.out.json(&added);
        }
        let (code, scale, shown) = (text(&added, "code"), &added["scale"], &added["public_decimals"]);
        session.out.line(&format!("currency {code} keeps {scale} decimals, and GetBalance shows {shown}"))
    }
}

async fn list(session: &mut Session) -> Result<(), Failure> {
    let listed = session.get("/v1/currencies".into()).await?;
    if session.out.json {
        return session.out.json(&listed);
    }
    let columns = [("code", 8, Lean::Left), ("decimals", 8, Lean::Right), ("shown by GetBalance", 0, Lean::Left)];
    let mut table = Table::new(&columns, width());
    let currencies = listed["currencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cells = |currency: &serde_json::Value| {
        let number = |name: &str| currency[name].to_string();
        vec![text(currency, "code").to_owned(), number("scale"), number("public_decimals")]
    };
    let rows: Vec<Vec<String>> = currencies.iter().map(cells).collect();
    table.fit(&rows);
    session.out.line(&table.titles())?;
    rows.iter().try_for_each(|row| session.out.line(&table.row(row)))
}
