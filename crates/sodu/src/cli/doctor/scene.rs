//! What several checks need to know: the settings, who looks, whose ledger it is, and who has it open.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use store::SqliteUrl;

use crate::config::Config;

/// The situation that is looked at.
pub(super) struct Scene {
    pub(super) config: Config,
    /// The user who looks.
    pub(super) me: u32,
    /// Whose the database is, where there is one that can be seen.
    pub(super) owner: Option<u32>,
    pub(super) presence: Presence,
}

/// Who has the database open.
pub(super) enum Presence {
    /// A process takes connections on the socket beside it; its number, where the kernel tells.
    Serves { pid: Option<i32> },
    /// A process has it, and does not answer on the socket.
    Holds { owner: String },
    /// Nobody.
    Nobody,
    /// That could not be seen, and why.
    Unseen { why: String },
}

impl Scene {
    pub(super) fn survey(config: Config) -> Scene {
        let owner = config.database.as_file().and_then(|file| owner(&file.path));
        let presence = presence(&config);
        Scene { config, me: rustix::process::geteuid().as_raw(), owner, presence }
    }

    /// Whether the one who looks is the one who serves, as far as that is known: what they may not do, a server may not.
    pub(super) fn is_own(&self) -> bool {
        self.owner.is_none_or(|owner| owner == self.me)
    }

    /// Who sees all of it.
    pub(super) fn who(&self) -> String {
        self.owner.map_or_else(|| "root".to_owned(), user)
    }

    /// The file that the ledger is, where it is one.
    pub(super) fn file(&self) -> Option<&SqliteUrl> {
        self.config.database.as_file()
    }

    /// The process that serves, where there is one and it is known.
    pub(super) fn server(&self) -> Option<i32> {
        match self.presence {
            Presence::Serves { pid } => pid,
            Presence::Holds { .. } | Presence::Nobody | Presence::Unseen { .. } => None,
        }
    }

    /// The folder of the database, or the nearest one above it that exists; the first start makes the rest.
    pub(super) fn folder(&self) -> PathBuf {
        let path = self.file().and_then(|file| std::path::absolute(&file.path).ok()).unwrap_or_else(|| "/".into());
        let existing = path.ancestors().skip(1).find(|folder| folder.is_dir());
        existing.map_or_else(|| "/".into(), Path::to_owned)
    }
}

/// The owner of the database; where it cannot even be seen, that of the folder that hides it.
fn owner(database: &Path) -> Option<u32> {
    match metadata(database) {
        Ok(file) => file.map(|file| file.uid()),
        Err(_) => {
            let path = std::path::absolute(database).ok()?;
            let seen = path.ancestors().find_map(|folder| std::fs::metadata(folder).ok());
            seen.map(|folder| folder.uid())
        }
    }
}

fn presence(config: &Config) -> Presence {
    if let Ok(stream) = UnixStream::connect(crate::ops::socket_path(config)) {
        let pid = socket_peercred(&stream).ok().map(|peer| peer.pid.as_raw_nonzero().get());
        return Presence::Serves { pid };
    }
    let Some(file) = config.database.as_file() else { return Presence::Nobody };
    match store::owner(file) {
        Ok(Some(owner)) => Presence::Holds { owner },
        Ok(None) => Presence::Nobody,
        Err(error) => Presence::Unseen { why: error.to_string() },
    }
}

/// What is known of the file; nothing where there is none.
pub(super) fn metadata(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A user as people call them.
pub(super) fn user(uid: u32) -> String {
    let actor = crate::ops::local_actor(uid);
    actor.as_str().trim_start_matches("local:").to_owned()
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let power = usize::try_from(bytes.ilog2() / 10).unwrap_or(0).min(UNITS.len());
    let tenths = u128::from(bytes) * 10 / (1 << (10 * power));
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power - 1])
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_told_in_their_own_unit() {
        let cases = [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1_610_612_736, "1.5 GiB")];
        for (bytes, shown) in cases {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }
}
