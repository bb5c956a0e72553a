//! Where a body comes from, whatever its type.

use std::{
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
