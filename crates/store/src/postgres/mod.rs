//! The scale-out engine: any number of nodes without state in front of PostgreSQL.
//!
//! A node decides movements on rows that it has locked in the database (`lanes`), reads figures there (`reads`), and keeps
//! nothing that would have to be true later. It has threads of its own, so that every caller waits in its own way: a future
//! that any runtime may poll, or a blocked thread.

mod accounts;
mod alerts;
mod answers;
mod batch;
mod change;
mod changes;
mod chores;
mod credentials;
mod facts;
mod keep;
mod lanes;
mod operators;
mod outbox;
mod own;
mod pool;
mod reads;
mod receive;
mod remote;
mod rows;
mod runway;
mod schema;
mod session;
mod settlement;
mod shared;
mod statement;
mod tell;
mod tls;
mod totals;
mod url;
mod verify;

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger::{AccountId, Command, Time};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::grant::Known;
use crate::{AccountNow, Fault, Grant, Login, OpenError, Options, Outcome, Refused, RequestId, Stats, digest};
use lanes::Job;
use pool::Pool;
use reads::{Asked, Question, Seen};
pub(crate) use remote::Remote;
use session::Connector;
use shared::Shared;
pub use url::PostgresUrl;

/// How many transactions of movements a node has under way at once.
const LANES: usize = 2;
/// How many gathered reads.
const READERS: usize = 2;
/// With the chores' connection, what is taken before the pool gets the rest.
const TAKEN: usize = LANES + READERS + 1;

const MICROS_A_MINUTE: i64 = 60_000_000;

/// How long an end waits for what is under way.
const END_MAX: Duration = Duration::from_secs(8);

/// A node. Clones are handles to the same one.
#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
    /// Under which request the audit trail shows what is changed through this handle.
    request_id: Option<RequestId>,
}

struct Inner {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    shared: Arc<Shared>,
    url: PostgresUrl,
    created: bool,
    queue_len_max: usize,
    /// Empty once the store is closed.
    lanes: Mutex<Vec<mpsc::UnboundedSender<Job>>>,
    questions: mpsc::UnboundedSender<Asked>,
    closing: watch::Sender<bool>,
    working: Mutex<Vec<JoinHandle<()>>>,
}

/// The use of a credential, to be noted.
pub(crate) struct Used<'a> {
    shared: &'a Shared,
    credential: i64,
    last_used_at: Option<Time>,
}

impl Used<'_> {
    /// Notes a use: to the minute, and only where the database does not know of it.
    pub(crate) fn note(&self, at: Time) {
        let minute = Time::from_micros(at.micros() - at.micros().rem_euclid(MICROS_A_MINUTE));
        if self.last_used_at.is_none_or(|last| last < minute) {
            self.shared.note_use(self.credential, minute);
        }
    }
}

impl Postgres {
    /// Connects, makes sure of the schema, and starts to work. Blocks.
    pub(crate) fn open(url: PostgresUrl, options: &Options) -> Result<Postgres, OpenError> {
        let runtime = runtime()?;
        let (connector, create) = (Connector::new(url.clone()).map_err(OpenError::Io)?, options.create);
        let (connector, created) = waited(runtime.handle(), async move {
            let session = connector.session().await.map_err(OpenError::from);
            let created = match session {
                Ok(session) => schema::ready(&session, create).await,
                Err(error) => Err(error),
            };
            (connector, created)
        })
        .ok_or_else(|| OpenError::Io("the threads for PostgreSQL ended".into()))?;
        let created = created?;
        let pool = Pool::new(connector, options.connections_max.saturating_sub(TAKEN).max(1));
        let shared = Arc::new(Shared::new(pool, options, &url));
        if url.allows_stale_reads() {
            tracing::warn!(
                "unsafe_stale_reads is on: balances may be those of a server that is no longer the primary; nobody who \
                 serves customers wants that, take it out of the database URL"
            );
        }
        let handle = runtime.handle().clone();
        let (mut lanes, mut working) = (Vec::new(), Vec::new());
        for _ in 0..LANES {
            let (lane, queue) = mpsc::unbounded_channel();
            lanes.push(lane);
            working.push(handle.spawn(lanes::work(Arc::clone(&shared), queue)));
        }
        let (questions, asked) = mpsc::unbounded_channel();
        let asked = Arc::new(tokio::sync::Mutex::new(asked));
        for _ in 0..READERS {
            handle.spawn(reads::work(Arc::clone(&shared), Arc::clone(&asked)));
        }
        let (closing, is_closing) = watch::channel(false);
        working.push(handle.spawn(chores::work(Arc::clone(&shared), is_closing)));
        Ok(Postgres {
            inner: Arc::new(Inner {
                runtime: Mutex::new(Some(runtime)),
                handle,
                shared,
                url,
                created,
                queue_len_max: options.queue_len_max,
                lanes: Mutex::new(lanes),
                questions,
                closing,
                working: Mutex::new(working),
            }),
            request_id: None,
        })
    }

    pub(crate) fn in_request(&self, request_id: RequestId) -> Postgres {
        Postgres { inner: Arc::clone(&self.inner), request_id: Some(request_id) }
    }

    pub(crate) fn created(&self) -> bool {
        self.inner.created
    }

    pub(crate) fn url(&self) -> &PostgresUrl {
        &self.inner.url
    }

    pub(crate) fn stats(&self) -> Stats {
        let shared = &self.inner.shared;
        Stats {
            writable: shared.writable.load(Ordering::Acquire),
            accounts: shared.accounts.load(Ordering::Relaxed),
            queue_len: u64::try_from(shared.queue_len.load(Ordering::Relaxed)).unwrap_or(u64::MAX),
            commits: shared.commits.load(Ordering::Relaxed),
            commands: shared.commands.load(Ordering::Relaxed),
            commit_us: shared.commit_us.load(Ordering::Relaxed),
            commit_failures: shared.commit_failures.load(Ordering::Relaxed),
        }
    }

    fn is_closed(&self) -> bool {
        *self.inner.closing.borrow()
    }

    pub(crate) fn close(&self) {
        lock(&self.inner.lanes).clear();
        self.inner.closing.send_replace(true);
        let working = std::mem::take(&mut *lock(&self.inner.working));
        let Some(runtime) = lock(&self.inner.runtime).take() else { return };
        let all = async { tokio::time::timeout(END_MAX, futures_util::future::join_all(working)).await.is_ok() };
        if waited(runtime.handle(), all) != Some(true) {
            tracing::warn!("what was under way when the store closed was left to the database");
        }
        self.inner.shared.pool.close();
        runtime.shutdown_background();
    }

    pub(crate) async fn authenticate(&self, api_key: &str, secret_key: &str) -> Result<Option<Grant<'_>>, Fault> {
        let digest = digest::of(api_key, secret_key);
        // What is no key is not asked for: PostgreSQL knows no text with a zero byte in it.
        if !(1..=128).contains(&api_key.len()) || !api_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(None);
        }
        let api_key = api_key.to_owned();
        let seen = self.ask(|answer| Question::Credential { api_key, digest, answer }).await?;
        Ok(seen.map(|Seen { account, now, credential, limits, last_used_at }| {
            let used = Used { shared: &self.inner.shared, credential, last_used_at };
            Grant { account, at: now, credential: Known::Database { limits, used } }
        }))
    }

    pub(crate) async fn account(&self, id: AccountId) -> Result<Option<(AccountNow, Time)>, Fault> {
        self.ask(|answer| Question::Account { id, answer }).await
    }

    pub(crate) async fn login(&self, token: &str) -> Result<Option<Login>, Fault> {
        let digest = digest::of_token(token);
        self.ask(|answer| Question::Login { digest, answer }).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Question) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let sent = self.inner.questions.send((question(answer), Instant::now()));
        sent.map_err(|_| Fault::Stopping)?;
        answered.await.unwrap_or(Err(Fault::Stopping))
    }

    pub(crate) async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Result<Outcome, Refused>>, Fault> {
        let (inner, len) = (&self.inner, commands.len());
        let Some(first) = commands.first().map(|command| command.account.get()) else { return Ok(Vec::new()) };
        if inner.shared.queue_len.fetch_add(len, Ordering::Relaxed) + len > inner.queue_len_max {
            inner.shared.queue_len.fetch_sub(len, Ordering::Relaxed);
            return Err(Fault::QueueFull);
        }
        let (answer, answered) = oneshot::channel();
        let job = Job { commands, request_id: self.request_id.clone(), answer, since: Instant::now() };
        let is_sent = {
            let lanes = lock(&inner.lanes);
            // One account's movements share a lane, where they share a transaction rather than wait for its lock.
            let lane = usize::try_from(first).unwrap_or(0).checked_rem(lanes.len()).and_then(|lane| lanes.get(lane));
            lane.is_some_and(|lane| lane.send(job).is_ok())
        };
        if !is_sent {
            inner.shared.queue_len.fetch_sub(len, Ordering::Relaxed);
            return Err(Fault::Stopping);
        }
        // A lane that ended with the job in its hands may have committed it.
        answered.await.unwrap_or(Err(Fault::OutcomeUnknown))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever did not close it does not wait for it either.
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }
}

fn runtime() -> Result<Runtime, OpenError> {
    let built = Builder::new_multi_thread().worker_threads(2).thread_name("postgres").enable_all().build();
    built.map_err(|error| OpenError::Io(format!("cannot start the threads for PostgreSQL: {error}")))
}

/// Waits, on any thread, for what the node's own threads do; `None` where they ended without it.
fn waited<T: Send + 'static>(handle: &Handle, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (done, waits) = std::sync::mpsc::channel();
    // Nobody else waits for it: where the send fails, this thread is gone.
    handle.spawn(async move { done.send(work.await).unwrap_or_default() });
    waits.recv().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
