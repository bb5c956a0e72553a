//! What a request gets (RFC 9111 section 4).

use std::time::Duration;

use http::{HeaderMap, Method};

use super::{
    ask::{Ask, Facts},
    conditions,
    entry::Entry,
    range::{self, Wanted},
    rules::Rules,
    time::Wall,
};

/// What a request gets, of entries that are counted as they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It has nothing to do with a cache: it is sent as it is, and what comes is not kept.
    Bypass,
    /// It is answered with this entry.
    Serve {
        /// Which one.
        entry: usize,
        /// None when it is fresh.
        stale: Option<Stale>,
    },
    /// It is sent on.
    Forward {
        /// Why.
        why: Forward,
        /// The entry whose validators go along, and which a 304 makes fresh.
        validate: Option<usize>,
    },
    /// It asks for what is there and nothing else, and that is not: 504.
    Missing,
}

/// Why a stale entry is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// The client takes it.
    Wished,
    /// It is renewed beside that.
    WhileRevalidating,
}

/// Why a request is sent on, as in RFC 9211 section 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Answers to its method are not kept.
    Method,
    /// There is nothing for its target.
    UriMiss,
    /// What is there is for requests with other fields.
    VaryMiss,
    /// What is there is a part, and another one is wanted.
    Partial,
    /// What is there is not fresh.
    Stale,
    /// The client wants it.
    Request,
}

/// Says what a request gets. Of several entries that fit it is the latest; a fresh plain hit allocates nothing.
///
/// ```
/// use http::{HeaderMap, Method, Uri};
/// use tower_ballast_http_cache::engine::{Ask, Decision, Forward, Rules, Wall, decide};
///
/// let (uri, headers) = (Uri::from_static("http://example.com/"), HeaderMap::new());
/// let ask = Ask { method: &Method::GET, uri: &uri, headers: &headers };
/// let decision = decide(&Rules::shared(), ask, std::iter::empty(), Wall::EPOCH);
/// assert_eq!(decision, Decision::Forward { why: Forward::UriMiss, validate: None });
/// ```
#[must_use]
pub fn decide<'a>(
    rules: &Rules,
    ask: Ask<'_>,
    entries: impl Iterator<Item = &'a Entry>,
    now: Wall,
) -> Decision {
    let facts = Facts::of(ask.headers);
    let is_read = *ask.method == Method::GET || *ask.method == Method::HEAD;
    if !is_read || facts.upgrade || facts.body || facts.for_origin {
        return Decision::Bypass;
    }
    match among(rules, ask, &facts, entries, now) {
        Decision::Forward { .. } if facts.wishes.only_if_cached => Decision::Missing,
        decision => decision,
    }
}

fn among<'a>(
    rules: &Rules,
    ask: Ask<'_>,
    facts: &Facts,
    entries: impl Iterator<Item = &'a Entry>,
    now: Wall,
) -> Decision {
    let (mut best, mut is_empty): (Option<(usize, &Entry)>, bool) = (None, true);
    for (at, entry) in entries.enumerate() {
        is_empty = false;
        let made = |entry: &Entry| (entry.date, entry.came());
        let is_later = best.is_none_or(|(_, other)| made(entry) >= made(other));
        if is_later && entry.is_for(ask.headers) {
            best = Some((at, entry));
        }
    }
    let Some((at, entry)) = best else {
        let why = if is_empty { Forward::UriMiss } else { Forward::VaryMiss };
        return Decision::Forward { why, validate: None };
    };
    if !holds(ask, entry) {
        return Decision::Forward { why: Forward::Partial, validate: None };
    }
    let validate = conditions::has_validator(&entry.headers).then_some(at);
    match verdict(rules, facts, entry, now) {
        Ok(stale) => Decision::Serve { entry: at, stale },
        Err(why) => Decision::Forward { why, validate },
    }
}

/// Whether the entry has the bytes that are wanted.
fn holds(ask: Ask<'_>, entry: &Entry) -> bool {
    let Some(part) = &entry.part else { return true };
    match range::wanted(ask, &entry.headers, entry.date, part.total) {
        Wanted::Slice(slice) => part.held.start <= slice.start && slice.end <= part.held.end,
        Wanted::Unsatisfiable => true,
        Wanted::Whole => false,
    }
}

/// Whether it may be served, and how; or why not.
pub(super) fn verdict(
    rules: &Rules,
    facts: &Facts,
    entry: &Entry,
    now: Wall,
) -> Result<Option<Stale>, Forward> {
    let (directives, wishes) = (&entry.directives, &facts.wishes);
    let (age, lifetime) = (entry.age(now), entry.lifetime.length);
    let fresh = lifetime > age;
    // A reload asks whether a fresh response has changed; an immutable one says that it has not (RFC 8246).
    let old = |most: Duration| age > most && !(directives.immutable && fresh);
    let soon = |least: Duration| lifetime.saturating_sub(age) < least;
    if wishes.no_cache || wishes.max_age.is_some_and(old) || wishes.min_fresh.is_some_and(soon) {
        return Err(Forward::Request);
    }
    if directives.no_cache {
        return Err(Forward::Stale);
    }
    if fresh {
        return Ok(None);
    }
    let over = entry.staleness(now);
    if directives.forbid_stale(rules) {
        Err(Forward::Stale)
    } else if wishes.max_stale.is_some_and(|most| over <= most) {
        Ok(Some(Stale::Wished))
    } else if over < entry.stale_while_revalidating(rules) {
        Ok(Some(Stale::WhileRevalidating))
    } else {
        Err(Forward::Stale)
    }
}

impl Entry {
    /// Whether it may be served although it is stale, because the origin failed: with a response of that status, or with
    /// none because it could not be reached (RFC 5861 section 4, RFC 9111 section 4.2.4).
    #[must_use]
    pub fn may_replace(
        &self,
        rules: &Rules,
        ask: Ask<'_>,
        failed: Option<http::StatusCode>,
        now: Wall,
    ) -> bool {
        let facts = Facts::of(ask.headers);
        let is_read = *ask.method == Method::GET || *ask.method == Method::HEAD;
        let is_bypassed = !is_read || facts.upgrade || facts.body || facts.for_origin;
        if is_bypassed || facts.wishes.no_cache || self.directives.forbid_stale(rules) {
            return false;
        }
        if !self.is_for(ask.headers) || !holds(ask, self) {
            return false;
        }
        let if_error = self.stale_if_error(rules);
        let span = match failed.map(|status| status.as_u16()) {
            Some(500 | 502 | 503 | 504) => if_error,
            Some(_) => return false,
            None => if_error.max(rules.if_disconnected),
        };
        self.is_fresh(now) || self.staleness(now) < span
    }

    /// Puts the question whether this entry is still the same into a request, in the place of the client's own
    /// conditions (RFC 9111 section 4.3.1).
    pub fn validate(&self, request: &mut HeaderMap) {
        conditions::set(request, &self.headers);
    }
}
