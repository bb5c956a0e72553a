use std::{
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use tower::{Layer, Service};

/// Always says ready and waits in the response, on a clone; calls at once when it can.
#[derive(Clone)]
pub(crate) struct Waiting;

impl<S: Service<u32>> Layer<S> for Waiting {
    type Service = Optimist<S, u32>;

    fn layer(&self, inner: S) -> Optimist<S, u32> {
        Optimist { inner, ready: Ready::Unknown }
    }
}

#[derive(Debug)]
pub(crate) struct Optimist<S: Service<R>, R> {
    inner: S,
    ready: Ready<S::Error>,
}

#[derive(Debug)]
enum Ready<E> {
    Unknown,
    Polled,
    Yes,
    Failed(E),
}

impl<S: Service<R> + Clone, R> Clone for Optimist<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ready: Ready::Unknown }
    }
}

type Response<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<S, R> Service<R> for Optimist<S, R>
where
    S: Service<R, Response: Send, Error: Send, Future: Send + 'static> + Clone + Send + 'static,
    S::Error: 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Response<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if matches!(self.ready, Ready::Unknown | Ready::Polled) {
            self.ready = match self.inner.poll_ready(cx) {
                Poll::Ready(Ok(())) => Ready::Yes,
                Poll::Ready(Err(error)) => Ready::Failed(error),
                Poll::Pending => Ready::Polled,
            };
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        match mem::replace(&mut self.ready, Ready::Unknown) {
            Ready::Yes => Box::pin(self.inner.call(request)),
            Ready::Failed(error) => Box::pin(std::future::ready(Err(error))),
            Ready::Unknown | Ready::Polled => {
                self.inner = self.inner.clone();
                Box::pin(ready_then_call(self.inner.clone(), request))
            }
        }
    }
}

/// Never asks the inner service before it has a request.
#[derive(Clone)]
pub(crate) struct Lazy;

impl<S> Layer<S> for Lazy {
    type Service = Lazier<S>;

    fn layer(&self, inner: S) -> Lazier<S> {
        Lazier { inner }
    }
}

#[derive(Clone)]
pub(crate) struct Lazier<S> {
    inner: S,
}

impl<S, R> Service<R> for Lazier<S>
where
    S: Service<R, Future: Send> + Clone + Send + 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Response<S::Response, S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        Box::pin(ready_then_call(self.inner.clone(), request))
    }
}

async fn ready_then_call<S: Service<R>, R>(
    mut service: S,
    request: R,
) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}
