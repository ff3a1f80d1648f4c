//! `sodu statement`: an account's history, as a table, JSON or CSV.
//!
//! Pages are printed as they arrive, so that an account with millions of entries costs no memory.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Global;
use super::account::account_number;
use super::failure::Failure;
use super::output::{JsonList, Output, grouped, money, text, width};
use super::session::{Intent, Session};
use super::table::{Lean, Table, cut};
use crate::door::encode;
use crate::times;

/// Print an account's entries, oldest first
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu statement 9999
  sodu statement 9999 --from 2026-07-01 --to 2026-07-31   # the 31st too
  sodu statement 9999 --format csv > july.csv")]
pub(super) struct Statement {
    /// The account's number
    #[arg(value_parser = account_number())]
    account: u32,
    /// The first instant: RFC 3339, or a date, which begins with that day in the configured time zone
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The end, itself left out: RFC 3339; or a date, which is taken in whole
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// table is for people; json and csv have plain decimals and UTC
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

/// How many entries are asked for at once.
const PAGE_LEN: usize = 500;

impl Statement {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        if global.json && self.format == Format::Csv {
            return Err(Failure::Usage("--json and --format csv contradict each other".into()));
        }
        let format = if global.json { Format::Json } else { self.format };
        Session::run(global, Intent::Read, async |session| {
            let account = session.get(format!("/v1/accounts/{}", self.account)).await?;
            let mut paper = Paper::new(format, session, &account)?;
            let mut cursor = String::new();
            loop {
                let page = session.get(self.path(&cursor)).await?;
                let entries = page["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
                paper.page(&mut session.out, entries)?;
                cursor = text(&page, "next_cursor").to_owned();
                if cursor.is_empty() {
                    return paper.end(&mut session.out);
                }
                session.out.flush()?;
            }
        })
    }

    fn path(&self, cursor: &str) -> String {
        let bound = |text: &Option<String>| text.as_deref().map(encode).unwrap_or_default();
        let (from, to) = (bound(&self.from), bound(&self.to));
        format!("/v1/accounts/{}/entries?from={from}&to={to}&cursor={cursor}&limit={PAGE_LEN}", self.account)
    }
}

/// What the entries are written on.
enum Paper {
    Table { table: Table, zone: jiff::tz::TimeZone, heading: Option<String> },
    Json(JsonList),
    Csv,
}

const CSV_COLUMNS: [&str; 15] = [
    "number",
    "at",
    "kind",
    "amount",
    "balance_after",
    "posted_after",
    "held_after",
    "credit_limit",
    "status",
    "reference",
    "reason",
    "key",
    "by",
    "metadata",
    "hash",
];

impl Paper {
    fn new(format: Format, session: &mut Session, account: &Value) -> Result<Paper, Failure> {
        Ok(match format {
            Format::Table => {
                let zone = session.config.time_zone.clone();
                let (name, currency) = (text(account, "name"), text(account, "currency"));
                let times = format!("in {currency}, times in {}", times::zone_name(&zone));
                let name = cut(name, width().saturating_sub(times.len() + 22).max(8));
                let heading = format!("account {} {name}: {times}", account["id"]);
                let columns = [
                    ("entry", 5, Lean::Right),
                    ("time", 19, Lean::Left),
                    ("kind", 6, Lean::Left),
                    ("amount", 11, Lean::Right),
                    ("balance", 12, Lean::Right),
                    ("reference", 0, Lean::Left),
                ];
                Paper::Table { table: Table::new(&columns, width()), zone, heading: Some(heading) }
            }
            Format::Json => Paper::Json(JsonList::new("entries", &mut session.out)?),
            Format::Csv => {
                write_csv(&mut session.out, &CSV_COLUMNS.map(str::to_owned))?;
                Paper::Csv
            }
        })
    }

    fn page(&mut self, out: &mut Output, entries: &[Value]) -> Result<(), Failure> {
        match self {
            Paper::Table { table, zone, heading } => {
                let rows: Vec<Vec<String>> = entries.iter().map(|entry| row(entry, zone)).collect();
                table.fit(&rows);
                if let Some(heading) = heading.take() {
                    out.line(&heading)?;
                    out.line(&table.titles())?;
                }
                rows.iter().try_for_each(|row| out.line(&table.row(row)))
            }
            Paper::Json(list) => list.page(entries, out),
            Paper::Csv => entries.iter().try_for_each(|entry| {
                let cell = |name: &str| match &entry[name] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    Value::Object(pairs) if pairs.is_empty() => String::new(),
                    other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                        other.to_string()
                    }
                };
                write_csv(out, &CSV_COLUMNS.map(cell))
            }),
        }
    }

    fn end(self, out: &mut Output) -> Result<(), Failure> {
        match self {
            Paper::Table { .. } | Paper::Csv => Ok(()),
            Paper::Json(list) => list.end(out),
        }
    }
}

fn row(entry: &Value, zone: &jiff::tz::TimeZone) -> Vec<String> {
    let at = times::parse(text(entry, "at"), times::Bound::Start, zone);
    vec![
        entry["number"].to_string(),
        at.map(|at| times::for_people(at, zone)).unwrap_or_default(),
        text(entry, "kind").to_owned(),
        change(entry),
        money(entry, "balance_after"),
        remark(entry),
    ]
}

/// What an entry did to the account's own money, with its sign; nothing for what moves none.
fn change(entry: &Value) -> String {
    let amount = text(entry, "amount");
    let negative = matches!(text(entry, "kind"), "charge" | "capture" | "hold");
    match amount {
        "0" => String::new(),
        _ if amount.starts_with('-') => grouped(amount),
        _ if negative => format!("-{}", grouped(amount)),
        _ => format!("+{}", grouped(amount)),
    }
}

/// The reference, else the reason, else what a setting was set to.
fn remark(entry: &Value) -> String {
    let set = match text(entry, "kind") {
        "open" | "limit" if text(entry, "credit_limit") != "0" || text(entry, "kind") == "limit" => {
            format!("credit limit {}", money(entry, "credit_limit"))
        }
        "status" => text(entry, "status").to_owned(),
        _ => String::new(),
    };
    let parts = [set.as_str(), text(entry, "reference"), text(entry, "reason")];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join("; ")
}

fn write_csv(out: &mut Output, cells: &[String]) -> Result<(), Failure> {
    let mut line = csv::Writer::from_writer(Vec::new());
    let written = line.write_record(cells).ok().and_then(|()| line.into_inner().ok());
    out.text(&String::from_utf8_lossy(&written.expect("memory takes a record of any cells")))
}
