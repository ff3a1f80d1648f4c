//! `sodu audit`: who changed what besides ordinary movements.
//!
//! Pages are printed as they arrive, as a statement's are.

use clap::Args;
use serde_json::{Map, Value};

use super::Global;
use super::failure::Failure;
use super::list::Listing;
use super::output::text;
use super::session::{Intent, Session};
use super::table::Lean;
use crate::door::encode;
use crate::times::{self, Bound};

/// Print who changed accounts, keys, limits, operators and settings, oldest first
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu audit
  sodu audit --from 2026-07-01 --to 2026-07-31   # the 31st too
  sodu audit --actor operator:anna --json")]
pub(super) struct Audit {
    /// The first instant: RFC 3339, or a date, which begins with that day in the configured time zone
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The end, itself left out: RFC 3339; or a date, which is taken in whole
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only what this actor did: operator:NAME, or local:USER for the command line
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
}

/// How many rows are asked for at once.
const PAGE_LEN: usize = 500;

impl Audit {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        Session::run(global, Intent::Read, async |session| {
            let columns = [
                ("time", 19, Lean::Left),
                ("actor", 14, Lean::Left),
                ("action", 14, Lean::Left),
                ("what", 0, Lean::Left),
            ];
            let listing = Listing { name: "audit", columns: &columns, has_times: true };
            session.list(&listing, |cursor| self.path(cursor), |config, row| cells(row, &config.time_zone)).await
        })
    }

    fn path(&self, cursor: &str) -> String {
        let encoded = |text: &Option<String>| text.as_deref().map(encode).unwrap_or_default();
        let (from, to, actor) = (encoded(&self.from), encoded(&self.to), encoded(&self.actor));
        format!("/v1/audit?from={from}&to={to}&actor={actor}&cursor={cursor}&limit={PAGE_LEN}")
    }
}

fn cells(row: &Value, zone: &jiff::tz::TimeZone) -> Vec<String> {
    let at = times::parse(text(row, "at"), Bound::Start, zone);
    let detail = row["detail"].as_object().map(words).unwrap_or_default();
    let parts = [text(row, "subject"), detail.as_str()];
    vec![
        at.map(|at| times::for_people(at, zone)).unwrap_or_default(),
        text(row, "actor").to_owned(),
        text(row, "action").to_owned(),
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "),
    ]
}

/// What changed, in words: `credit_limit 5 → 7.5, reason contract 12`.
fn words(detail: &Map<String, Value>) -> String {
    let plain = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    };
    let is_any = |value: &Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    let said = detail.iter().filter_map(|(name, value)| match (value.get("from"), value.get("to")) {
        (Some(from), Some(to)) => Some(format!("{name} {} → {}", plain(from), plain(to))),
        _ => is_any(value).then(|| format!("{name} {}", plain(value))),
    });
    said.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changed_is_told_in_words() {
        let cases = [
            (json!({}), ""),
            (
                json!({ "credit_limit": { "from": "5", "to": "7.5" }, "reason": "contract 12" }),
                "credit_limit 5 → 7.5, reason contract 12",
            ),
            (json!({ "cidrs": [], "expires_at": null, "label": "web" }), "label web"),
            (json!({ "cidrs": { "from": [], "to": ["10.0.0.0/8", "::1/128"] } }), "cidrs none → 10.0.0.0/8 ::1/128"),
            (json!({ "metered": { "from": false, "to": true }, "scale": 2 }), "metered false → true, scale 2"),
        ];
        for (detail, said) in cases {
            assert_eq!(words(detail.as_object().expect("an object")), said);
        }
    }
}
