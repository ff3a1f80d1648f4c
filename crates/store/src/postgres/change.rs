//! Changes of everything besides movements: openings, settings, credentials, operators, currencies, notes of the audit trail.
//!
//! Each is a transaction of its own: the accounts first, as always, then the one lock that whoever writes into the audit
//! trail takes. They come one after the other on the whole platform, so that what one looks up stays so until its commit.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::{AccountId, Command};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::batch::{Batch, Draft};
use super::facts;
use super::keep::{ALONE, Commit};
use super::pool::TIME_LIMIT;
use super::session::{Error, Session};
use super::shared::Shared;
use crate::audit::Origin;
use crate::{ChangeError, Fault};

const PAUSE: Duration = Duration::from_millis(50);

/// Something to be changed.
pub(super) trait Change: Send + Sync {
    /// What comes of it.
    type Done: Send;

    /// The accounts that it touches.
    fn accounts(&self) -> BTreeSet<AccountId> {
        BTreeSet::new()
    }

    /// The movements in it.
    fn commands(&self) -> &[Command] {
        &[]
    }

    /// Whether it may be decided again where nobody knows whether it happened: its key then tells.
    fn has_key(&self) -> bool {
        false
    }

    /// How long it may take.
    fn time_limit(&self) -> Duration {
        TIME_LIMIT
    }

    /// Makes it, inside the transaction; an `Err` inside the result leaves everything as it was.
    fn make(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Result<Self::Done, ChangeError>, Error>> + Send;
}

/// The transaction under way.
pub(super) struct Tx<'a> {
    pub(super) session: &'a Session,
    pub(super) batch: Batch,
}

impl Tx<'_> {
    /// Ledger time, looked at after every lock.
    pub(super) fn now_us(&self) -> i64 {
        self.batch.now.micros()
    }

    /// Puts a row into the audit trail.
    pub(super) fn note(&mut self, origin: &Origin, action: &str, subject: &str, detail: &Value) {
        self.batch.note(origin.by.as_str(), action, subject, detail, origin.request_id.as_ref());
    }

    /// An account that this transaction has locked or made.
    pub(super) fn draft(&mut self, id: AccountId) -> Result<&mut Draft, Error> {
        let draft = self.batch.drafts.get_mut(&id);
        draft.ok_or_else(|| Error::Damage(format!("account {id} was not locked")))
    }

    /// Has later statements see what was decided so far.
    pub(super) async fn writes_so_far(&mut self) -> Result<(), Error> {
        self.batch.flush(self.session).await
    }
}

/// Why an attempt came to nothing.
enum Failure {
    Before(Error),
    Unknown(Error),
}

/// Makes a change, as often as it takes within its time.
pub(super) async fn make<C: Change>(shared: &Shared, change: &C) -> Result<C::Done, ChangeError> {
    let deadline = Instant::now() + change.time_limit();
    let is_committing = AtomicBool::new(false);
    let mut is_unknown = false;
    loop {
        let attempt = shared.pool.with(|session| attempt(shared, session, change, &is_committing));
        let attempted = timeout_at(deadline, attempt).await;
        is_unknown |= attempted.is_err() && is_committing.load(Ordering::Relaxed);
        let fault = if is_unknown { Fault::OutcomeUnknown } else { Fault::Unavailable };
        let Ok(attempted) = attempted else { return Err(fault.into()) };
        match attempted.unwrap_or_else(|error| Err(Failure::Before(error))) {
            Ok(done) => return done,
            Err(Failure::Unknown(error)) => {
                shared.goes_wrong(&error);
                if !change.has_key() {
                    return Err(Fault::OutcomeUnknown.into());
                }
                is_unknown = true;
            }
            // The lock of all changes is had in the order of asking: whoever asks again has it before long.
            Err(Failure::Before(error)) if error.is_conflict() || error.is_locked_out() => {}
            Err(Failure::Before(error)) if error.is_lost() => shared.goes_wrong(&error),
            Err(Failure::Before(error)) => {
                tracing::error!(%error, "a change failed; nothing of it happened");
                return Err(fault.into());
            }
        }
        if timeout_at(deadline, sleep(PAUSE)).await.is_err() || Instant::now() >= deadline {
            return Err(fault.into());
        }
    }
}

type Attempted<T> = Result<Result<T, ChangeError>, Failure>;

async fn attempt<C: Change>(
    shared: &Shared,
    session: Session,
    change: &C,
    is_committing: &AtomicBool,
) -> (Attempted<C::Done>, Option<Session>) {
    let (result, is_open) = transact(shared, &session, change, is_committing).await;
    let is_kept = match &result {
        Err(Failure::Unknown(_)) => false,
        Err(Failure::Before(error)) if error.is_lost() => false,
        _ => !is_open || session.say("ROLLBACK").await.is_ok(),
    };
    (result, is_kept.then_some(session))
}

/// The transaction, and whether it is still open.
async fn transact<C: Change>(
    shared: &Shared,
    session: &Session,
    change: &C,
    is_committing: &AtomicBool,
) -> (Attempted<C::Done>, bool) {
    let decided = async {
        let accounts = change.accounts();
        let batch = if accounts.is_empty() {
            // Whoever has no account to lock looks at the clock after this lock instead.
            session.say("BEGIN").await?;
            session.execute(ALONE, &[]).await?;
            let mut batch = Batch::new(shared);
            facts::gather_more(session, &mut batch, &accounts, &[]).await?;
            batch
        } else {
            let batch = facts::gather(shared, session, &accounts, change.commands()).await?;
            session.execute(ALONE, &[]).await?;
            batch
        };
        let mut tx = Tx { session, batch };
        let made = change.make(&mut tx).await?;
        Ok((made, tx.batch))
    };
    match decided.await {
        Err(error) => (Err(Failure::Before(error)), true),
        Ok((Err(error), _)) => (Ok(Err(error)), true),
        Ok((Ok(done), mut batch)) => {
            is_committing.store(true, Ordering::Relaxed);
            let began = Instant::now();
            let commit = batch.commit(session).await;
            is_committing.store(false, Ordering::Relaxed);
            match commit {
                Commit::Done => {
                    shared.is_well();
                    shared.tell_of(&batch);
                    shared.count_commit(change.commands().len(), began.elapsed());
                    (Ok(Ok(done)), false)
                }
                Commit::Refused(error) => (Err(Failure::Before(error)), true),
                Commit::Unknown(error) => (Err(Failure::Unknown(error)), false),
            }
        }
    }
}
