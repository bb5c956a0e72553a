use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{
    BoxError, Oneshot,
    flights::{Callee, Journey},
};

use crate::shared::{Errand, Shared};

pin_project! {
    /// The answer of a call that is perhaps shared.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, R, K, V, F>
    where
        K: Eq,
        K: Hash,
    {
        #[pin]
        state: State<S, R, K, V, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, R, K, V, F>
    where
        K: Eq,
        K: Hash,
    {
        Alone { #[pin] call: Oneshot<S, R, F> },
        Shared { journey: Journey<Shared<K, V>, Errand<S, R>, K, V> },
    }
}

impl<S, R, K> ResponseFuture<S, R, K, S::Response, S::Future>
where
    S: Callee<R>,
    K: Clone + Eq + Hash,
    R: Send + 'static,
{
    pub(crate) fn alone(Errand { service, request }: Errand<S, R>) -> Self {
        Self { state: State::Alone { call: Oneshot::new(service, request) } }
    }

    pub(crate) fn shared(
        shared: &Arc<Shared<K, S::Response>>,
        key: K,
        errand: Errand<S, R>,
    ) -> Self {
        Self { state: State::Shared { journey: Journey::begin(shared, key, errand) } }
    }
}

impl<S, R, K, V> Future for ResponseFuture<S, R, K, V, S::Future>
where
    S: Callee<R, Response = V>,
    K: Clone + Eq + Hash,
    V: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    type Output = Result<V, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Alone { call } => call.poll(cx).map_err(Into::into),
            StateProj::Shared { journey } => Pin::new(journey).poll(cx),
        }
    }
}

impl<S, R, K: Eq + Hash, V, F> fmt::Debug for ResponseFuture<S, R, K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Alone { .. } => "ResponseFuture(alone)",
            State::Shared { .. } => "ResponseFuture(shared)",
        })
    }
}
