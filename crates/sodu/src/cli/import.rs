//! `sodu import accounts FILE.csv`: accounts, keys and opening balances from elsewhere.
//!
//! The file is read whole three times: first to see that every line can be understood, then to ask the ledger whether
//! anything stands in the way of any line, and only then is anything made. Each line has an identity (its id, or its
//! external id) from which its idempotency key follows, so that a run that was cut off is simply started again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Global;
use super::failure::Failure;
use super::output::{grouped, note, text};
use super::progress::Progress;
use super::session::{Intent, Session};

#[derive(Subcommand)]
pub(super) enum Import {
    Accounts(Accounts),
}

/// Make accounts, keys and opening balances of a CSV file; nothing is made unless all of it can be
#[derive(Args)]
#[command(after_help = "\
The first line names the columns, in any order: name, and id or external_id or
both; as you like currency, credit_limit, api_key, secret_key, label, cidrs
(separated by spaces), expires_at, balance (below zero for what is owed).

Example:
  echo 'id,name,balance,api_key,secret_key'    > a.csv
  echo '7,ABC,125000,K7,S7-0123456789abcdef'  >> a.csv
  sodu import accounts a.csv

Run it again after an interruption: what was made is not made twice.")]
pub(super) struct Accounts {
    /// The file, UTF-8
    file: PathBuf,
}

const COLUMNS: [&str; 11] = [
    "id",
    "name",
    "currency",
    "credit_limit",
    "external_id",
    "api_key",
    "secret_key",
    "label",
    "cidrs",
    "expires_at",
    "balance",
];

/// How many accounts one request makes.
const STEP: usize = 500;
/// How many wrong lines are told before the rest is only counted.
const TOLD_MAX: usize = 20;

impl Import {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Import::Accounts(Accounts { file }) => {
                let lines = understood(&file)?;
                Session::run(global, Intent::Create, async |session| run(session, &file, lines).await)
            }
        }
    }
}

async fn run(session: &mut Session, file: &Path, lines: u64) -> Result<(), Failure> {
    let mut checking = Progress::new("checking");
    send(session, file, lines, true, &mut checking).await?;
    checking.end();
    let mut making = Progress::new("importing");
    let made = send(session, file, lines, false, &mut making).await?;
    making.end();
    if session.out.json {
        return session.out.json(&json!({ "accounts": lines, "imported": made, "replayed": lines - made }));
    }
    session.out.line(&format!("imported {} accounts", grouped(&made.to_string())))?;
    if made < lines {
        let before = grouped(&(lines - made).to_string());
        session.out.line(&format!("{before} had been imported before, and are as they were then or later became"))?;
    }
    Ok(())
}

/// Sends the file in steps; how many accounts were made now. With `is_check` every line is looked at before this fails.
async fn send(
    session: &mut Session,
    file: &Path,
    lines: u64,
    is_check: bool,
    progress: &mut Progress,
) -> Result<u64, Failure> {
    let (mut made, mut done) = (0, 0);
    let mut wrong = Wrong::default();
    let mut reader = open(file)?;
    let header = reader.headers().map_err(|error| unreadable(file, &error))?.clone();
    let mut step: Vec<(u64, Value)> = Vec::with_capacity(STEP);
    let mut records = reader.records();
    loop {
        let record = records.next().transpose().map_err(|error| unreadable(file, &error))?;
        let is_last = record.is_none();
        if let Some(record) = record {
            step.push((line_of(&record), account(&header, &record)));
        }
        if step.len() < STEP && !is_last {
            continue;
        }
        let (numbers, accounts): (Vec<u64>, Vec<Value>) = step.drain(..).unzip();
        done += numbers.len() as u64;
        if !accounts.is_empty() {
            let body = json!({ "accounts": accounts, "check": is_check });
            let answer = session.send(Method::POST, "/v1/imports".into(), None, body).await?;
            for (number, outcome) in numbers.iter().zip(answer["outcomes"].as_array().into_iter().flatten()) {
                match outcome["status"].as_u64() {
                    Some(201) => made += 1,
                    Some(200) => {}
                    _ => wrong.tell(*number, text(&outcome["problem"], "detail")),
                }
            }
        }
        progress.tell(done, lines);
        if is_last {
            break;
        }
    }
    let said =
        if is_check { "nothing was imported" } else { "the others were imported; run it again when it is mended" };
    wrong.end(said).map(|()| made)
}

/// Reads the file once and says how many accounts it has; every line must be of the right form, and no two may claim the
/// same.
fn understood(file: &Path) -> Result<u64, Failure> {
    let mut reader = open(file)?;
    let header = reader.headers().map_err(|error| unreadable(file, &error))?.clone();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, name) in header.iter().enumerate() {
        let Some(known) = COLUMNS.into_iter().find(|known| *known == name) else {
            let detail = format!("column {} is called {name:?}; known are {}", index + 1, COLUMNS.join(", "));
            return Err(Failure::local("malformed", format!("{}: {detail}.", file.display())));
        };
        if seen.insert(known, index).is_some() {
            return Err(Failure::local("malformed", format!("{}: two columns are called {name:?}.", file.display())));
        }
    }
    let of = |record: &csv::StringRecord, name: &str| {
        let cell = seen.get(name).and_then(|index| record.get(*index)).unwrap_or_default();
        cell.to_owned()
    };
    if !seen.contains_key("name") || !(seen.contains_key("id") || seen.contains_key("external_id")) {
        let detail = "the columns name, and id or external_id, must be there";
        return Err(Failure::local("malformed", format!("{}: {detail}.", file.display())));
    }
    let (mut lines, mut wrong) = (0, Wrong::default());
    let mut claimed: HashSet<(&str, String)> = HashSet::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(file, &error))?;
        let number = line_of(&record);
        lines += 1;
        if of(&record, "name").is_empty() {
            wrong.tell(number, "the name is missing");
        }
        if of(&record, "id").is_empty() && of(&record, "external_id").is_empty() {
            wrong.tell(number, "it has neither id nor external_id: run twice, it would be opened twice");
        }
        if !of(&record, "id").is_empty() && of(&record, "id").parse::<u32>().is_err() {
            wrong.tell(number, "the id is no number of an account");
        }
        for name in ["id", "external_id", "api_key"] {
            let claim = of(&record, name);
            if !claim.is_empty() && !claimed.insert((name, claim)) {
                wrong.tell(number, &format!("an earlier line has the same {name}"));
            }
        }
    }
    wrong.end("nothing was imported").map(|()| lines)
}

/// One line as the API takes it.
fn account(header: &csv::StringRecord, record: &csv::StringRecord) -> Value {
    let mut members = Map::new();
    for (name, cell) in header.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        let value = match name {
            "id" => cell.parse::<u32>().map_or_else(|_| cell.into(), Value::from),
            "cidrs" => cell.split_whitespace().collect::<Vec<_>>().into(),
            _ => cell.into(),
        };
        members.insert(name.to_owned(), value);
    }
    let identity = match (members.get("id"), members.get("external_id").and_then(Value::as_str)) {
        (Some(id), _) => format!("import-{id}"),
        // Any text, so by its hash: a key is visible ASCII.
        (None, Some(external_id)) => format!("import-{}", super::account::digest_of(external_id)),
        (None, None) => String::new(),
    };
    members.insert("key".into(), identity.into());
    Value::Object(members)
}

fn open(file: &Path) -> Result<csv::Reader<std::fs::File>, Failure> {
    csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file).map_err(|error| unreadable(file, &error))
}

fn line_of(record: &csv::StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn unreadable(file: &Path, error: &csv::Error) -> Failure {
    Failure::local("malformed", format!("{} cannot be read: {error}; nothing was imported.", file.display()))
}

/// Lines that are wrong: the first few are told, and all are counted.
#[derive(Default)]
struct Wrong(usize);

impl Wrong {
    fn tell(&mut self, line: u64, what: &str) {
        self.0 += 1;
        if self.0 <= TOLD_MAX {
            note(&format!("line {line}: {what}"));
        }
    }

    fn end(self, said: &str) -> Result<(), Failure> {
        match self.0 {
            0 => Ok(()),
            1 => Err(Failure::local("not_imported", format!("One line is wrong; {said}."))),
            count => Err(Failure::local("not_imported", format!("{count} lines are wrong; {said}."))),
        }
    }
}
