//! Exclusive ownership: an advisory lock on a file beside the database, held as long as the process lives.
//!
//! The kernel drops it when the process dies, however it dies; the text inside only tells people who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::OpenError;

/// The lock; dropping it gives the database up.
pub(crate) struct Owned {
    _file: File,
}

/// What a look at the lock shows, without making or writing the file.
pub(crate) enum Seen {
    /// There is no lock file: nobody has ever opened the database under this name.
    Never,
    /// Nobody had it; this look has it until it is dropped.
    Held(#[expect(dead_code, reason = "the lock goes with the file")] File),
    /// Somebody has it: what they wrote about themselves.
    Owned(String),
}

/// Looks at the lock at `path`.
pub(crate) fn look(path: &Path) -> Result<Seen, OpenError> {
    let io = |error: std::io::Error| OpenError::Io(format!("cannot look at the lock {}: {error}", path.display()));
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Seen::Never),
        Err(error) => return Err(io(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Seen::Held(file)),
        Err(TryLockError::WouldBlock) => Ok(Seen::Owned(owner(&mut file))),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// What the owner wrote into the lock file. It may be writing its line at this moment; an unreadable one still leaves it true
/// that there is an owner.
fn owner(file: &mut File) -> String {
    let mut line = String::new();
    match file.read_to_string(&mut line) {
        Ok(_) if !line.trim().is_empty() => line.trim().to_owned(),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}

/// Takes the lock at `path`, or says who has it.
pub(crate) fn take(path: &Path) -> Result<Owned, OpenError> {
    let io = |error: std::io::Error| OpenError::Io(format!("cannot lock {}: {error}", path.display()));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::Owned { owner: owner(&mut file) }),
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    let command = std::env::args().take(2).collect::<Vec<_>>().join(" ");
    let line = format!("process {} ({command})\n", std::process::id());
    // The lock is what counts. On a full disk the line is not written, and a second process is told less.
    if let Err(error) = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(line.as_bytes())) {
        tracing::warn!(%error, "the lock file does not say who holds it");
    }
    Ok(Owned { _file: file })
}
