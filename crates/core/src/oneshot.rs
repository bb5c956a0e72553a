//! One request to one instance of a service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// Waits until a service is ready, and calls it.
    ///
    /// The service's future is a parameter of its own: were it named through the service, whoever
    /// asks whether this is `Send` would have to prove that it is a service, and compilers fail at
    /// that for work which gives a boxed error.
    ///
    /// ```
    /// use tower::service_fn;
    /// use tower_ballast_core::Oneshot;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let double = service_fn(|number: u32| async move { Ok::<_, ()>(2 * number) });
    /// assert_eq!(Oneshot::new(double, 21).await, Ok(42));
    /// # });
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Oneshot<S, R, F> {
        #[pin]
        state: State<S, F, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, R> {
        Readying { service: S, request: Option<R> },
        Calling { #[pin] response: F },
    }
}

impl<S, R, F> Oneshot<S, R, F> {
    /// One call of this instance, which may have been asked before or not.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub const fn new(service: S, request: R) -> Self {
        Self { state: State::Readying { service, request: Some(request) } }
    }
}

impl<S: Service<R>, R> Future for Oneshot<S, R, S::Future> {
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let response = match state.as_mut().project() {
                StateProj::Readying { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    service.call(request.take().expect("a future is not polled after it is ready"))
                }
                StateProj::Calling { response } => return response.poll(cx),
            };
            state.set(State::Calling { response });
        }
    }
}

impl<S, R, F> fmt::Debug for Oneshot<S, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Readying { .. } => "readying",
            State::Calling { .. } => "calling",
        })
    }
}
