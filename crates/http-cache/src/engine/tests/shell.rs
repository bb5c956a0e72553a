//! The least cache that obeys the rules: what the layer does, without its async.

use http::{HeaderMap, Request, Response, StatusCode};

use super::{
    super::{
        Completed, Decision, Entry, Forward, Key, Outcome, Part, Rules, Status, Times, Wall,
        decide, freshen, is_same, keep, outdated,
    },
    START, ask,
};

#[derive(Debug)]
pub(super) struct Cache {
    pub(super) rules: Rules,
    pub(super) now: Wall,
    kept: Vec<(Key, Vec<Kept>)>,
}

#[derive(Debug, Clone)]
struct Kept {
    entry: Entry,
    body: &'static str,
}

/// What a client got, and what the origin was asked.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: &'static str,
    /// The fields of the request that reached the origin.
    pub(super) sent: Option<HeaderMap>,
}

impl Got {
    pub(super) fn field(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the cache says it did.
    pub(super) fn done(&self) -> &str {
        self.field("cache-status").strip_prefix("test; ").unwrap()
    }
}

pub(super) type Reply = Option<Response<&'static str>>;

impl Cache {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, now: START, kept: Vec::new() }
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now + std::time::Duration::from_secs(seconds);
    }

    /// Answers a request; `origin` gives the reply to the request that reaches it.
    pub(super) fn ask(
        &mut self,
        request: &Request<()>,
        mut origin: impl FnMut(&HeaderMap) -> Reply,
    ) -> Got {
        let key = Key::of(request.uri(), request.headers()).unwrap();
        let place = self.place(&key);
        let entries = self.kept[place].1.iter().map(|kept| &kept.entry);
        let decision = decide(&self.rules, ask(request), entries, self.now);
        let (mut sent, mut status) = (None, Status::new(Outcome::Hit));
        let mut response = match decision {
            Decision::Serve { entry, .. } => self.answer(&self.kept[place].1[entry], request),
            Decision::Missing => plain(504),
            Decision::Bypass => {
                status.outcome = Outcome::Bypass;
                sent = Some(request.headers().clone());
                let reply = origin(request.headers()).unwrap_or_else(|| plain(502));
                self.make_void(request, &reply);
                if request.method() == "POST" {
                    self.replied(place, request, None, Some(reply)).0
                } else {
                    reply
                }
            }
            Decision::Forward { why, validate } => {
                status.outcome = Outcome::Forwarded(why);
                let mut headers = request.headers().clone();
                if let Some(at) = validate {
                    self.kept[place].1[at].entry.validate(&mut headers);
                }
                let part = self.completed(place, request, why, &mut headers);
                let reply = origin(&headers);
                let (response, stored) = if let Some(at) = part {
                    self.with_rest(place, request, at, reply, || origin(request.headers()))
                } else {
                    self.replied(place, request, validate, reply)
                };
                sent = Some(headers);
                status.stored = stored;
                response
            }
        };
        status.write("test", response.headers_mut());
        let (parts, body) = response.into_parts();
        let body = if request.method() == "HEAD" { "" } else { body };
        Got { status: parts.status.as_u16(), headers: parts.headers, body, sent }
    }

    /// The part that is completed, if there is one.
    fn completed(
        &self,
        place: usize,
        request: &Request<()>,
        why: Forward,
        headers: &mut HeaderMap,
    ) -> Option<usize> {
        let variants = &self.kept[place].1;
        let at = variants.iter().rposition(|kept| kept.entry.is_for(request.headers()))?;
        let entry = &variants[at].entry;
        let from = entry
            .lacks_from(&self.rules, ask(request), self.now)
            .filter(|_| why == Forward::Partial)?;
        entry.ask_rest(from, headers);
        Some(at)
    }

    fn with_rest(
        &mut self,
        place: usize,
        request: &Request<()>,
        at: usize,
        reply: Reply,
        again: impl FnOnce() -> Reply,
    ) -> (Response<&'static str>, bool) {
        let (old, times) = (&self.kept[place].1[at], Times { asked: self.now, came: self.now });
        let Some(rest) = reply else { return self.replied(place, request, None, None) };
        match old.entry.complete(&self.rules, (rest.status(), rest.headers()), times) {
            Completed::Whole { entry, skip } => {
                let new = &rest.body()[usize::try_from(skip).unwrap()..];
                let body = String::leak(format!("{}{new}", old.body));
                let whole = Kept { entry: *entry, body };
                let answer = self.answer(&whole, request);
                self.kept[place].1[at] = whole;
                (answer, true)
            }
            Completed::Again => self.replied(place, request, None, again()),
            Completed::Other => self.replied(place, request, None, Some(rest)),
        }
    }

    /// The answer, and whether something is kept of it.
    fn replied(
        &mut self,
        place: usize,
        request: &Request<()>,
        validate: Option<usize>,
        reply: Reply,
    ) -> (Response<&'static str>, bool) {
        let known =
            self.kept[place].1.iter().rposition(|kept| kept.entry.is_for(request.headers()));
        let failed = reply.as_ref().map(Response::status);
        if failed.is_none_or(|status| status.is_server_error())
            && let Some(kept) = known.map(|at| &self.kept[place].1[at])
            && kept.entry.may_replace(&self.rules, ask(request), failed, self.now)
        {
            return (self.answer(kept, request), false);
        }
        let Some(reply) = reply else { return (plain(502), false) };
        let times = Times { asked: self.now, came: self.now };
        if reply.status() == StatusCode::NOT_MODIFIED
            && let Some(at) = validate
        {
            let old = self.kept[place].1.remove(at);
            let entry = freshen(&self.rules, &old.entry, reply.headers(), times);
            let kept = Kept { entry, ..old };
            let answer = self.answer(&kept, request);
            let stays = kept.entry.may_stay(&self.rules, ask(request)).is_ok();
            self.kept[place].1.extend(stays.then_some(kept));
            return (answer, stays);
        }
        if request.method() == "HEAD" {
            if let Some(at) = known.filter(|_| reply.status() == StatusCode::OK) {
                let old = self.kept[place].1.remove(at);
                if is_same(&old.entry, reply.headers()) {
                    let entry = freshen(&self.rules, &old.entry, reply.headers(), times);
                    let stays = entry.may_stay(&self.rules, ask(request)).is_ok();
                    self.kept[place].1.extend(stays.then_some(Kept { entry, ..old }));
                }
            }
            return (reply, false);
        }
        let Ok(entry) = keep(&self.rules, ask(request), (reply.status(), reply.headers()), times)
        else {
            return (reply, false);
        };
        let body = *reply.body();
        let whole = entry.body_length().is_none_or(|length| length == body.len() as u64);
        if whole {
            let variants = &mut self.kept[place].1;
            variants.retain(|old| !old.entry.is_for(request.headers()));
            variants.push(Kept { entry, body });
        }
        (reply, whole)
    }

    fn make_void(&mut self, request: &Request<()>, reply: &Response<&'static str>) {
        for uri in outdated(ask(request), reply.status(), reply.headers()) {
            if let Some(key) = Key::of(&uri, request.headers()) {
                let place = self.place(&key);
                self.kept[place].1.clear();
            }
        }
    }

    fn answer(&self, kept: &Kept, request: &Request<()>) -> Response<&'static str> {
        let answer = kept.entry.answer(ask(request), kept.body.len() as u64, self.now);
        let at = |byte| usize::try_from(byte).unwrap();
        let mut response = Response::new(match answer.part {
            Part::All => kept.body,
            Part::Some(range) => &kept.body[at(range.start)..at(range.end)],
            Part::Nothing => "",
        });
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }

    fn place(&mut self, key: &Key) -> usize {
        let place = self.kept.iter().position(|(known, _)| known == key);
        place.unwrap_or_else(|| {
            self.kept.push((key.clone(), Vec::new()));
            self.kept.len() - 1
        })
    }
}

fn plain(status: u16) -> Response<&'static str> {
    let mut response = Response::new("");
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
