use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{Extensions, HeaderMap, HeaderName};
use tower_ballast_core::Key;

use super::{
    Identity,
    chain::{Chain, Told},
    cidr::Cidr,
    peer::PeerAddr,
};
use crate::HttpRequest;

const PREFIX: u8 = 64;

/// Tells clients apart by their addresses, behind the proxies that you trust.
///
/// By default nobody is trusted, no field is read, and the client is whoever opened the connection.
/// That is right for a server that clients reach directly. Behind a proxy, say which hops are
/// yours: each of them appends to `X-Forwarded-For` the address of who sent it the request, so
/// the field is read from its end, over all its lines, and only as far as trusted hops wrote
/// it. What stands before that is the client's own invention and never looked at.
///
/// ```text
///   X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.2                 peer 10.0.0.1
///                    forged   by 10.0.0.2  by 10.0.0.1            the nearest hop
///
///   ClientIp::new()                       10.0.0.1
///   ClientIp::trusting_hops(2)            192.0.2.7
///   ClientIp::trusting(Cidr::PRIVATE)     192.0.2.7
/// ```
///
/// - Fewer elements than hops: the client is the last address that is known.
/// - An element that is no address ends the walk there, and the client is the last address before it.
///   One that hides its address (`unknown`, `_name`) is a hop when hops are counted, and an
///   end among networks.
/// - A port is left out, and an IPv4 address mapped into IPv6 is the IPv4 address.
/// - [`forwarded`](ClientIp::forwarded) reads `Forwarded`
///   ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239#section-4)) instead. Only the one field is ever
///   read, since a proxy that writes one lets the other through as it came.
///
/// # The peer's address
///
/// It is the extension [`PeerAddr`], which your accept loop sets, or what [`peer`](ClientIp::peer)
/// finds. If there is none, hops can be counted all the same, networks cannot be known, and a
/// client that is not found has no key.
///
/// # Cost
///
/// Nothing is allocated, but for a quoted value of `Forwarded` that has a backslash in it. No more
/// elements are read than there are trusted hops, however many a client sends.
///
/// ```
/// use tower_ballast_core::Facts;
/// use tower_ballast_http::{ClientIp, HttpFacts, PeerAddr};
///
/// let mut request = http::Request::get("/")
///     .header("x-forwarded-for", "6.6.6.6")   // The client forges one,
///     .header("x-forwarded-for", "192.0.2.7") // and the proxy adds the truth.
///     .body(())
///     .unwrap();
/// request.extensions_mut().insert(PeerAddr("10.0.0.1:40000".parse().unwrap()));
///
/// let ip = ClientIp::trusting_hops(1);
/// assert_eq!(ip.address(&request), Some("192.0.2.7".parse().unwrap()));
///
/// let known = HttpFacts::new().client(ip.clone());
/// assert_eq!(known.key(&request), Some(ip.network(&request).unwrap().key()));
/// ```
#[derive(Clone)]
pub struct ClientIp {
    trust: Trust,
    chain: Chain,
    peer: fn(&Extensions) -> Option<SocketAddr>,
    ipv6_prefix: u8,
}

/// Whose word is believed.
#[derive(Debug, Clone)]
enum Trust {
    /// That of so many hops, the nearest first.
    Hops(u32),
    /// That of hops in these networks.
    Networks(Arc<[Cidr]>),
}

impl ClientIp {
    /// The client is whoever opened the connection; no field is read.
    #[must_use]
    pub const fn new() -> Self {
        Self::trusting_hops(0)
    }

    /// Your word that every request passes this many proxies of yours, and that each appends to
    /// the field. Zero trusts nobody.
    ///
    /// If some requests take a shorter way, their clients can write what the missing hop would
    /// have written: trust networks then.
    #[must_use]
    pub const fn trusting_hops(hops: u32) -> Self {
        Self {
            trust: Trust::Hops(hops),
            chain: Chain::X_FORWARDED_FOR,
            peer: |extensions| extensions.get::<PeerAddr>().map(|peer| peer.0),
            ipv6_prefix: PREFIX,
        }
    }

    /// Your word that whoever has an address in these networks is a proxy of yours that appends to
    /// the field. The client is the first one from the end that is not.
    ///
    /// A client inside of such a network can write what it likes.
    ///
    /// ```
    /// use tower_ballast_http::{Cidr, ClientIp};
    ///
    /// let by_hand = ClientIp::trusting([Cidr::v4::<24>([10, 0, 7, 0])]);
    /// let private = ClientIp::trusting(Cidr::PRIVATE);
    /// # let _ = (by_hand, private);
    /// ```
    #[must_use]
    pub fn trusting(networks: impl IntoIterator<Item = Cidr>) -> Self {
        Self { trust: Trust::Networks(networks.into_iter().collect()), ..Self::new() }
    }

    /// Reads `Forwarded` in place of `X-Forwarded-For`.
    #[must_use]
    pub fn forwarded(mut self) -> Self {
        self.chain = Chain::Forwarded;
        self
    }

    /// Reads this field in place of `X-Forwarded-For`: a list of addresses to which proxies
    /// append, or the one address that your proxy writes over whatever came.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_ballast_http::ClientIp;
    ///
    /// let ip = ClientIp::trusting_hops(1).field(HeaderName::from_static("x-real-ip"));
    /// # let _ = ip;
    /// ```
    #[must_use]
    pub fn field(mut self, name: HeaderName) -> Self {
        self.chain = Chain::List(name);
        self
    }

    /// How the peer's address is found. Default: the extension [`PeerAddr`].
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use tower_ballast_http::ClientIp;
    ///
    /// // With `app.into_make_service_with_connect_info::<SocketAddr>()`.
    /// let ip = ClientIp::new()
    ///     .peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0));
    /// # let _ = ip;
    /// ```
    #[must_use]
    pub fn peer(mut self, peer: fn(&Extensions) -> Option<SocketAddr>) -> Self {
        self.peer = peer;
        self
    }

    /// How many bits of an IPv6 address make a client, since one host has a whole network of them.
    /// Default: 64. From 128 on every address is a client.
    #[must_use]
    pub const fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits;
        self
    }

    /// The client's address, as far as it is known.
    #[must_use]
    pub fn address<R: HttpRequest>(&self, request: &R) -> Option<IpAddr> {
        let peer = request.extensions().and_then(self.peer);
        self.walk(peer.map(|peer| peer.ip().to_canonical()), request.headers())
    }

    /// The network of the client's address whose key is used: of IPv6 the prefix, of IPv4 the
    /// address itself. In a log it tells who it was.
    #[must_use]
    pub fn network<R: HttpRequest>(&self, request: &R) -> Option<Cidr> {
        self.address(request).map(|address| {
            let prefix = if address.is_ipv4() { u8::MAX } else { self.ipv6_prefix };
            Cidr::of(address, prefix)
        })
    }

    /// Goes from hop to hop, away from here, while they are trusted.
    fn walk(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer;
        let mut hops = self.chain.hops(headers);
        for passed in 0.. {
            if !self.trust.reaches(passed, client) {
                break;
            }
            match hops.next() {
                Some(Told::Address(address)) => client = Some(address),
                Some(Told::Hidden) if self.trust.counts() => {}
                _ => break,
            }
        }
        client
    }
}

impl Default for ClientIp {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: HttpRequest> Identity<R> for ClientIp {
    fn key(&self, request: &R) -> Option<Key> {
        self.network(request).map(Cidr::key)
    }
}

impl fmt::Debug for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIp")
            .field("trust", &self.trust)
            .field("chain", &self.chain)
            .field("ipv6_prefix", &self.ipv6_prefix)
            .finish_non_exhaustive()
    }
}

impl Trust {
    /// Whether the next hop is believed, so many being passed, the last of them with this address.
    fn reaches(&self, passed: u32, last: Option<IpAddr>) -> bool {
        match self {
            Self::Hops(hops) => passed < *hops,
            Self::Networks(networks) => {
                last.is_some_and(|last| networks.iter().any(|network| network.contains(last)))
            }
        }
    }

    const fn counts(&self) -> bool {
        matches!(self, Self::Hops(_))
    }
}
