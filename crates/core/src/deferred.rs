//! A call that may have to be waited for.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

pin_project! {
    /// A call, or what has to be waited for before it can be made.
    ///
    /// Most calls of a layer with a queue are made at once, and should not carry the memory of those
    /// that wait. So what waits is in a box, which is gone when the call is made: this is no larger
    /// than the call, and one that is made at once allocates nothing.
    ///
    /// ```
    /// use std::future::{Ready, ready};
    /// use tower_ballast_core::Deferred;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// type Call = Ready<u32>;
    /// assert_eq!(Deferred::<Ready<Call>, Call>::now(ready(7)).await, 7);
    /// // The first future gives the second.
    /// assert_eq!(Deferred::later(Box::pin(ready(ready(8)))).await, 8);
    /// # });
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Deferred<W, F> {
        #[pin]
        state: State<W, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<W, F> {
        Calling { #[pin] call: F },
        Waiting { waiting: Pin<Box<W>> },
    }
}

impl<W, F> Deferred<W, F> {
    /// A call that has been made.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub const fn now(call: F) -> Self {
        Self { state: State::Calling { call } }
    }

    /// One that `waiting` makes.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub const fn later(waiting: Pin<Box<W>>) -> Self {
        Self { state: State::Waiting { waiting } }
    }
}

impl<W, F> Future for Deferred<W, F>
where
    W: Future<Output = F>,
    F: Future,
{
    type Output = F::Output;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Calling { call } => return call.poll(cx),
                StateProj::Waiting { .. } => ready!(poll_waiting(state.as_mut(), cx)),
            }
        }
    }
}

/// Until the call is made. What it answers is not handed on by this one, as that would be in memory.
#[cold]
#[inline(never)]
fn poll_waiting<W, F>(mut state: Pin<&mut State<W, F>>, cx: &mut Context<'_>) -> Poll<()>
where
    W: Future<Output = F>,
{
    if let StateProj::Waiting { waiting } = state.as_mut().project() {
        let call = ready!(waiting.as_mut().poll(cx));
        state.set(State::Calling { call });
    }
    Poll::Ready(())
}

impl<W: fmt::Debug, F> fmt::Debug for Deferred<W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Calling { .. } => f.write_str("calling"),
            State::Waiting { waiting } => waiting.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, poll_fn},
        rc::Rc,
        task::Waker,
    };

    use super::*;

    type Call = Ready<[u64; 4]>;

    #[test]
    fn it_is_no_larger_than_a_call_that_has_a_mark_to_spare() {
        assert_eq!(size_of::<Deferred<[u64; 100], Call>>(), size_of::<Call>());
    }

    #[test]
    fn what_waited_is_gone_before_the_call_is_polled() {
        let (held, cx) = (Rc::new(()), &mut Context::from_waker(Waker::noop()));
        let (kept, seen) = (Rc::clone(&held), Rc::clone(&held));
        let mut polls = 0;
        let waiting = poll_fn(move |_| {
            let _ = &kept;
            polls += 1;
            if polls < 2 {
                return Poll::Pending;
            }
            let seen = Rc::clone(&seen);
            Poll::Ready(poll_fn(move |_| Poll::Ready(Rc::strong_count(&seen))))
        });
        let mut call = Box::pin(Deferred::later(Box::pin(waiting)));
        assert!(call.as_mut().poll(cx).is_pending());
        // This one, and what the call sees it by.
        assert_eq!(call.as_mut().poll(cx), Poll::Ready(2));
        drop(held);
    }
}
