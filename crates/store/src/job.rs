//! What lies in the writer's queue: work for inside a commit, and how its caller hears what came of it.
//!
//! A result reaches its caller only after the commit, and at most once; what was decided in a transaction that failed
//! reaches nobody.

use tokio::sync::oneshot;

use crate::Fault;
use crate::batch::Batch;

/// Something to be done in a commit, and how its caller hears of it.
pub(crate) struct Job {
    /// How many commands it counts for in the queue.
    pub(crate) len: usize,
    pub(crate) run: Run,
}

/// Works inside the transaction and gives back how to answer; an error ends the whole batch.
pub(crate) type Run = Box<dyn FnOnce(Result<&mut Batch<'_>, Fault>) -> rusqlite::Result<Answer> + Send>;

/// Answers the caller: with what was decided, or with the fault that took it back.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), Fault>) + Send>;

impl Job {
    /// A job that counts for `len` commands, and where its result will arrive. A result never arrives before it is
    /// durable; a sender that vanishes without one leaves the outcome unknown.
    pub(crate) fn new<T: Send + 'static>(
        len: usize,
        work: impl FnOnce(&mut Batch<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> (Job, oneshot::Receiver<Result<T, Fault>>) {
        let (sender, receiver) = oneshot::channel();
        // A caller that has gone away hears nothing; what it asked for stands all the same, as a send that fails shows.
        let tell = move |result: Result<T, Fault>| drop(sender.send(result));
        let run: Run = Box::new(move |batch| {
            let worked = match batch {
                Ok(batch) => work(batch),
                Err(fault) => {
                    tell(Err(fault));
                    return Ok(Box::new(|_| ()));
                }
            };
            match worked {
                Ok(result) => Ok(Box::new(move |verdict: Result<(), Fault>| tell(verdict.map(|()| result)))),
                Err(error) => {
                    // The transaction ends here, without a commit.
                    tell(Err(Fault::Unavailable));
                    Err(error)
                }
            }
        });
        (Job { len, run }, receiver)
    }

    /// A job that does nothing but wake the writer's own thread.
    pub(crate) fn nudge() -> Job {
        Job { len: 0, run: Box::new(|_| Ok(Box::new(|_| ()))) }
    }

    /// Answers it without running it.
    pub(crate) fn turn_away(self, fault: Fault) {
        if let Err(error) = (self.run)(Err(fault)) {
            tracing::error!(%error, "a job that was not run failed");
        }
    }
}
