//! Where a body comes from, whatever its type.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_ballast_core::BoxError;

/// A body whose type does not matter.
pub(crate) type Source = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// A body as a source.
pub(crate) fn source<B>(body: B) -> Source
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    Box::pin(Plain { body })
}

/// The next frame of a body, its data as `Bytes`: for `Bytes` itself that is no copy.
pub(crate) fn poll_plain<B>(
    body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let frame = ready!(body.poll_frame(cx));
    let into_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
    Poll::Ready(frame.map(|frame| match frame {
        Ok(frame) => Ok(frame.map_data(into_bytes)),
        Err(error) => Err(error.into()),
    }))
}

pin_project! {
    struct Plain<B> {
        #[pin]
        body: B,
    }
}

impl<B> Body for Plain<B>
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
        poll_plain(self.project().body, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is there, and then what comes without its first `skip` bytes.
pub(crate) fn after(there: Bytes, skip: u64, coming: Source) -> Source {
    Box::pin(After { there, skip, coming })
}

struct After {
    there: Bytes,
    skip: u64,
    coming: Source,
}

impl Body for After {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.there.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.there)))));
        }
        let frame = ready!(self.coming.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|mut data| {
                    let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(data.len());
                    self.skip -= known as u64;
                    data.split_off(known)
                })
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.there.is_empty() && self.coming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (there, hint) = (self.there.len() as u64, self.coming.size_hint());
        let all = |coming: u64| there.saturating_add(coming.saturating_sub(self.skip));
        let mut size = SizeHint::new();
        size.set_lower(all(hint.lower()));
        if let Some(upper) = hint.upper() {
            size.set_upper(all(upper));
        }
        size
    }
}
