//! Plain code as a service: what `retry` and `Guard` run.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_ballast_core::Oneshot;
use tower_layer::Layer;
use tower_service::Service;

type OneshotOf<S, R> = Oneshot<S, R, <S as Service<R>>::Future>;

/// Runs what it is given. The innermost service under the layers of [`retry`] and
/// [`Guard`](crate::Guard).
#[derive(Debug, Clone, Copy, Default)]
pub struct Run;

/// A piece of work that can be begun several times.
#[derive(Debug, Clone, Copy)]
pub struct Job<F>(pub(crate) F);

impl<F, Fut, T, E> Service<Job<F>> for Run
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Response = T;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, Job(work): Job<F>) -> Fut {
        work()
    }
}

/// Runs `work`, and again as the policy allows: a [`RetryLayer`](crate::RetryLayer) for plain code.
///
/// The error stays that of the work. The policy is an ordinary layer, so its backoff, its idea of what is
/// worth another attempt, its statistics and above all its budget are the same for all that goes
/// through it: make one for each thing that is called, and keep it.
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use tower_ballast::{prelude::*, retry};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let policy = RetryLayer::new(idempotent())
///     .retries(3)
///     .backoff(Backoff::exponential(Duration::from_millis(50)));
///
/// let attempts = Cell::new(0);
/// let answer = retry(&policy, || async {
///     attempts.set(attempts.get() + 1);
///     if attempts.get() < 3 { Err("not yet") } else { Ok("done") }
/// })
/// .await;
/// assert_eq!((answer, attempts.get()), (Ok("done"), 3));
/// # });
/// ```
///
/// # Errors
///
/// The error of the last attempt.
pub fn retry<L, F, Fut, T, E>(
    policy: &L,
    work: F,
) -> RetryFuture<L::Service, F, <L::Service as Service<Job<F>>>::Future>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    L: Layer<Run>,
    L::Service: Service<Job<F>, Response = T, Error = E>,
{
    RetryFuture { outcome: run(policy, work) }
}

/// Work under layers.
pub(crate) fn run<L, F>(layers: &L, work: F) -> OneshotOf<L::Service, Job<F>>
where
    L: Layer<Run>,
    L::Service: Service<Job<F>>,
{
    Oneshot::new(layers.layer(Run), Job(work))
}

pin_project! {
    /// The outcome of [`retry`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S, F, G> {
        #[pin]
        outcome: Oneshot<S, Job<F>, G>,
    }
}

impl<S: Service<Job<F>>, F> Future for RetryFuture<S, F, S::Future> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().outcome.poll(cx)
    }
}

impl<S, F, G> fmt::Debug for RetryFuture<S, F, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RetryFuture({:?})", self.outcome)
    }
}
