//! After a sync of the database file that failed, nothing may rely on what was copied there before.
//!
//! A kernel that could not write some pages says so once, to one sync; the next one succeeds, and what it did not write is
//! gone with the power. strace has one such sync fail. The log must still hold everything then, and the server, which
//! cannot tell what of its copies is lost, must end and leave it so.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::{Movement, everything_is_there, prepare, read_trace, start, trace};
use crate::contradiction::Contradiction;
use crate::operator::{Entry, Operator};
use crate::{programs, server};

/// Several times what makes a log that is copied to its end.
const MOVEMENTS_MAX: u64 = 30_000;

pub(crate) fn prove(binary: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("sync-proof-").tempdir_in(programs::target())?;
    let (database, mut disk) = prepare(binary, &folder.path().join("failed"))?;
    let trace_file = folder.path().join("trace");
    let prefix = [trace::strace(&trace_file), trace::fail_second_sync(&database).into()].concat();
    let server = start(binary, &database, &prefix)?;
    let mut operator = Operator::open(&server.socket)?;
    let mut told = HashMap::new();
    for number in 0.. {
        if number == MOVEMENTS_MAX {
            bail!(Contradiction("a sync of the database file failed, and the server went on".into()));
        }
        let movement = Movement::new(0, number);
        let Ok(answer) = movement.send(&mut operator) else { break };
        if answer.status != 201 {
            ensure!(answer.status == 503, "a movement was not made: {answer:?}");
            break;
        }
        told.insert(movement.key, (movement.account, Entry::read(&answer.body["entry"])?));
    }
    let status = server.wait()?;
    ensure!(status.code() == Some(1), "after a sync that failed, the server ended with {status}");
    read_trace(&trace_file, &database)?.iter().for_each(|event| disk.apply(event));
    let cut = folder.path().join("cut.db");
    disk.write(&cut)?;
    // Every commit syncs the log before it is told, as the other proofs show, and nobody traced that here.
    std::fs::copy(server::beside(&database, "-wal"), server::beside(&cut, "-wal")).context("the log is gone")?;
    everything_is_there(binary, &cut, told.values())
        .map_err(|what| Contradiction(format!("a sync of the database file failed, the power was cut: {what:#}")))?;
    println!("sync-proof: a sync of the database file failed, the server ended, and the log had all {}", told.len());
    Ok(())
}
