//! What a check found, and how all of it is told.

use std::io;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, is_plain};

/// How a check came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    Ok,
    /// It works, and somebody should look at it by day.
    Warning,
    /// It does not work, will soon not, or lets strangers in.
    Problem,
    /// It could not be looked at, or there is nothing to look at.
    Skipped,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Problem => "problem",
            Status::Skipped => "skipped",
        }
    }

    /// The colour of a terminal ("Select Graphic Rendition" of ECMA-48).
    fn colour(self) -> &'static str {
        match self {
            Status::Ok => "32",
            Status::Warning => "33",
            Status::Problem => "1;31",
            Status::Skipped => "2",
        }
    }
}

/// One finding. None of its texts holds a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) status: Status,
    pub(super) finding: String,
    /// What to do, where anything is to be done.
    pub(super) advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, finding: impl Into<String>) -> Check {
        Check { name, status: Status::Ok, finding: finding.into(), advice: None }
    }

    pub(super) fn warning(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Check {
        Check { name, status: Status::Warning, finding: finding.into(), advice: Some(advice.into()) }
    }

    pub(super) fn problem(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Check {
        Check { name, status: Status::Problem, finding: finding.into(), advice: Some(advice.into()) }
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Check {
        Check { name, status: Status::Skipped, finding: why.into(), advice: None }
    }

    /// What another user could see.
    pub(super) fn unseen(name: &'static str, why: impl Into<String>, who: &str) -> Check {
        let advice = Some(format!("run this as {who} to see it"));
        Check { name, status: Status::Skipped, finding: why.into(), advice }
    }

    fn json(&self) -> Value {
        let Check { name, status, finding, advice } = self;
        json!({ "name": name, "status": status.name(), "finding": finding, "advice": advice })
    }
}

/// Prints all checks, and how many of them want something.
pub(super) fn tell(checks: &[Check], global: &Global) -> Result<(), Failure> {
    let mut out = Output::new(global.json);
    if global.json {
        out.json(&checks.iter().map(Check::json).collect())?;
        return out.flush();
    }
    let plain = is_plain(&io::stdout());
    let width = checks.iter().map(|check| check.name.width()).max().unwrap_or(0);
    for Check { name, status, finding, advice } in checks {
        let word = format!("{:<7}", status.name());
        let word = if plain { word } else { format!("\x1b[{}m{word}\x1b[0m", status.colour()) };
        out.line(&format!("{word}  {name:<width$}  {finding}"))?;
        if let Some(advice) = advice {
            out.line(&format!("         {:width$}  -> {advice}", ""))?;
        }
    }
    out.line(&format!("\n{}", summary(checks)))?;
    out.flush()
}

fn summary(checks: &[Check]) -> String {
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (problems, warnings, skipped) = (count(Status::Problem), count(Status::Warning), count(Status::Skipped));
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let found = match (problems, warnings) {
        (0, 0) => "no problem".to_owned(),
        (0, _) => format!("no problem, {}", many(warnings, "warning")),
        (_, 0) => many(problems, "problem"),
        (..) => format!("{}, {}", many(problems, "problem"), many(warnings, "warning")),
    };
    if skipped == 0 { found } else { format!("{found}, {skipped} skipped") }
}
