//! `sodu statement`: an account's history, as a table, JSON or CSV.
//!
//! Pages are printed as they arrive, so that an account with millions of entries costs no memory.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Global;
use super::account::account_number;
use super::failure::Failure;
use super::output::{JsonList, Output, grouped, money, text, width};
use super::session::{Intent, Session};
use super::statements;
use super::table::{Lean, Table, cut};
use crate::cells::Form;
use crate::door::{Call, encode};
use crate::times;

/// Print an account's entries, oldest first, and what the period came to
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu statement 9999
  sodu statement 9999 --from 2026-07-01 --to 2026-07-31   # the 31st too
  sodu statement 9999 --month 2026-07 --format excel > july.csv
  sodu statement --month 2026-07 --all --out statements   # a file an account")]
pub(super) struct Statement {
    /// The account's number
    #[arg(value_parser = account_number(), required_unless_present = "all", conflicts_with = "all")]
    account: Option<u32>,
    /// The first instant: RFC 3339, or a date, which begins with that day in the configured time zone
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The end, itself left out: RFC 3339; or a date, which is taken in whole
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The whole of a month, such as 2026-07, in the configured time zone
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"])]
    month: Option<String>,
    /// Every account, each in a CSV file of its own, a summary with a line for each, and a check that they add up to what
    /// the platform owes
    #[arg(long, requires = "month")]
    all: bool,
    /// The new folder for the files of --all [default: statements-YYYY-MM]
    #[arg(long, value_name = "FOLDER", requires = "all")]
    out: Option<PathBuf>,
    /// table is for people; json and csv have plain decimals and UTC; excel is what Excel opens in Vietnamese
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
    Excel,
}

/// How many entries are asked for at once.
const PAGE_LEN: usize = 500;

/// A period as the API takes it: two times, either of which may be empty.
#[derive(Clone)]
pub(super) struct Span {
    pub(super) from: String,
    pub(super) to: String,
}

impl Span {
    /// The first and the last day of a month such as `2026-07`.
    pub(super) fn of_month(month: &str) -> Result<Span, Failure> {
        let first: Option<jiff::civil::Date> =
            (month.len() == "2026-07".len()).then_some(()).and_then(|()| format!("{month}-01").parse().ok());
        let first = first.ok_or_else(|| Failure::Usage(format!("{month:?} is no month: write it as 2026-07")))?;
        Ok(Span { from: first.to_string(), to: first.last_of_month().to_string() })
    }

    /// As the query of a path.
    pub(super) fn query(&self) -> String {
        format!("from={}&to={}", encode(&self.from), encode(&self.to))
    }
}

impl Statement {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        if global.json && self.format.is_some_and(|format| format != Format::Json) {
            return Err(Failure::Usage("--json and another --format contradict each other".into()));
        }
        let format = self.format.unwrap_or(if global.json { Format::Json } else { Format::Table });
        let span = match &self.month {
            Some(month) => Span::of_month(month)?,
            None => Span { from: self.from.unwrap_or_default(), to: self.to.unwrap_or_default() },
        };
        let Some(account) = self.account else {
            let month = self.month.unwrap_or_default();
            let folder = self.out.unwrap_or_else(|| format!("statements-{month}").into());
            let form = if format == Format::Excel { Form::Excel } else { Form::Csv };
            return statements::write(global, &month, &span, &folder, form);
        };
        Session::run(global, Intent::Read, async |session| match format {
            Format::Csv => copy(session, account, &span, "csv").await,
            Format::Excel => copy(session, account, &span, "excel").await,
            Format::Table | Format::Json => list(session, account, &span, format).await,
        })
    }
}

async fn list(session: &mut Session, account: u32, span: &Span, format: Format) -> Result<(), Failure> {
    let shown = session.get(format!("/v1/accounts/{account}")).await?;
    let mut paper = Paper::new(format, session, &shown)?;
    let mut cursor = String::new();
    loop {
        let query = span.query();
        let path = format!("/v1/accounts/{account}/entries?{query}&cursor={cursor}&limit={PAGE_LEN}");
        let page = session.get(path).await?;
        let entries = page["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        paper.page(&mut session.out, entries)?;
        cursor = text(&page, "next_cursor").to_owned();
        if cursor.is_empty() {
            break;
        }
        session.out.flush()?;
    }
    paper.end(&mut session.out)?;
    if format == Format::Table && !(span.from.is_empty() && span.to.is_empty()) {
        let period = session.get(format!("/v1/accounts/{account}/statement?{}", span.query())).await?;
        print_period(&mut session.out, &period)?;
    }
    Ok(())
}

async fn copy(session: &mut Session, account: u32, span: &Span, form: &str) -> Result<(), Failure> {
    let path = format!("/v1/accounts/{account}/entries?{}&format={form}", span.query());
    let out = &mut session.out;
    match session.door.copy(Call::get(path), |bytes| out.bytes(bytes)).await? {
        None => Ok(()),
        Some(answer) => Err(Failure::Problem(answer.json)),
    }
}

/// What a period came to, below its entries.
fn print_period(out: &mut Output, period: &Value) -> Result<(), Failure> {
    let currency = text(period, "currency");
    let balance = |name: &str| if period[name].is_null() { "0".to_owned() } else { money(&period[name], "balance") };
    out.line(&format!("opening balance {} {currency}", balance("opening")))?;
    for total in period["totals"].as_array().map(Vec::as_slice).unwrap_or_default() {
        out.line(&format!(
            "  {:<14}{:>10} x {:>16}",
            text(total, "kind"),
            total["count"].to_string(),
            money(total, "amount")
        ))?;
    }
    out.line(&format!("closing balance {} {currency}", balance("closing")))
}

/// What the entries are written on.
enum Paper {
    Table { table: Table, zone: jiff::tz::TimeZone, heading: Option<String> },
    Json(JsonList),
}

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
            Format::Json | Format::Csv | Format::Excel => Paper::Json(JsonList::new("entries", &mut session.out)?),
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
        }
    }

    fn end(self, out: &mut Output) -> Result<(), Failure> {
        match self {
            Paper::Table { .. } => Ok(()),
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

/// What an entry did to the account's own money, with its sign; nothing for what moves none. What a capture spends was
/// taken by its hold already, and stands in parentheses.
fn change(entry: &Value) -> String {
    let amount = text(entry, "amount");
    let negative = matches!(text(entry, "kind"), "charge" | "hold");
    match amount {
        _ if text(entry, "kind") == "capture" => format!("({})", grouped(amount)),
        "0" => String::new(),
        _ if amount.starts_with('-') => grouped(amount),
        _ if negative => format!("-{}", grouped(amount)),
        _ => format!("+{}", grouped(amount)),
    }
}

/// The reference, then what the entry names or sets, then the reason: where the line is too short, the last goes first.
fn remark(entry: &Value) -> String {
    let set = match text(entry, "kind") {
        "open" | "limit" if text(entry, "credit_limit") != "0" || text(entry, "kind") == "limit" => {
            format!("credit limit {}", money(entry, "credit_limit"))
        }
        "status" => text(entry, "status").to_owned(),
        "extend" | "capture" | "void" | "expire" => format!("hold {}", entry["target"]["number"]),
        "refund" => format!("of entry {}", entry["target"]["number"]),
        "transfer" => format!("account {}", entry["target"]["account"]),
        _ => String::new(),
    };
    let parts = [text(entry, "reference"), set.as_str(), text(entry, "reason")];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join("; ")
}
