//! What happens to a request before it goes on.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::{Body, HttpBody},
    extract::ConnectInfo,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, FORWARDED, HOST, MAX_FORWARDS, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
    uri::{Authority, PathAndQuery},
};
use tokio::sync::oneshot;

use super::{Refusal, Route, fields, interim, upload::Upload};

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The request as the upstream shall see it and what its body may complain of, or why the upstream
/// must not see it.
pub(super) fn outbound(
    route: &Route,
    request: Request<Body>,
) -> Result<(Request<Body>, oneshot::Receiver<Refusal>), Refusal> {
    let (mut parts, body) = request.into_parts();
    refuse_other_protocols(&parts)?;
    let host = authority(&parts)?;
    let target = target(&parts)?;
    if body.size_hint().lower() > route.body_limit {
        return Err(Refusal::too_large());
    }
    if fields::has_passed(&parts.headers, &route.pseudonym) {
        return Err(Refusal::looped());
    }
    count_forwards(&mut parts)?;

    let headers = &mut parts.headers;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    fields::strip_hop_by_hop(headers);
    forget_claims(route, headers, peer);
    fields::append_via(headers, parts.version, &route.pseudonym);
    if route.is_discreet {
        headers.remove(FORWARDED);
    } else {
        fields::append_forwarded(headers, peer, host.as_ref().map(Authority::as_str));
    }
    headers.insert(HOST, route.host.clone());
    parts.version = Version::HTTP_11;
    parts.uri = Uri::builder()
        .scheme("http")
        .authority(route.upstream.clone())
        .path_and_query(target)
        .build()
        .expect("scheme, authority and path are there");
    let mut request = Request::from_parts(parts, ());
    let leave = interim::listen(&mut request);
    let (body, complaint) = Upload::new(body, route.body_limit, leave);
    Ok((request.map(|()| Body::new(body)), complaint))
}

/// Tunnels and echoes are no forwarding, and a half-understood upgrade is a way past every check.
fn refuse_other_protocols(parts: &Parts) -> Result<(), Refusal> {
    match parts.method {
        Method::CONNECT => Err(Refusal::not_implemented("this proxy makes no tunnels")),
        Method::TRACE => Err(Refusal::not_implemented("this proxy echoes no requests")),
        _ if parts.headers.contains_key(UPGRADE) => {
            Err(Refusal::not_implemented("this proxy changes to no other protocol"))
        }
        _ => Ok(()),
    }
}

/// The one authority that the request names, by its target, its `Host`, or both alike
/// (RFC 9112, section 3.2).
fn authority(parts: &Parts) -> Result<Option<Authority>, Refusal> {
    let mut lines = parts.headers.get_all(HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (Some(host), None) => Some(
            Authority::try_from(host.as_bytes())
                .map_err(|_| Refusal::bad_request("Host is not an authority"))?,
        ),
        (None, _) if parts.version == Version::HTTP_11 => {
            return Err(Refusal::bad_request("there is no Host"));
        }
        (None, _) => None,
        _ => return Err(Refusal::bad_request("there is more than one Host")),
    };
    let named = parts.uri.authority();
    if !host.iter().chain(named).all(is_host_and_port) {
        return Err(Refusal::bad_request("an authority is a host and, perhaps, a port"));
    }
    match (named, host) {
        (Some(target), Some(host)) if place(target) != place(&host) => {
            Err(Refusal::bad_request("the target and Host name different authorities"))
        }
        (target, host) => Ok(target.cloned().or(host)),
    }
}

fn is_host_and_port(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    !authority.host().is_empty()
        && port.is_some_and(|port| port.len() <= 1 || authority.port_u16().is_some())
}

/// Host and port, so that spellings of the same place compare equal.
fn place(authority: &Authority) -> (String, u16) {
    (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(80))
}

/// The path in origin form; `*` is for OPTIONS alone.
fn target(parts: &Parts) -> Result<PathAndQuery, Refusal> {
    if parts.uri.scheme().is_some_and(|scheme| scheme != "http") {
        return Err(Refusal::bad_request("the target is of another scheme"));
    }
    match parts.uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => Ok(path.clone()),
        Some(path) if path == "*" && parts.method == Method::OPTIONS => Ok(path.clone()),
        _ => Err(Refusal::bad_request("the target is not a path")),
    }
}

/// An OPTIONS request may say how far it goes (RFC 9110, section 7.6.2).
fn count_forwards(parts: &mut Parts) -> Result<(), Refusal> {
    if parts.method != Method::OPTIONS {
        return Ok(());
    }
    let Some(left) = parts.headers.get(MAX_FORWARDS) else {
        return Ok(());
    };
    match left.to_str().ok().and_then(|left| left.parse::<u64>().ok()) {
        Some(0) => Err(Refusal::end_of_the_line()),
        Some(left) => {
            parts.headers.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            Ok(())
        }
        None => Err(Refusal::bad_request("Max-Forwards is not a number")),
    }
}

/// What an unknown peer says of those before it is hearsay.
fn forget_claims(route: &Route, headers: &mut HeaderMap, peer: Option<IpAddr>) {
    if !peer.is_some_and(|peer| route.trusted.contains(&peer)) {
        fields::remove_prefixed(headers, "x-forwarded-");
        headers.remove(X_REAL_IP);
    }
}
