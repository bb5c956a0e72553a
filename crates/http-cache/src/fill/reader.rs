//! One who reads a body on its way.

use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tower_ballast_core::BoxError;

use super::{
    Fill,
    locked::{Locked, Phase},
    source::Source,
};

/// A place in a body on its way.
pub(crate) struct Reader {
    fill: Arc<Fill>,
    number: u64,
    place: Place,
}

/// What of a body was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) bytes: u64,
    pub(super) has_trailers: bool,
}

/// What a reader gets.
pub(crate) enum Read {
    Next(Option<Result<Frame<Bytes>, BoxError>>),
    /// All the rest, since it is not kept.
    Rest(Source),
}

/// What has become of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is whole and so long.
    Whole(u64),
    /// It is not kept, and goes on for the first reader alone.
    Alone,
    /// It was cut off.
    Cut,
}

/// A body that another request began was cut off.
#[derive(Debug)]
pub(super) struct CutShort;

impl Reader {
    pub(super) fn first(fill: Arc<Fill>) -> Self {
        Self::another(fill, Locked::FIRST)
    }

    pub(super) fn another(fill: Arc<Fill>, number: u64) -> Self {
        Self { fill, number, place: Place::default() }
    }

    /// The body it reads.
    pub(crate) const fn fill(&self) -> &Arc<Fill> {
        &self.fill
    }

    /// Reads on.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        ready!(self.fill.poll(self.number, Some(self.place), cx));
        let leads = self.number == Locked::FIRST;
        let next = self.fill.with(|locked| {
            if let Some(frame) = locked.next(self.place) {
                return Ok(frame);
            }
            Err(match &mut locked.phase {
                Phase::Ended { is_whole } if leads || *is_whole => Read::Next(None),
                Phase::Cut(error) if leads => match error.take() {
                    Some(error) => Read::Next(Some(Err(error))),
                    None => Read::Next(None),
                },
                Phase::Alone(source) if leads => match source.take() {
                    Some(source) => Read::Rest(source),
                    None => Read::Next(None),
                },
                _ => Read::Next(Some(Err(CutShort.into()))),
            })
        });
        Poll::Ready(match next {
            Ok(frame) => {
                match frame.data_ref() {
                    Some(data) => self.place.bytes += data.len() as u64,
                    None => self.place.has_trailers = true,
                }
                Read::Next(Some(Ok(frame)))
            }
            Err(read) => read,
        })
    }

    /// Waits until it is known what has become of the body: whether it is whole, or goes on for the first reader alone.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        ready!(self.fill.poll(self.number, None, cx));
        Poll::Ready(self.fill.with(|locked| match locked.kept {
            Some(true) => Ended::Whole(locked.pieces.length()),
            _ if matches!(locked.phase, Phase::Cut(_) | Phase::Ended { .. }) => Ended::Cut,
            _ => Ended::Alone,
        }))
    }

    /// Whether there is nothing more to read.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.fill.with(|locked| {
            !locked.has_more(self.place)
                && match &locked.phase {
                    Phase::Ended { is_whole } => *is_whole,
                    // A body that is empty says so before it is read.
                    Phase::Here(source) => source.is_end_stream(),
                    _ => false,
                }
        })
    }

    /// How much there is left to read.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let left = |all: u64| all.saturating_sub(self.place.bytes);
        let hint = &self.fill.hint;
        if let Some(length) = self.fill.length.or_else(|| hint.exact()) {
            return SizeHint::with_exact(left(length));
        }
        let mut rest = SizeHint::new();
        rest.set_lower(left(hint.lower()));
        if let Some(upper) = hint.upper() {
            rest.set_upper(left(upper));
        }
        rest
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.fill.leave(self.number);
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("fill", &self.fill).finish_non_exhaustive()
    }
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body that was shared was cut off")
    }
}

impl Error for CutShort {}
