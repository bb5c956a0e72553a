use std::net::SocketAddr;

/// Where a request came from, as an extension of it: the address of the connection's other end.
///
/// ```
/// use tower_ballast_http::{ClientIp, PeerAddr};
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(PeerAddr("192.0.2.7:40000".parse().unwrap()));
/// assert_eq!(ClientIp::new().address(&request), Some("192.0.2.7".parse().unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddr(pub SocketAddr);
