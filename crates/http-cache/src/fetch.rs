//! What becomes of the answer to a request that was sent on.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body;
use tower_ballast_core::{BoxError, Key, Oneshot, epochs::Epoch};
use tower_service::Service;

use crate::{
    answer::{Miss, write_status},
    body::CacheBody,
    engine::{Entry, Times, keep},
    exchange::{Answer, Exchange, Shares},
    fill::{End, Fill, Keep, Reserved, Source, source},
    identity::Identity,
    progress::Coming,
    quest::Quest,
    resource::{Resource, Variant},
    shared::now,
    statistics::count,
};

mod complete;
mod renew;

/// Marks an answer that came from another place than the one that was asked, and is not kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elsewhere;

/// What is known when an answer comes.
pub(crate) struct Fetched {
    pub(crate) quest: Quest,
    pub(crate) epoch: Epoch,
    pub(crate) miss: Miss,
    pub(crate) times: Times,
    /// The status that came, where the client gets another one.
    pub(crate) forwarded: Option<StatusCode>,
}

impl<S, B, RB> Exchange<S, B>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    /// Sends the request, for what is missing or for all, and keeps the answer if it may.
    pub(crate) async fn fetch(self, mut miss: Miss) -> (Answer<RB, S::Error>, Shares)
    where
        S: Clone,
    {
        let second = (self.second)(self.request.body());
        match miss.rest.take().zip(second) {
            Some((rest, body)) => self.complete(miss, rest, body).await,
            None => self.fetch_whole(miss).await,
        }
    }

    async fn fetch_whole(self, miss: Miss) -> (Answer<RB, S::Error>, Shares) {
        let Self { service, mut request, quest, .. } = self;
        quest.shared.settings.strip(request.headers_mut());
        if let Some(variant) = &miss.validate {
            // What is to be cut from if it is the same is not known before it is.
            if request.headers().contains_key(header::IF_RANGE) {
                request.headers_mut().remove(header::RANGE);
            }
            variant.entry.validate(request.headers_mut());
        }
        let (epoch, asked) = (quest.shared.mark(&quest.identity), now());
        let outcome = Oneshot::new(service, request).await;
        let times = Times { asked, came: now() };
        Fetched { quest, epoch, miss, times, forwarded: None }.came(outcome)
    }
}

impl Fetched {
    fn came<RB, E>(self, outcome: Result<Response<RB>, E>) -> (Answer<RB, E>, Shares)
    where
        RB: Body + Send + 'static,
        RB::Error: Into<BoxError>,
    {
        match outcome {
            Ok(response) => {
                let (response, shares) = self.answered(response);
                (Ok(response), shares)
            }
            Err(error) => match self.spare(None) {
                Some(response) => (Ok(response), Shares::Failed(None)),
                None => (Err(error), Shares::Failed(None)),
            },
        }
    }

    fn answered<RB>(self, response: Response<RB>) -> (Response<CacheBody<RB>>, Shares)
    where
        RB: Body + Send + 'static,
        RB::Error: Into<BoxError>,
    {
        let status = response.status();
        if status.is_server_error()
            && let Some(spared) = self.spare(Some(status))
        {
            return (spared, Shares::Failed(Some(status)));
        }
        if status == StatusCode::NOT_MODIFIED
            && let Some(variant) = self.miss.validate.clone()
        {
            return self.validated(&variant, response.headers());
        }
        if self.quest.head.method == Method::HEAD {
            self.compare(status, response.headers());
            return (self.passed(response, None), Shares::Alone);
        }
        if response.extensions().get::<Elsewhere>().is_some() {
            self.go_alone();
            return (self.passed(response, Some("redirected")), Shares::Alone);
        }
        match keep(&self.quest.rules, self.quest.ask(), (status, response.headers()), self.times) {
            Ok(entry) => self.fill(entry, response.map(source)),
            Err(unkept) => {
                self.outdate(status);
                self.go_alone();
                (self.passed(response, Some(unkept.as_str())), Shares::Alone)
            }
        }
    }

    /// What is there is no longer what the origin has.
    fn outdate(&self, status: StatusCode) {
        let is_new = status.is_success() || status.is_redirection();
        let is_gone = status == StatusCode::NOT_FOUND || status == StatusCode::GONE;
        let is_other = status != StatusCode::NOT_MODIFIED && status != StatusCode::PARTIAL_CONTENT;
        if (is_new && is_other || is_gone) && !self.miss.resource.is_empty() {
            self.quest
                .shared
                .change(self.at(), |resource| resource.remove_for(&self.quest.head.headers));
        }
    }

    /// Keeps the body while it goes to the client.
    pub(crate) fn fill<RB>(
        self,
        entry: Entry,
        response: Response<Source>,
    ) -> (Response<CacheBody<RB>>, Shares) {
        let exact = response.body().size_hint().exact();
        let tags = self.quest.shared.settings.tags(response.headers());
        let (largest, reserved) = match self.room(&entry, &tags, exact) {
            Ok(room) => room,
            Err(why) => {
                count(&self.quest.shared.counts.dropped);
                let response = response.map(CacheBody::rest);
                return (self.marked(response, Some(why)), Shares::Alone);
            }
        };
        let length = entry.body_length().or(exact);
        let (is_for_all, entry) = (self.is_for_all(&entry), Arc::new(entry));
        let mut status = self.miss.status();
        status.forwarded = self.forwarded.map(|status| status.as_u16());
        status.stored = true;
        let (shared, at) =
            (Arc::clone(&self.quest.shared), (self.quest.identity.clone(), self.epoch));
        let (mut parts, body) = response.into_parts();
        let keep = self.keep(Arc::clone(&entry), tags, is_for_all);
        status.write(&shared.reporter.name(), &mut parts.headers);
        if body.is_end_stream() {
            keep(if length.unwrap_or(0) == 0 { End::Whole(Bytes::new()) } else { End::Cut });
            let others = if is_for_all == Some(true) { Shares::Look } else { Shares::Alone };
            return (Response::from_parts(parts, CacheBody::rest(body)), others);
        }
        let reader = Fill::begin(body, length, largest, reserved, keep);
        let others = if is_for_all == Some(true) {
            let coming = Coming { entry, fill: Arc::clone(reader.fill()) };
            shared.announce((&at.0, at.1), coming.clone());
            Shares::Coming(coming.clone(), coming.fill.join().map(Arc::new))
        } else {
            Shares::Alone
        };
        (Response::from_parts(parts, CacheBody::filling(reader)), others)
    }

    /// How large the body may be, and memory for it on its way; or why it is not kept.
    fn room(
        &self,
        entry: &Entry,
        tags: &[Key],
        exact: Option<u64>,
    ) -> Result<(u64, Reserved), &'static str> {
        let (shared, said) = (&self.quest.shared, entry.body_length());
        if said.zip(exact).is_some_and(|(said, exact)| said != exact) {
            self.go_alone();
            return Err("length");
        }
        // One of which nothing is known begins with a byte at least.
        let length = said.or(exact).unwrap_or(1);
        let largest = shared.largest(&self.quest.identity, entry, tags);
        let Some(largest) = largest.filter(|largest| length <= *largest) else {
            self.go_alone();
            return Err("too-large");
        };
        // A moment later there may be some, so the next ones may share their call.
        let Some(reserved) = shared.allowance.reserve(length) else {
            count(&shared.counts.no_room);
            return Err("no-room");
        };
        Ok((largest, reserved))
    }

    /// What is done with the body when it has ended.
    fn keep(self, entry: Arc<Entry>, tags: Arc<[Key]>, is_for_all: Option<bool>) -> Keep {
        if is_for_all == Some(false) {
            self.go_alone();
        }
        Box::new(move |end| {
            let at = self.at();
            match end {
                End::Whole(body) => {
                    let variant = Variant { entry: Arc::clone(&entry), body, tags };
                    let variant = |there: &Resource| self.joined(there, variant);
                    self.quest.shared.keep(at, &self.quest.head.headers, variant, is_for_all);
                }
                End::TooLarge => {
                    count(&self.quest.shared.counts.dropped);
                    self.go_alone();
                }
                End::NoRoom => {
                    count(&self.quest.shared.counts.dropped);
                    count(&self.quest.shared.counts.no_room);
                }
                End::Cut => count(&self.quest.shared.counts.dropped),
            }
            self.quest.shared.progress.remove(&self.quest.identity, &entry);
        })
    }

    /// Whether others may be answered with it at once; not known of an answer to a request of which nobody waits for
    /// the answer.
    fn is_for_all(&self, entry: &Entry) -> Option<bool> {
        self.quest.may_join().then(|| self.quest.is_for_all(entry, self.times.came))
    }

    fn passed<RB>(
        &self,
        response: Response<RB>,
        detail: Option<&'static str>,
    ) -> Response<CacheBody<RB>> {
        self.marked(response.map(CacheBody::inner), detail)
    }

    fn marked<B>(&self, mut response: Response<B>, detail: Option<&'static str>) -> Response<B> {
        let mut status = self.miss.status();
        status.detail = detail;
        write_status(&self.quest.shared, status, &mut response);
        response
    }

    fn go_alone(&self) {
        if self.quest.may_join() {
            self.quest.shared.go_alone(self.at());
        }
    }

    fn spare<RB>(&self, failed: Option<StatusCode>) -> Option<Response<CacheBody<RB>>> {
        self.quest.spare(failed, self.miss.why, self.miss.has_waited.then_some(false))
    }

    fn at(&self) -> (&Identity, Epoch) {
        self.quest.at(self.epoch)
    }
}
