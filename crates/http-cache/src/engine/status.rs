//! `Cache-Status` (RFC 9211).

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::decide::Forward;

/// What a cache says of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Whether the answer was there.
    pub outcome: Outcome,
    /// How much longer it is fresh, or for how long it has not been.
    pub ttl: Option<Ttl>,
    /// Whether the response was kept.
    pub stored: bool,
    /// Whether the request, having waited for that of another, had its answer. None when it has not waited.
    pub collapsed: Option<bool>,
    /// The status of the response to what was sent on.
    pub forwarded: Option<u16>,
    /// A word on why something is so.
    pub detail: Option<&'static str>,
}

/// Whether an answer was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was.
    Hit,
    /// The request was sent on.
    Forwarded(Forward),
    /// The request had nothing to do with the cache.
    Bypass,
}

/// Seconds of freshness that are left, or that are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// So long it is fresh.
    Fresh(Duration),
    /// So long it has been stale.
    Stale(Duration),
}

/// No number of a structured field is larger (RFC 9651 section 3.3.1); where one is, the field is none.
const MOST: u64 = 999_999_999_999_999;

const FIELD: HeaderName = HeaderName::from_static("cache-status");

impl Status {
    /// Of an answer that was there, or not.
    #[must_use]
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, ttl: None, stored: false, collapsed: None, forwarded: None, detail: None }
    }

    /// Appends it to a response, as said by the cache `name`.
    pub fn write(&self, name: &str, headers: &mut HeaderMap) {
        let mut text = String::with_capacity(48);
        if is_token(name) {
            text.push_str(name);
        } else {
            // A string has no other letters than those of printable ASCII (RFC 9651 section 4.1.6).
            let plain = name.replace(['"', '\\'], "");
            let _ = write!(text, "\"{}\"", plain.replace(|c: char| !matches!(c, ' '..='~'), "_"));
        }
        match self.outcome {
            Outcome::Hit => text.push_str("; hit"),
            Outcome::Bypass => text.push_str("; fwd=bypass"),
            Outcome::Forwarded(why) => {
                let _ = write!(text, "; fwd={}", why.as_str());
            }
        }
        if let Some(status) = self.forwarded {
            let _ = write!(text, "; fwd-status={status}");
        }
        let _ = match self.ttl {
            // Rounded up, so that it and the `Age` beside it make the lifetime.
            Some(Ttl::Fresh(left)) => {
                let seconds = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
                write!(text, "; ttl={}", seconds.min(MOST))
            }
            Some(Ttl::Stale(over)) => write!(text, "; ttl=-{}", over.as_secs().min(MOST)),
            None => Ok(()),
        };
        text.push_str(if self.stored { "; stored" } else { "" });
        text.push_str(match self.collapsed {
            Some(true) => "; collapsed",
            Some(false) => "; collapsed=?0",
            None => "",
        });
        if let Some(detail) = self.detail {
            let _ = write!(text, "; detail={detail}");
        }
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(FIELD, value);
        }
    }
}

impl Forward {
    /// The name of RFC 9211 section 2.2.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Partial => "partial",
            Self::Stale => "stale",
            Self::Request => "request",
        }
    }
}

fn is_token(name: &str) -> bool {
    let is_mark = |byte| {
        matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^')
            || matches!(byte, b'_' | b'`' | b'|' | b'~' | b':' | b'/')
    };
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::dictionary, *};

    proptest! {
        #[test]
        fn it_is_one_member_of_a_list_whatever_the_cache_is_called(
            name in "[ -~]{0,12}|\\PC{0,4}",
            span: Duration,
            is_fresh: bool,
        ) {
            let ttl = if is_fresh { Ttl::Fresh(span) } else { Ttl::Stale(span) };
            let status = Status {
                ttl: Some(ttl),
                stored: true,
                forwarded: Some(304),
                detail: Some("a-word"),
                ..Status::new(Outcome::Forwarded(Forward::Stale))
            };
            let mut headers = HeaderMap::new();
            status.write(&name, &mut headers);
            let line = headers.get(FIELD).and_then(|line| line.to_str().ok());
            prop_assert!(line.is_some(), "{:?}", headers);
            let (_, parameters) = line.unwrap().split_once("; fwd=").unwrap();
            prop_assert!(parameters.starts_with("stale; fwd-status=304; ttl="));
            let member = format!("x={}", line.unwrap());
            prop_assert!(dictionary::parse(member.as_bytes()).is_some_and(|all| all.len() == 1), "{}", member);
        }
    }
}
