//! A place in a shared call that is not kept for ever.

use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::{Landed, Seat};
use crate::clock;

pin_project! {
    /// Waits for a shared call, so long and no longer.
    ///
    /// It gives `None` when the wait was in vain; then nobody joins that call any more, so that the next
    /// one who asks begins another. Who began the call waits for it without a limit.
    #[must_use = "futures do nothing unless polled"]
    pub struct Wait<K, S, O>
    where
        K: Eq,
        K: Hash,
    {
        seat: Seat<K, S, O>,
        limit: Duration,
        // Made when the call is first found under way.
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<K: Eq + Hash, S, O> Wait<K, S, O> {
    /// Waits for `limit`; for [`Duration::MAX`] without a timer.
    pub const fn new(seat: Seat<K, S, O>, limit: Duration) -> Self {
        Self { seat, limit, timer: None }
    }

    /// The place it waits in.
    pub const fn seat(&self) -> &Seat<K, S, O> {
        &self.seat
    }
}

impl<K, S, O> Future for Wait<K, S, O>
where
    K: Eq + Hash,
    S: Clone + Send + Sync + 'static,
    O: Send + 'static,
{
    type Output = Option<Landed<S, O>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(landed) = Pin::new(&mut *this.seat).poll(cx) {
            return Poll::Ready(Some(landed));
        }
        if this.seat.leads() || *this.limit == Duration::MAX {
            return Poll::Pending;
        }
        if this.timer.is_none() {
            this.timer.set(Some(clock::sleep(*this.limit)));
        }
        match this.timer.as_pin_mut().map(|timer| timer.poll(cx)) {
            Some(Poll::Ready(())) => {
                this.seat.close();
                Poll::Ready(None)
            }
            _ => Poll::Pending,
        }
    }
}

impl<K: Eq + Hash, S, O> fmt::Debug for Wait<K, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("seat", &self.seat).finish_non_exhaustive()
    }
}
