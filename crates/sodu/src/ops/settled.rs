//! Polls a future until it is at rest, instead of handing it back to the runtime each time it has woken itself.
//!
//! hyper wakes its own task with each request whose body was taken. A runtime of several threads then wakes another of
//! them, for most on another core, which finds nothing to do but wait for the next request, and so draws the connection to
//! itself: a lone caller waits for such wakes with each charge.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// How often a future that wakes itself again and again is polled before others get their turn.
const POLLS_MAX: usize = 4;

/// Nobody polls, and the task was not woken.
const AT_REST: u8 = 0;
/// Somebody polls, and nobody has woken since that began.
const POLLED: u8 = 1;
/// Woken: whoever polls polls once more, or else the task was told.
const WOKEN: u8 = 2;

/// What wakes the future, and its task only while nobody polls.
struct Rest {
    state: AtomicU8,
    task: Waker,
}

impl Wake for Rest {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == AT_REST {
            self.task.wake_by_ref();
        }
    }
}

/// Awaits `future`, of whose wakes within its own polls the task learns nothing.
pub(crate) async fn settled<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut kept: Option<Arc<Rest>> = None;
    poll_fn(|cx| {
        // A future that has moved to another task wakes that one alone.
        let known = kept.take().filter(|rest| rest.task.will_wake(cx.waker()));
        let rest = kept.insert(
            known.unwrap_or_else(|| Arc::new(Rest { state: AtomicU8::new(AT_REST), task: cx.waker().clone() })),
        );
        let waker = Waker::from(Arc::clone(rest));
        for _ in 0..POLLS_MAX {
            // Whatever was done before a wake is seen by the poll that follows it.
            rest.state.swap(POLLED, Ordering::AcqRel);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output);
            }
            if rest.state.compare_exchange(POLLED, AT_REST, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes itself in each of the first `times` polls; ends, with the number of its polls, once it is told to.
    struct Restless {
        times: usize,
        polls: usize,
        /// Where its last waker is left for others.
        waker: Arc<Mutex<Option<Waker>>>,
        is_over: Arc<AtomicBool>,
    }

    impl Future for Restless {
        type Output = usize;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
            self.polls += 1;
            if self.is_over.load(Ordering::Relaxed) {
                return Poll::Ready(self.polls);
            }
            if self.polls <= self.times {
                cx.waker().wake_by_ref();
            }
            *self.waker.lock().expect("no panic") = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    fn restless(times: usize) -> Restless {
        Restless { times, polls: 0, waker: Arc::default(), is_over: Arc::default() }
    }

    /// Polls `future` in `task`, and says how often that task has been woken by then.
    fn poll(future: Pin<&mut impl Future<Output = usize>>, task: &Arc<Task>) -> (Poll<usize>, usize) {
        let waker = Waker::from(Arc::clone(task));
        let polled = future.poll(&mut Context::from_waker(&waker));
        (polled, task.0.load(Ordering::Relaxed))
    }

    #[test]
    fn a_task_learns_of_wakes_from_outside_alone() {
        let future = restless(1);
        let (left, is_over) = (Arc::clone(&future.waker), Arc::clone(&future.is_over));
        let mut future = pin!(settled(future));
        let task = Arc::default();
        assert_eq!(poll(future.as_mut(), &task), (Poll::Pending, 0));
        is_over.store(true, Ordering::Relaxed);
        let outside = left.lock().expect("no panic").clone().expect("it was polled");
        outside.wake_by_ref();
        outside.wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(future.as_mut(), &task), (Poll::Ready(3), 1));
    }

    #[test]
    fn who_wakes_itself_for_ever_lets_others_have_their_turn() {
        let future = restless(usize::MAX);
        let is_over = Arc::clone(&future.is_over);
        let mut future = pin!(settled(future));
        let task = Arc::default();
        assert_eq!(poll(future.as_mut(), &task), (Poll::Pending, 1));
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(poll(future.as_mut(), &task), (Poll::Ready(POLLS_MAX + 1), 1));
    }

    #[test]
    fn the_last_task_that_polled_is_the_one_that_is_woken() {
        let future = restless(0);
        let left = Arc::clone(&future.waker);
        let mut future = pin!(settled(future));
        let tasks: [Arc<Task>; 2] = Default::default();
        for task in &tasks {
            assert_eq!(poll(future.as_mut(), task), (Poll::Pending, 0));
        }
        left.lock().expect("no panic").take().expect("it was polled").wake();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
    }
}
