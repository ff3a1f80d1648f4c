//! Copies of a whole database: out while the server runs, and back into a new place.
//!
//! A backup holds one read transaction for as long as it copies, and the write-ahead log grows meanwhile by what is
//! written; in exchange the copy is of one instant, page for page, and cannot be restarted by a busy writer.

use std::fs::File;
use std::path::Path;

use ledger::Time;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::{Against, Progress, SqliteUrl, VerifyReport, own, rows, schema, verify};

/// How many pages are copied between two reports of progress.
const STEP_PAGES: i32 = 2048;

/// Writes what `source` holds at this instant to the new file `to`; what is half written is removed.
pub(crate) fn write(source: &Connection, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), String> {
    let at = |error: &dyn std::fmt::Display| format!("cannot write {}: {error}", to.display());
    if to.exists() {
        return Err(format!("{} exists already; a backup never overwrites, name a new file", to.display()));
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    if part.exists() {
        // Left by a backup that was cut off.
        std::fs::remove_file(part).map_err(|error| at(&error))?;
    }
    let copied = copy(source, part, progress).and_then(|()| {
        File::open(part).and_then(|file| file.sync_all()).map_err(|error| error.to_string())?;
        // A hard link fails where the name was taken meanwhile; a rename would replace it.
        std::fs::hard_link(part, to).map_err(|error| error.to_string())?;
        sync_folder(to)
    });
    let removed = std::fs::remove_file(part);
    copied.map_err(|error| at(&error))?;
    removed.map_err(|error| at(&error))
}

/// Verifies the backup `from` and copies it to the new database `to`. Gives the report and the last instant it includes.
///
/// Errors are sentences. A finding is one: a backup that does not verify is not restored.
pub(crate) fn restore(
    from: &Path,
    to: &SqliteUrl,
    progress: &mut dyn FnMut(Progress),
) -> Result<(VerifyReport, Time), String> {
    if to.path.exists() {
        return Err(format!("{to} exists already; a restore never overwrites, name a new one"));
    }
    let source = schema::open_reader(from).map_err(|error| format!("{}: {error}", from.display()))?;
    let cannot_read = |error: rusqlite::Error| format!("cannot read {}: {error}", from.display());
    let report = verify::verify(&source, Against::default(), progress).map_err(cannot_read)?;
    if let Some(finding) = report.findings.first() {
        let whose = finding.account.map_or(String::new(), |account| format!("account {account}: "));
        return Err(format!("{} does not verify and is not restored: {whose}{}", from.display(), finding.what));
    }
    let last: Option<i64> =
        source.query_row("SELECT max(recorded_at) FROM entries", [], |row| row.get(0)).map_err(cannot_read)?;
    if let Some(folder) = to.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    }
    let _owned = own::take(&to.beside(".lock")).map_err(|error| format!("{to}: {error}"))?;
    write(&source, &to.path, progress)?;
    Ok((report, Time::from_micros(last.unwrap_or(0))))
}

fn copy(source: &Connection, part: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), String> {
    schema::create_file(part).map_err(|error| error.to_string())?;
    let mut target = Connection::open(part).map_err(|error| error.to_string())?;
    // The read transaction pins one instant, so that no commit meanwhile makes the copy start over.
    source.execute_batch("BEGIN; SELECT count(*) FROM meta;").map_err(|error| error.to_string())?;
    let copied =
        steps(source, &mut target, progress).and_then(|()| mark_end(&target)).map_err(|error| error.to_string());
    let ended = source.execute_batch("ROLLBACK").map_err(|error| error.to_string());
    target.close().map_err(|(_, error)| error.to_string())?;
    copied.and(ended)
}

/// The store marks its log's end once a second; a copy knows the end it has.
fn mark_end(target: &Connection) -> rusqlite::Result<()> {
    let end = rows::LOG_END;
    target.execute(&format!("UPDATE meta SET value = max(value, {end}) WHERE name = 'last_row'"), []).map(drop)
}

fn steps(source: &Connection, target: &mut Connection, progress: &mut dyn FnMut(Progress)) -> rusqlite::Result<()> {
    let backup = Backup::new(source, target)?;
    loop {
        let step = backup.step(STEP_PAGES)?;
        let pages = backup.progress();
        let (left, total) = (pages.remaining.unsigned_abs(), pages.pagecount.unsigned_abs());
        progress(Progress { done: u64::from(total.saturating_sub(left)), total: u64::from(total) });
        if step == StepResult::Done {
            return Ok(());
        }
    }
}

fn sync_folder(file: &Path) -> Result<(), String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| error.to_string())
}
