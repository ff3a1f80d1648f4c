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

/// Takes the lock at `path`, or says who has it.
pub(crate) fn take(path: &Path) -> Result<Owned, OpenError> {
    let io = |error: std::io::Error| OpenError::Io(format!("cannot lock {}: {error}", path.display()));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // The owner may be writing its line at this moment; an unreadable line still leaves the answer true.
            if file.read_to_string(&mut owner).is_err() || owner.trim().is_empty() {
                owner = "another process".into();
            }
            return Err(OpenError::Owned { owner: owner.trim().into() });
        }
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
