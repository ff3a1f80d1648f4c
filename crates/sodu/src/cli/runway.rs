//! `sodu runway`: which accounts run dry first.

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Global;
use super::failure::Failure;
use super::output::{money, text, width};
use super::session::{Intent, Session};
use super::table::{Lean, Table};
use crate::times::{self, Bound};

/// List the accounts that run dry first, if they go on as within the last day
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu runway
  sodu runway --limit 5 --json

Accounts are watched from when they have alerts (`sodu alerts set`) or a metric
(`sodu account set --metered true`). Used is what was charged, captured and
transferred out within the last day, less refunds; a top-up takes nothing away
from it. The figure is off by at most what the hour used in which that day began.")]
pub(super) struct Runway {
    /// How many at most, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u16,
}

impl Runway {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        Session::run(global, Intent::Read, async |session| {
            let listed = session.get(format!("/v1/runway?limit={}", self.limit)).await?;
            if session.out.json {
                return session.out.json(&listed);
            }
            let columns = [
                ("account", 10, Lean::Right),
                ("lasts", 12, Lean::Right),
                ("available", 18, Lean::Right),
                ("used", 14, Lean::Right),
                ("name", 0, Lean::Left),
            ];
            let mut table = Table::new(&columns, width());
            let accounts = listed["accounts"].as_array().map(Vec::as_slice).unwrap_or_default();
            let rows: Vec<Vec<String>> = accounts.iter().map(row).collect();
            table.fit(&rows);
            session.out.line(&table.titles())?;
            rows.iter().try_for_each(|row| session.out.line(&table.row(row)))
        })
    }
}

fn row(account: &Value) -> Vec<String> {
    vec![
        account["account"].to_string(),
        account["runway"]["left_s"].as_i64().map_or_else(String::new, length),
        format!("{} {}", money(account, "available"), text(account, "currency")),
        money(&account["runway"], "used"),
        text(account, "name").to_owned(),
    ]
}

/// How long an account lasts, in words; nothing where too little is known.
pub(super) fn sentence(account: &Value, zone: &TimeZone) -> String {
    let runway = &account["runway"];
    if runway.is_null() {
        return String::new();
    }
    let since = times::parse(text(runway, "since"), Bound::Start, zone);
    let since = since.map_or_else(|_| String::new(), |since| times::for_people(since, zone));
    let used = format!("{} {} used since {since}", money(runway, "used"), text(account, "currency"));
    match runway["left_s"].as_i64() {
        Some(left_s) => format!("{}, at {used}", length(left_s)),
        None => format!("for ever, at {used}"),
    }
}

/// A time in the unit that it is told in: `45 min`, `36 h`, `12 d`.
fn length(seconds: i64) -> String {
    match seconds {
        ..7_200 => format!("{} min", seconds / 60),
        7_200..259_200 => format!("{} h", seconds / 3_600),
        259_200.. => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn times_are_told_in_their_unit_and_never_too_long() {
        let cases =
            [(0, "0 min"), (59, "0 min"), (7_199, "119 min"), (7_200, "2 h"), (259_199, "71 h"), (259_200, "3 d")];
        for (seconds, told) in cases {
            assert_eq!(length(seconds), told);
        }
    }
}
