//! Whose request it is.

mod chain;
mod cidr;
mod credential;
mod forwarded;
mod ip;
mod peer;

use tower_ballast_core::Key;

pub use self::{
    cidr::Cidr,
    credential::{ClientField, ClientToken},
    ip::ClientIp,
    peer::PeerAddr,
};

/// Tells whose request it is, for limits and circuits by key.
///
/// Given to [`HttpFacts::client`](crate::HttpFacts::client). There are [`ClientIp`] for the address,
/// [`ClientToken`] for the bearer token and [`ClientField`] for the value of a field. A closure
/// `Fn(&R) -> Option<Key>` is one too, and of a pair the first that knows. `()` knows nobody.
///
/// ```
/// use axum::{body::Body, extract::MatchedPath};
/// use http::Request;
/// use tower_ballast_core::Key;
/// use tower_ballast_http::{ClientIp, ClientToken, HttpFacts};
///
/// // Who has a token goes by it, and others by their address.
/// let by_client = HttpFacts::new().client((ClientToken::new(), ClientIp::new()));
///
/// // Each address on each route of axum by itself.
/// let ip = ClientIp::trusting_hops(1);
/// let by_route = HttpFacts::new().client(move |request: &Request<Body>| {
///     let route = request.extensions().get::<MatchedPath>()?;
///     Some(Key::of(&(ip.network(request)?, route.as_str())))
/// });
/// # let _ = (by_client, by_route);
/// ```
pub trait Identity<R> {
    /// The client's key, or `None` where nothing tells.
    fn key(&self, request: &R) -> Option<Key>;
}

impl<R> Identity<R> for () {
    fn key(&self, _: &R) -> Option<Key> {
        None
    }
}

impl<R, F> Identity<R> for F
where
    F: Fn(&R) -> Option<Key>,
{
    fn key(&self, request: &R) -> Option<Key> {
        self(request)
    }
}

impl<R, A: Identity<R>, B: Identity<R>> Identity<R> for (A, B) {
    fn key(&self, request: &R) -> Option<Key> {
        self.0.key(request).or_else(|| self.1.key(request))
    }
}

#[cfg(test)]
mod tests;
