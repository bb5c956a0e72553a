use std::fmt;

use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use tower_ballast_core::Key;

use super::Identity;
use crate::HttpRequest;

/// Tells clients apart by the value of a field, such as that of an API key.
///
/// Nothing is verified: a client that may write what it likes may be whom it likes, and be new
/// with each request. Use it behind the authentication, or beside a limit by address. A request
/// with several such fields, or an empty one, is nobody's.
///
/// ```
/// use http::{HeaderName, Request};
/// use tower_ballast_core::Facts;
/// use tower_ballast_http::{ClientField, HttpFacts};
///
/// let by_key = ClientField::new(HeaderName::from_static("x-api-key"));
/// let known = HttpFacts::new().client(by_key.clone());
/// let request = Request::get("/").header("x-api-key", "s3cr3t").body(()).unwrap();
/// assert_eq!(known.key(&request), Some(by_key.key_of("s3cr3t")));
/// ```
#[derive(Debug, Clone)]
pub struct ClientField {
    name: HeaderName,
}

impl ClientField {
    /// Goes by this field.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self { name }
    }

    /// The key of who sends this value. The same value in another field has another key.
    #[must_use]
    pub fn key_of(&self, value: impl AsRef<[u8]>) -> Key {
        Key::of(&(self.name.as_str(), value.as_ref()))
    }
}

impl<R: HttpRequest> Identity<R> for ClientField {
    fn key(&self, request: &R) -> Option<Key> {
        only(request.headers(), &self.name).map(|value| self.key_of(value))
    }
}

/// Tells clients apart by their bearer token
/// ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
///
/// Nothing is verified, so the key is the fingerprint of the whole token and not of a claim in
/// it: whoever lies about a claim would be somebody else. Use it behind the authentication, or
/// beside a limit by address.
///
/// ```
/// use http::Request;
/// use tower_ballast_core::{Facts, Key};
/// use tower_ballast_http::{ClientToken, HttpFacts};
///
/// let request = Request::get("/").header("authorization", "Bearer eyJh.eyJz.c2ln").body(()).unwrap();
///
/// let known = HttpFacts::new().client(ClientToken::new());
/// assert_eq!(known.key(&request), Some(Key::of("eyJh.eyJz.c2ln")));
///
/// // Or verify it, and go by whom it names.
/// let subject = |token: &str| (token == "eyJh.eyJz.c2ln").then_some("user-7");
/// let known = HttpFacts::new().client(ClientToken::by(move |token| subject(token).map(Key::of)));
/// assert_eq!(known.key(&request), Some(Key::of("user-7")));
/// ```
#[derive(Clone)]
pub struct ClientToken<K = fn(&str) -> Option<Key>> {
    key: K,
}

impl ClientToken {
    /// Goes by the fingerprint of the whole token.
    #[must_use]
    pub const fn new() -> Self {
        Self { key: |token| Some(Key::of(token)) }
    }
}

impl<K: Fn(&str) -> Option<Key>> ClientToken<K> {
    /// Goes by the key that a closure makes of the token, or `None` if it is no good.
    pub const fn by(key: K) -> Self {
        Self { key }
    }
}

impl Default for ClientToken {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: HttpRequest, K: Fn(&str) -> Option<Key>> Identity<R> for ClientToken<K> {
    fn key(&self, request: &R) -> Option<Key> {
        (self.key)(token(request.headers())?)
    }
}

impl<K> fmt::Debug for ClientToken<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientToken")
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let credentials = std::str::from_utf8(only(headers, &AUTHORIZATION)?).ok()?;
    let (scheme, token) = credentials.split_once(' ')?;
    let token = token.trim_ascii();
    let is_one = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_one).then_some(token)
}

/// The value of a field that is there once. Of several, who knows which one is believed inside?
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next().filter(|_| lines.next().is_none())?.as_bytes().trim_ascii();
    (!value.is_empty()).then_some(value)
}
