//! The store as everyone else sees it: reads from memory, reads from disk, and the queue to the writer.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ledger::{AccountId, Entry, Hold, Time};
use rusqlite::Connection;
use tokio::sync::{Notify, watch};

use crate::batch::Batch;
use crate::credentials::Credentials;
use crate::grant::Known;
use crate::holds::{Holds, OpenHold};
use crate::job::Job;
use crate::memory::Accounts;
use crate::operators::Tokens;
use crate::own::{self, Owned};
use crate::shared::{PanicGuard, Shared};
use crate::statement::{self, Last};
use crate::watch::Watches;
use crate::writer::{self, Desk, Writer};
use crate::{
    AccountNow, Against, Fault, Grant, OpenError, Options, Page, Progress, RequestId, SqliteUrl, Stats, VerifyReport,
    backup, load, rows, schema, verify,
};

const MICROS_A_DAY: i64 = 86_400_000_000;

/// How many idle connections for reading are kept.
const READERS_MAX: usize = 4;

/// An open ledger. Clones are handles to the same one.
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
    /// Under which request the audit trail shows what is changed through this handle.
    pub(crate) request_id: Option<RequestId>,
}

struct Inner {
    shared: Arc<Shared>,
    queue_len_max: usize,
    /// `None` once the store is closed.
    queue: Mutex<Option<Sender<Job>>>,
    desk: Arc<Desk>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Mutex<Vec<Connection>>,
    created: bool,
    /// Given up when the writer has ended; another process may own the database then.
    owned: Mutex<Option<Owned>>,
}

impl Sqlite {
    /// Opens the database: takes its lock, brings its schema up to date, loads every account, starts the writer.
    ///
    /// Where the log cannot be copied into the database file, as on a full disk, it opens all the same: reads answer from
    /// what was read, and movements get [`Fault::Unavailable`] until the writer has settled and loaded it. Errors change
    /// nothing; see [`OpenError`].
    pub fn open(url: SqliteUrl, options: &Options) -> Result<Sqlite, OpenError> {
        let path = &url.path;
        if !path.exists() && !options.create {
            return Err(OpenError::Missing);
        }
        if options.create {
            schema::create_folder(path)?;
        }
        let owned = own::take(&url.beside(".lock"))?;
        // Asked again under the lock: another process may have made it meanwhile.
        let created = !path.exists();
        if created {
            schema::create_file(path)?;
        }
        let db = schema::open_writer(path)?;
        // What is read from a log that is not settled was committed once, and may not be durable. It is good enough for a
        // figure, as the last one that anybody saw; replays and everything else that is acknowledged wait for the writer.
        let settled = schema::settle(&db);
        let damaged = |error: rusqlite::Error| OpenError::Damaged(rows::said(&error));
        // On a connection that goes at once: counting walks a table, and the writer's would keep its pages.
        let sizes = schema::open_reader(path).map(|db| load::sizes(&db))?;
        let (accounts, credentials) = sizes.map_err(damaged)?;
        let shared = Arc::new(Shared {
            url,
            clock: Arc::clone(&options.clock),
            refusal_us: i64::from(options.refusal_days) * MICROS_A_DAY,
            refusals_per_second: options.refusals_per_second,
            holds: Mutex::new(Holds::default()),
            watches: Mutex::new(Watches::default()),
            accounts: Accounts::with_room(accounts),
            credentials: Credentials::with_room(credentials),
            tokens: Tokens::new(),
            last_time: AtomicI64::new(0),
            writable: AtomicBool::new(settled.is_ok()),
            queue_len: AtomicUsize::new(0),
            last_callers: AtomicUsize::new(0),
            commits: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            commit_us: AtomicU64::new(0),
            commit_failures: AtomicU64::new(0),
            opened: Instant::now(),
            writer_came_ms: AtomicU64::new(0),
            alert_targets: options.alert_targets.clone(),
            alerts_written: Notify::new(),
            broken: watch::Sender::new(None),
        });
        let mut heads = Vec::with_capacity(accounts);
        let loaded = load::load(&shared, &mut heads)?;
        shared.last_time.store(loaded.last_time.micros(), Ordering::Relaxed);
        let (queue, waiting) = channel();
        let desk = Arc::new(Mutex::new(Some(Writer::new(db, heads, loaded, Arc::clone(&shared), settled)?)));
        let (for_writer, for_guard) = (Arc::clone(&desk), Arc::clone(&shared));
        let spawned = std::thread::Builder::new().name("writer".into()).spawn(move || {
            let guard = PanicGuard(&for_guard);
            writer::run(&for_writer, &waiting, &for_guard);
            drop(guard);
        });
        let writer = spawned.map_err(|error| OpenError::Io(format!("cannot start the writer: {error}")))?;
        Ok(Sqlite {
            request_id: None,
            inner: Arc::new(Inner {
                shared,
                queue_len_max: options.queue_len_max,
                queue: Mutex::new(Some(queue)),
                desk,
                writer: Mutex::new(Some(writer)),
                readers: Mutex::new(Vec::new()),
                created,
                owned: Mutex::new(Some(owned)),
            }),
        })
    }

    /// A handle whose changes the audit trail shows under that request.
    pub fn in_request(&self, request_id: RequestId) -> Sqlite {
        Sqlite { inner: Arc::clone(&self.inner), request_id: Some(request_id) }
    }

    /// Whether [`Sqlite::open`] made the database.
    pub fn created(&self) -> bool {
        self.inner.created
    }

    /// Where it is.
    pub fn url(&self) -> &SqliteUrl {
        &self.shared().url
    }

    /// Ledger time: the clock's, but never earlier than what is durable.
    pub fn now(&self) -> Time {
        (self.shared().clock)().max(Time::from_micros(self.shared().last_time.load(Ordering::Relaxed)))
    }

    /// The credential with this key and this secret, revoked and expired ones too; an unknown key and a wrong secret take
    /// the same path to `None`. The figures are those of `now`.
    pub fn authenticate(&self, api_key: &str, secret_key: &str, now: Time) -> Option<Grant<'_>> {
        let shared = &*self.inner.shared;
        let slot = shared.credentials.authenticate(api_key, secret_key, |account| shared.accounts.approach(account))?;
        let account = shared.accounts.now(shared.credentials.get(slot).account, &shared.holds, now);
        let limits = shared.credentials.limits(slot);
        Some(Grant { account, at: now, credential: Known::Memory { slot, limits, credentials: &shared.credentials } })
    }

    /// An account's figures of this instant.
    pub fn account(&self, id: AccountId) -> Option<AccountNow> {
        self.account_at(id, self.now())
    }

    pub(crate) fn accounts(&self) -> &Accounts {
        &self.shared().accounts
    }

    /// The same, where the caller tells `now` along with them: two looks at the clock are two instants, and a hold may end
    /// between them.
    pub fn account_at(&self, id: AccountId, now: Time) -> Option<AccountNow> {
        let slot = self.shared().accounts.slot_of(id)?;
        Some(self.figures_at(slot, now))
    }

    pub(crate) fn figures_at(&self, slot: u32, now: Time) -> AccountNow {
        self.shared().accounts.now(slot, &self.shared().holds, now)
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        Stats {
            writable: shared.writable.load(Ordering::Acquire),
            accounts: u64::try_from(shared.accounts.len()).unwrap_or(u64::MAX),
            queue_len: u64::try_from(shared.queue_len.load(Ordering::Relaxed)).unwrap_or(u64::MAX),
            commits: shared.commits.load(Ordering::Relaxed),
            commands: shared.commands.load(Ordering::Relaxed),
            commit_us: shared.commit_us.load(Ordering::Relaxed),
            commit_failures: shared.commit_failures.load(Ordering::Relaxed),
        }
    }

    /// For how long the writer has been at one thing; it comes round every second, also where nothing is to be done.
    ///
    /// `None` while it gets the database back, as on a full disk, which lasts as long as that does.
    pub fn writer_busy(&self) -> Option<Duration> {
        let shared = self.shared();
        let busy_ms = shared.open_ms().saturating_sub(shared.writer_came_ms.load(Ordering::Relaxed));
        shared.writable.load(Ordering::Acquire).then_some(Duration::from_millis(busy_ms))
    }

    /// Resolves when nothing can ever be written again, with the reason: the process must stop.
    pub async fn broken(&self) -> String {
        let mut broken = self.shared().broken.subscribe();
        let why = broken.wait_for(Option::is_some).await;
        why.ok().and_then(|why| why.clone()).unwrap_or_else(|| "the store is gone".into())
    }

    /// Finishes what is queued, turns away what comes later, and gives the database up. Blocks until that is done.
    pub fn close(&self) {
        drop(lock(&self.inner.queue).take());
        if let Some(writer) = lock(&self.inner.writer).take()
            && writer.join().is_err()
        {
            tracing::error!("the writer had panicked");
        }
        lock(&self.inner.readers).clear();
        drop(lock(&self.inner.owned).take());
    }

    /// One entry of an account. Blocks on the disk, as does all below.
    pub fn entry(&self, account: AccountId, number: u64) -> Result<Option<Entry>, Fault> {
        let Some(last) = self.last(account) else {
            return Ok(None);
        };
        self.read(|db| Ok(statement::stored(db, last, number)?.map(|stored| stored.entry)))
    }

    /// The entries with `from` ≤ at < `to` and a number above `after`, oldest first, at most `limit`; `next` is the number
    /// to go on after.
    pub fn entries(
        &self,
        account: AccountId,
        from: Option<Time>,
        to: Option<Time>,
        after: u64,
        limit: usize,
    ) -> Result<Page<Entry, u64>, Fault> {
        let Some(last) = self.last(account) else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        self.read(|db| statement::page(db, last, from, to, after, limit))
    }

    /// An account's figures as they were at `at`, which is not later than now; `None` where it was opened later.
    ///
    /// The last entry with at ≤ `at`, less the holds that had ended by then without an entry that says so yet: what
    /// GetBalance answered at that instant.
    pub fn account_as_of(&self, id: AccountId, at: Time) -> Result<Option<AccountNow>, Fault> {
        let Some(slot) = self.shared().accounts.slot_of(id) else { return Ok(None) };
        let (figures, due) = {
            let holds = self.shared().holds();
            (self.shared().accounts.figures(slot), holds.due_by(slot, at))
        };
        let last = Last { account: id, number: figures.number, row: figures.row };
        let entry = self.read(|db| statement::as_of(db, last, at))?;
        let now = self.figures_at(slot, at);
        Ok(entry.map(|entry| AccountNow {
            posted: entry.posted_after,
            held: entry.held_after.minus(due).expect("holds that are still open were open then"),
            credit_limit: entry.credit_limit,
            status: entry.status,
            number: entry.number,
            ..now
        }))
    }

    /// The open holds of an account with a number above `after`, in their order, each with its entry.
    pub fn open_holds(&self, id: AccountId, after: u64, limit: usize) -> Result<Page<(Hold, Entry), u64>, Fault> {
        let Some(slot) = self.shared().accounts.slot_of(id) else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let now = self.now();
        let mut open: Vec<OpenHold> = {
            let holds = self.shared().holds();
            holds.of(slot, after).filter(|open| !open.hold.is_due(now)).take(limit.saturating_add(1)).collect()
        };
        let next =
            if open.len() > limit { open.get(limit.saturating_sub(1)).map(|last| last.hold.number) } else { None };
        open.truncate(limit);
        let items = self.read(|db| statement::of_holds(db, &open))?;
        Ok(Page { items, next })
    }

    /// How many open holds an account has.
    pub fn open_hold_count(&self, id: AccountId) -> usize {
        let now = self.now();
        let slot = self.shared().accounts.slot_of(id);
        slot.map_or(0, |slot| self.shared().holds().of(slot, 0).filter(|open| !open.hold.is_due(now)).count())
    }

    /// Adds every account up anew and checks every link, while the store goes on working.
    ///
    /// Every chain must also pass through the links of `against`.
    pub fn verify(&self, against: Against, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, Fault> {
        self.read(|db| verify::verify(db, against, progress))
    }

    /// Writes a consistent copy to the new file `to`. Errors are sentences.
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), String> {
        let source = schema::open_reader(&self.shared().url.path).map_err(|error| error.to_string())?;
        backup::write(&source, to, progress)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    fn last(&self, account: AccountId) -> Option<Last> {
        let accounts = &self.shared().accounts;
        let figures = accounts.figures(accounts.slot_of(account)?);
        Some(Last { account, number: figures.number, row: figures.row })
    }

    pub(crate) async fn send<T: Send + 'static>(
        &self,
        len: usize,
        work: impl FnOnce(&mut Batch<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = self.shared();
        let (job, answer) = Job::new(len, work);
        if shared.queue_len.fetch_add(len, Ordering::Relaxed) + len > self.inner.queue_len_max {
            shared.queue_len.fetch_sub(len, Ordering::Relaxed);
            return Err(Fault::QueueFull);
        }
        // Whoever else is about gets to the queue meanwhile, and shares a commit.
        tokio::task::yield_now().await;
        let guard = PanicGuard(shared);
        let alone = writer::commit_alone(&self.inner.desk, shared, job);
        drop(guard);
        let for_queue = match alone {
            Ok(false) => return answer.await.unwrap_or(Err(Fault::OutcomeUnknown)),
            Ok(true) => Job::nudge(),
            Err(job) => job,
        };
        let len = for_queue.len;
        let sent = match &*lock(&self.inner.queue) {
            Some(queue) => queue.send(for_queue).map_err(|_| Fault::Unavailable),
            None => Err(Fault::Stopping),
        };
        if let Err(fault) = sent
            && len > 0
        {
            shared.queue_len.fetch_sub(len, Ordering::Relaxed);
            return Err(fault);
        }
        // A writer that died with the job in its hands may have committed it.
        answer.await.unwrap_or(Err(Fault::OutcomeUnknown))
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        let fault = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "reading the database failed");
            Fault::Unavailable
        };
        let kept = lock(&self.inner.readers).pop();
        let db = match kept {
            Some(db) => db,
            None => schema::open_reader(&self.shared().url.path).map_err(|error| fault(&error))?,
        };
        // A connection whose read failed is not kept: the next one starts afresh.
        let result = read(&db).map_err(|error| fault(&error))?;
        let mut readers = lock(&self.inner.readers);
        if readers.len() < READERS_MAX {
            readers.push(db);
        }
        Ok(result)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing the queue ends the writer; waiting for it keeps the lock until its last commit is done.
        drop(lock(&self.queue).take());
        if let Some(writer) = lock(&self.writer).take() {
            drop(writer.join());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
