//! `sodu migrate-store`: the whole ledger into another database, of the same engine or the other.
//!
//! It asks no server: none may have either database open. What makes it safe is the store's (see its `moving`); here are the
//! words for it.

use std::time::Instant;

use clap::Args;
use serde_json::json;
use store::{DatabaseUrl, MoveError, Moved, OpenError, Side, Stage};

use super::Global;
use super::failure::Failure;
use super::output::{Output, grouped, note};
use super::progress::Progress;
use crate::{clock, times};

/// Move the whole ledger into another database: from a file to PostgreSQL, or back
#[derive(Args)]
#[command(after_help = "\
Example, after the servers have been stopped:
  sodu migrate-store --from sqlite:/var/lib/sodu/sodu.db \\
    --to postgres://sodu@db1,db2/ledger

Everything goes along: accounts, entries with the same hashes, idempotency keys
and what they did, refusals, holds, API keys, operators, alerts and what was
told, the audit trail. The source is proven first and the target afterwards;
both must give the same root. Then the source is marked as moved, so that no
sodu opens it again, and only then can the target be used.

The target is empty, or is made: a file that does not exist, or a database of
PostgreSQL that its user owns. Stopped half way, by whatever, nothing is lost:
the ledger is where it was and can be served there, and the same command again
goes on. To give a move up, remove the target's file or database.

A password goes into PGPASSWORD or a password file rather than into the URL.")]
pub(super) struct MigrateStore {
    /// Where the ledger is: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    from: String,
    /// Where it is to be
    #[arg(long, value_name = "URL")]
    to: String,
}

impl MigrateStore {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let url = |name: &str, text: &str| {
            DatabaseUrl::parse(text).map_err(|error| Failure::Usage(format!("{name}: {error}")))
        };
        let (from, to) = (url("--from", &self.from)?, url("--to", &self.to)?);
        let began_at = Instant::now();
        let mut shown = Shown::default();
        let at = times::rfc3339(clock::system()());
        let moved = store::migrate(&from, &to, &at, &mut |stage, progress| shown.tell(stage, progress));
        shown.end();
        let moved = moved.map_err(|error| failure(&from, &to, error))?;
        let mut out = Output::new(global.json);
        if global.json {
            out.json(&json!({
                "from": moved.from.to_string(),
                "to": moved.to.to_string(),
                "accounts": moved.figures.accounts,
                "entries": moved.figures.entries,
                "root": hex(&moved),
                "moved_before": moved.is_old,
            }))?;
            return out.flush();
        }
        let Moved { from, to, figures, is_old } = &moved;
        let (accounts, entries) = (grouped(&figures.accounts.to_string()), grouped(&figures.entries.to_string()));
        let seconds = began_at.elapsed().as_secs_f64();
        if *is_old {
            out.line(&format!("moved already: {from} to {to} (accounts: {accounts}, entries: {entries})"))?;
        } else {
            let what = format!("accounts: {accounts}, entries: {entries}");
            out.line(&format!("moved {from} to {to} in {seconds:.1} s ({what}); both give the same root"))?;
        }
        out.line(&format!("root {}", hex(&moved)))?;
        out.flush()?;
        note(&format!(
            "From here on use --database {to}; {from} is closed for good, keep it until the new one is backed up."
        ));
        Ok(())
    }
}

fn hex(moved: &Moved) -> String {
    blake3::Hash::from_bytes(moved.figures.root.0).to_hex().to_string()
}

/// The progress of one stage after the other.
#[derive(Default)]
struct Shown(Option<(Stage, Progress)>);

impl Shown {
    fn tell(&mut self, stage: Stage, at: store::Progress) {
        if self.0.as_ref().is_none_or(|(shown, _)| *shown != stage) {
            self.end();
            self.0 = Some((stage, Progress::new(words(stage))));
        }
        if let Some((_, progress)) = &mut self.0 {
            progress.tell(at.done, at.total);
        }
    }

    fn end(&mut self) {
        if let Some((_, progress)) = self.0.take() {
            progress.end();
        }
    }
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Proving => "proving the ledger",
        Stage::Entries => "copying entries",
        Stage::Rest => "copying the rest",
        Stage::Comparing => "proving the copy",
    }
}

/// What to tell whoever asked for it, and what they do next.
fn failure(from: &DatabaseUrl, to: &DatabaseUrl, error: MoveError) -> Failure {
    let place = |side: Side| match side {
        Side::Source => from,
        Side::Target => to,
    };
    let (slug, detail) = match error {
        MoveError::Same => return Failure::Usage("--from and --to lead to the same database".into()),
        MoveError::Unusable { side, error } => {
            return Failure::local(slug(&error), unusable(side, place(side), &error));
        }
        MoveError::Taken => (
            "target_not_empty",
            format!(
                "There is a ledger in {to} already; a move never adds to one. Name an empty database, or a new file."
            ),
        ),
        MoveError::Unfinished { from: other } => (
            "move_unfinished",
            format!(
                "{to} holds an unfinished move of {other}: finish that one with `sodu migrate-store --from {other} --to {to}`, \
                 or name another target."
            ),
        ),
        MoveError::Unsound(what) => (
            "not_verified",
            format!(
                "The ledger in {from} contradicts itself, {what}; such a ledger is not moved. Run `sodu verify` for all of it, \
                 and restore a backup."
            ),
        ),
        MoveError::Differs(what) => (
            "move_differs",
            format!(
                "The target {to} is not what {from} has: {what}. The ledger is still in {from}; remove the target, and move it \
                 into a new one."
            ),
        ),
        MoveError::Failed { side, why } => (
            "move_interrupted",
            format!(
                "The database {} failed on the way: {why}. Nothing is lost; run the same command again when that is mended, and \
                 it goes on.",
                place(side)
            ),
        ),
    };
    Failure::local(slug, detail)
}

fn slug(error: &OpenError) -> &'static str {
    match error {
        OpenError::Missing => "no_database",
        OpenError::Owned { .. } => "database_in_use",
        OpenError::Moved { .. } => "ledger_moved",
        OpenError::Arriving { .. } => "move_unfinished",
        OpenError::Foreign | OpenError::Newer { .. } | OpenError::Damaged(_) | OpenError::Io(_) => "database_unusable",
    }
}

fn unusable(side: Side, url: &DatabaseUrl, error: &OpenError) -> String {
    match (error, side) {
        (OpenError::Missing, _) => {
            format!("Nothing was moved: there is no ledger at {url}; --from names the database that has it.")
        }
        (OpenError::Owned { owner }, _) => format!(
            "Nothing was moved: {url} is in use by {owner}. Stop that first; nobody may use a ledger while it moves."
        ),
        (OpenError::Moved { to, at }, Side::Target) => format!(
            "Nothing was moved: {url} had a ledger that moved to {to} at {at}. To move it back, name a new database or file."
        ),
        (OpenError::Moved { to, at }, Side::Source) => {
            format!("Nothing was moved: the ledger of {url} moved to {to} at {at} and lives there.")
        }
        (error, _) => format!("Nothing was moved: {url} cannot be used: {error}."),
    }
}
