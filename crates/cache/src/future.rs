use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{
    BoxError, Classify, Oneshot,
    flights::{Callee, Journey},
};

use crate::{fill::Fill, service::seldom, shared::Shared};

/// The way to an answer that was not there.
pub(crate) type Miss<S, R, K, V, C> = Journey<Shared<K, V>, Fill<S, R, C, V>, K, V>;

const POLLED_AGAIN: &str = "a future is not polled after it is ready";

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
        There { value: Option<V> },
        Failed { error: Option<BoxError> },
        Alone { #[pin] call: Oneshot<S, R, F> },
        Missed { miss: Miss<S, R, K, V, C> },
    }
}

impl<S, R, K: Eq + Hash, V, C, F> ResponseFuture<S, R, K, V, C, F> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn there(value: V) -> Self {
        Self { state: State::There { value: Some(value) } }
    }

    pub(crate) const fn failed(error: BoxError) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }

    pub(crate) const fn alone(call: Oneshot<S, R, F>) -> Self {
        Self { state: State::Alone { call } }
    }

    pub(crate) const fn missed(miss: Miss<S, R, K, V, C>) -> Self {
        Self { state: State::Missed { miss } }
    }
}

impl<S, R, K, V, C> Future for ResponseFuture<S, R, K, V, C, S::Future>
where
    S: Callee<R, Response = V>,
    S::Error: 'static,
    V: Clone + Send + Sync + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    C: Classify<R, V, S::Error> + Send + Sync + 'static,
    C::Kept: Send,
    R: Send + 'static,
{
    type Output = Result<V, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match self.project().state.project() {
            StateProj::There { value } => Ok(value.take().expect(POLLED_AGAIN)),
            StateProj::Failed { error } => Err(error.take().expect(POLLED_AGAIN)),
            StateProj::Alone { call } => ready!(seldom(|| call.poll(cx).map_err(Into::into))),
            StateProj::Missed { miss } => ready!(seldom(|| Pin::new(miss).poll(cx))),
        };
        Poll::Ready(outcome)
    }
}

impl<S, R, K: Eq + Hash, V, C, F> fmt::Debug for ResponseFuture<S, R, K, V, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::There { .. } => "ResponseFuture(there)",
            State::Failed { .. } => "ResponseFuture(failed)",
            State::Alone { .. } => "ResponseFuture(alone)",
            State::Missed { .. } => "ResponseFuture(missed)",
        })
    }
}
