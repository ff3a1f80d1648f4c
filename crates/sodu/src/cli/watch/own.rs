//! Who watches with a history file: an advisory lock on a file beside it, held as long as the process lives.
//!
//! The kernel drops it when the process dies, however it dies; the text inside only tells people who holds it.
//! The ledger's own lock is of the same kind and in `store`, which the build for customers does not have.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock; dropping it lets another process watch.
pub(super) struct Owned {
    _file: File,
}

/// Why it is not ours.
pub(super) enum NotOwned {
    /// Another process has it.
    By(String),
    /// The file cannot be made or locked.
    Io(io::Error),
}

/// Takes the lock at `path`, or says who has it.
pub(super) fn take(path: &Path) -> Result<Owned, NotOwned> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = opened.map_err(NotOwned::Io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // The owner may be writing its line at this moment; an unreadable line still leaves the answer true.
            if file.read_to_string(&mut owner).is_err() || owner.trim().is_empty() {
                owner = "another process".into();
            }
            return Err(NotOwned::By(owner.trim().to_owned()));
        }
        Err(TryLockError::Error(error)) => return Err(NotOwned::Io(error)),
    }
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    let line = format!("process {} ({command})\n", std::process::id());
    // The lock is what counts. On a full disk the line is not written, and a second process is told less.
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(line.as_bytes()));
    Ok(Owned { _file: file })
}
