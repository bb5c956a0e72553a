use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;

use crate::{body::CacheBody, exchange::Answer};

/// An answer that was there, or that of a call which is perhaps shared.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<B, E> {
    state: State<B, E>,
}

enum State<B, E> {
    // None once it was given.
    There(Option<Response<CacheBody<B>>>),
    Calling(Pin<Box<dyn Future<Output = Answer<B, E>> + Send>>),
}

impl<B, E> ResponseFuture<B, E> {
    pub(crate) const fn there(response: Response<CacheBody<B>>) -> Self {
        Self { state: State::There(Some(response)) }
    }

    pub(crate) fn calling(call: impl Future<Output = Answer<B, E>> + Send + 'static) -> Self {
        Self { state: State::Calling(Box::pin(call)) }
    }
}

impl<B, E> Future for ResponseFuture<B, E> {
    type Output = Result<Response<CacheBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().state {
            State::There(response) => {
                let response = response.take();
                Poll::Ready(Ok(response.expect("a future is not polled after it is ready")))
            }
            State::Calling(call) => call.as_mut().poll(cx),
        }
    }
}

// The response that is there is never pinned.
impl<B, E> Unpin for ResponseFuture<B, E> {}

impl<B, E> fmt::Debug for ResponseFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::There(_) => "ResponseFuture(there)",
            State::Calling(_) => "ResponseFuture(calling)",
        })
    }
}
