//! The field to which each proxy appends who sent it the request, read from its end.

use std::{
    iter::Rev,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{FORWARDED, ValueIter},
};

use super::forwarded;

/// What one hop says of who sent it the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Address(IpAddr),
    /// The hop does not know, or does not want to say.
    Hidden,
    Malformed,
}

/// The field that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chain {
    Forwarded,
    /// A list of addresses, as `X-Forwarded-For` is.
    List(HeaderName),
}

impl Chain {
    pub(super) const X_FORWARDED_FOR: Self = Self::List(HeaderName::from_static("x-forwarded-for"));

    /// What the hops say, the nearest one first.
    pub(super) fn hops<'a>(&self, headers: &'a HeaderMap) -> Hops<'a> {
        let (name, form) = match self {
            Self::Forwarded => (&FORWARDED, FORWARDED_FORM),
            Self::List(name) => (name, LIST_FORM),
        };
        Hops { lines: headers.get_all(name).iter().rev(), rest: None, form }
    }
}

/// The elements of a line before the last one, and that.
pub(super) type Split<'a> = (Option<&'a [u8]>, &'a [u8]);

/// How a line is taken apart, and what its elements say.
#[derive(Clone, Copy)]
struct Form {
    split_last: fn(&[u8]) -> Split<'_>,
    read: fn(&[u8]) -> Told,
}

const LIST_FORM: Form = Form { split_last: split_at_last_comma, read: node };
const FORWARDED_FORM: Form = Form { split_last: forwarded::split_last, read: forwarded::read };

/// What the hops say. Only as much is read as is asked for, however long the field is.
pub(super) struct Hops<'a> {
    lines: Rev<ValueIter<'a, HeaderValue>>,
    /// What is left of the present line.
    rest: Option<&'a [u8]>,
    form: Form,
}

impl Iterator for Hops<'_> {
    type Item = Told;

    fn next(&mut self) -> Option<Told> {
        loop {
            let line = match self.rest {
                Some(line) => line,
                None => self.lines.next()?.as_bytes(),
            };
            let (rest, element) = (self.form.split_last)(line);
            self.rest = rest;
            let element = element.trim_ascii();
            // Empty elements of a list are none (RFC 9110, section 5.6.1.2).
            if !element.is_empty() {
                return Some((self.form.read)(element));
            }
        }
    }
}

fn split_at_last_comma(line: &[u8]) -> Split<'_> {
    match line.iter().rposition(|&byte| byte == b',') {
        Some(comma) => (Some(&line[..comma]), &line[comma + 1..]),
        None => (None, line),
    }
}

/// A node of RFC 7239, section 6. Wider than that: an IPv6 address without port needs no brackets,
/// as it is written in `X-Forwarded-For`.
pub(super) fn node(text: &[u8]) -> Told {
    let known = std::str::from_utf8(text).ok().and_then(|text| {
        let address = text.parse().map(Told::Address).ok();
        address.or_else(|| bracketed(text)).or_else(|| plain(text))
    });
    match known {
        Some(Told::Address(address)) => Told::Address(address.to_canonical()),
        Some(hidden) => hidden,
        None => Told::Malformed,
    }
}

/// `[address]` or `[address]:port`.
fn bracketed(text: &str) -> Option<Told> {
    let (address, rest) = text.strip_prefix('[')?.split_once(']')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let complete = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
    complete.then_some(Told::Address(address.into()))
}

/// An IPv4 address or a name in place of one, with or without a port.
fn plain(text: &str) -> Option<Told> {
    let name = match text.split_once(':') {
        Some((name, port)) => Some(name).filter(|_| is_port(port))?,
        None => text,
    };
    if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
        return Some(Told::Hidden);
    }
    name.parse::<Ipv4Addr>().ok().map(|address| Told::Address(address.into()))
}

fn is_port(text: &str) -> bool {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits || is_obfuscated(text)
}

fn is_obfuscated(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.strip_prefix('_').is_some_and(|name| !name.is_empty() && name.bytes().all(letter))
}
