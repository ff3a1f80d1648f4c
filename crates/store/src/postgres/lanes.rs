//! The lanes by which movements reach the database: each takes what has gathered, decides it in one transaction on a
//! connection of its own, and answers.
//!
//! Every attempt begins anew: accounts locked, everything read again, the time too. After a COMMIT without an answer the same
//! accounts are locked again, on whichever server is the primary by then, which waits for the old session if it still
//! lives; then the keys say whether it happened. Nobody hears yes before a COMMIT has returned, nor no after one that did
//! not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ledger::Command;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::batch::Decided;
use super::facts;
use super::keep::Commit;
use super::pool::TIME_LIMIT;
use super::session::{Error, Session};
use super::shared::Shared;
use crate::{Fault, Outcome, Refused, RequestId};

/// The most commands that one transaction takes: few enough that nobody waits long for the accounts it locks.
const BATCH_LEN_MAX: usize = 8192;

/// How long a lane waits before it tries again what went wrong.
const PAUSE: Duration = Duration::from_millis(50);

/// How long it waits after losing against another transaction.
const CONFLICT_PAUSE: Duration = Duration::from_millis(2);

/// Commands of one caller, and where the caller waits.
pub(super) struct Job {
    pub(super) commands: Vec<Command>,
    pub(super) request_id: Option<RequestId>,
    pub(super) answer: oneshot::Sender<Result<Vec<Decided>, Fault>>,
    pub(super) since: Instant,
}

impl Job {
    pub(super) fn tell(self, answer: Result<Vec<Decided>, Fault>) {
        // A caller that has gone away hears nothing; what it asked for stands all the same.
        drop(self.answer.send(answer));
    }

    /// Whether each command can be asked about again, by its key.
    fn has_keys(&self) -> bool {
        self.commands.iter().all(|command| command.key.is_some())
    }
}

/// What came of each job's commands.
type All = Vec<Vec<Decided>>;

/// Why an attempt came to nothing.
enum Failure {
    /// The connection is gone, before anything was committed.
    Lost(Error),
    /// Another transaction won.
    Conflict,
    /// The commit got no answer; what was decided in it.
    Unknown(Error, All),
    /// The database says no.
    Other(Error),
}

/// One lane.
struct Lane {
    shared: Arc<Shared>,
    session: Option<Session>,
    /// What is being committed.
    committing: Option<All>,
}

/// Works until the queue is closed and empty.
pub(super) async fn work(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut lane = Lane { shared, session: None, committing: None };
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let mut new = Vec::new();
            if queue.recv_many(&mut new, BATCH_LEN_MAX).await == 0 {
                return;
            }
            waiting.extend(new);
        }
        let (mut jobs, mut len) = (Vec::new(), 0);
        let len_max = if lane.shared.gathers { BATCH_LEN_MAX } else { 1 };
        while len < len_max
            && let Some(job) = waiting.pop_front()
        {
            len += job.commands.len();
            jobs.push(job);
        }
        lane.shared.queue_len.fetch_sub(len, Ordering::Relaxed);
        lane.decide(jobs).await;
    }
}

impl Lane {
    /// Decides the jobs in one transaction and answers every one of them, within its time.
    async fn decide(&mut self, mut jobs: Vec<Job>) {
        let Some(since) = jobs.iter().map(|job| job.since).min() else { return };
        let deadline = since + TIME_LIMIT;
        let mut before: Option<All> = None;
        loop {
            // A server that turns everyone away at once leaves no time in which the limit below could be noticed.
            if Instant::now() >= deadline {
                return self.out_of_time(jobs, before.is_some());
            }
            let failure = match timeout_at(deadline, self.attempt(&jobs, before.as_ref())).await {
                Ok(Ok(all)) => {
                    jobs.into_iter().zip(all).for_each(|(job, decided)| job.tell(Ok(decided)));
                    return;
                }
                Ok(Err(failure)) => failure,
                Err(_) => return self.out_of_time(jobs, before.is_some()),
            };
            match failure {
                Failure::Conflict => sleep(CONFLICT_PAUSE).await,
                Failure::Lost(error) => {
                    self.lost(&error);
                    sleep(PAUSE).await;
                }
                Failure::Unknown(error, decided) => {
                    self.lost(&error);
                    let pairs = jobs.into_iter().zip(decided);
                    let (known, blind): (Vec<_>, Vec<_>) = pairs.partition(|(job, _)| job.has_keys());
                    blind.into_iter().for_each(|(job, _)| job.tell(Err(Fault::OutcomeUnknown)));
                    let (left, decided): (Vec<_>, Vec<_>) = known.into_iter().unzip();
                    (jobs, before) = (left, Some(decided));
                    if jobs.is_empty() {
                        return;
                    }
                }
                // Nothing of this attempt happened, but nobody knows of the one before yet.
                Failure::Other(error) if before.is_some() => {
                    tracing::error!(%error, "a commit's outcome cannot be found out yet; trying on");
                    sleep(PAUSE).await;
                }
                Failure::Other(error) => {
                    tracing::error!(%error, "a transaction failed; nothing of it happened");
                    self.shared.commit_failures.fetch_add(1, Ordering::Relaxed);
                    return self.one_by_one(jobs).await;
                }
            }
        }
    }

    fn out_of_time(&mut self, jobs: Vec<Job>, is_unknown: bool) {
        // What is under way on this connection is not waited for any more, and not cut short either.
        self.session = None;
        let is_unknown = self.committing.take().is_some() || is_unknown;
        let fault = if is_unknown { Fault::OutcomeUnknown } else { Fault::Unavailable };
        jobs.into_iter().for_each(|job| job.tell(Err(fault)));
    }

    fn lost(&mut self, error: &Error) {
        self.session = None;
        self.shared.commit_failures.fetch_add(1, Ordering::Relaxed);
        self.shared.goes_wrong(error);
    }

    /// One transaction from its first statement to its last. `before` is what an earlier one had decided when its
    /// commit got no answer; once the accounts are locked again, it is known whether it happened.
    async fn attempt(&mut self, jobs: &[Job], before: Option<&All>) -> Result<All, Failure> {
        let session = match self.session.take().filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => self.shared.pool.connector().session().await.map_err(Failure::Lost)?,
        };
        let began = Instant::now();
        let commands: Vec<Command> = jobs.iter().flat_map(|job| job.commands.iter().cloned()).collect();
        let accounts = facts::accounts(&commands);
        let mut batch = match facts::gather(&self.shared, &session, &accounts, &commands).await {
            Ok(batch) => batch,
            Err(error) => return Err(self.ended(session, error).await),
        };
        let decided = jobs
            .iter()
            .map(|job| job.commands.iter().map(|command| batch.perform(command, job.request_id.as_ref())).collect())
            .collect::<Result<All, Error>>();
        let mut decided = match decided {
            Ok(decided) => decided,
            Err(error) => return Err(self.ended(session, error).await),
        };
        if let Some(before) = before {
            decided.iter_mut().flatten().zip(before.iter().flatten()).for_each(|(now, then)| is_ours(now, then));
        }
        self.committing = Some(decided);
        let commit = batch.commit(&session).await;
        let decided = self.committing.take().unwrap_or_default();
        match commit {
            Commit::Done => {
                self.session = Some(session);
                self.shared.is_well();
                self.shared.tell_of(&batch);
                self.shared.count_commit(commands.len(), began.elapsed());
                Ok(decided)
            }
            Commit::Refused(error) => Err(self.ended(session, error).await),
            Commit::Unknown(error) => Err(Failure::Unknown(error, decided)),
        }
    }

    /// Ends a transaction that failed before its commit, and keeps the session if it is of use.
    async fn ended(&mut self, session: Session, error: Error) -> Failure {
        if error.is_lost() {
            return Failure::Lost(error);
        }
        if session.say("ROLLBACK").await.is_ok() {
            self.session = Some(session);
        }
        if error.is_conflict() { Failure::Conflict } else { Failure::Other(error) }
    }

    /// A batch in which something is wrong: each command by itself, so that only the guilty one gets the fault.
    async fn one_by_one(&mut self, mut jobs: Vec<Job>) {
        if let [job] = &*jobs
            && job.commands.len() <= 1
        {
            return jobs.into_iter().for_each(|job| job.tell(Err(Fault::Unavailable)));
        }
        if jobs.len() > 1 {
            for job in jobs {
                Box::pin(self.decide(vec![job])).await;
            }
            return;
        }
        let Some(job) = jobs.pop() else { return };
        let mut all = Vec::new();
        for command in &job.commands {
            let (answer, answered) = oneshot::channel();
            let (commands, request_id) = (vec![command.clone()], job.request_id.clone());
            Box::pin(self.decide(vec![Job { commands, request_id, answer, since: job.since }])).await;
            match answered.await {
                Ok(Ok(decided)) => all.extend(decided),
                Ok(Err(fault)) if all.is_empty() => return job.tell(Err(fault)),
                // Some of its commands are durable: the caller learns which by sending the same keys again.
                Ok(Err(_)) | Err(_) => return job.tell(Err(Fault::OutcomeUnknown)),
            }
        }
        job.tell(Ok(all));
    }
}

/// What an earlier attempt had decided and is found now is that attempt's own outcome, and no replay.
fn is_ours(now: &mut Decided, then: &Decided) {
    match (&mut *now, then) {
        (Ok(now), Ok(then)) if now.replayed && !then.replayed && now.entry == then.entry => now.replayed = false,
        (Err(now), Err(then)) if then.replayed_from.is_none() && now.refusal == then.refusal => {
            now.replayed_from = None;
        }
        (Ok(Outcome { .. }) | Err(Refused { .. }), _) => {}
    }
}
