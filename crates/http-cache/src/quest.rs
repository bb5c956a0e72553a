//! What a client wants, and how it can be had without sending its request.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri, header};
use tower_ballast_core::{
    clock,
    epochs::Epoch,
    flights::{Boarding, Wait},
};

use crate::{
    answer::{Found, Held, Miss, answer, look},
    body::CacheBody,
    engine::{Ask, Decision, Entry, Forward, Outcome, Rules, Status, Wall, decide},
    exchange::{Own, Shares},
    fill::{Ended, Reader},
    identity::Identity,
    progress::Coming,
    shared::{Shared, now},
    statistics::count,
};

/// A place among those who wait for the same.
type Waiting = Wait<Arc<str>, Shares, Own>;

/// What a client wants, as it said it.
pub(crate) struct Quest {
    pub(crate) shared: Arc<Shared>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) identity: Identity,
    pub(crate) head: Head,
}

/// The head of a request.
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

/// How waiting for another's answer ended.
pub(crate) enum Followed<B> {
    Answer(Response<CacheBody<B>>),
    /// That is for one alone.
    Alone,
    Failed,
    /// It has not ended, and the wait has.
    Late,
}

impl Head {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self { method, uri, headers: request.headers().clone() }
    }

    pub(crate) fn ask(&self) -> Ask<'_> {
        Ask { method: &self.method, uri: &self.uri, headers: &self.headers }
    }
}

impl Quest {
    pub(crate) fn ask(&self) -> Ask<'_> {
        self.head.ask()
    }

    pub(crate) fn at(&self, epoch: Epoch) -> (&Identity, Epoch) {
        (&self.identity, epoch)
    }

    /// Whether it may wait for the answer to another's request, and others for that to this one.
    pub(crate) fn may_join(&self) -> bool {
        self.ask().may_share()
    }

    /// Whether a request that joins would be answered with this entry now.
    pub(crate) fn is_for_all(&self, entry: &Entry, now: Wall) -> bool {
        let decision = decide(&self.rules, self.ask(), std::iter::once(entry), now);
        matches!(decision, Decision::Serve { .. })
    }

    pub(crate) fn look<B>(&self, collapsed: Option<Forward>) -> Found<B> {
        look(&self.shared, &self.rules, &self.identity, self.ask(), collapsed)
    }

    /// The answer that is on its way.
    pub(crate) fn coming(&self) -> Option<Coming> {
        self.shared.progress.find(&self.identity, &self.head.headers)
    }

    /// Those join each other that would choose the same variant, as far as it is known by what that is chosen.
    pub(crate) fn flight(&self, miss: &Miss) -> Arc<str> {
        let name = match miss.resource.newest() {
            Some(variant) if miss.why == Forward::VaryMiss => {
                let names: Vec<HeaderName> = varying(variant.entry.headers()).collect();
                self.identity.apart(&self.head.headers, names.iter())
            }
            _ => Arc::clone(self.identity.text()),
        };
        self.shared.call(&self.identity, name)
    }

    /// Joins the call for the same, or begins it; all who have waited for one in vain share the next one.
    pub(crate) fn board(
        &self,
        miss: &Miss,
        failed: Option<Waiting>,
    ) -> Boarding<Arc<str>, Shares, Own> {
        match failed {
            Some(failed) => self.shared.flights.board_again(failed.seat()),
            None => self.shared.flights.board(self.flight(miss)),
        }
    }

    /// Takes its share of what another's call gave.
    pub(crate) async fn share<B>(&self, shares: Shares, why: Forward) -> Followed<B> {
        match shares {
            Shares::Look | Shares::Alone => Followed::Alone,
            Shares::Coming(coming, _place) => self.follow(coming, why).await,
            Shares::Failed(status) => match self.spare(status, why, Some(true)) {
                Some(response) => Followed::Answer(response),
                None => Followed::Failed,
            },
        }
    }

    /// Answers with what is on its way, or waits for its end where its length is not known.
    pub(crate) async fn follow<B>(&self, coming: Coming, why: Forward) -> Followed<B> {
        if !self.is_for_all(&coming.entry, now()) {
            return Followed::Alone;
        }
        let Some(mut reader) = coming.fill.join() else { return Followed::Failed };
        let length = match coming.fill.length() {
            Some(length) => length,
            None => match self.end_of(&mut reader).await {
                Some(Ended::Whole(length)) => length,
                Some(Ended::Alone) => return Followed::Alone,
                Some(Ended::Cut) => return Followed::Failed,
                None => return Followed::Late,
            },
        };
        let mut status = Status::new(Outcome::Forwarded(why));
        status.collapsed = Some(true);
        count(&self.shared.counts.collapsed);
        let held = (&*coming.entry, Held::Coming(reader, length));
        Followed::Answer(answer(&self.shared, held, self.ask(), now(), status))
    }

    /// What has become of a body, if that is known before the wait is too long.
    async fn end_of(&self, reader: &mut Reader) -> Option<Ended> {
        let mut timer = pin!(clock::sleep(self.shared.settings.longest_wait.get()));
        poll_fn(|cx| match reader.poll_end(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// A stale answer in the place of a failure, if there is one and it may be served.
    pub(crate) fn spare<B>(
        &self,
        failed: Option<StatusCode>,
        why: Forward,
        collapsed: Option<bool>,
    ) -> Option<Response<CacheBody<B>>> {
        let (resource, now) = (self.shared.find(&self.identity), now());
        let variant = resource.variant_for(&self.head.headers)?;
        if !variant.entry.may_replace(&self.rules, self.ask(), failed, now) {
            return None;
        }
        self.shared.tell_spared();
        let mut status = Status::new(Outcome::Forwarded(why));
        status.forwarded = failed.map(|status| status.as_u16());
        status.collapsed = collapsed;
        let held = (&*variant.entry, Held::Here(&variant.body));
        Some(answer(&self.shared, held, self.ask(), now, status))
    }
}

/// The fields that an answer varies by.
pub(crate) fn varying(response: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let lines = response.get_all(header::VARY).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok())
}
