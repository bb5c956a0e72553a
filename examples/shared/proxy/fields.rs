//! The fields that belong to one connection, and those that a forwarder adds.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, FORWARDED, TE, TRANSFER_ENCODING, UPGRADE, VIA},
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Removes what was meant for the next hop only: `Connection` with every field it names,
/// `Keep-Alive`, `Proxy-*`, `Transfer-Encoding`, `Upgrade`, and `TE` but its `trailers`
/// (RFC 9110, section 7.6.1).
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let wants_trailers =
        members(headers, &TE).any(|member| member.eq_ignore_ascii_case(b"trailers"));
    let named: Vec<_> = members(headers, &CONNECTION)
        .filter_map(|member| HeaderName::from_bytes(member).ok())
        .collect();
    for name in named.iter().chain(&[CONNECTION, KEEP_ALIVE, TE, TRANSFER_ENCODING, UPGRADE]) {
        headers.remove(name);
    }
    remove_prefixed(headers, "proxy-");
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Removes every field whose name starts with `prefix`, which is in lower case.
pub(super) fn remove_prefixed(headers: &mut HeaderMap, prefix: &str) {
    let doomed: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with(prefix)).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// Appends this hop to `Via` (section 7.6.3).
pub(super) fn append_via(headers: &mut HeaderMap, version: Version, pseudonym: &str) {
    let received = if version == Version::HTTP_10 { "1.0" } else { "1.1" };
    let via =
        HeaderValue::try_from(format!("{received} {pseudonym}")).expect("a pseudonym is a token");
    headers.append(VIA, via);
}

/// Whether `Via` names this hop already.
pub(super) fn has_passed(headers: &HeaderMap, pseudonym: &str) -> bool {
    members(headers, &VIA).any(|member| {
        let received_by =
            member.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).nth(1);
        received_by.is_some_and(|name| name.eq_ignore_ascii_case(pseudonym.as_bytes()))
    })
}

/// Appends who asked, for what and how, to `Forwarded` (RFC 7239).
pub(super) fn append_forwarded(headers: &mut HeaderMap, peer: Option<IpAddr>, host: Option<&str>) {
    let by = match peer {
        Some(IpAddr::V4(ip)) => format!("for={ip}"),
        Some(IpAddr::V6(ip)) => format!("for=\"[{ip}]\""),
        None => "for=unknown".to_owned(),
    };
    let host = host.map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
    let forwarded = HeaderValue::try_from(format!("{by}{host};proto=http"));
    headers.append(FORWARDED, forwarded.expect("addresses and authorities are visible ASCII"));
}

/// The members of a comma-separated list, over all lines of the field.
fn members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}
