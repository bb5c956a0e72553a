use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_ballast_core::BoxError;

use crate::fill::{Read, Reader, Source, poll_plain};

pin_project! {
    /// The body of an answer: one that was kept, one that is kept while it streams, or the service's own.
    ///
    /// What was kept is shared and not copied, whatever its size. Its data are [`Bytes`].
    pub struct CacheBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> {
        Whole { bytes: Bytes },
        Filling { reader: Reader },
        // It is too large to be kept.
        Rest { source: Source },
        Inner { #[pin] body: B },
    }
}

impl<B> CacheBody<B> {
    pub(crate) const fn whole(bytes: Bytes) -> Self {
        Self { state: State::Whole { bytes } }
    }

    pub(crate) const fn filling(reader: Reader) -> Self {
        Self { state: State::Filling { reader } }
    }

    pub(crate) const fn rest(source: Source) -> Self {
        Self { state: State::Rest { source } }
    }

    pub(crate) const fn inner(body: B) -> Self {
        Self { state: State::Inner { body } }
    }

    /// The bytes, where they are there as a whole.
    #[allow(dead_code, reason = "only reqwest's bodies are made of it")]
    pub(crate) fn into_whole(self) -> Result<Bytes, Self> {
        match self.state {
            State::Whole { bytes } => Ok(bytes),
            state => Err(Self { state }),
        }
    }

    /// Reads on until it is known whether it is kept, for nobody's sake.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Filling { reader } => reader.poll_end(cx).map(drop),
            _ => Poll::Ready(()),
        }
    }
}

impl<B> Body for CacheBody<B>
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
        let mut state = self.project().state;
        loop {
            let source = match state.as_mut().project() {
                StateProj::Whole { bytes } if bytes.is_empty() => return Poll::Ready(None),
                StateProj::Whole { bytes } => {
                    return Poll::Ready(Some(Ok(Frame::data(mem::take(bytes)))));
                }
                StateProj::Inner { body } => return poll_plain(body, cx),
                StateProj::Rest { source } => return source.as_mut().poll_frame(cx),
                StateProj::Filling { reader } => match ready!(reader.poll(cx)) {
                    Read::Next(frame) => return Poll::Ready(frame),
                    Read::Rest(source) => source,
                },
            };
            state.set(State::Rest { source });
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Whole { bytes } => bytes.is_empty(),
            State::Filling { reader } => reader.is_end_stream(),
            State::Rest { source } => source.is_end_stream(),
            State::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Whole { bytes } => SizeHint::with_exact(bytes.len() as u64),
            State::Filling { reader } => reader.size_hint(),
            State::Rest { source } => source.size_hint(),
            State::Inner { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for CacheBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Whole { .. } => "whole",
            State::Filling { .. } => "filling",
            State::Rest { .. } => "rest",
            State::Inner { .. } => "inner",
        };
        f.debug_struct("CacheBody").field("state", &state).finish_non_exhaustive()
    }
}
