//! One attempt that reads a tape.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower_ballast_core::BoxError;

use super::tape::Tape;

/// One attempt's place on a tape.
pub(super) struct Reader<B> {
    tape: Arc<Tape<B>>,
    at: usize,
    gave_trailers: bool,
}

/// What a reader finds.
pub(super) enum Read<B> {
    /// The next frame, an error, or the end.
    Next(Option<Result<Frame<Bytes>, BoxError>>),
    /// The body itself, to be read without a tape from now on, after a frame that did not fit.
    Body(Pin<Box<B>>, Option<Frame<Bytes>>),
}

impl<B> Reader<B> {
    pub(super) fn new(tape: Arc<Tape<B>>) -> Self {
        tape.lock().join();
        Self { tape, at: 0, gave_trailers: false }
    }

    /// What is left to read, by what the body said of itself at first: every attempt announces
    /// the same length.
    pub(super) fn size_hint(&self) -> SizeHint {
        let at = self.at as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(self.tape.hint.lower().saturating_sub(at));
        if let Some(upper) = self.tape.hint.upper() {
            hint.set_upper(upper.saturating_sub(at));
        }
        hint
    }
}

impl<B> Reader<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read<B>> {
        let mut state = self.tape.lock();
        if let Some(bytes) = state.record.after(self.at) {
            self.at += bytes.len();
            return Poll::Ready(Read::Next(Some(Ok(Frame::data(bytes)))));
        }
        if let Some(trailers) = state.trailers.as_ref().filter(|_| !self.gave_trailers) {
            self.gave_trailers = true;
            return Poll::Ready(Read::Next(Some(Ok(Frame::trailers(trailers.clone())))));
        }
        // No other attempt reads, and none can be made.
        if Arc::strong_count(&self.tape) == 1
            && let Some(body) = state.take_source()
        {
            return Poll::Ready(Read::Body(body, None));
        }
        let read = ready!(state.read_on(&self.tape, cx));
        if let Read::Next(Some(Ok(frame))) = &read {
            self.at += frame.data_ref().map_or(0, Bytes::len);
            self.gave_trailers |= frame.is_trailers();
        }
        Poll::Ready(read)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let state = self.tape.lock();
        let all_given =
            self.at >= state.record.len() && (self.gave_trailers || state.trailers.is_none());
        all_given && state.is_end_stream()
    }
}

impl<B> Drop for Reader<B> {
    fn drop(&mut self) {
        self.tape.lock().leave();
    }
}
