//! How many connections this process may hold, in the eyes of the kernel.
//!
//! Raises the soft limit on open files as far as the hard one lets it: the usual soft limit of 1024 is a remnant for
//! programs that use `select`. What the limit leaves for connections is the most that is promised to clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Files that are needed for other things than eSMS clients: the database, operators, listeners, runtimes.
pub(crate) const FILES_RESERVED: u64 = 256;

/// `wanted`, or as many connections as the limit on open files allows.
pub(super) fn connections(wanted: usize) -> usize {
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(FILES_RESERVED);
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < needed) else { return wanted };
    let raised = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raising = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
    let files = if raising.is_ok() { raised } else { current };
    if files >= needed {
        return wanted;
    }
    let allowed = usize::try_from(files.saturating_sub(FILES_RESERVED).max(files / 2)).unwrap_or(wanted);
    warn!(
        connections_max = wanted,
        allowed,
        open_files_max = files,
        "the limit on open files allows fewer connections"
    );
    allowed.clamp(1, wanted)
}
