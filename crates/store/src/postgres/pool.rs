//! Sessions for everything but the lanes: as many as the limit allows, made when they are needed, kept while they work.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::session::{Connector, Error, Session};

/// How long a call may take before its caller hears that the database cannot be used.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How long a question about every account may take. It has so much more time because no caller waits behind it.
pub(super) const LONG_TIME_LIMIT: Duration = Duration::from_secs(60);

/// How long it waits before it tries to connect again.
const PAUSE: Duration = Duration::from_millis(100);

/// Sessions that nobody uses at the moment.
pub(super) struct Pool {
    connector: Connector,
    idle: Mutex<Vec<Session>>,
    permits: Semaphore,
    /// Questions about every account come one at a time, so that they never take the sessions of all others.
    long: Semaphore,
}

impl Pool {
    /// At most `len_max` sessions at once.
    pub(super) fn new(connector: Connector, len_max: usize) -> Pool {
        Pool { connector, idle: Mutex::default(), permits: Semaphore::new(len_max), long: Semaphore::new(1) }
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Reads something, on another session where the first turns out to be dead, within the time limit.
    pub(super) async fn read<T>(
        &self,
        work: impl for<'a> Fn(&'a Session) -> BoxFuture<'a, Result<T, Error>> + Send + Sync,
    ) -> Result<T, Error> {
        self.read_until(Instant::now() + TIME_LIMIT, work).await
    }

    /// Reads something that grows with the number of accounts. `work` has to lift the session's limit on statements.
    pub(super) async fn read_long<T>(
        &self,
        work: impl for<'a> Fn(&'a Session) -> BoxFuture<'a, Result<T, Error>> + Send + Sync,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + LONG_TIME_LIMIT;
        match timeout_at(deadline, self.long.acquire()).await {
            Ok(Ok(_alone)) => self.read_until(deadline, work).await,
            Ok(Err(_)) | Err(_) => {
                Err(Error::Unreachable("another question about every account takes too long".into()))
            }
        }
    }

    async fn read_until<T>(
        &self,
        deadline: Instant,
        work: impl for<'a> Fn(&'a Session) -> BoxFuture<'a, Result<T, Error>> + Send + Sync,
    ) -> Result<T, Error> {
        let mut why = Error::Unreachable("every connection is in use".into());
        while let Ok(Ok(_permit)) = timeout_at(deadline, self.permits.acquire()).await {
            let attempt = async {
                let session = self.session().await?;
                let result = async {
                    let found = work(&session).await?;
                    session.prove_primary().await.map(|()| found)
                };
                let result = result.await;
                if !result.as_ref().is_err_and(Error::is_lost) {
                    self.keep(session);
                }
                result
            };
            match timeout_at(deadline, attempt).await {
                Ok(Err(error)) if error.is_lost() || error.is_conflict() => {
                    why = error;
                    if timeout_at(deadline, tokio::time::sleep(PAUSE)).await.is_err() {
                        break;
                    }
                }
                Ok(result) => return result,
                Err(_) => {
                    why = Error::Unreachable("the database did not answer in time".into());
                    break;
                }
            }
        }
        Err(why)
    }

    /// A session of one's own for as long as `work` takes, which is not tried twice.
    pub(super) async fn with<T, F: Future<Output = (T, Option<Session>)>>(
        &self,
        work: impl FnOnce(Session) -> F,
    ) -> Result<T, Error> {
        let _permit = self.permits.acquire().await.map_err(|_| Error::Unreachable("the store is closed".into()))?;
        let (done, session) = work(self.session().await?).await;
        session.into_iter().for_each(|session| self.keep(session));
        Ok(done)
    }

    /// Whoever waits for a session hears that there is none, and those that are kept are closed.
    pub(super) fn close(&self) {
        self.permits.close();
        self.long.close();
        self.idle().clear();
    }

    async fn session(&self) -> Result<Session, Error> {
        let kept = self.idle().pop().filter(|session| !session.client.is_closed());
        match kept {
            Some(session) => Ok(session),
            None => self.connector.session().await,
        }
    }

    fn keep(&self, session: Session) {
        if !session.client.is_closed() && !self.permits.is_closed() {
            self.idle().push(session);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
