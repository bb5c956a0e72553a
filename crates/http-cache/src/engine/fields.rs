//! Lists in fields, and fields that are of one connection.

use http::{HeaderMap, HeaderName, header};

/// The members of a list field, over all its lines: trimmed, and without empty ones. A comma within quotes divides
/// nothing.
pub(super) fn members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).flat_map(list)
}

/// The members of one line.
pub(super) fn list(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = end_of_member(line);
        rest = line.get(end + 1..);
        Some(line[..end].trim_matches([' ', '\t']))
    })
    .filter(|member| !member.is_empty())
}

fn end_of_member(line: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    line.len()
}

/// Takes out what belongs to the connection it came by (RFC 9110 section 7.6.1, RFC 9111 section 3.1).
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = members(headers, &header::CONNECTION)
        .filter_map(|name| name.parse().ok())
        .filter(|name| *name != header::CACHE_CONTROL)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}
