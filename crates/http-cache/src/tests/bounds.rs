use std::{
    future::{Pending, pending},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tower::{Layer, Service};
use tower_ballast_cache::store::Capacity;
use tower_ballast_core::BoxError;

use super::origin::{Nothing, Origin, Text, fetch, fresh, get, pieces, read, send, text};
use crate::{HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";

/// Never ready.
#[derive(Clone)]
struct Down;

impl Service<Request<Nothing>> for Down {
    type Response = Response<Text>;
    type Error = BoxError;
    type Future = Pending<Result<Response<Text>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<Nothing>) -> Self::Future {
        pending()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_served_while_the_service_is_not_ready() {
    let layer = HttpCacheLayer::new(Rules::shared());
    fetch(&layer.layer(Origin::new(|_, _| Ok(fresh().body(text("page"))?))), URI).await;
    let mut down = layer.layer(Down);
    std::future::poll_fn(|cx| Service::<Request<Nothing>>::poll_ready(&mut down, cx))
        .await
        .unwrap();
    assert_eq!(read(down.call(get(URI)).await.unwrap()).await.text(), "page");
    let other = down.call(get("http://example.com/other"));
    tokio::time::timeout(Duration::from_secs(60), other).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn of_a_target_sixteen_variants_are_kept_the_newest() {
    let origin = Origin::new(|_, request| {
        let language = request.headers()["accept-language"].to_str()?.to_owned();
        Ok(fresh().header("vary", "accept-language").body(text(&language))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.clone());
    let ask = async |language: u32| {
        let language = format!("x-{language}");
        let request = Request::get(URI).header("accept-language", &language);
        let reply = send(&service, request.body(Nothing::default()).unwrap()).await.unwrap();
        assert_eq!(reply.text(), language);
    };
    for language in 0..100 {
        ask(language).await;
    }
    for language in 84..100 {
        ask(language).await;
    }
    assert_eq!(origin.calls(), 100);
    ask(83).await;
    assert_eq!((origin.calls(), layer.handle().statistics().usage.entries), (101, 1));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_kept_stay_within_their_bound() {
    let origin = Origin::new(|_, _| Ok(fresh().body(text(&"a".repeat(10_000)))?));
    let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::mebibytes(1));
    let service = layer.layer(origin);
    for number in 0..1000 {
        fetch(&service, &format!("http://example.com/{number}")).await;
        assert!(layer.handle().statistics().usage.bytes <= 1024 * 1024);
    }
    let usage = layer.handle().statistics().usage;
    assert!(usage.entries > 80 && usage.evicted > 800, "{usage:?}");
}

#[tokio::test(start_paused = true)]
async fn bodies_on_their_way_stay_within_theirs_and_go_through() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["0123456789"; 10]))?));
    let layer = HttpCacheLayer::new(Rules::shared()).coming(250);
    let service = layer.layer(origin);
    let uris: Vec<String> = (0..10).map(|number| format!("http://example.com/{number}")).collect();
    let all = futures_util::future::join_all(uris.iter().map(async |uri| {
        let reply = fetch(&service, uri).await;
        assert!(layer.handle().statistics().coming <= 250);
        assert_eq!(reply.text().len(), 100);
    }));
    all.await;
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.coming, statistics.stored + statistics.dropped), (0, 10));
    assert!(statistics.stored <= 2, "{statistics:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_leaves_nothing_behind() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["one ", "two"]))?));
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.clone().takes(Duration::from_secs(1)));
    for moment in 0..8 {
        let all = futures_util::future::join_all((0..10).map(|_| fetch(&service, URI)));
        let moment = Duration::from_millis(moment * 400);
        let _ = tokio::time::timeout(moment, all).await;
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.coming, statistics.in_flight), (0, 0), "{moment:?}");
    }
}
