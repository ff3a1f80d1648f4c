//! The node as those see it who ask what happened: each question takes a session of the pool, within its time.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ledger::{AccountId, Currency, Entry, Hold, Key, Runway, Time};
use tokio::runtime::Handle;

use super::session::{Connector, Error, Session};
use super::{Postgres, credentials, operators, runtime, statement, totals, verify, waited};
use crate::{
    AccountNow, Against, AuditQuery, AuditRow, Credential, Fault, KeyOutcome, OpenError, Operator, Page, PostgresUrl,
    Profile, Progress, Totals, VerifyReport,
};

/// Reads on a session of the pool: for futures, and for threads that may block.
impl Postgres {
    /// Verifies without opening.
    pub(crate) fn inspect(
        url: &PostgresUrl,
        against: Against,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<VerifyReport, OpenError> {
        let (runtime, connector) = (runtime()?, Connector::new(url.clone()).map_err(OpenError::Io)?);
        let session = async move { connector.session().await };
        let verified = verified(runtime.handle(), session, against, progress);
        runtime.shutdown_background();
        verified.map_err(OpenError::from)
    }

    pub(crate) async fn now(&self) -> Result<Time, Fault> {
        self.read(|session| Box::pin(statement::now(session))).await
    }

    pub(crate) async fn open_hold_count(&self, id: AccountId) -> Result<usize, Fault> {
        self.read(move |session| Box::pin(statement::hold_count(session, id))).await
    }

    pub(crate) async fn metered_accounts(&self) -> Result<Vec<(AccountNow, Option<Runway>)>, Fault> {
        self.read(|session| Box::pin(statement::metered(session))).await
    }

    pub(crate) async fn currencies(&self) -> Result<Vec<Currency>, Fault> {
        self.read(|session| Box::pin(operators::currencies(session))).await
    }

    pub(crate) async fn key_outcome(&self, account: AccountId, key: Key) -> Result<Option<KeyOutcome>, Fault> {
        let refusal_us = self.inner.shared.refusal_us;
        let key = Arc::new(key);
        self.read(move |session| {
            let key = Arc::clone(&key);
            Box::pin(async move { statement::key_outcome(session, account, &key, refusal_us).await })
        })
        .await
    }

    pub(crate) fn entry(&self, account: AccountId, number: u64) -> Result<Option<Entry>, Fault> {
        self.wait(move |session| Box::pin(statement::entry(session, account, number)))
    }

    pub(crate) fn entries(
        &self,
        account: AccountId,
        from: Option<Time>,
        to: Option<Time>,
        after: u64,
        limit: usize,
    ) -> Result<Page<Entry, u64>, Fault> {
        self.wait(move |session| Box::pin(statement::entries(session, account, from, to, after, limit)))
    }

    pub(crate) fn account_as_of(&self, id: AccountId, at: Time) -> Result<Option<AccountNow>, Fault> {
        self.wait(move |session| Box::pin(statement::as_of(session, id, at)))
    }

    pub(crate) fn open_holds(
        &self,
        id: AccountId,
        after: u64,
        limit: usize,
    ) -> Result<Page<(Hold, Entry), u64>, Fault> {
        self.wait(move |session| Box::pin(statement::holds(session, id, after, limit)))
    }

    pub(crate) fn profile(&self, id: AccountId) -> Result<Option<Profile>, Fault> {
        self.wait(move |session| Box::pin(statement::profile(session, id)))
    }

    pub(crate) fn profiles(
        &self,
        query: Option<&str>,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Page<Profile, AccountId>, Fault> {
        let query = query.map(str::to_owned);
        self.wait(move |session| {
            let query = query.clone();
            Box::pin(async move { statement::profiles(session, query.as_deref(), after, limit).await })
        })
    }

    pub(crate) fn credentials(&self, account: AccountId) -> Result<Vec<Credential>, Fault> {
        let found = self.wait(move |session| Box::pin(credentials::of_account(session, account)))?;
        let known = found.into_iter().map(|(id, credential)| {
            let last_used_at = self.inner.shared.last_use(id).or(credential.last_used_at);
            Credential { last_used_at, ..credential }
        });
        Ok(known.collect())
    }

    pub(crate) fn operators(&self) -> Result<Vec<Operator>, Fault> {
        self.wait(|session| Box::pin(operators::all(session)))
    }

    pub(crate) fn audit(&self, wanted: &AuditQuery, limit: usize) -> Result<Page<AuditRow, u64>, Fault> {
        let wanted = wanted.clone();
        self.wait(move |session| {
            let wanted = wanted.clone();
            Box::pin(async move { statement::audit(session, &wanted, limit).await })
        })
    }

    pub(crate) fn totals(&self, at: Option<Time>) -> Result<Vec<Totals>, Fault> {
        if self.is_closed() {
            return Err(Fault::Stopping);
        }
        let shared = Arc::clone(&self.inner.shared);
        let read = async move { shared.pool.read_long(move |session| Box::pin(totals::totals(session, at))).await };
        told(waited(&self.inner.handle, read))
    }

    pub(crate) fn verify(&self, against: Against, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, Fault> {
        if self.is_closed() {
            return Err(Fault::Stopping);
        }
        let shared = Arc::clone(&self.inner.shared);
        let session = async move { shared.pool.connector().session().await };
        verified(&self.inner.handle, session, against, progress).map_err(|error| unread(&error))
    }

    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a Session) -> BoxFuture<'a, Result<T, Error>> + Send + Sync + 'static,
    ) -> Result<T, Fault> {
        if self.is_closed() {
            return Err(Fault::Stopping);
        }
        let shared = Arc::clone(&self.inner.shared);
        told(waited(&self.inner.handle, async move { shared.pool.read(work).await }))
    }

    /// On the node's own threads, which have the timers that it needs. What it asks may be asked twice.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a Session) -> BoxFuture<'a, Result<T, Error>> + Send + Sync + 'static,
    ) -> Result<T, Fault> {
        if self.is_closed() {
            return Err(Fault::Stopping);
        }
        let shared = Arc::clone(&self.inner.shared);
        let read = self.inner.handle.spawn(async move { shared.pool.read(work).await });
        read.await.map_or(Err(Fault::Unavailable), |read| read.map_err(|error| unread(&error)))
    }
}

/// Verifies on the node's own threads, and tells of the progress on this one.
fn verified(
    handle: &Handle,
    session: impl Future<Output = Result<Session, Error>> + Send + 'static,
    against: Against,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, Error> {
    let (tell, told) = std::sync::mpsc::channel();
    let (done, report) = std::sync::mpsc::channel();
    handle.spawn(async move {
        let verified = async {
            let mut progress = move |at| tell.send(at).unwrap_or_default();
            verify::verify(&session.await?, against, &mut progress).await
        };
        done.send(verified.await).unwrap_or_default();
    });
    told.iter().for_each(progress);
    report.recv().unwrap_or_else(|_| Err(Error::Unreachable("the store is closed".into())))
}

fn told<T>(read: Option<Result<T, Error>>) -> Result<T, Fault> {
    read.unwrap_or_else(|| Err(Error::Unreachable("the store is closed".into()))).map_err(|error| unread(&error))
}

fn unread(error: &Error) -> Fault {
    tracing::error!(%error, "a question to the database failed");
    Fault::Unavailable
}
