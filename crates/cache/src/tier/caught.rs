//! Panics of a tier go no further.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use tower_ballast_core::{Event, EventKind, Reporter};

use super::TierFuture;

/// What a tier is still doing, or the panic with which it began or ends.
pub(super) struct Caught<T>(Result<TierFuture<T>, Option<Panic>>);

/// What a panic said.
pub(super) struct Panic(Box<dyn Any + Send>);

impl<T> Caught<T> {
    pub(super) fn begin(begin: impl FnOnce() -> TierFuture<T>) -> Self {
        // Whatever state it leaves behind is the tier's own.
        Self(catch_unwind(AssertUnwindSafe(begin)).map_err(|panic| Some(Panic(panic))))
    }
}

impl<T> Future for Caught<T> {
    type Output = Result<T, Panic>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Ok(doing) => match catch_unwind(AssertUnwindSafe(|| doing.as_mut().poll(cx))) {
                Ok(poll) => poll.map(Ok),
                Err(panic) => Poll::Ready(Err(Panic(panic))),
            },
            Err(panic) => {
                Poll::Ready(Err(panic.take().expect("a future is not polled after it is ready")))
            }
        }
    }
}

impl Panic {
    pub(super) fn tell(&self, reporter: &Reporter, of: &'static str) {
        reporter.tell(|| Event::new(EventKind::ErrorHidden).reason(of).detail(self));
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let literal = self.0.downcast_ref::<&str>().copied();
        let text = literal.or_else(|| self.0.downcast_ref::<String>().map(String::as_str));
        f.write_str(text.unwrap_or("it panicked"))
    }
}
