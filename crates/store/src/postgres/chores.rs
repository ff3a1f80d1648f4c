//! What a node does once a second, on a connection of its own: it sees whether the database takes writes, ends holds that
//! nobody touches, reminds people, removes refusals after their days, and writes down when credentials were last used.
//!
//! Every node does it, and it does not matter which comes first: accounts are locked as for any movement, and those that
//! another transaction is at are left to it, or to a later second.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ledger::{AccountId, Time};
use tokio::sync::watch;
use tokio::time::timeout;

use super::batch::Batch;
use super::facts;
use super::keep::Commit;
use super::pool::TIME_LIMIT;
use super::rows;
use super::session::{Error, Session};
use super::shared::Shared;

const TICK: Duration = Duration::from_secs(1);

/// How many accounts one tick reminds at most.
const REMINDERS_MAX: i64 = 1000;

/// How many ends of holds one tick writes at most, so that no caller waits long for an account.
const ENDS_MAX: usize = 1000;

/// How many refusals one statement removes.
const REFUSALS_MAX: i64 = 5000;

/// Oldest end first; holds of one account are ended together.
const DUE: &str = "SELECT account FROM (SELECT account, expires_at FROM open_holds WHERE expires_at <= ledger_clock() \
    ORDER BY expires_at LIMIT $1) due GROUP BY account ORDER BY min(expires_at)";

const TO_REMIND: &str = "SELECT account FROM alert_rules WHERE remind_at <= ledger_clock() ORDER BY remind_at LIMIT $1";

const FREE: &str = "SELECT id FROM accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED";

const LAPSED: &str = "DELETE FROM refusals WHERE ctid = ANY(ARRAY(SELECT ctid FROM refusals \
    WHERE at < ledger_clock() - $1 ORDER BY at LIMIT $2))";

const USES: &str = "UPDATE credentials k SET last_used_at = greatest(k.last_used_at, n.used) \
    FROM unnest($1::int8[], $2::int8[]) AS n (id, used) WHERE k.id = n.id";

/// How many accounts there are, and the schema's version. They are counted while they are few, and else as PostgreSQL last
/// estimated them, since a count would walk the whole table every second.
const COUNT: &str = "SELECT CASE WHEN reltuples < 10000 THEN (SELECT count(*) FROM (SELECT FROM accounts LIMIT 20000) few) \
    ELSE reltuples::int8 END, (SELECT value FROM meta WHERE name = 'schema') \
    FROM pg_class WHERE oid = 'accounts'::regclass";

/// Goes on until `closing` says so.
pub(super) async fn work(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    let mut session = None;
    loop {
        let tick = timeout(TIME_LIMIT, tick(&shared, &mut session));
        match tick.await.unwrap_or_else(|_| Err(Error::Unreachable("it does not answer".into()))) {
            Ok(()) => shared.is_well(),
            Err(error) if error.is_lost() => {
                session = None;
                shared.goes_wrong(&error);
            }
            Err(error) => {
                session = None;
                tracing::warn!(%error, "what is done once a second was not done");
            }
        }
        let is_closing = timeout(TICK, closing.wait_for(|is_closing| *is_closing)).await.is_ok();
        if is_closing {
            if let Some(session) = &session
                && let Err(error) = write_uses(&shared, session).await
            {
                tracing::warn!(%error, "the last uses of credentials were not written");
            }
            return;
        }
    }
}

async fn tick(shared: &Shared, kept: &mut Option<Session>) -> Result<(), Error> {
    let session = match kept.take().filter(|session| !session.client.is_closed()) {
        Some(session) => session,
        None => shared.pool.connector().session().await?,
    };
    if let Some(row) = session.row(COUNT, &[]).await? {
        shared.accounts.store(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0), Ordering::Relaxed);
        shared.sees_schema(row.try_get(1)?);
    }
    end_holds(shared, &session).await?;
    remind(shared, &session).await?;
    while session.execute(LAPSED, &[&shared.refusal_us, &REFUSALS_MAX]).await? == REFUSALS_MAX.unsigned_abs() {}
    write_uses(shared, &session).await?;
    // A server whose standbys are gone answers everything but a commit.
    session.prove_primary().await?;
    *kept = Some(session);
    Ok(())
}

async fn end_holds(shared: &Shared, session: &Session) -> Result<(), Error> {
    let len_max = i64::try_from(ENDS_MAX).unwrap_or(i64::MAX);
    look_after(shared, session, DUE, len_max, |batch, id| {
        let left = ENDS_MAX.saturating_sub(batch.made.entries.len());
        // Where some are left for the next tick, nothing but further ends may come before them, as nothing does here.
        batch.drafts.entry(id).and_modify(|draft| draft.due.truncate(left));
        batch.expire_due(id)
    })
    .await
}

async fn remind(shared: &Shared, session: &Session) -> Result<(), Error> {
    look_after(shared, session, TO_REMIND, REMINDERS_MAX, |batch, id| {
        batch.expire_due(id)?;
        batch.remind(id);
        Ok(())
    })
    .await
}

/// Does what is due to the accounts that the statement `due` gives, at most `len_max`, and that are free, in one transaction.
async fn look_after(
    shared: &Shared,
    session: &Session,
    due: &'static str,
    len_max: i64,
    work: impl Fn(&mut Batch, AccountId) -> Result<(), Error>,
) -> Result<(), Error> {
    let due = session.rows(due, &[&len_max]).await?;
    let due: Vec<i32> = due.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if due.is_empty() {
        return Ok(());
    }
    session.say("BEGIN").await?;
    let free = session.rows(FREE, &[&due]).await?;
    let free: BTreeSet<AccountId> = free.iter().map(|row| rows::id_at(row, 0)).collect::<Result<_, _>>()?;
    let mut batch = Batch::new(shared);
    facts::gather_more(session, &mut batch, &free, &[]).await?;
    free.into_iter().try_for_each(|id| work(&mut batch, id))?;
    match batch.commit(session).await {
        Commit::Done => {
            shared.tell_of(&batch);
            Ok(())
        }
        Commit::Refused(error) if error.is_conflict() => session.say("ROLLBACK").await,
        Commit::Refused(error) | Commit::Unknown(error) => Err(error),
    }
}

async fn write_uses(shared: &Shared, session: &Session) -> Result<(), Error> {
    let uses = shared.take_uses();
    if uses.is_empty() {
        return Ok(());
    }
    let (ids, times): (Vec<i64>, Vec<i64>) =
        uses.into_iter().map(|(id, used): (i64, Time)| (id, used.micros())).unzip();
    session.execute(USES, &[&ids, &times]).await.map(drop)
}
