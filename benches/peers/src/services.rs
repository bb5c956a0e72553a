//! The inner services: as little as a service can do.

use std::{
    error::Error,
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tower::Service;

/// Answers at once.
#[derive(Debug, Clone, Copy)]
pub struct Noop;

/// Fails at once for so many calls, those of its clones included, and answers from then on.
#[derive(Debug, Clone)]
pub struct FailingAtFirst(Arc<AtomicU32>);

impl FailingAtFirst {
    pub fn new(calls: u32) -> Self {
        Self(Arc::new(AtomicU32::new(calls)))
    }
}

/// Answers at the second poll.
#[derive(Debug, Clone, Copy)]
pub struct Yielding;

#[derive(Debug, Clone, Copy)]
pub struct Fault;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fault")
    }
}

impl Error for Fault {}

impl Service<u64> for Noop {
    type Response = u64;
    type Error = Fault;
    type Future = Ready<Result<u64, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(request))
    }
}

impl Service<u64> for FailingAtFirst {
    type Response = u64;
    type Error = Fault;
    type Future = Ready<Result<u64, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        let left = self
            .0
            .fetch_update(Relaxed, Relaxed, |calls| calls.checked_sub(1));
        ready(if left.is_ok() {
            Err(Fault)
        } else {
            Ok(request)
        })
    }
}

impl Service<u64> for Yielding {
    type Response = u64;
    type Error = Fault;
    type Future = Later;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Later {
        Later {
            request,
            was_polled: false,
        }
    }
}

pub struct Later {
    request: u64,
    was_polled: bool,
}

impl Future for Later {
    type Output = Result<u64, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.was_polled {
            return Poll::Ready(Ok(self.request));
        }
        self.was_polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
