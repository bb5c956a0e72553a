use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tower_ballast_core::{
    BoxError, Classify, Oneshot,
    flights::{Failure, Landed},
};
use tower_service::Service;

use crate::{
    fill::{Fill, Waiting},
    found::{Own, Shares},
    shared::Shared,
};

type Passing<V> = Pin<Box<dyn Future<Output = Own<V>> + Send>>;

pin_project! {
    /// An answer that was there, or that of a call which is perhaps shared.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, R, K, V, C, F>
    where
        K: Eq,
        K: Hash,
    {
        #[pin]
        state: State<S, R, K, V, C, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R, K, V, C, F>
    where
        K: Eq,
        K: Hash,
    {
        There { answer: Option<Result<V, BoxError>> },
        Alone { #[pin] call: Oneshot<S, R, F> },
        Passing { call: Passing<V> },
        Waiting {
            #[pin]
            wait: Waiting<K, V>,
            // What this one can make the call with, if it has not.
            fill: Option<Fill<S, R, C>>,
            shared: Arc<Shared<K, V>>,
            is_second: bool,
        },
    }
}

impl<S, R, K: Eq + Hash, V, C, F> ResponseFuture<S, R, K, V, C, F> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn there(answer: Result<V, BoxError>) -> Self {
        Self { state: State::There { answer: Some(answer) } }
    }

    pub(crate) const fn alone(call: Oneshot<S, R, F>) -> Self {
        Self { state: State::Alone { call } }
    }

    pub(crate) const fn passing(call: Passing<V>) -> Self {
        Self { state: State::Passing { call } }
    }

    pub(crate) fn waiting(
        shared: Arc<Shared<K, V>>,
        wait: Waiting<K, V>,
        fill: Option<Fill<S, R, C>>,
    ) -> Self {
        if fill.is_some() {
            shared.counts.joined.fetch_add(1, Relaxed);
        }
        Self { state: State::Waiting { wait, fill, shared, is_second: false } }
    }
}

impl<S, R, K, V, C> Future for ResponseFuture<S, R, K, V, C, S::Future>
where
    S: Service<R, Response = V> + Send + 'static,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
    V: Clone + Send + Sync + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    C: Classify<R, V, S::Error> + Send + Sync + 'static,
    C::Kept: Send,
    R: Send + 'static,
{
    type Output = Result<V, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let (mut wait, fill, shared, is_second) = match state.as_mut().project() {
                StateProj::There { answer } => {
                    let answer = answer.take();
                    return Poll::Ready(answer.expect("a future is not polled after it is ready"));
                }
                StateProj::Alone { call } => return call.poll(cx).map_err(Into::into),
                StateProj::Passing { call } => {
                    return call.as_mut().poll(cx).map(|own| own.outcome);
                }
                StateProj::Waiting { wait, fill, shared, is_second } => {
                    (wait, fill, shared, *is_second)
                }
            };
            let failure = match ready!(wait.as_mut().poll(cx)) {
                Some(Landed::Led(own)) => return Poll::Ready(own.outcome),
                Some(Landed::Shared(Shares::Value(value))) => return Poll::Ready(Ok(value)),
                Some(Landed::Shared(Shares::Alone)) => None,
                Some(Landed::Shared(Shares::Failed(failure))) => Some(failure),
                Some(Landed::Failed) | None => Some(Failure::panicked()),
            };
            let shared = Arc::clone(shared);
            let next = match (fill.take(), failure) {
                (Some(fill), None) => {
                    shared.counts.passed.fetch_add(1, Relaxed);
                    let (fill, key) = (fill.anew(), wait.seat().key().clone());
                    State::Passing { call: Box::pin(fill.fetch(shared, key, None)) }
                }
                // One of those who waited in vain makes the call anew, and the others wait for that.
                (Some(fill), Some(failure)) if !is_second && !failure.is_for_all() => {
                    let boarding = shared.flights.board_again(wait.seat());
                    let (wait, fill) = fill.anew().seated(&shared, boarding, None, Duration::MAX);
                    State::Waiting { wait, fill, shared, is_second: true }
                }
                (_, failure) => {
                    shared.counts.failed.fetch_add(1, Relaxed);
                    let failure = failure.unwrap_or(Failure::panicked());
                    return Poll::Ready(Err(failure.into_error()));
                }
            };
            state.set(next);
        }
    }
}

impl<S, R, K: Eq + Hash, V, C, F> fmt::Debug for ResponseFuture<S, R, K, V, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::There { .. } => "ResponseFuture(there)",
            State::Alone { .. } => "ResponseFuture(alone)",
            State::Passing { .. } => "ResponseFuture(passing)",
            State::Waiting { .. } => "ResponseFuture(waiting)",
        })
    }
}
