//! A part of an answer that is there, and others of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_ballast_core::{BoxError, Key, Oneshot};
use tower_service::Service;

use super::{Elsewhere, Fetched};
use crate::{
    answer::Miss,
    body::CacheBody,
    engine::{Completed, Entry, Times},
    exchange::{Answer, Exchange, Shares},
    fill::{after, source},
    resource::{Resource, Variant},
    shared::now,
};

impl<S, B, RB> Exchange<S, B>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    /// Asks for the rest with that body, and where it is none, for the whole.
    pub(super) async fn complete(
        self,
        miss: Miss,
        (part, from): (Variant, u64),
        body: B,
    ) -> (Answer<RB, S::Error>, Shares) {
        let Self { service, request, quest, second } = self;
        let (head, first) = request.into_parts();
        let mut rest = Request::from_parts(head.clone(), body);
        quest.shared.settings.strip(rest.headers_mut());
        part.entry.ask_rest(from, rest.headers_mut());
        let (epoch, asked) = (quest.shared.mark(&quest.identity), now());
        let outcome = Oneshot::new(service.clone(), rest).await;
        let times = Times { asked, came: now() };
        let completed = outcome.as_ref().map_or(Completed::Other, |response| {
            let head = (response.status(), response.headers());
            match response.extensions().get::<Elsewhere>() {
                Some(_) if head.0 == StatusCode::PARTIAL_CONTENT => Completed::Again,
                _ => part.entry.complete(&quest.rules, head, times),
            }
        });
        match (completed, outcome) {
            (Completed::Whole { entry, skip }, Ok(response)) => {
                let forwarded = Some(response.status());
                let fetched = Fetched { quest, epoch, miss, times, forwarded };
                let (response, shares) = fetched.completed(&part, *entry, skip, response);
                (Ok(response), shares)
            }
            (Completed::Again, outcome) => {
                drop(outcome);
                // It would have each request sent twice.
                let at = quest.at(epoch);
                quest.shared.change(at, |resource| resource.forget(&part.entry));
                let request = Request::from_parts(head, first);
                Self { service, request, quest, second }.fetch_whole(miss).await
            }
            (_, outcome) => Fetched { quest, epoch, miss, times, forwarded: None }.came(outcome),
        }
    }
}

impl Fetched {
    /// A part that came, together with the one that is there, where they are of one whole and there is room for both.
    pub(super) fn joined(&self, there: &Resource, new: Variant) -> Variant {
        let rules = &self.quest.rules;
        let older = there.variant_for(&self.quest.head.headers);
        let both =
            older.and_then(|old| Some((old, old.entry.join(rules, &new.entry, self.times)?)));
        let Some((old, both)) = both else { return new };
        let others = old.tags.iter().filter(|tag| !new.tags.contains(tag));
        let tags: Arc<[Key]> = others.chain(&*new.tags).copied().collect();
        let largest = self.quest.shared.largest(&self.quest.identity, &both.entry, &tags);
        let may_stay = both.entry.may_stay(rules, self.quest.ask()).is_ok();
        if !may_stay || largest < both.entry.body_length() {
            return new;
        }
        let body = Bytes::from(both.body(&old.body, &new.body));
        Variant { entry: Arc::new(both.entry), body, tags }
    }

    /// The part and the rest as one answer.
    fn completed<RB>(
        self,
        part: &Variant,
        entry: Entry,
        skip: u64,
        rest: Response<RB>,
    ) -> (Response<CacheBody<RB>>, Shares)
    where
        RB: Body + Send + 'static,
        RB::Error: Into<BoxError>,
    {
        let length = entry.body_length().unwrap_or(0);
        let answer = entry.answer(self.quest.ask(), length, self.times.came);
        let (mut head, body) = rest.into_parts();
        (head.status, head.headers) = (answer.status, answer.headers);
        let body = after(Bytes::clone(&part.body), skip, source(body));
        let whole = Response::from_parts(head, body);
        if let Err(unkept) = entry.may_stay(&self.quest.rules, self.quest.ask()) {
            self.quest.shared.change(self.at(), |resource| resource.forget(&part.entry));
            self.go_alone();
            let whole = whole.map(CacheBody::rest);
            return (self.marked(whole, Some(unkept.as_str())), Shares::Alone);
        }
        self.fill(entry, whole)
    }
}
