use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response: the service's own, or the one of an answer in its place.
    pub struct RespondBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Inner { #[pin] body: B },
        Answer { text: Bytes },
    }
}

impl<B> RespondBody<B> {
    pub(super) const fn inner(body: B) -> Self {
        Self { state: State::Inner { body } }
    }

    pub(super) const fn answer(text: Bytes) -> Self {
        Self { state: State::Answer { text } }
    }
}

/// The service's data stay what they are; that of an answer is made of [`Bytes`].
impl<B> Body for RespondBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().state.project() {
            StateProj::Inner { body } => body.poll_frame(cx),
            StateProj::Answer { text } if text.is_empty() => Poll::Ready(None),
            StateProj::Answer { text } => {
                Poll::Ready(Some(Ok(Frame::data(mem::take(text).into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Inner { body } => body.is_end_stream(),
            State::Answer { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Inner { body } => body.size_hint(),
            State::Answer { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

impl<B> fmt::Debug for RespondBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inner { .. } => "inner",
            State::Answer { .. } => "answer",
        };
        f.debug_struct("RespondBody").field("state", &state).finish_non_exhaustive()
    }
}
