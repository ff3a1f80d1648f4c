//! The Unix socket beside the database, by which the command line reaches a running server.
//!
//! Whoever makes it holds the database's lock, or (of a database elsewhere) the ports that its name is made of, so a socket
//! that lies there already belongs to nobody and is removed. It is never open to others, not even for a moment: its mode
//! is set before it has a name.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use store::DatabaseUrl;
use tracing::warn;

use crate::config::{Config, default_database};

/// The longest path that a socket can have on Linux, in bytes (`sun_path` holds 108 with its end; unix(7)).
const PATH_LEN_MAX: usize = 107;

/// How many callers may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The name of the socket in the file system; dropping it takes the name away.
pub(crate) struct SocketFile(PathBuf);

impl SocketFile {
    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            warn!(%error, "the socket beside the database could not be removed");
        }
    }
}

/// Where the socket of a server with these settings lies: beside the file of the database, or, where the database is
/// elsewhere, in a folder that only this user writes to, under a name for this node of it.
pub(crate) fn path(config: &Config) -> PathBuf {
    match &config.database {
        DatabaseUrl::Sqlite(file) => file.beside(".sock"),
        DatabaseUrl::Postgres(url) => {
            let node = blake3::hash(format!("{url} {}", config.ops_listen).as_bytes()).to_hex();
            own_folder().join(format!("sodu-{}.sock", node.chars().take(16).collect::<String>()))
        }
    }
}

/// The XDG runtime folder, `/run` for root, else this user's data folder.
fn own_folder() -> PathBuf {
    let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let is_root = rustix::process::getuid().is_root();
    let data =
        || default_database().as_file().and_then(|file| file.path.parent()).map_or("/run".into(), Path::to_owned);
    named.unwrap_or_else(|| if is_root { "/run".into() } else { data() })
}

/// The socket at that path, listening.
pub(crate) fn socket(path: &Path) -> anyhow::Result<(SocketFile, UnixListener)> {
    let path = path.to_owned();
    let length = path.as_os_str().as_bytes().len();
    if length > PATH_LEN_MAX {
        bail!(
            "the database's path is too long for the socket beside it: {} has {length} bytes and may have \
             {PATH_LEN_MAX}; choose a shorter one with --database",
            path.display()
        );
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("the old socket {} cannot be removed", path.display()));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = listener(&path).with_context(|| format!("the socket {} cannot be made", path.display()))?;
    Ok((SocketFile(path), listener))
}

fn listener(path: &Path) -> anyhow::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Where a system does not take the mode over from the unnamed socket, this does it, a moment later.
    rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}
