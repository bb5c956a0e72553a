use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{BoxError, Event, EventKind, Oneshot, Rejected, Reporter};
use tower_service::Service;

use crate::plain::Job;

pin_project! {
    /// The outcome of [`Guard::run`](crate::Guard::run).
    #[must_use = "futures do nothing unless polled"]
    pub struct RunFuture<S, F, R> {
        #[pin]
        outcome: Oneshot<S, Job<F>, R>,
    }
}

pin_project! {
    /// The outcome of [`Guard::run_or`](crate::Guard::run_or).
    #[must_use = "futures do nothing unless polled"]
    pub struct RunOrFuture<S, F, R, G> {
        #[pin]
        outcome: RunFuture<S, F, R>,
        fallback: Option<G>,
        reporter: Arc<Reporter>,
    }
}

impl<S, F, R> RunFuture<S, F, R> {
    pub(super) const fn new(outcome: Oneshot<S, Job<F>, R>) -> Self {
        Self { outcome }
    }
}

impl<S, F, R, G> RunOrFuture<S, F, R, G> {
    pub(super) const fn new(
        outcome: RunFuture<S, F, R>,
        fallback: G,
        reporter: Arc<Reporter>,
    ) -> Self {
        Self { outcome, fallback: Some(fallback), reporter }
    }
}

impl<S, F> Future for RunFuture<S, F, S::Future>
where
    S: Service<Job<F>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().outcome.poll(cx).map_err(Into::into)
    }
}

impl<S, F, G> Future for RunOrFuture<S, F, S::Future, G>
where
    S: Service<Job<F>>,
    S::Error: Into<BoxError>,
    G: FnOnce(BoxError) -> Result<S::Response, BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match ready!(this.outcome.poll(cx)) {
            Ok(answer) => return Poll::Ready(Ok(answer)),
            Err(error) => error,
        };
        let reason = Rejected::find(&*error).map_or("transient", |found| found.reason().as_str());
        let fallback = this.fallback.take().expect("a future is not polled after it is ready");
        let answer = fallback(error);
        if answer.is_ok() {
            this.reporter.tell(|| Event::new(EventKind::FellBack).reason(reason));
        }
        Poll::Ready(answer)
    }
}

impl<S, F, R> fmt::Debug for RunFuture<S, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunFuture({:?})", self.outcome)
    }
}

impl<S, F, R, G> fmt::Debug for RunOrFuture<S, F, R, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunOrFuture({:?})", self.outcome)
    }
}
