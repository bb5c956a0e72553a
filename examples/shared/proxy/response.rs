//! What happens to an answer on its way back.

use axum::body::{Body, Bytes, HttpBody};
use http::{
    Response, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use tower::BoxError;

use super::{Refusal, Route, fields};

/// The answer as the caller shall see it.
pub(super) fn inbound<B>(route: &Route, response: Response<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = response.into_parts();
    let headers = &mut parts.headers;
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        // Two lengths are one too many. The body is dropped unread, which closes the connection.
        return Refusal::bad_gateway("the upstream's answer has two lengths").into();
    }
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Refusal::bad_gateway("the upstream changed the protocol unasked").into();
    }
    fields::strip_hop_by_hop(headers);
    fields::append_via(headers, parts.version, &route.pseudonym);
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, Body::new(body))
}
