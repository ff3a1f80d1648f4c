//! What a killed server had written but not synced, its successor must sync before it vouches for it.
//!
//! strace kills the server as it begins a sync. The movement of that commit is then in the WAL as every process sees it,
//! and perhaps not on the disk. The next server reads it, and when its key is sent again, says that it was done; a power
//! cut after that answer must not take it back.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

use super::{Movement, everything_is_there, order, prepare, read_trace, start, trace};
use crate::contradiction::Contradiction;
use crate::operator::{Entry, Operator};
use crate::programs;

/// Late enough that the server is ready and some movements are made, early enough that it comes soon.
const FATAL_SYNC: u32 = 40;

pub(crate) fn prove(binary: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("sync-proof-").tempdir_in(programs::target())?;
    let (database, mut disk) = prepare(binary, &folder.path().join("restart"))?;
    let trace_file = folder.path().join("killed");
    let prefix = [trace::strace(&trace_file), trace::kill_at_sync(FATAL_SYNC).into()].concat();
    let server = start(binary, &database, &prefix)?;
    let mut told = HashMap::new();
    let in_doubt = move_until_killed(&mut Operator::open(&server.socket)?, &mut told)?;
    server.wait()?;
    read_trace(&trace_file, &database)?.iter().for_each(|event| disk.apply(event));

    let trace_file = folder.path().join("restarted");
    let server = start(binary, &database, &trace::strace(&trace_file))?;
    let answer = in_doubt.send(&mut Operator::open(&server.socket)?)?;
    ensure!(matches!(answer.status, 200 | 201), "a movement sent again was not made: {answer:?}");
    told.insert(in_doubt.key.clone(), (in_doubt.account, Entry::read(&answer.body["entry"])?));
    server.stop()?;
    let events = read_trace(&trace_file, &database)?;
    let acknowledged = order::acknowledgements(&events).map_err(|what| anyhow!(what))?;
    let line = acknowledged.first().context("the trace does not have the answer")?.began;
    disk.restart();
    events.iter().filter(|event| event.ended < line).for_each(|event| disk.apply(event));
    let cut = folder.path().join("cut.db");
    disk.write(&cut)?;
    everything_is_there(binary, &cut, told.values()).map_err(|what| {
        let how = if answer.replayed() { "found in the WAL and called done" } else { "made anew" };
        Contradiction(format!(
            "a server was killed before a sync, its successor answered {} ({how}), the power was cut: {what:#}",
            in_doubt.key
        ))
    })?;
    println!("sync-proof: what a killed server left unsynced was synced before it was called done");
    Ok(())
}

/// Moves credit until no answer comes any more; returns the movement that got none.
fn move_until_killed(operator: &mut Operator, told: &mut HashMap<String, (u64, Entry)>) -> Result<Movement> {
    for number in 0..u64::from(FATAL_SYNC) * 2 {
        let movement = Movement::new(0, number);
        let Ok(answer) = movement.send(operator) else { return Ok(movement) };
        ensure!(answer.status == 201, "a movement was not made: {answer:?}");
        told.insert(movement.key, (movement.account, Entry::read(&answer.body["entry"])?));
    }
    Err(anyhow!("strace did not kill the server at its sync number {FATAL_SYNC}"))
}
