//! What is kept of a stored response, but for its body.

use std::{ops::Range, time::Duration};

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, DATE},
};

use super::{
    directives::Directives,
    freshness::{self, Lifetime},
    keep, own, range,
    rules::Rules,
    time::{Times, Wall},
    vary::Selecting,
};

/// Everything kept of a stored response but its body.
///
/// Made by [`keep`](super::keep()) when the head has come. The body that goes with it must be as long as
/// [`Entry::body_length`] says.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) directives: Directives,
    pub(super) selecting: Selecting,
    pub(super) lifetime: Lifetime,
    /// When the response was made, by its own word or else by ours.
    pub(super) date: Wall,
    /// How old it was when it came.
    initial_age: Duration,
    came: Wall,
    pub(super) part: Option<Part>,
    /// The rules it was kept by are lenient.
    pub(super) lenient: bool,
    /// The length that the head promised.
    pub(super) length: Option<u64>,
}

/// Which bytes of the whole a stored 206 holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) held: Range<u64>,
    pub(super) total: u64,
}

impl Entry {
    /// The entry of a response with all its fields. Those that are not kept count all the same: a response is no younger
    /// because it withholds its `Age`. A missing `Date` is written.
    pub(super) fn new(
        rules: &Rules,
        (status, headers): (StatusCode, &HeaderMap),
        directives: Directives,
        selecting: Selecting,
        times: Times,
    ) -> Self {
        let date = freshness::date(headers, times.came);
        let mut kept = keep::kept(headers, &directives);
        // Whole seconds: read as its date, it would make the response older than it is.
        if !kept.contains_key(DATE)
            && let Some(field) = times.came.to_field()
        {
            kept.insert(DATE, field);
        }
        Self {
            lifetime: freshness::lifetime(rules, status, headers, &directives, date),
            initial_age: freshness::initial_age(headers, times, date),
            length: freshness::single_number(headers, CONTENT_LENGTH),
            headers: own::own(kept),
            part: None,
            lenient: rules.lenient,
            came: times.came,
            status,
            directives,
            selecting,
            date,
        }
    }

    /// The status as it is served to a plain GET; 206 for a part.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields that are kept.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Which bytes of how many are held, when it is only a part.
    #[must_use]
    pub fn part(&self) -> Option<(Range<u64>, u64)> {
        self.part.as_ref().map(|part| (part.held.clone(), part.total))
    }

    /// How old the response is, by all that is known
    /// ([RFC 9111, section 4.2.3](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3)).
    #[must_use]
    pub fn age(&self, now: Wall) -> Duration {
        self.initial_age.saturating_add(now.passed_since(self.came))
    }

    /// How long it is fresh, counted from its origin.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime.length
    }

    /// Whether it is younger than its lifetime.
    #[must_use]
    pub fn is_fresh(&self, now: Wall) -> bool {
        self.lifetime.length > self.age(now)
    }

    pub(super) fn came(&self) -> Wall {
        self.came
    }

    /// How long ago it became stale; zero while it is fresh.
    pub(super) fn staleness(&self, now: Wall) -> Duration {
        self.age(now).saturating_sub(self.lifetime.length)
    }

    /// The moment from which it is of no use without being validated: its lifetime and every
    /// allowance to serve it stale are over.
    #[must_use]
    pub fn useless_from(&self, rules: &Rules) -> Wall {
        let allowance = if self.directives.forbid_stale(rules) {
            Duration::ZERO
        } else {
            let refreshing = self.stale_while_revalidating(rules);
            refreshing.max(self.stale_if_error(rules)).max(rules.if_disconnected)
        };
        let left = self.lifetime.length.saturating_sub(self.initial_age);
        self.came + left.saturating_add(allowance)
    }

    pub(super) fn stale_if_error(&self, rules: &Rules) -> Duration {
        self.directives.stale_if_error.unwrap_or(rules.if_error)
    }

    pub(super) fn stale_while_revalidating(&self, rules: &Rules) -> Duration {
        self.directives.stale_while_revalidating.unwrap_or(rules.while_revalidating)
    }

    /// Whether it is for requests with such fields.
    #[must_use]
    pub fn is_for(&self, request: &HeaderMap) -> bool {
        self.selecting.fits(request, &self.headers)
    }

    /// How much longer it is fresh.
    #[must_use]
    pub fn fresh_for(&self, now: Wall) -> Duration {
        self.lifetime.length.saturating_sub(self.age(now))
    }

    /// For how long it has been stale; none while it is fresh.
    #[must_use]
    pub fn stale_for(&self, now: Wall) -> Option<Duration> {
        self.age(now).checked_sub(self.lifetime.length)
    }

    /// How many bytes the body must have, where that is known.
    #[must_use]
    pub fn body_length(&self) -> Option<u64> {
        self.part.as_ref().map(|part| part.held.end - part.held.start).or(self.length)
    }

    /// How many bytes it takes in memory, the body left out: every name and value, the fields that
    /// `Vary` names, and a fixed overhead for each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let fields: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + FIELD)
            .sum();
        size_of::<Self>() + MAP + fields + self.selecting.bytes()
    }

    /// Makes it the entry of a part. One that is shorter than its `Content-Range` says, though not than its
    /// `Content-Length`, is the part that comes; what is longer is none.
    pub(super) fn of_part(mut self, rules: &Rules, mut part: Part) -> Option<Self> {
        let named = part.held.end - part.held.start;
        let length = self.length.unwrap_or(named);
        if length == 0 || length > named {
            return None;
        }
        if length < named {
            let to_the_end = part.held.end == part.total;
            part.held.end = part.held.start + length;
            if rules.lenient && to_the_end {
                part.total = part.held.end;
            }
        }
        if part.held == (0..part.total) {
            self.becomes_whole();
        } else {
            self.part = Some(part);
        }
        Some(self)
    }

    /// Makes it at least as old as another, whose age may not be among its fields any more.
    pub(super) fn no_younger_than(mut self, other: &Self) -> Self {
        self.initial_age = self.initial_age.max(other.initial_age);
        self
    }

    /// Makes it the entry of that part, or of the whole where that has all bytes.
    pub(super) fn hold(&mut self, part: Part) {
        let length = part.held.end - part.held.start;
        self.headers.insert(CONTENT_LENGTH, length.into());
        self.length = Some(length);
        if length == part.total {
            self.becomes_whole();
            return;
        }
        if let Some(field) = range::field(Some(&part.held), part.total) {
            self.headers.insert(CONTENT_RANGE, field);
        }
        self.part = Some(part);
    }

    /// Makes of a part that has all bytes what it is.
    fn becomes_whole(&mut self) {
        self.part = None;
        self.status = StatusCode::OK;
        self.headers.remove(CONTENT_RANGE);
    }
}

/// What a header map takes on the heap for a field beside its name and value, and for itself: as measured, for 3 to 42
/// fields whose names are of the origin's own, and rather too much than too little.
const FIELD: usize = 144;
const MAP: usize = 256;
