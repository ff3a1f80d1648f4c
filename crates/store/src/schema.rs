//! Opening the database file: what kind of file it is, which schema it has, and how SQLite is to treat it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::{OpenError, moving};

/// Marks a database as ours ("sodu" in ASCII), so that a foreign file is never migrated.
const APPLICATION_ID: i64 = 0x736f_6475;

/// Marks one that nobody may use: its ledger went elsewhere, or has not arrived yet ("sodm"). A program that does not know of
/// moves takes it for a foreign file.
const BARRED_ID: i64 = 0x736f_646d;

/// One step a version: the index is the version that it leads away from.
pub(crate) const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("schema_2.sql")];

/// The schema that this build writes.
const VERSION: i64 = 2;

/// With so many pages the log is copied to its end, so that the next commit begins it anew: 16 MiB.
pub(crate) const LOG_PAGES: u32 = 4000;

/// How many bytes of log those are, at 4096 a page ("WAL File Format" in SQLite's documentation).
const LOG_LEN: u64 = 32 + LOG_PAGES as u64 * (24 + 4096);

/// How long a statement waits for a lock that another connection holds, before it is a fault.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long settling waits for those who still read the log.
const SETTLE_TIMEOUT: Duration = Duration::from_millis(200);

/// Creates the folder of the file `path`, where it has one and that is not there.
pub(crate) fn create_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| OpenError::Io(format!("cannot create {}: {error}", folder.display())))
}

/// Creates the file, readable by its owner only; SQLite gives its log the same mode.
pub(crate) fn create_file(path: &Path) -> Result<(), OpenError> {
    create_folder(path)?;
    let io = |error: std::io::Error| OpenError::Io(format!("cannot create {}: {error}", path.display()));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    Ok(())
}

/// The writer's connection: every commit is on disk before it returns.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    migrate(&connection)?;
    configured(connection, path)
}

/// The same for a move, which may also open what is barred to everyone else.
pub(crate) fn open_to_move(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let io = |error: rusqlite::Error| sqlite(path, &error);
    if pragma(&connection, "application_id").map_err(io)? != BARRED_ID {
        migrate(&connection)?;
    } else {
        let (found, known) = versions(&connection).map_err(io)?;
        if found > known {
            return Err(OpenError::Newer { found, known });
        }
        if found < known {
            let what = "an older sodu began to move a ledger into or out of it: finish that with the same version";
            return Err(OpenError::Io(what.into()));
        }
    }
    configured(connection, path)
}

/// Keeps everyone but a move out, from the commit of the transaction under way on.
pub(crate) fn bar(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", BARRED_ID)
}

/// Lets everyone in again.
pub(crate) fn unbar(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

fn configured(connection: Connection, path: &Path) -> Result<Connection, OpenError> {
    let configure = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        connection.pragma_update(None, "cache_size", -16 * 1024)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(())
    };
    configure().map_err(|error| sqlite(path, &error))?;
    Ok(connection)
}

/// The connection of whoever copies the log while another one writes it.
pub(crate) fn open_copier(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let configure = || {
        connection.pragma_update(None, "synchronous", "full")?;
        // The writer sees to the end of the log, if anything may.
        keep_log(&connection)
    };
    configure().map_err(|error| sqlite(path, &error))?;
    Ok(connection)
}

/// Has the log stay as it is when this connection is closed, also where it is the last one.
pub(crate) fn keep_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

/// Copies the whole log into the database file and syncs both, so that whatever can be read is durable.
///
/// A process that was killed before its sync, or a sync that failed, leaves pages that read well and are not on disk. Copying
/// writes them again, and only its own sync lets it succeed; nothing read before it may be acknowledged.
///
/// Where its own sync fails, it has to be tried again before anything else copies a part of the log: what was copied before
/// is not copied again, whether or not the disk has it.
pub(crate) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    // Whoever fails here tries again soon, and answers callers in between.
    connection.busy_timeout(SETTLE_TIMEOUT)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match busy? {
        0 => Ok(()),
        _ => {
            let said = "another process still reads the old log; try again when it is done";
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(said.into())))
        }
    }
}

/// A log that could not be settled, as whoever opens the database hears it.
pub(crate) fn unsettled(error: &rusqlite::Error) -> OpenError {
    OpenError::Io(format!("the log cannot be copied into the database: {error}"))
}

/// Gives the log the length that it has between two checkpoints, filled with zeros, which no reader takes for a frame.
///
/// Commits then overwrite the file from the first on, as they do after a checkpoint. Where they make it longer, each sync
/// waits for the new length too, which is a second write elsewhere on the disk: a lone charge took half as long again.
/// Nobody may write into the log meanwhile. Where the disk has no room, the log is as it was.
pub(crate) fn lengthen_log(log: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(log)?;
    let before = file.metadata()?.len();
    let zeros = vec![0; 1 << 20];
    let mut at = before;
    while at < LOG_LEN {
        let len = zeros.len().min(usize::try_from(LOG_LEN - at).unwrap_or(usize::MAX));
        if let Err(error) = file.write_all_at(&zeros[..len], at) {
            file.set_len(before)?;
            return Err(error);
        }
        at += u64::try_from(len).expect("a length");
    }
    file.sync_data()
}

/// A connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check_kind(&connection, path)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// The same, where SQLite is to take the file under the URI `name` and as that says.
pub(crate) fn open_reader_as(path: &Path, name: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, name, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?;
    check_kind(&connection, path)?;
    Ok(connection)
}

/// The schema that a database has, and the one that this build writes.
pub(crate) fn versions(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    Ok((pragma(connection, "user_version")?, VERSION))
}

fn open(path: &Path, name: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing);
    }
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(name, flags).map_err(|error| sqlite(path, &error))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| sqlite(path, &error))?;
    Ok(connection)
}

/// Brings the schema up to date, one transaction a version, or leaves it as it was.
fn migrate(connection: &Connection) -> Result<(), OpenError> {
    let path = connection.path().unwrap_or_default().to_owned();
    let io = |error: rusqlite::Error| sqlite(Path::new(&path), &error);
    let fresh = pragma(connection, "schema_version").map_err(io)? == 0;
    if !fresh {
        check_kind(connection, Path::new(&path))?;
    }
    loop {
        let found = pragma(connection, "user_version").map_err(io)?;
        let Some(step) = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found)) else {
            return Ok(());
        };
        let script = format!(
            "BEGIN IMMEDIATE; {step}; PRAGMA user_version = {}; PRAGMA application_id = {APPLICATION_ID}; COMMIT;",
            found + 1
        );
        connection.execute_batch(&script).map_err(io)?;
    }
}

fn check_kind(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let io = |error: rusqlite::Error| sqlite(path, &error);
    match pragma(connection, "application_id").map_err(io)? {
        APPLICATION_ID => {}
        BARRED_ID => {
            let bar = moving::last_mark(connection).map_err(io)?.and_then(|mark| mark.bar());
            return Err(bar.unwrap_or_else(|| OpenError::Damaged("a move marked it, and did not say why".into())));
        }
        _ => return Err(OpenError::Foreign),
    }
    let found = pragma(connection, "user_version").map_err(io)?;
    if found > VERSION {
        return Err(OpenError::Newer { found, known: VERSION });
    }
    Ok(())
}

/// Whether what is watched is kept in it: a copy that is only read may be of an older version.
pub(crate) fn has_watches(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(pragma(connection, "user_version")? >= 2)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn sqlite(path: &Path, error: &rusqlite::Error) -> OpenError {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
        return OpenError::Foreign;
    }
    OpenError::Io(format!("cannot use {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_what_it_held_and_what_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, copy) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let log = |of: &Path| of.with_extension("db-wal");
        create_file(&path).expect("a file");
        let db = open_writer(&path).expect("a database");
        let write = |name: &str| db.execute("INSERT INTO meta VALUES (?1, 7)", [name]).expect("a row");
        write("before");
        let held = std::fs::read(log(&path)).expect("the log");
        lengthen_log(&log(&path)).expect("room");
        let long = std::fs::read(log(&path)).expect("the log");
        assert_eq!(long.len(), 16_480_032);
        assert!(long.starts_with(&held) && long[held.len()..].iter().all(|&byte| byte == 0));
        write("after");
        // As a power cut would leave it: nothing was copied into the database, nothing closed.
        std::fs::copy(&path, &copy).expect("a copy");
        std::fs::copy(log(&path), log(&copy)).expect("a copy");
        let rows = "SELECT count(*) FROM meta WHERE value = 7 AND name IN ('before', 'after')";
        assert_eq!(open_writer(&copy).expect("a database").query_row(rows, [], |row| row.get(0)), Ok(2));
        lengthen_log(&log(&path)).expect("room");
        assert_eq!(std::fs::metadata(log(&path)).expect("the log").len(), 16_480_032);
    }
}
