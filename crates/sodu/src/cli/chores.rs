//! `sodu verify`, `sodu backup`, `sodu restore`: proving the ledger, and copies of it.
//!
//! The first two ask the operator API, so that they work beside a running server. A restore makes a database where there
//! is none, which no server has open, and so needs no door.

use std::path::{Path, PathBuf};
use std::time::Instant;

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};
use store::{Against, DatabaseUrl, OpenError};

use super::Global;
use super::failure::Failure;
use super::output::{Output, grouped, note, text};
use super::progress::Progress;
use super::session::{Intent, Session};
use crate::config::Overrides;
use crate::door::{Call, DoorError};
use crate::{times, v1};

/// Re-add every account and check every link, beside a running server too
#[derive(Args)]
#[command(after_help = "\
Examples:
  sodu verify
  sodu verify --json | jq -r .root
  sodu verify --save links-2026-11   # keep it elsewhere: it cannot be rewritten
  sodu verify --against links-2026-11

Exit code 1 means that the ledger contradicts itself: stop serving it, and
restore a backup that verifies.")]
pub(super) struct Verify {
    /// Keep every account's last link, and the root over all, in this new file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Also prove that every chain still passes through the links that this file keeps
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// Write a consistent copy to a new file, beside a running server too
#[derive(Args)]
#[command(after_help = "Example:\n  sodu backup /var/backups/sodu-$(date +%F).db")]
pub(super) struct Backup {
    /// The file to write; it must not exist. A running server writes it, as its own user
    file: PathBuf,
}

/// Verify a backup and make a new database of it
#[derive(Args)]
#[command(after_help = "\
Example:
  sodu restore sodu-2026-07-29.db --to sqlite:/var/lib/sodu/restored.db

What happened after the backup is not in it: movements, keys and accounts.
Clients that repeat an idempotency key of that time move the money again, so
settle that time first.")]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// The database to make; it must not exist
    #[arg(long, value_name = "URL")]
    to: String,
}

impl Verify {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let began_at = Instant::now();
        let mut body = json!({});
        for (name, file) in [("save", &self.save), ("against", &self.against)] {
            if let Some(file) = file {
                body[name] = whole(file)?.into();
            }
        }
        let verified = Session::run(global, Intent::Read, async |session| {
            let report = follow(session, "verifying", "/v1/verify", Some(body)).await?;
            print_report(&mut session.out, &report, began_at)?;
            if report["ok"] == true { Ok(()) } else { Err(Failure::Told) }
        });
        match verified {
            Err(Failure::Door(DoorError::Unopened { url, error: OpenError::Damaged(_) })) => {
                self.inspect(global, &url, began_at)
            }
            verified => verified,
        }
    }

    /// Verifies a ledger that contradicts itself too much to be opened: no server can have it open.
    fn inspect(&self, global: &Global, url: &DatabaseUrl, began_at: Instant) -> Result<(), Failure> {
        let unreadable = |why| Failure::local("not_verified", format!("Nothing was verified: {why}."));
        let against = self.against.as_deref().map(Against::read).transpose().map_err(unreadable)?;
        let mut progress = Progress::new("verifying");
        let report = store::inspect(url, against.unwrap_or_default(), &mut |at| progress.tell(at.done, at.total));
        progress.end();
        let report = report.map_err(|error| unreadable(error.to_string()))?;
        if let Some(file) = &self.save {
            report.save(file).map_err(unreadable)?;
        }
        let mut out = Output::new(global.json);
        print_report(&mut out, &v1::verified(&report), began_at)?;
        out.flush()?;
        Err(Failure::Told)
    }
}

/// A path as a server, whose working directory is another, understands it.
fn whole(file: &Path) -> Result<String, Failure> {
    let whole = std::path::absolute(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    whole.to_str().map(str::to_owned).ok_or_else(|| Failure::Usage("the file's path must be UTF-8".into()))
}

impl Backup {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let name = whole(&self.file)?;
        Session::run(global, Intent::Write, async |session| {
            let report = follow(session, "backing up", "/v1/backup", Some(json!({ "file": name }))).await?;
            if session.out.json {
                return session.out.json(&report);
            }
            let bytes = grouped(&report["bytes"].to_string());
            session.out.line(&format!("wrote {} ({bytes} bytes)", text(&report, "file")))
        })
    }
}

impl Restore {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let to = DatabaseUrl::parse(&self.to).map_err(|error| Failure::Usage(format!("--to: {error}")))?;
        let zone = global.settings(Overrides::default())?.time_zone;
        let began_at = Instant::now();
        let mut progress = Progress::new("restoring");
        let restored = store::restore(&self.file, &to, &mut |at| progress.tell(at.done, at.total));
        progress.end();
        let failed = |error| Failure::local("restore_failed", format!("Nothing was restored: {error}."));
        let (report, last_at) = restored.map_err(failed)?;
        note(&format!("created the database {to}"));

        let mut out = Output::new(global.json);
        let report = v1::verified(&report);
        if global.json {
            let at = times::rfc3339(last_at);
            out.json(&json!({ "database": to.to_string(), "until": at, "report": report }))?;
            return out.flush();
        }
        print_report(&mut out, &report, began_at)?;
        let (at, zone) = (times::for_people(last_at, &zone), times::zone_name(&zone));
        out.line(&format!("restored {} to {to}", shown(&self.file)))?;
        out.line(&format!("Its last movement is of {at} ({zone});"))?;
        out.line("what came later is gone: movements, idempotency keys, accounts, API keys and settings.")?;
        out.flush()
    }
}

/// Has long work done and tells its progress; gives its report.
async fn follow(session: &mut Session, what: &'static str, path: &str, body: Option<Value>) -> Result<Value, Failure> {
    let mut progress = Progress::new(what);
    let call = Call { method: Method::POST, path: path.to_owned(), key: None, body };
    let answer = session.door.follow(call, |done, total| progress.tell(done, total)).await;
    progress.end();
    let answer = answer?;
    if answer.is_success() { Ok(answer.json) } else { Err(Failure::Problem(answer.json)) }
}

fn print_report(out: &mut Output, report: &Value, began_at: Instant) -> Result<(), Failure> {
    if out.json {
        return out.json(report);
    }
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    for finding in findings {
        let place = match (&finding["account"], &finding["number"]) {
            (Value::Null, _) => "ledger".to_owned(),
            (account, Value::Null) => format!("account {account}"),
            (account, number) => format!("account {account}, entry {number}"),
        };
        out.line(&format!("FALSE  {place}: {}", text(finding, "what")))?;
    }
    let verdict = match findings.len() {
        0 => "everything agrees".to_owned(),
        1 => "1 contradiction".to_owned(),
        many => format!("{many} contradictions"),
    };
    let count = |name| grouped(&report[name].to_string());
    let (accounts, entries, seconds) = (count("accounts"), count("entries"), began_at.elapsed().as_secs_f64());
    out.line(&format!("verified in {seconds:.1} s (accounts: {accounts}, entries: {entries}): {verdict}"))?;
    out.line(&format!("root {}", text(report, "root")))
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}
