//! A body that holds on to something.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_ballast_core::Held;

use super::lease::Lease;

pin_project! {
    /// A body that holds on to something, such as a permit, until it has ended. Made by
    /// [`UntilBodyEnds`](crate::UntilBodyEnds).
    ///
    /// It gives the same frames, errors and hints as the body it was made of. What it holds goes back
    /// with the last frame, with an error, when it is dropped, and when nothing was taken for too long.
    pub struct HeldBody<B, G> {
        #[pin]
        body: B,
        holding: Holding<G>,
    }
}

enum Holding<G> {
    Nothing,
    Endless(G),
    Leased(Lease<G>),
}

impl<B: Body, G: Held + Send + 'static> HeldBody<B, G> {
    pub(super) fn new(body: B, held: Option<G>, idle: Duration) -> Self {
        let holding = match held {
            Some(held) if !idle.is_zero() && !body.is_end_stream() => {
                if idle == Duration::MAX {
                    Holding::Endless(held)
                } else {
                    Holding::Leased(Lease::new(held, idle))
                }
            }
            _ => Holding::Nothing,
        };
        Self { body, holding }
    }
}

impl<B: Body, G: Held + Send + 'static> Body for HeldBody<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
            *this.holding = Holding::Nothing;
        } else if let Holding::Leased(lease) = this.holding {
            lease.renew();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B, G> fmt::Debug for HeldBody<B, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = !matches!(self.holding, Holding::Nothing);
        f.debug_struct("HeldBody").field("holds", &holds).finish_non_exhaustive()
    }
}
