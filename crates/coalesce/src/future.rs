use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{
    BoxError, Oneshot,
    flights::{Failure, Landed},
};
use tower_service::Service;

use crate::shared::{Shared, Spare, Waiting};

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
        Waiting {
            #[pin]
            wait: Waiting<K, V>,
            // What this one can make the call with, if it has not, and may do so.
            spare: Option<Spare<S, R>>,
            shared: Arc<Shared<K, V>>,
        },
    }
}

impl<S, R, K, V> ResponseFuture<S, R, K, V, S::Future>
where
    S: Service<R, Response = V> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    V: Clone + Send + 'static,
    K: Clone + Eq + Hash,
    R: Send + 'static,
{
    pub(crate) fn alone(Spare { service, request }: Spare<S, R>) -> Self {
        Self { state: State::Alone { call: Oneshot::new(service, request) } }
    }

    pub(crate) fn shared(shared: Arc<Shared<K, V>>, key: K, spare: Spare<S, R>) -> Self {
        let (wait, spare) = shared.board(key, spare, shared.longest_wait.get());
        Self { state: State::Waiting { wait, spare, shared } }
    }
}

impl<S, R, K, V> Future for ResponseFuture<S, R, K, V, S::Future>
where
    S: Service<R, Response = V> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    V: Clone + Send + Sync + 'static,
    K: Clone + Eq + Hash,
    R: Send + 'static,
{
    type Output = Result<V, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let (mut wait, spare, shared) = match state.as_mut().project() {
                StateProj::Alone { call } => return call.poll(cx).map_err(Into::into),
                StateProj::Waiting { wait, spare, shared } => (wait, spare, shared),
            };
            let failure = match ready!(wait.as_mut().poll(cx)) {
                Some(Landed::Led(own)) => return Poll::Ready(own),
                Some(Landed::Shared(Ok(response))) => return Poll::Ready(Ok(response)),
                Some(Landed::Shared(Err(failure))) => failure,
                Some(Landed::Failed) | None => Failure::panicked(),
            };
            // The one that makes the call anew, or joins who does, has no other chance after that.
            let Some(spare) = spare.take().filter(|_| !failure.is_for_all()) else {
                shared.has_failed();
                return Poll::Ready(Err(failure.into_error()));
            };
            let shared = Arc::clone(shared);
            let wait = shared.board_again(wait.seat(), spare);
            state.set(State::Waiting { wait, spare: None, shared });
        }
    }
}

impl<S, R, K: Eq + Hash, V, F> fmt::Debug for ResponseFuture<S, R, K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Alone { .. } => "ResponseFuture(alone)",
            State::Waiting { .. } => "ResponseFuture(waiting)",
        })
    }
}
