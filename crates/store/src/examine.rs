//! A quick look at a database for whoever asks what is wrong: beside the process that owns it, or alone.
//!
//! Loads nothing, migrates nothing, makes no lock file, and takes a few rows at one instant. What it finds sound may be
//! false all the same: only `verify` proves a ledger.

use std::path::Path;

use ledger::Time;
use rusqlite::{Connection, OptionalExtension};

use crate::own::{self, Seen};
use crate::{OpenError, SqliteUrl, audit, rows, schema};

/// What a quick look shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Examined {
    /// Who has the database open, by the lock file; nobody, if none.
    pub owner: Option<String>,
    /// The version of its schema.
    pub schema: i64,
    /// The one that this build writes: the next start brings the database up to it.
    pub known: i64,
    /// The last row of the log.
    pub last_row: i64,
    /// The greatest time in the log and in the audit trail; ledger time never falls behind it.
    pub last_time: Time,
    /// What contradicts itself, if that shows at a quick look.
    pub damage: Option<String>,
}

/// Who has the database open, by its lock file.
///
/// # Errors
/// The lock file cannot be read.
pub fn owner(url: &SqliteUrl) -> Result<Option<String>, OpenError> {
    match own::look(&url.beside(".lock"))? {
        Seen::Owned(owner) => Ok(Some(owner)),
        Seen::Held(_) | Seen::Never => Ok(None),
    }
}

/// Looks at the database.
///
/// # Errors
/// There is none, it is of something else or of a newer sodu, or it cannot be read; see [`OpenError`].
pub fn examine(url: &SqliteUrl) -> Result<Examined, OpenError> {
    // Held, if nobody has it, until the look is over: a process that starts meanwhile waits for that.
    let seen = own::look(&url.beside(".lock"))?;
    let log_len = std::fs::metadata(url.beside("-wal")).map_or(0, |log| log.len());
    let db = match &seen {
        // With an empty log and nobody to write, SQLite needs no files of its own beside the database.
        Seen::Held(_) | Seen::Never if log_len == 0 => alone(&url.path)?,
        Seen::Held(_) | Seen::Never | Seen::Owned(_) => schema::open_reader(&url.path)?,
    };
    let owner = match &seen {
        Seen::Owned(owner) => Some(owner.clone()),
        Seen::Held(_) | Seen::Never => None,
    };
    look(&db, owner).map_err(|error| OpenError::Damaged(rows::said(&error)))
}

fn look(db: &Connection, owner: Option<String>) -> rusqlite::Result<Examined> {
    let instant = db.unchecked_transaction()?;
    let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional().map(Option::flatten);
    let meta = |name: &str| one(&format!("SELECT value FROM meta WHERE name = '{name}'"));
    let last_row = one(&format!("SELECT {}", rows::LOG_END))?.unwrap_or(0);
    let mut damages = Vec::new();
    let mut last_time = Time::from_micros(meta("last_time")?.unwrap_or(0));
    for (name, what) in [("last_row", "the log went up to"), ("watermark", "account rows include the log up to")] {
        match meta(name)? {
            None => damages.push(format!("the ledger's own record {name} is gone")),
            Some(row) if row > last_row => damages.push(format!("{what} row {row}, and it ends at row {last_row}")),
            Some(_) => {}
        }
    }
    if let Some(row) = one("SELECT max(id) FROM entries")? {
        match rows::sound(rows::entry_at(db, row))? {
            Ok(entry) => last_time = last_time.max(entry.map_or(last_time, |stored| stored.entry.recorded_at)),
            Err(_) => damages.push(format!("row {row}, the last of entries, does not read as an entry")),
        }
    }
    if let Some(at) = one("SELECT at FROM refusals ORDER BY id DESC LIMIT 1")? {
        last_time = last_time.max(Time::from_micros(at));
    }
    last_time = last_time.max(audit::last_time(db)?.unwrap_or_default());
    let (schema, known) = schema::versions(db)?;
    instant.finish()?;
    Ok(Examined { owner, schema, known, last_row, last_time, damage: damages.into_iter().next() })
}

/// A connection that takes the file as it is, and leaves nothing beside it.
fn alone(path: &Path) -> Result<Connection, OpenError> {
    use std::os::unix::ffi::OsStrExt;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte);
    let letter = |byte: &u8| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") };
    let name: String = path.as_os_str().as_bytes().iter().map(letter).collect();
    schema::open_reader_as(path, Path::new(&format!("file:{name}?immutable=1")))
}
