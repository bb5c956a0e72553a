//! Answers made of what is there.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::{
    body::CacheBody,
    engine::{
        Ask, Decision, Entry, Forward, Outcome, Part, Rules, Stale, Status, Ttl, Wall, decide,
    },
    fill::Reader,
    identity::Identity,
    resource::{Resource, Variant},
    shared::{Shared, now},
    statistics::count,
};

/// What there is for a request.
pub(crate) enum Found<B> {
    Answer {
        response: Response<CacheBody<B>>,
        /// It is stale and served while it is renewed.
        is_due: bool,
    },
    /// It wants what is there, and there is nothing.
    Missing,
    /// It has nothing to do with a cache.
    Bypass,
    Miss(Miss),
}

/// Why a request is sent on, and what with.
pub(crate) struct Miss {
    pub(crate) why: Forward,
    /// What is there, and perhaps still good.
    pub(crate) validate: Option<Variant>,
    /// The beginning of what is wanted, and from where on that is missing.
    pub(crate) rest: Option<(Variant, u64)>,
    pub(crate) resource: Arc<Resource>,
    /// The request has waited for that of another, in vain.
    pub(crate) has_waited: bool,
}

impl Miss {
    /// With nothing to send along.
    pub(crate) const fn new(why: Forward, resource: Arc<Resource>) -> Self {
        Self { why, validate: None, rest: None, resource, has_waited: false }
    }

    /// What is said of its answer, to begin with.
    pub(crate) fn status(&self) -> Status {
        let mut status = Status::new(Outcome::Forwarded(self.why));
        status.collapsed = self.has_waited.then_some(false);
        status
    }
}

/// Where the body of an answer is.
pub(crate) enum Held<'a> {
    Here(&'a Bytes),
    Coming(Reader, u64),
}

pub(crate) fn ask<B>(request: &Request<B>) -> Ask<'_> {
    Ask { method: request.method(), uri: request.uri(), headers: request.headers() }
}

/// Looks for an answer; `collapsed` says why the request waited for that of another, if it did.
pub(crate) fn look<B>(
    shared: &Shared,
    rules: &Rules,
    identity: &Identity,
    ask: Ask<'_>,
    collapsed: Option<Forward>,
) -> Found<B> {
    let (resource, now) = (shared.find(identity), now());
    let (at, stale) = match decide(rules, ask, resource.entries(), now) {
        Decision::Bypass => return Found::Bypass,
        Decision::Missing => return Found::Missing,
        Decision::Forward { why, validate } => {
            let validate = validate.and_then(|at| resource.variant(at)).cloned();
            let part = (why == Forward::Partial).then(|| resource.variant_for(ask.headers));
            let rest = part.flatten().and_then(|part| {
                let from = part.entry.lacks_from(rules, ask, now)?;
                Some((part.clone(), from))
            });
            return Found::Miss(Miss { why, validate, rest, resource, has_waited: false });
        }
        Decision::Serve { entry, stale } => (entry, stale),
    };
    let Some(variant) = resource.variant(at) else {
        return Found::Miss(Miss::new(Forward::UriMiss, resource));
    };
    let mut status = Status::new(collapsed.map_or(Outcome::Hit, Outcome::Forwarded));
    status.collapsed = collapsed.map(|_| true);
    match (collapsed, stale) {
        (Some(_), _) => count(&shared.counts.collapsed),
        (None, None) => shared.counts.hits.add(),
        (None, Some(_)) => count(&shared.counts.stale),
    }
    let held = Held::Here(&variant.body);
    let response = answer(shared, (&variant.entry, held), ask, now, status);
    Found::Answer { response, is_due: stale == Some(Stale::WhileRevalidating) }
}

/// The answer to a request from an entry and its body.
pub(crate) fn answer<B>(
    shared: &Shared,
    (entry, held): (&Entry, Held<'_>),
    ask: Ask<'_>,
    now: Wall,
    mut status: Status,
) -> Response<CacheBody<B>> {
    let length = match &held {
        Held::Here(bytes) => bytes.len() as u64,
        Held::Coming(_, length) => *length,
    };
    let answer = entry.answer(ask, length, now);
    let body = match (answer.part, held) {
        (Part::Nothing, _) => CacheBody::whole(Bytes::new()),
        (Part::All, Held::Here(bytes)) => CacheBody::whole(bytes.clone()),
        (Part::Some(range), Held::Here(bytes)) => CacheBody::whole(cut(bytes, range)),
        (_, Held::Coming(reader, _)) => CacheBody::filling(reader),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    status.ttl = Some(match entry.stale_for(now) {
        Some(over) if !over.is_zero() => Ttl::Stale(over),
        _ => Ttl::Fresh(entry.fresh_for(now)),
    });
    write_status(shared, status, &mut response);
    response
}

/// An answer of the cache's own.
pub(crate) fn refusal<B>(
    shared: &Shared,
    code: StatusCode,
    mut status: Status,
    detail: &'static str,
) -> Response<CacheBody<B>> {
    let mut response = Response::new(CacheBody::whole(Bytes::new()));
    *response.status_mut() = code;
    status.detail = Some(detail);
    write_status(shared, status, &mut response);
    response
}

pub(crate) fn write_status<B>(shared: &Shared, status: Status, response: &mut Response<B>) {
    status.write(&shared.reporter.name(), response.headers_mut());
}

fn cut(bytes: &Bytes, range: std::ops::Range<u64>) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    let end = at(range.end);
    bytes.slice(at(range.start).min(end)..end)
}
