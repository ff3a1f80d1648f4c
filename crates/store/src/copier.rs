//! The thread that copies the log into the database file while commits go on.
//!
//! A copy reads and writes each page of the log and waits for a sync of the database file, a twentieth of a second for a
//! full log. SQLite lets it run beside one who writes; only the end of the log, which grows meanwhile, has to be copied
//! by the writer itself (see `log.rs`). Where this thread cannot work, that is all of it, which is only slower.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::{OpenError, log, schema};

/// The thread; it ends with this.
pub(crate) struct Copier {
    /// Room for one: whoever is at work already will see what has come meanwhile.
    nudges: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Copier {
    pub(crate) fn start(path: &Path) -> Copier {
        let (nudges, nudged) = sync_channel(1);
        let path = path.to_owned();
        let thread = std::thread::Builder::new().name("copier".into()).spawn(move || run(&path, &nudged));
        if let Err(error) = &thread {
            tracing::warn!(%error, "the log is copied by the writer alone, which makes its callers wait longer");
        }
        Copier { nudges: Some(nudges), thread: thread.ok() }
    }

    /// Has it copy what there is.
    pub(crate) fn nudge(&self) {
        if let Some(nudges) = &self.nudges {
            // Full, it knows already.
            let _ = nudges.try_send(());
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        drop(self.nudges.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that copies the log had panicked");
        }
    }
}

fn run(path: &Path, nudged: &Receiver<()>) {
    let mut kept = None;
    while nudged.recv().is_ok() {
        if let Err(error) = copy(path, &mut kept) {
            tracing::debug!(%error, "the log could not be copied; the writer tries it too");
            kept = None;
        }
    }
}

fn copy(path: &Path, kept: &mut Option<Connection>) -> Result<(), OpenError> {
    let db = match kept {
        Some(db) => db,
        None => kept.insert(schema::open_copier(path)?),
    };
    log::copy(db).map_err(|error| OpenError::Io(error.to_string()))
}
