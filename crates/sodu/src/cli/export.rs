//! `sodu export`: all accounts, or all entries, as CSV for other programs.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Global;
use super::failure::Failure;
use super::output::text;
use super::session::{Intent, Session};
use crate::door::Call;

#[derive(Subcommand)]
pub(super) enum Export {
    Accounts(Accounts),
    Entries(Entries),
}

/// Print every account as CSV, in the columns that `sodu import accounts` takes and some more; no keys
#[derive(Args)]
#[command(after_help = "Example:\n  sodu export accounts > accounts.csv")]
pub(super) struct Accounts {}

/// Print every entry of every account as CSV, account by account
#[derive(Args)]
#[command(after_help = "Example:\n  sodu export entries | zstd > entries.csv.zst")]
pub(super) struct Entries {}

const COLUMNS: [&str; 10] =
    ["id", "name", "currency", "credit_limit", "external_id", "balance", "held", "available", "status", "opened_at"];

impl Export {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        Session::run(global, Intent::Read, async |session| match self {
            Export::Accounts(Accounts {}) => accounts(session).await,
            Export::Entries(Entries {}) => entries(session).await,
        })
    }
}

async fn accounts(session: &mut Session) -> Result<(), Failure> {
    session.out.csv(COLUMNS.map(str::to_owned))?;
    let mut cursor = String::new();
    loop {
        let page = next(session, &cursor).await?;
        for account in page["accounts"].as_array().into_iter().flatten() {
            session.out.csv(COLUMNS.map(|name| match account[name].as_number() {
                Some(number) => number.to_string(),
                None => text(account, name).to_owned(),
            }))?;
        }
        cursor = text(&page, "next_cursor").to_owned();
        if cursor.is_empty() {
            return Ok(());
        }
    }
}

async fn entries(session: &mut Session) -> Result<(), Failure> {
    let (mut cursor, mut is_first) = (String::new(), true);
    loop {
        let page = next(session, &cursor).await?;
        for account in page["accounts"].as_array().into_iter().flatten() {
            // Only the first account's titles are kept.
            let mut skips = !std::mem::take(&mut is_first);
            let out = &mut session.out;
            let copied =
                session.door.copy(Call::get(format!("/v1/accounts/{}/entries?format=csv", account["id"])), |bytes| {
                    let end =
                        if skips { bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1) } else { Some(0) };
                    skips &= end.is_none();
                    end.and_then(|end| bytes.get(end..)).map_or(Ok(()), |rest| out.bytes(rest))
                });
            if let Some(answer) = copied.await? {
                return Err(Failure::Problem(answer.json));
            }
        }
        cursor = text(&page, "next_cursor").to_owned();
        if cursor.is_empty() {
            return Ok(());
        }
    }
}

async fn next(session: &mut Session, cursor: &str) -> Result<Value, Failure> {
    session.out.flush()?;
    session.get(format!("/v1/accounts?limit=1000&cursor={cursor}")).await
}
