//! The file that says what to watch: settings for all accounts, and a table for each that overrides them.
//!
//! An unknown setting is refused with the nearest known one, because a threshold that silently does nothing is found when
//! messages have stopped. It is a file of secrets: errors name lines and settings, and of what stands there only what is none.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sodu_client::Decimal;
use toml::Value;
use toml::de::{DeTable, DeValue};

use super::plan::{EVERY, Terms, duration};
use crate::notify::Target;

/// The commented example, as `--print-config` prints it.
pub(super) const EXAMPLE: &str = include_str!("example.toml");

/// What all accounts have in common, and each may have for itself.
const TERMS: [&str; 8] =
    ["every", "warn_below", "warn_hours", "remind_every", "failed_polls", "language", "time_zone", "notify"];
/// What stands at the top only.
const TOP: [&str; 3] = ["history", "listen", "account"];
/// What only an account has.
const OWN: [&str; 5] = ["profile", "url", "api_key", "secret_key", "allow_plain_http"];

/// What the file says.
pub(super) struct File {
    pub(super) terms: Terms,
    pub(super) history: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) accounts: Vec<Entry>,
}

/// An account as it stands there.
pub(super) struct Entry {
    pub(super) name: String,
    /// Where, for errors about it.
    pub(super) place: String,
    pub(super) profile: Option<String>,
    pub(super) url: Option<String>,
    pub(super) api_key: Option<String>,
    pub(super) secret_key: Option<String>,
    pub(super) allow_plain_http: bool,
    pub(super) terms: Terms,
}

/// Reads `text`, the contents of `path`. The error is a sentence with its place in front.
pub(super) fn read(path: &Path, text: &str) -> Result<File, String> {
    let source = Source { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        format!("{}: this is no TOML; is a quote or bracket missing?", source.place(start))
    })?;
    let values: toml::Table = toml::from_str(text).map_err(|_| format!("{}: this is no TOML", path.display()))?;
    let mut file = File { terms: Terms::default(), history: None, listen: None, accounts: Vec::new() };
    for (name, line) in source.names(table.get_ref()) {
        let told = |what: String| format!("{line}: {what}");
        let value = &values[&name];
        match name.as_str() {
            "account" => {}
            "history" => file.history = Some(string(&name, value).map_err(told)?),
            "listen" => file.listen = Some(string(&name, value).map_err(told)?),
            _ => term(&mut file.terms, &name, value, &TOP).map_err(told)?,
        }
    }
    let accounts = table.get_ref().get("account").map(|accounts| accounts.get_ref());
    let (Some(DeValue::Table(accounts)), Value::Table(values)) =
        (accounts, values.get("account").unwrap_or(&Value::Boolean(false)))
    else {
        return Err(format!("{}: there is no account; write a table [account.NAME] for each", path.display()));
    };
    for (name, place) in source.names(accounts) {
        let (Some(DeValue::Table(table)), Some(Value::Table(values))) =
            (accounts.get(name.as_str()).map(|account| account.get_ref()), values.get(&name))
        else {
            return Err(format!("{place}: an account is a table: [account.{name}]"));
        };
        file.accounts.push(entry(&source, name, place, &file.terms, (table, values))?);
    }
    Ok(file)
}

fn entry(
    source: &Source<'_>,
    name: String,
    place: String,
    terms: &Terms,
    (table, values): (&DeTable<'_>, &toml::Table),
) -> Result<Entry, String> {
    let mut entry = Entry {
        name,
        place,
        profile: None,
        url: None,
        api_key: None,
        secret_key: None,
        allow_plain_http: false,
        terms: terms.clone(),
    };
    for (name, line) in source.names(table) {
        let told = |what: String| format!("{line}: {what}");
        let value = &values[&name];
        match name.as_str() {
            "profile" => entry.profile = Some(string(&name, value).map_err(told)?),
            "url" => entry.url = Some(string(&name, value).map_err(told)?),
            "api_key" => entry.api_key = Some(string(&name, value).map_err(told)?),
            "secret_key" => entry.secret_key = Some(string(&name, value).map_err(told)?),
            "allow_plain_http" => {
                entry.allow_plain_http =
                    value.as_bool().ok_or_else(|| told("allow_plain_http is true or false, without quotes".into()))?;
            }
            _ => term(&mut entry.terms, &name, value, &OWN).map_err(told)?,
        }
    }
    Ok(entry)
}

/// The text with the place of everything in it.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, start: usize) -> String {
        let line = self.text[..start.min(self.text.len())].matches('\n').count() + 1;
        format!("{}, line {line}", self.path.display())
    }

    /// The names of a table and where they stand, in the order of the file.
    fn names(&self, table: &DeTable<'_>) -> Vec<(String, String)> {
        let mut names: Vec<(usize, String)> =
            table.iter().map(|(name, _)| (name.span().start, name.get_ref().to_string())).collect();
        names.sort();
        names.into_iter().map(|(start, name)| (name, self.place(start))).collect()
    }
}

/// Takes one of [`TERMS`]; `others` are the names that would also be right here.
fn term(terms: &mut Terms, name: &str, value: &Value, others: &[&str]) -> Result<(), String> {
    let most = Duration::from_hours(30 * 24);
    match name {
        "every" => terms.every = duration(&string(name, value)?, EVERY.0, EVERY.1)?,
        "warn_below" => terms.rules.below = list(value).iter().map(amount).collect::<Result<_, _>>()?,
        "warn_hours" => {
            terms.rules.hours = list(value).iter().map(|value| whole(name, value, 8760)).collect::<Result<_, _>>()?
        }
        "remind_every" if value.as_str() == Some("never") => terms.rules.remind_every = None,
        "remind_every" => {
            let every = duration(&string(name, value)?, Duration::from_secs(60), most)
                .map_err(|what| format!("{what}; or \"never\""))?;
            terms.rules.remind_every = SignedDuration::try_from(every).ok();
        }
        "failed_polls" => terms.rules.failed_polls = whole(name, value, 10_000)?,
        "language" => {
            terms.language = Deserialize::deserialize(value.clone())
                .map_err(|_| "language is \"en\" (English) or \"vi\" (tiếng Việt)".to_owned())?;
        }
        "time_zone" => {
            terms.zone = TimeZone::get(&string(name, value)?).map_err(|_| {
                "time_zone is none that this machine knows, such as Asia/Ho_Chi_Minh or UTC (package tzdata)".to_owned()
            })?;
        }
        "notify" => terms.notify = list(value).iter().map(target).collect::<Result<_, _>>()?,
        unknown => {
            let known = TERMS.iter().chain(others);
            let near =
                known.max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)));
            let near = near.expect("there are settings");
            return Err(format!(
                "there is no setting {unknown} here; the nearest one is {near} (`sodu watch --print-config` shows them all)"
            ));
        }
    }
    Ok(())
}

/// A list, or a single one as a list of itself.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn string(name: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{name} takes a text in quotes"))
}

fn amount(value: &Value) -> Result<Decimal, String> {
    let read = match value {
        Value::Integer(whole) => Some(Decimal::from(*whole)),
        Value::String(text) => text.parse().ok(),
        Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    };
    read.filter(|amount| *amount > Decimal::ZERO).ok_or_else(|| {
        "warn_below takes amounts above zero: whole ones as they are, others in quotes, without thousands separators \
         (an empty account is always told)"
            .to_owned()
    })
}

fn whole(name: &str, value: &Value, most: u32) -> Result<u32, String> {
    let read = value.as_integer().and_then(|number| u32::try_from(number).ok());
    read.filter(|number| (1..=most).contains(number))
        .ok_or_else(|| format!("{name} takes whole numbers from 1 to {most}"))
}

/// A target; what is written there may be a secret, so that only the notifier's own words about it are shown.
fn target(value: &Value) -> Result<Target, String> {
    if !value.is_table() {
        return Err("notify takes targets in braces, such as { slack = \"https://…\" }".into());
    }
    Target::deserialize(value.clone()).map_err(|error| format!("notify: {}", error.message()))
}

#[cfg(test)]
mod tests;
