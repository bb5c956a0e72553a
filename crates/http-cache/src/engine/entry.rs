//! A response that is kept, but for its body.

use std::{ops::Range, time::Duration};

use http::{HeaderMap, StatusCode};

use super::{age::Wall, control::Control, vary::Selection};

/// Everything that is kept of a response but its body.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) control: Control,
    pub(super) times: Times,
    /// How old it was when it came.
    pub(super) age: Duration,
    pub(super) lifetime: Duration,
    pub(super) selection: Selection,
    pub(super) extent: Extent,
}

/// When a response was asked for and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When the request was sent.
    pub asked: Wall,
    /// When the head of the response came.
    pub came: Wall,
}

/// How much of a representation is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Some of its bytes, of so many.
    Part {
        /// Which bytes.
        range: Range<u64>,
        /// How many there are in all.
        total: u64,
    },
}

impl Entry {
    /// The status of the response as it came.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields that are kept.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// How much of the representation it is.
    #[must_use]
    pub const fn extent(&self) -> &Extent {
        &self.extent
    }

    /// How many bytes the body must have, where that is known.
    #[must_use]
    pub fn body_length(&self) -> Option<u64> {
        match &self.extent {
            Extent::Part { range, .. } => Some(range.end - range.start),
            Extent::Whole => {
                self.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
            }
        }
    }

    /// How old it is (RFC 9111 section 4.2.3).
    #[must_use]
    pub fn age(&self, now: Wall) -> Duration {
        self.age.saturating_add(now.since(self.times.came))
    }

    /// How much longer it is fresh.
    #[must_use]
    pub fn fresh_for(&self, now: Wall) -> Duration {
        self.lifetime.saturating_sub(self.age(now))
    }

    /// For how long it has been stale; none while it is fresh.
    #[must_use]
    pub fn stale_for(&self, now: Wall) -> Option<Duration> {
        self.age(now).checked_sub(self.lifetime)
    }

    /// Whether it may be served stale at all (RFC 9111 section 4.2.4).
    pub(super) fn may_be_stale(&self, shared: bool) -> bool {
        let control = &self.control;
        let forbidden = control.must_revalidate
            || control.no_cache
            || shared && (control.proxy_revalidate || control.s_maxage.is_some());
        !forbidden
    }

    /// Whether it is for requests with such fields.
    #[must_use]
    pub fn is_for(&self, request: &HeaderMap) -> bool {
        self.selection.is_of(request)
    }

    /// How many bytes it takes without its body: names and values of its fields, and a fixed share for each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let fields = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len() + value.len() + 96
        };
        size_of::<Self>() + self.headers.iter().map(fields).sum::<usize>() + self.selection.bytes()
    }
}
