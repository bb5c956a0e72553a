//! A place in a shared call that is not kept for ever.

use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

use super::{Landed, Seat};
use crate::clock;

/// Waits for a shared call, so long and no longer.
///
/// It gives `None` when the wait was in vain; then nobody joins that call any more, so that the next
/// one who asks begins another. Who began the call waits for it without a limit.
#[must_use = "futures do nothing unless polled"]
pub struct Wait<K: Eq + Hash, S, O> {
    seat: Seat<K, S, O>,
    limit: Limit,
}

enum Limit {
    None,
    /// The call has not been found under way yet.
    After(Duration),
    Running(Pin<Box<Sleep>>),
}

impl<K: Eq + Hash, S, O> Wait<K, S, O> {
    /// Waits for `limit`; for [`Duration::MAX`] without a timer.
    pub const fn new(seat: Seat<K, S, O>, limit: Duration) -> Self {
        let is_endless = limit.as_nanos() == Duration::MAX.as_nanos();
        Self { seat, limit: if is_endless { Limit::None } else { Limit::After(limit) } }
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
        let this = self.get_mut();
        if let Poll::Ready(landed) = Pin::new(&mut this.seat).poll(cx) {
            return Poll::Ready(Some(landed));
        }
        if this.seat.leads() {
            return Poll::Pending;
        }
        if let Limit::After(limit) = this.limit {
            this.limit = Limit::Running(Box::pin(clock::sleep(limit)));
        }
        let Limit::Running(timer) = &mut this.limit else { return Poll::Pending };
        timer.as_mut().poll(cx).map(|()| {
            this.seat.close();
            None
        })
    }
}

impl<K: Eq + Hash, S, O> fmt::Debug for Wait<K, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("seat", &self.seat).finish_non_exhaustive()
    }
}
