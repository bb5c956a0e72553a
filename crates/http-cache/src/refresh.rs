//! What is served stale, made anew beside that.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use http::{HeaderName, Method, Request, Response, header};
use http_body::Body;
use tokio::runtime::Handle;
use tower_ballast_core::{
    BoxError, clock,
    flights::{Boarding, Landed, Seat},
};
use tower_service::Service;

use crate::{
    answer::Miss,
    engine::Forward,
    exchange::{Exchange, Own, Shares, make_nobodys},
    quest::{Head, varying},
    shared::Shared,
    statistics::count,
};

/// Renews what is served stale in the background, unless that is being done.
pub(crate) fn refresh<S, B, RB>(mut exchange: Exchange<S, B>)
where
    S: Service<Request<B>, Response = Response<RB>> + Clone + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    let limit = exchange.quest.shared.settings.longest_renewal.get();
    if limit.is_zero() {
        return;
    }
    make_own(&mut exchange);
    let (quest, shared) = (&exchange.quest, Arc::clone(&exchange.quest.shared));
    let resource = shared.find(&quest.identity);
    let Some(variant) = resource.variant_for(&quest.head.headers).cloned() else { return };
    let Ok(runtime) = Handle::try_current() else { return };
    let miss = Miss { validate: Some(variant), ..Miss::new(Forward::Stale, resource) };
    let flight = quest.flight(&miss);
    let Some(renewal) = Renewal::begin(&shared, &flight) else { return };
    let Boarding::First(start) = shared.flights.board(flight) else { return };
    count(&shared.counts.refreshed);
    let seat = start.with(exchange.renew(miss), Own::share);
    drop(runtime.spawn(async move {
        let _until_its_end = renewal;
        let mut timer = pin!(clock::sleep(limit));
        let mut whole = pin!(read_on::<RB, S::Error>(seat));
        poll_fn(|cx| match whole.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => timer.as_mut().poll(cx),
        })
        .await;
    }));
}

/// A renewal on its way, of which there is one at a time.
struct Renewal {
    shared: Arc<Shared>,
    of: Arc<str>,
}

impl Renewal {
    fn begin(shared: &Arc<Shared>, of: &Arc<str>) -> Option<Self> {
        let is_first = shared.renewing().insert(Arc::clone(of));
        is_first.then(|| Self { shared: Arc::clone(shared), of: Arc::clone(of) })
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.shared.renewing().remove(&self.of);
    }
}

/// Reads an answer that nobody waits for to its end.
async fn read_on<RB: 'static, E: 'static>(seat: Seat<Arc<str>, Shares, Own>) {
    if let Landed::Led(own) = seat.await
        && let Ok(mut response) = own.into_outcome::<RB, E>()
    {
        poll_fn(|cx| response.body_mut().poll_end(cx)).await;
    }
}

/// Makes a client's request one of the cache's own: nothing of it is meant for that client alone, unless it is part of
/// the key or chooses the variant. In the cache of one user it still says who that is, for so does what is kept.
fn make_own<S, B>(exchange: &mut Exchange<S, B>) {
    let Exchange { request, quest, .. } = exchange;
    make_nobodys(request);
    let resource = quest.shared.find(&quest.identity);
    let variant = resource.variant_for(&quest.head.headers);
    let mut needed: Vec<HeaderName> = quest.shared.settings.keyed().to_vec();
    needed.extend(variant.into_iter().flat_map(|variant| varying(variant.entry.headers())));
    if !quest.rules.is_shared() {
        needed.extend([header::COOKIE, header::AUTHORIZATION]);
    }
    *request.method_mut() = Method::GET;
    for name in OWN {
        if !needed.contains(&name) {
            request.headers_mut().remove(name);
        }
    }
    quest.head = Head::of(request);
}

/// What a client says for itself.
const OWN: [HeaderName; 10] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::COOKIE,
    header::AUTHORIZATION,
];
