//! What an HTTP request asks for, as a name to count it under.

use std::borrow::Cow;

use http::Method;
use tower_ballast_core::Operation;

use crate::HttpRequest;

/// Counts requests by their method. One that HTTP does not define is `other`.
///
/// ```
/// use tower_ballast_core::Operation;
/// use tower_ballast_http::ByMethod;
///
/// let request = http::Request::post("/cart").body(()).unwrap();
/// assert_eq!(ByMethod.name(&request).as_deref(), Some("POST"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ByMethod;

/// Counts requests by host and port, as a client does that calls several services.
///
/// ```
/// use tower_ballast_core::Operation;
/// use tower_ballast_http::ByAuthority;
///
/// let request = http::Request::get("http://example.com:8080/cart").body(()).unwrap();
/// assert_eq!(ByAuthority.name(&request).as_deref(), Some("example.com:8080"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ByAuthority;

impl<R: HttpRequest> Operation<R> for ByMethod {
    fn name<'a>(&self, request: &'a R) -> Option<Cow<'a, str>> {
        Some(Cow::Borrowed(match *request.method() {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            Method::PATCH => "PATCH",
            Method::CONNECT => "CONNECT",
            Method::TRACE => "TRACE",
            _ => "other",
        }))
    }
}

impl<R: HttpRequest> Operation<R> for ByAuthority {
    fn name<'a>(&self, request: &'a R) -> Option<Cow<'a, str>> {
        request.authority().map(Cow::Borrowed)
    }
}
