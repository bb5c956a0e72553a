//! The elements of a `Forwarded` field (RFC 7239, section 4), read from its end.

use std::borrow::Cow;

use super::chain::{Split, Told, node};

/// The elements before the last one, and that.
///
/// It is searched from the end, because the end is what trusted hops wrote: a quote that a client
/// left open cannot swallow what was appended to it.
pub(super) fn split_last(line: &[u8]) -> Split<'_> {
    let mut quoted = false;
    let mut end = line.len();
    while let Some(at) = line[..end].iter().rposition(|byte| matches!(byte, b',' | b'"')) {
        end = at;
        if line[at] == b'"' {
            quoted = !quoted || is_escaped(line, at);
        } else if !quoted {
            return (Some(&line[..at]), &line[at + 1..]);
        }
    }
    (None, line)
}

/// What an element says of who sent the request: nothing, if it has no `for`.
pub(super) fn read(element: &[u8]) -> Told {
    read_pairs(element).unwrap_or(Told::Malformed)
}

fn read_pairs(element: &[u8]) -> Option<Told> {
    let mut told = None;
    let mut rest = element;
    while !rest.is_empty() {
        if !rest.starts_with(b";") {
            let pair = Pair::first(rest)?;
            if pair.name.eq_ignore_ascii_case(b"for") && told.replace(node(&pair.value)).is_some() {
                return None;
            }
            rest = pair.after;
        }
        rest = match rest.split_first() {
            Some((b';', after)) => after.trim_ascii_start(),
            Some(_) => return None,
            None => rest,
        };
    }
    Some(told.unwrap_or(Told::Hidden))
}

struct Pair<'a> {
    name: &'a [u8],
    value: Cow<'a, [u8]>,
    after: &'a [u8],
}

impl<'a> Pair<'a> {
    fn first(text: &'a [u8]) -> Option<Self> {
        let equals = text.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&text[..equals], &text[equals + 1..]);
        let (value, after) = match value.strip_prefix(b"\"") {
            Some(text) => quoted(text)?,
            None => bare(value)?,
        };
        let is_name = !name.is_empty() && name.iter().all(|&byte| is_token(byte));
        is_name.then(|| Self { name, value, after: after.trim_ascii_start() })
    }
}

/// A value without quotes. Colons and brackets, which a token may not have, are often sent.
fn bare(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let end = text.iter().position(|&byte| !is_token(byte) && !matches!(byte, b':' | b'[' | b']'));
    let (value, after) = text.split_at(end.unwrap_or(text.len()));
    (!value.is_empty()).then_some((Cow::Borrowed(value), after))
}

/// The content of a string whose opening quote is gone, and what follows its closing quote.
fn quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let close = (0..text.len()).find(|&at| text[at] == b'"' && !is_escaped(text, at))?;
    let (content, after) = (&text[..close], &text[close + 1..]);
    if !content.contains(&b'\\') {
        return Some((Cow::Borrowed(content), after));
    }
    let mut bytes = content.iter();
    let plain = std::iter::from_fn(|| match bytes.next()? {
        b'\\' => bytes.next().copied(),
        byte => Some(*byte),
    });
    Some((Cow::Owned(plain.collect()), after))
}

/// Whether an odd number of backslashes stands before it.
fn is_escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
