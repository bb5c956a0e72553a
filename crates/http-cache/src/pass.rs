//! Requests that no answer is kept for, but for one.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, Response};
use http_body::Body;
use tower_ballast_core::{BoxError, Oneshot};
use tower_service::Service;

use crate::{
    answer::{Miss, write_status},
    body::CacheBody,
    engine::{Ask, Entry, Forward, Key, Outcome, Rules, Status, Times, keep, outdated},
    exchange::{Answer, Exchange},
    fetch::Fetched,
    fill::source,
    quest::Head,
    shared::{Shared, now},
    statistics::count,
};

impl<S, B, RB> Exchange<S, B>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    /// Sends a request that has nothing to do with the cache, but perhaps makes what is there void. The response to a POST
    /// may say that it takes the place of that.
    pub(crate) async fn pass(self) -> Answer<RB, S::Error> {
        let Self { service, request, quest, .. } = self;
        if *request.method() != Method::POST {
            return pass(service, request, quest.shared).await;
        }
        let (asked, epoch) = (now(), quest.shared.mark(&quest.identity));
        count(&quest.shared.counts.bypassed);
        let response = Oneshot::new(service, request).await?;
        let times = Times { asked, came: now() };
        let (status, headers) = (response.status(), response.headers());
        let mut epoch = Some(epoch);
        for uri in outdated(quest.ask(), status, headers) {
            match Key::of(&uri, &quest.head.headers) {
                Some(key) if key.as_str() == quest.identity.target() => {
                    epoch = epoch.and_then(|epoch| quest.shared.replace(key.as_str(), epoch));
                }
                Some(key) => drop(quest.shared.invalidate(key.as_str())),
                None => {}
            }
        }
        let entry = kept(&quest.rules, quest.ask(), &response, times);
        let kept = epoch.zip(entry.filter(|_| quest.shared.settings.is_keyed(&quest.head.headers)));
        let Some((epoch, entry)) = kept else {
            return Ok(passed(&quest.shared, &quest.head, response));
        };
        let resource = quest.shared.find(&quest.identity);
        let miss = Miss::new(Forward::Method, resource);
        Ok(Fetched { quest, epoch, miss, times, forwarded: None }
            .fill(entry, response.map(source))
            .0)
    }
}

/// What is kept of the response to a POST: what says itself how long it is fresh, and what it is of.
fn kept<RB>(rules: &Rules, ask: Ask<'_>, response: &Response<RB>, times: Times) -> Option<Entry> {
    let entry = keep(rules, ask, (response.status(), response.headers()), times).ok()?;
    (*ask.method == Method::POST && entry.fresh_for(times.came) > Duration::ZERO).then_some(entry)
}

/// Sends a request whose target is not clear, or that has nothing to do with the cache.
pub(crate) async fn pass<S, B, RB>(
    service: S,
    request: Request<B>,
    shared: Arc<Shared>,
) -> Answer<RB, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>>,
{
    count(&shared.counts.bypassed);
    let head = Head::of(&request);
    let response = Oneshot::new(service, request).await?;
    for uri in outdated(head.ask(), response.status(), response.headers()) {
        if let Some(key) = Key::of(&uri, &head.headers) {
            shared.invalidate(key.as_str());
        }
    }
    Ok(passed(&shared, &head, response))
}

fn passed<RB>(shared: &Shared, head: &Head, response: Response<RB>) -> Response<CacheBody<RB>> {
    let is_read = head.method == Method::GET || head.method == Method::HEAD;
    let outcome = if is_read { Outcome::Bypass } else { Outcome::Forwarded(Forward::Method) };
    let mut response = response.map(CacheBody::inner);
    write_status(shared, Status::new(outcome), &mut response);
    response
}
