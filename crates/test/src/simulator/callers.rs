//! The tasks in which the calls of a scenario run.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use tower_ballast_core::BoxError;

use super::{recording::Recorder, time::Clock};

/// A call on its way. Erased, so that all that goes on around the layers is compiled once, and
/// optimised where tests are not.
pub(super) type Going = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// As many tasks as there were calls at once. Whoever has seen its call to the end takes another:
/// to make a task costs more than all else that the simulator does for a call.
#[derive(Debug)]
pub(super) struct Callers {
    recorder: Arc<Recorder>,
    clock: Clock,
    idle: Mutex<Vec<Waiting>>,
}

/// A task without a call, and where it finds the next.
#[derive(Debug)]
struct Waiting {
    waker: Waker,
    desk: Arc<Desk>,
}

type Desk = Mutex<Option<Job>>;

struct Job {
    number: u64,
    going: Going,
}

impl Callers {
    pub(super) fn new(recorder: Arc<Recorder>, clock: Clock) -> Arc<Self> {
        Arc::new(Self { recorder, clock, idle: Mutex::new(Vec::new()) })
    }

    /// Sets a call going, behind all tasks that are to run already.
    pub(super) fn make(self: &Arc<Self>, number: u64, going: Going) {
        let job = Some(Job { number, going });
        let idle = lock(&self.idle).pop();
        if let Some(Waiting { waker, desk }) = idle {
            *lock(&desk) = job;
            waker.wake();
        } else {
            let (callers, desk) = (Arc::clone(self), Arc::default());
            tokio::spawn(Caller { callers, job, desk });
        }
    }
}

struct Caller {
    callers: Arc<Callers>,
    job: Option<Job>,
    desk: Arc<Desk>,
}

impl Future for Caller {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { callers, job, desk } = &mut *self;
        if job.is_none() {
            *job = lock(desk).take();
        }
        // Without one it was woken by what the last call has left behind.
        let Some(Job { number, going }) = job else { return Poll::Pending };
        let outcome = ready!(going.as_mut().poll(cx));
        callers.recorder.end(*number, callers.clock.now(), outcome);
        *job = None;
        let waiting = Waiting { waker: cx.waker().clone(), desk: Arc::clone(desk) };
        lock(&callers.idle).push(waiting);
        Poll::Pending
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({})", self.number)
    }
}
