//! The body of a request that may be sent again.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_ballast_core::BoxError;

use super::{
    reader::{Read, Reader},
    tape::{Tape, into_bytes},
};

pin_project! {
    /// The body of a request that [`HttpReplay`](crate::HttpReplay) may send again.
    ///
    /// It gives the same frames, trailers, errors and hints as the body it was made of, its data as
    /// [`Bytes`]. The one error of its own is given to an attempt that is still reading when
    /// another one has taken a body over the cap for itself.
    pub struct ReplayBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Empty,
        // Nobody will read it again, and nobody has.
        Plain { #[pin] body: B },
        Taped { reader: Reader<B> },
        // Once taped, now nobody will read it again.
        Taken { body: Pin<Box<B>> },
    }
}

impl<B> ReplayBody<B> {
    pub(super) const fn empty() -> Self {
        Self { state: State::Empty }
    }

    pub(super) const fn plain(body: B) -> Self {
        Self { state: State::Plain { body } }
    }

    pub(super) fn taped(tape: Arc<Tape<B>>) -> Self {
        Self { state: State::Taped { reader: Reader::new(tape) } }
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        loop {
            let (body, frame) = match this.state.as_mut().project() {
                StateProj::Empty => return Poll::Ready(None),
                StateProj::Plain { body } => return poll_body(body, cx),
                StateProj::Taken { body } => return poll_body(body.as_mut(), cx),
                StateProj::Taped { reader } => match ready!(reader.poll(cx)) {
                    Read::Next(next) => return Poll::Ready(next),
                    Read::Body(body, frame) => (body, frame),
                },
            };
            this.state.set(State::Taken { body });
            if let Some(frame) = frame {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Empty => true,
            State::Plain { body } => body.is_end_stream(),
            State::Taped { reader } => reader.is_end_stream(),
            State::Taken { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Empty => SizeHint::with_exact(0),
            State::Plain { body } => body.size_hint(),
            State::Taped { reader } => reader.size_hint(),
            State::Taken { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Empty => "empty",
            State::Plain { .. } => "plain",
            State::Taped { .. } => "taped",
            State::Taken { .. } => "taken",
        };
        f.debug_struct("ReplayBody").field("state", &state).finish_non_exhaustive()
    }
}

fn poll_body<B>(
    body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let frame = ready!(body.poll_frame(cx));
    Poll::Ready(frame.map(|frame| frame.map(into_bytes).map_err(Into::into)))
}
