//! Where a ledger is kept, as people write it.

use std::fmt;
use std::path::PathBuf;

use crate::PostgresUrl;

/// Where the ledger is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DatabaseUrl {
    /// A file of this machine, owned by one process.
    Sqlite(SqliteUrl),
    /// A PostgreSQL database, which any number of nodes use.
    Postgres(Box<PostgresUrl>),
}

/// The file of the embedded engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqliteUrl {
    /// Where it lies; its lock, socket and write-ahead log lie beside it.
    pub path: PathBuf,
}

impl DatabaseUrl {
    /// Reads `sqlite:PATH` or `postgres://…`; the error is a sentence for the person who typed it.
    pub fn parse(text: &str) -> Result<DatabaseUrl, String> {
        match text.strip_prefix("sqlite:") {
            Some("") => {
                Err("the database URL names no file: write sqlite:PATH, for example sqlite:/var/lib/sodu/sodu.db"
                    .into())
            }
            Some(path) => Ok(DatabaseUrl::file(path)),
            None if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                PostgresUrl::parse(text).map(Box::new).map(DatabaseUrl::Postgres)
            }
            // Not repeated: it may be a URL with a password.
            None if text.contains("://") => {
                Err("not a database URL: write sqlite:PATH or postgres://USER@HOST/DATABASE".into())
            }
            None => Err(format!(
                "not a database URL: {text:?}; write sqlite:PATH, for example sqlite:/var/lib/sodu/sodu.db, or \
                 postgres://USER@HOST/DATABASE"
            )),
        }
    }

    /// The file `path` of the embedded engine.
    pub fn file(path: impl Into<PathBuf>) -> DatabaseUrl {
        DatabaseUrl::Sqlite(SqliteUrl { path: path.into() })
    }

    /// The file that it is, if it is one.
    pub fn as_file(&self) -> Option<&SqliteUrl> {
        match self {
            DatabaseUrl::Sqlite(file) => Some(file),
            DatabaseUrl::Postgres(_) => None,
        }
    }
}

impl SqliteUrl {
    /// `path` with `suffix` appended to its file name: `.lock`, `.sock`.
    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}

/// Without a password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(file) => file.fmt(f),
            DatabaseUrl::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for SqliteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.path.display())
    }
}
