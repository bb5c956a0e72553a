//! What a request gets (RFC 9111 section 4).

use std::time::Duration;

use http::{HeaderMap, Method, Uri, header};

use super::{
    age::Wall,
    conditions,
    control::Wishes,
    entry::{Entry, Extent},
    range::Wanted,
    rules::Rules,
};

/// The head of a request.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// Its fields.
    pub headers: &'a HeaderMap,
}

impl Ask<'_> {
    /// Whether the response to this request may be the one to another for the same target as well, so far as can be seen
    /// before it is there: a GET for all of it, without credentials, conditions or wishes of its own.
    #[must_use]
    pub fn may_share(&self) -> bool {
        *self.method == Method::GET
            && !self.headers.contains_key(header::AUTHORIZATION)
            && !self.headers.contains_key(header::RANGE)
            && !conditions::are_set(self.headers)
            && Wishes::of(self.headers) == Wishes::default()
    }
}

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

/// Says what a request gets.
pub fn decide<'a>(
    rules: &Rules,
    ask: Ask<'_>,
    entries: impl Iterator<Item = &'a Entry>,
    now: Wall,
) -> Decision {
    let is_read = *ask.method == Method::GET || *ask.method == Method::HEAD;
    if !is_read
        || ask.headers.contains_key(header::UPGRADE)
        || conditions::are_for_origin(ask.headers)
    {
        return Decision::Bypass;
    }
    let wishes = Wishes::of(ask.headers);
    let decision = among(rules, ask, wishes, entries, now);
    match decision {
        Decision::Forward { .. } if wishes.only_if_cached => Decision::Missing,
        decision => decision,
    }
}

fn among<'a>(
    rules: &Rules,
    ask: Ask<'_>,
    wishes: Wishes,
    entries: impl Iterator<Item = &'a Entry>,
    now: Wall,
) -> Decision {
    let (mut best, mut is_empty): (Option<(usize, &Entry)>, bool) = (None, true);
    for (at, entry) in entries.enumerate() {
        is_empty = false;
        // Of several that fit the one that came last (RFC 9111 section 4).
        let is_later = best.is_none_or(|(_, other)| entry.times.came >= other.times.came);
        if is_later && entry.is_for(ask.headers) {
            best = Some((at, entry));
        }
    }
    let Some((at, entry)) = best else {
        let why = if is_empty { Forward::UriMiss } else { Forward::VaryMiss };
        return Decision::Forward { why, validate: None };
    };
    if !holds(ask.headers, entry) {
        return Decision::Forward { why: Forward::Partial, validate: None };
    }
    let validate = conditions::has_validator(&entry.headers).then_some(at);
    match verdict(rules, wishes, entry, now) {
        Ok(stale) => Decision::Serve { entry: at, stale },
        Err(why) => Decision::Forward { why, validate },
    }
}

/// Whether the entry has the bytes that are wanted.
fn holds(request: &HeaderMap, entry: &Entry) -> bool {
    let wanted = Wanted::of(request);
    match &entry.extent {
        Extent::Whole => wanted != Wanted::Other,
        Extent::Part { range, total } => {
            let is_range = matches!(wanted, Wanted::From(..) | Wanted::Last(_));
            is_range
                && conditions::allows_range(request, entry)
                && wanted
                    .within(*total)
                    .is_some_and(|wanted| range.start <= wanted.start && wanted.end <= range.end)
        }
    }
}

/// Whether it may be served, and how; or why not.
fn verdict(
    rules: &Rules,
    wishes: Wishes,
    entry: &Entry,
    now: Wall,
) -> Result<Option<Stale>, Forward> {
    let age = entry.age(now);
    if wishes.no_cache || wishes.max_age.is_some_and(|most| age > most) {
        return Err(Forward::Request);
    }
    if entry.control.no_cache {
        return Err(Forward::Stale);
    }
    let Some(stale) = entry.stale_for(now) else {
        let remains = entry.fresh_for(now);
        if wishes.min_fresh.is_some_and(|least| remains < least) {
            return Err(Forward::Request);
        }
        return Ok(None);
    };
    if !entry.may_be_stale(rules.shared) || wishes.min_fresh.is_some() {
        return Err(Forward::Stale);
    }
    if wishes.max_stale.is_some_and(|most| stale <= most) {
        return Ok(Some(Stale::Wished));
    }
    let span = entry.control.stale_while_revalidate.unwrap_or(rules.while_revalidating);
    if span > Duration::ZERO && stale < span {
        return Ok(Some(Stale::WhileRevalidating));
    }
    Err(Forward::Stale)
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
        if !self.may_be_stale(rules.shared)
            || Wishes::of(ask.headers).no_cache
            || !holds(ask.headers, self)
        {
            return false;
        }
        let own = self.control.stale_if_error;
        let span = match failed.map(|status| status.as_u16()) {
            Some(500 | 502 | 503 | 504) => own.unwrap_or(rules.if_error),
            Some(_) => return false,
            None => own.unwrap_or(rules.if_error.max(rules.if_disconnected)),
        };
        self.stale_for(now).is_none_or(|stale| stale < span)
    }
}

impl Entry {
    /// Puts the question whether this entry is still the same into a request, in the place of the client's own
    /// conditions (RFC 9111 section 4.3.1).
    pub fn validate(&self, request: &mut HeaderMap) {
        conditions::set(request, self);
    }
}
