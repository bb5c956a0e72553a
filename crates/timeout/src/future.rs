use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Name, Rejected, clock};

use crate::{
    bound::{Bound, Scope},
    handle::Shared,
};

pin_project! {
    /// The answer of a [`Timeout`](crate::Timeout), or its rejection.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F> {
        Calling { #[pin] response: F, limit: Option<Limit>, #[pin] timer: Option<Sleep> },
        Rejected { rejected: Option<BoxError> },
    }
}

/// When time is up, and what happens then.
#[derive(Debug)]
struct Limit {
    bound: Bound,
    late: Late,
}

/// What is needed when time is up. The shared state only when somebody watches, because holding
/// it costs more than all the rest of a call that is not late.
#[derive(Debug)]
enum Late {
    Attempt(&'static str),
    Total(&'static str),
    Ask(Arc<Shared>),
}

impl<F> ResponseFuture<F> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn unbounded(response: F) -> Self {
        Self { state: State::Calling { response, limit: None, timer: None } }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn bounded(response: F, bound: Bound, shared: &Arc<Shared>) -> Self {
        let late = match (shared.unwatched_name(), shared.scope) {
            (Some(name), Scope::Attempt) => Late::Attempt(name),
            (Some(name), Scope::Total) => Late::Total(name),
            (None, _) => Late::Ask(Arc::clone(shared)),
        };
        let limit = Some(Limit { bound, late });
        Self { state: State::Calling { response, limit, timer: None } }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn rejected(rejected: BoxError) -> Self {
        Self { state: State::Rejected { rejected: Some(rejected) } }
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let rejected = match state.as_mut().project() {
            StateProj::Calling { response, limit, mut timer } => {
                if let Poll::Ready(outcome) = response.poll(cx) {
                    return Poll::Ready(outcome.map_err(Into::into));
                }
                let Some(Limit { bound, late }) = limit else {
                    return Poll::Pending;
                };
                let waited = ready!(poll_end(timer.as_mut(), bound, cx));
                let Some(rejected) = late.rejection(waited) else {
                    // Only reported: the answer is awaited without an end from here on.
                    *limit = None;
                    timer.set(None);
                    return Poll::Pending;
                };
                rejected
            }
            StateProj::Rejected { rejected } => rejected.take().expect("polled after completion"),
        };
        // The call ends here and now, not when the caller lets go of this future.
        state.set(State::Rejected { rejected: None });
        Poll::Ready(Err(rejected))
    }
}

impl Late {
    fn rejection(&self, waited: Duration) -> Option<BoxError> {
        let (scope, name) = match self {
            Self::Attempt(name) => (Scope::Attempt, Name::literal(name)),
            Self::Total(name) => (Scope::Total, Name::literal(name)),
            Self::Ask(shared) => {
                if !shared.times_out(waited) {
                    return None;
                }
                (shared.scope, shared.reporter.name())
            }
        };
        Some(Rejected::new(scope.reason()).layer(name).sent().into())
    }
}

/// Waits for the end of the bound, and says how long it has been. Begins with the first poll.
fn poll_end(
    mut timer: Pin<&mut Option<Sleep>>,
    bound: &mut Bound,
    cx: &mut Context<'_>,
) -> Poll<Duration> {
    if timer.is_none() {
        timer.set(Some(begin(bound)));
    }
    let mut timer = timer.as_pin_mut().expect("set above");
    ready!(timer.as_mut().poll(cx));
    let late = clock::now().since(clock::at(timer.deadline()));
    Poll::Ready(bound.lasts().unwrap_or_default() + late)
}

fn begin(bound: &mut Bound) -> Sleep {
    if let Some(limit) = bound.lasts() {
        return clock::sleep(limit);
    }
    let now = clock::now();
    *bound = bound.left(now);
    clock::sleep_until(bound.end(now))
}
