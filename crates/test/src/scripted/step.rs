use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{task::coop::consume_budget, time::Sleep};
use tower_ballast_core::clock;

use super::script::{Script, Ticket, Wait};

/// What one call does: how long it takes, and how it ends.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_test::Step;
///
/// let slow = Step::answer().after(Duration::from_secs(2));
/// let shy = Step::answer().yields(3);
/// let stuck = Step::hang();
/// # let _ = (slow, shy, stuck);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub(super) course: Course,
    pub(super) end: End,
    pub(super) own: Option<u64>,
}

/// How a readiness comes about: at once, late, never, or not at all.
///
/// ```
/// use tower_ballast_test::Readiness;
///
/// let late = Readiness::now().pending(2);
/// let never = Readiness::held();
/// let broken = Readiness::fail();
/// # let _ = (late, never, broken);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Readiness {
    pub(super) course: Course,
    pub(super) end: ReadyEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Answer,
    Fail,
    Panic,
    PanicInCall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadyEnd {
    Ready,
    Fail,
    Panic,
}

/// What happens before the end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Course {
    latency: Duration,
    yields: u32,
    held: bool,
    cooperative: bool,
}

impl Step {
    /// Answers with what the service's own closure makes of the request.
    #[must_use]
    pub fn answer() -> Self {
        Self::ending(End::Answer)
    }

    /// Fails with the service's error.
    #[must_use]
    pub fn fail() -> Self {
        Self::ending(End::Fail)
    }

    /// Hangs until [`Script::release`] lets it go; then it answers.
    #[must_use]
    pub fn hang() -> Self {
        Self::answer().held()
    }

    /// Panics when the response is polled.
    #[must_use]
    pub fn panic() -> Self {
        Self::ending(End::Panic)
    }

    /// Panics in `call`, before there is a response.
    #[must_use]
    pub fn panic_in_call() -> Self {
        Self::ending(End::PanicInCall)
    }

    /// Takes this long, by the clock of the runtime, before anything else. Default: no time.
    #[must_use]
    pub fn after(mut self, latency: Duration) -> Self {
        self.course.latency = latency;
        self
    }

    /// Says `Pending` so many times, waking its task each time. Default: 0.
    #[must_use]
    pub fn yields(mut self, times: u32) -> Self {
        self.course.yields = times;
        self
    }

    /// Waits for [`Script::release`] before it ends.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.course.held = true;
        self
    }

    /// Obeys tokio's cooperative budget: says `Pending` when the task has used it up.
    #[must_use]
    pub fn cooperative(mut self) -> Self {
        self.course.cooperative = true;
        self
    }

    fn ending(end: End) -> Self {
        Self { course: Course::default(), end, own: None }
    }
}

impl Readiness {
    /// Ready at once.
    #[must_use]
    pub fn now() -> Self {
        Self::ending(ReadyEnd::Ready)
    }

    /// Pending until [`Script::release_ready`]; then ready.
    #[must_use]
    pub fn held() -> Self {
        let mut held = Self::now();
        held.course.held = true;
        held
    }

    /// Fails with the service's error. The instance may be asked again.
    #[must_use]
    pub fn fail() -> Self {
        Self::ending(ReadyEnd::Fail)
    }

    /// Panics in `poll_ready`.
    #[must_use]
    pub fn panic() -> Self {
        Self::ending(ReadyEnd::Panic)
    }

    /// Says `Pending` so many times, waking its task each time. Default: 0.
    #[must_use]
    pub fn pending(mut self, times: u32) -> Self {
        self.course.yields = times;
        self
    }

    /// Obeys tokio's cooperative budget: says `Pending` when the task has used it up.
    #[must_use]
    pub fn cooperative(mut self) -> Self {
        self.course.cooperative = true;
        self
    }

    fn ending(end: ReadyEnd) -> Self {
        Self { course: Course::default(), end }
    }
}

/// How far a course has come.
#[derive(Debug)]
pub(super) struct Progress {
    course: Course,
    sleep: Option<Pin<Box<Sleep>>>,
    wait: Wait,
    ticket: Option<Ticket>,
}

impl Progress {
    pub(super) fn new(course: Course, wait: Wait) -> Self {
        let sleep = (!course.latency.is_zero())
            .then(|| Box::pin(clock::sleep_until(clock::now() + course.latency)));
        Self { course, sleep, wait, ticket: None }
    }

    pub(super) fn poll(&mut self, script: &Script, cx: &mut Context<'_>) -> Poll<()> {
        if self.course.cooperative {
            ready!(pin!(consume_budget()).poll(cx));
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        if self.course.yields > 0 {
            self.course.yields -= 1;
            script.wake(cx.waker());
            return Poll::Pending;
        }
        if self.course.held {
            let ticket = self.ticket.get_or_insert_with(|| script.ticket(self.wait));
            ready!(ticket.poll(cx));
            self.ticket = None;
            self.course.held = false;
        }
        Poll::Ready(())
    }
}
