//! How layers look at a request or a response without knowing its type.

use http::{Extensions, HeaderMap, Method, StatusCode, header::HOST, uri};

/// What layers read of an HTTP request, and write on it.
///
/// Implemented for [`http::Request`], and for reqwest's `Request` with the feature `reqwest`.
/// Implement it for a request type of your own, and every strategy of this crate understands it.
///
/// ```
/// use tower_ballast_http::HttpRequest;
///
/// let request = http::Request::get("http://user:secret@example.com:8080/cart").body(()).unwrap();
/// assert_eq!(request.authority(), Some("example.com:8080"));
/// ```
pub trait HttpRequest {
    /// The method.
    fn method(&self) -> &Method;

    /// Host and port as written, without user information.
    fn authority(&self) -> Option<&str>;

    /// The header fields.
    fn headers(&self) -> &HeaderMap;

    /// The header fields, to be changed.
    fn headers_mut(&mut self) -> &mut HeaderMap;

    /// What travels with the request inside the process, where the type has such a place.
    fn extensions(&self) -> Option<&Extensions>;

    /// What travels with the request inside the process, to be changed.
    fn extensions_mut(&mut self) -> Option<&mut Extensions>;
}

/// What layers read of an HTTP response.
///
/// Implemented for [`http::Response`], and for reqwest's `Response` with the feature `reqwest`.
pub trait HttpResponse {
    /// The status code.
    fn status(&self) -> StatusCode;

    /// The header fields.
    fn headers(&self) -> &HeaderMap;
}

impl<B> HttpRequest for http::Request<B> {
    fn method(&self) -> &Method {
        self.method()
    }

    fn authority(&self) -> Option<&str> {
        let target = self.uri().authority().map(uri::Authority::as_str);
        let host = || self.headers().get(HOST).and_then(|host| host.to_str().ok());
        target.or_else(host).map(host_and_port)
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn extensions(&self) -> Option<&Extensions> {
        Some(self.extensions())
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        Some(self.extensions_mut())
    }
}

impl<B> HttpResponse for http::Response<B> {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }
}

/// The authority without user information.
pub(crate) fn host_and_port(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_field_stands_in_for_a_target_without_authority() {
        let request = http::Request::get("/cart").header(HOST, "example.com").body(()).unwrap();
        assert_eq!(HttpRequest::authority(&request), Some("example.com"));
        let bare = http::Request::get("/cart").body(()).unwrap();
        assert_eq!(HttpRequest::authority(&bare), None);
    }
}
