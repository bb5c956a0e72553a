//! The answers that the proxy gives by itself.

use axum::body::Body;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE},
};

/// A request or an answer that must not go on, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    status: StatusCode,
    why: &'static str,
}

impl Refusal {
    pub(super) const fn bad_request(why: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, why }
    }

    pub(super) const fn too_large() -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            why: "the body is longer than this proxy forwards",
        }
    }

    pub(super) const fn not_implemented(why: &'static str) -> Self {
        Self { status: StatusCode::NOT_IMPLEMENTED, why }
    }

    pub(super) const fn looped() -> Self {
        Self { status: StatusCode::LOOP_DETECTED, why: "the request has been here before" }
    }

    pub(super) const fn end_of_the_line() -> Self {
        Self { status: StatusCode::NO_CONTENT, why: "" }
    }

    pub(super) const fn bad_gateway(why: &'static str) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, why }
    }
}

impl From<Refusal> for Response<Body> {
    fn from(Refusal { status, why }: Refusal) -> Self {
        let mut response = Self::new(if why.is_empty() { Body::empty() } else { Body::from(why) });
        *response.status_mut() = status;
        if !status.is_success() {
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            // What follows a message that was not understood must not be read as another one.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
