//! Who has the database: every session of a node shares a lock for as long as it lives, and whoever moves the ledger
//! elsewhere has it alone, so that no node reads or writes meanwhile. A session also looks whether the ledger is still here.
//!
//! The lock goes with its session, however that ends, and with the server that gave it: after a failover it is asked for
//! anew, and the mark of a ledger that has gone is in the database itself.

use tokio_postgres::SimpleQueryMessage;

use super::session::{Error, Session};
use crate::OpenError;
use crate::moving::marks::{self, Mark};

/// What a session of a node begins with: its share of the lock, and whether a move left a mark here.
pub(super) const SHARE: &str = "SELECT pg_try_advisory_lock_shared(1936680053, 1) AS is_free, \
    to_regclass('sodu.moves') IS NOT NULL AS is_marked";

const ALONE: &str = "SELECT pg_try_advisory_lock(1936680053, 1)";

/// Who else has a share of the lock, or all of it; the greatest number of rows that are told.
const OTHERS: &str = "SELECT l.pid, l.mode = 'ExclusiveLock', coalesce(a.application_name, ''), \
    coalesce(host(a.client_addr), 'this machine'), coalesce(to_char(a.backend_start, 'YYYY-MM-DD HH24:MI'), 'unknown') \
    FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.classid = 1936680053 \
    AND l.objid = 1 AND l.objsubid = 2 AND l.granted AND l.pid <> pg_backend_pid() ORDER BY l.pid LIMIT 6";

/// Why nobody but a move may use the database, if so; `answer` is the simple answer to [`SHARE`].
pub(super) async fn bar(session: &Session, answer: &[SimpleQueryMessage]) -> Result<Option<OpenError>, Error> {
    let row = answer.iter().rev();
    let row = row.into_iter().find_map(|it| if let SimpleQueryMessage::Row(row) = it { Some(row) } else { None });
    let says = |column: &str| row.and_then(|row| row.get(column)) == Some("t");
    if !says("is_free") {
        return Ok(Some(OpenError::Owned { owner: owner(session).await? }));
    }
    if says("is_marked") { Ok(mark(session).await?.and_then(|mark| mark.bar())) } else { Ok(None) }
}

/// Has the lock alone, from here to the end of the session; or says who else has it.
pub(super) async fn alone(session: &Session) -> Result<Result<(), String>, Error> {
    let is_alone = session.row(ALONE, &[]).await?.map_or(Ok(false), |row| row.try_get(0))?;
    if is_alone { Ok(Ok(())) } else { Ok(Err(owner(session).await?)) }
}

async fn owner(session: &Session) -> Result<String, Error> {
    let rows = session.rows(OTHERS, &[]).await?;
    let mut names = Vec::new();
    for row in rows.iter().take(5) {
        let (pid, moves): (i32, bool) = (row.try_get(0)?, row.try_get(1)?);
        let (name, host, since): (&str, &str, &str) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        let what = if moves { "a move of the ledger by " } else { "" };
        names.push(format!("{what}{name} on {host} (session {pid}, since {since})"));
    }
    if rows.len() > names.len() {
        names.push("others".into());
    }
    // Whoever had it may have gone between the two looks.
    Ok(if names.is_empty() { "another session".into() } else { names.join(", ") })
}

/// What the last move left as its mark, where one left any.
pub(super) async fn mark(session: &Session) -> Result<Option<Mark>, Error> {
    let is_there = session.row("SELECT to_regclass('sodu.moves') IS NOT NULL", &[]).await?;
    if !is_there.map_or(Ok(false), |row| row.try_get(0))? {
        return Ok(None);
    }
    let Some(row) = session.row(marks::LAST, &[]).await? else { return Ok(None) };
    Ok(Some(Mark {
        way: row.try_get(0)?,
        peer: row.try_get(1)?,
        begun_at: row.try_get(2)?,
        ended_at: row.try_get(3)?,
        figures: marks::figures(row.try_get(4)?, row.try_get(5)?, row.try_get(6)?),
    }))
}
