use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

/// Where a service waits in steps, and where it panics if it is to. A clone is the same stage.
///
/// ```
/// use tower_ballast_test::leaving::Stage;
///
/// let stage = Stage::new();
/// let shared = stage.clone();
/// let call = async move {
///     let call = shared.begin();
///     shared.steps(3).await;
///     call
/// };
/// # tower_ballast_test::time::drive(async {
/// assert_eq!(call.await, 1);
/// # });
/// assert_eq!(stage.calls(), 1);
/// // One moment is the beginning; the others are polls, of which the last found it over.
/// assert_eq!(stage.moments(), 5);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stage(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: usize,
    moments: usize,
    panics_at: Option<usize>,
    /// Whoever waits is woken when the driver says so, and not at once.
    is_held: bool,
    /// Of each that waits the last waker alone, as the contract of futures has it.
    waiting: BTreeMap<usize, Waker>,
    next: usize,
}

impl Stage {
    /// One on which nothing panics.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One on which the moment of this number panics, from 0, without a word on standard error.
    ///
    /// ```
    /// use std::panic::catch_unwind;
    /// use tower_ballast_test::leaving::Stage;
    ///
    /// assert!(catch_unwind(|| Stage::panicking(0).begin()).is_err());
    /// assert_eq!(Stage::panicking(1).begin(), 1);
    /// ```
    #[must_use]
    pub fn panicking(moment: usize) -> Self {
        let stage = Self::new();
        stage.state().panics_at = Some(moment);
        stage
    }

    /// A service that is ready after so many polls that it asks for, answers after so many more, and
    /// says what its `answer` makes of the number of the call, from 1.
    #[must_use]
    pub fn service<A>(&self, readies: u32, polls: u32, answer: A) -> Staged<A> {
        Staged { stage: self.clone(), readies, polls, answer, ready: None }
    }

    /// Counts a call that begins, which is a moment too, and gives its number, from 1.
    #[must_use = "it is the number of the call"]
    pub fn begin(&self) -> usize {
        let mut state = self.state();
        state.calls += 1;
        let call = state.calls;
        drop(state);
        self.pass();
        call
    }

    /// Waits for so many polls. Each is a moment, and so is the one after them.
    pub fn steps(&self, polls: u32) -> Steps {
        let mut state = self.state();
        state.next += 1;
        Steps { stage: self.clone(), number: state.next, left: polls }
    }

    /// How many calls have begun.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// How many moments have passed.
    #[must_use]
    pub fn moments(&self) -> usize {
        self.state().moments
    }

    pub(super) fn hold(&self, is_held: bool) {
        self.state().is_held = is_held;
    }

    /// Wakes all that wait, and tells whether there were any.
    pub(super) fn go_on(&self) -> bool {
        let waiting = std::mem::take(&mut self.state().waiting);
        let is_any = !waiting.is_empty();
        waiting.into_values().for_each(Waker::wake);
        is_any
    }

    fn pass(&self) {
        let mut state = self.state();
        let moment = state.moments;
        state.moments += 1;
        let panics = state.panics_at == Some(moment);
        drop(state);
        if panics {
            resume_unwind(Box::new("scripted panic on a stage"));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait on a [`Stage`], made by [`Stage::steps`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Steps {
    stage: Stage,
    number: usize,
    left: u32,
}

impl Future for Steps {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.stage.pass();
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        let mut state = self.stage.state();
        if state.is_held {
            let old = state.waiting.insert(self.number, cx.waker().clone());
            drop(state);
            drop(old);
        } else {
            drop(state);
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        let waker = self.stage.state().waiting.remove(&self.number);
        drop(waker);
    }
}

/// A service on a [`Stage`], made by [`Stage::service`]. A clone has to become ready by itself.
pub struct Staged<A> {
    stage: Stage,
    readies: u32,
    polls: u32,
    answer: A,
    ready: Option<Steps>,
}

impl<A: Clone> Clone for Staged<A> {
    fn clone(&self) -> Self {
        self.stage.service(self.readies, self.polls, self.answer.clone())
    }
}

impl<A> fmt::Debug for Staged<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl<A, R, T, E> Service<R> for Staged<A>
where
    A: FnMut(usize) -> Result<T, E> + Clone,
{
    type Response = T;
    type Error = E;
    type Future = Acting<A>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let ready = self.ready.get_or_insert_with(|| self.stage.steps(self.readies));
        if ready.left < u32::MAX {
            ready!(Pin::new(&mut *ready).poll(cx));
            ready.left = u32::MAX;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Acting<A> {
        self.ready = None;
        let call = self.stage.begin();
        Acting { steps: self.stage.steps(self.polls), answer: self.answer.clone(), call }
    }
}

pin_project! {
    /// The future of a [`Staged`] service.
    pub struct Acting<A> {
        #[pin]
        steps: Steps,
        answer: A,
        call: usize,
    }
}

impl<A, T, E> Future for Acting<A>
where
    A: FnMut(usize) -> Result<T, E>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        ready!(this.steps.poll(cx));
        Poll::Ready((this.answer)(*this.call))
    }
}

impl<A> fmt::Debug for Acting<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acting").field("call", &self.call).finish_non_exhaustive()
    }
}
