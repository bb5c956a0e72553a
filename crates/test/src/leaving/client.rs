use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
    thread,
};

use tokio::task::coop::{Unconstrained, unconstrained};

use crate::Probe;

/// A caller that is polled by hand, and what it was told.
pub(super) struct Client<F: Future> {
    /// The task in which the test runs has a budget, which would have an end.
    call: Pin<Box<Unconstrained<F>>>,
    probe: Probe,
    has_begun: bool,
    pub(super) end: Option<thread::Result<F::Output>>,
}

impl<F: Future> Client<F> {
    pub(super) fn new(call: F) -> Self {
        let call = Box::pin(unconstrained(call));
        Self { call, probe: Probe::new(), has_begun: false, end: None }
    }

    /// Polls it if it was woken or has not begun, and tells whether it did.
    pub(super) fn go_on(&mut self) -> bool {
        let is_due = self.end.is_none() && (self.probe.was_woken() || !self.has_begun);
        if is_due {
            self.poll();
        }
        is_due
    }

    /// Polls it, woken or not, unless it has ended.
    pub(super) fn poll(&mut self) {
        if self.end.is_some() {
            return;
        }
        self.has_begun = true;
        let _ = self.probe.was_woken();
        let polled = catch_unwind(AssertUnwindSafe(|| self.probe.poll(self.call.as_mut())));
        self.end = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(output)) => Some(Ok(output)),
            Err(panic) => Some(Err(panic)),
        };
    }
}
