use std::{
    future::{Pending, pending},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tower::{Layer, Service};
use tower_ballast_cache::store::{Capacity, S3Fifo, Store, Usage};
use tower_ballast_core::BoxError;

use super::origin::{Nothing, Origin, Text, fetch, fresh, get, pieces, read, send, text};
use crate::{HttpCacheLayer, Identity, Stored, engine::Rules};

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
async fn of_variants_that_are_too_many_for_the_room_the_oldest_go() {
    let origin = Origin::new(|_, request| {
        let language = request.headers()["accept-language"].to_str()?.to_owned();
        let body = language + &"x".repeat(300_000);
        Ok(fresh().header("vary", "accept-language").body(text(&body))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::mebibytes(1));
    let service = layer.layer(origin.clone());
    let ask = async |language: u32| {
        let request = Request::get(URI).header("accept-language", format!("x-{language}"));
        let reply = send(&service, request.body(Nothing::default()).unwrap()).await.unwrap();
        assert!(reply.text().starts_with(&format!("x-{language}x")));
        assert!(layer.handle().statistics().usage.bytes <= 1024 * 1024);
    };
    for language in [0, 1, 2, 3, 4, 2, 3, 4] {
        ask(language).await;
    }
    let statistics = layer.handle().statistics();
    assert_eq!((origin.calls(), statistics.stored, statistics.hits), (5, 5, 3));
    assert_eq!((statistics.usage.entries, statistics.usage.refused), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_store_could_not_keep_goes_through_and_takes_no_memory() {
    for length in [Some(2_000_000), None] {
        let origin = Origin::new(move |_, _| match length {
            Some(length) => Ok(fresh().body(text(&"a".repeat(length)))?),
            None => Ok(fresh().body(pieces([Box::leak("a".repeat(500_000).into()); 4]))?),
        });
        let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::mebibytes(1));
        let reply = fetch(&layer.layer(origin), URI).await;
        assert_eq!(reply.text().len(), 2_000_000);
        if length.is_some() {
            let told = "http-cache; fwd=uri-miss; detail=too-large";
            assert_eq!(reply.field("cache-status"), told);
        }
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.stored, statistics.dropped, statistics.coming), (0, 1, 0));
        assert_eq!(statistics.usage.refused, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_ones_own_is_taken_with_the_capacity_that_is_set_before_or_after_it() {
    let uris: Vec<String> = (0..9).map(|number| format!("http://example.com/{number}")).collect();
    for is_before in [true, false] {
        let (store, puts) = Counted::new(Capacity::of_entries(100));
        let layer = HttpCacheLayer::new(Rules::shared());
        let few = Capacity::of_entries(5);
        let layer = if is_before {
            layer.capacity(few).store(store)
        } else {
            layer.store(store).capacity(few)
        };
        let service = layer.layer(Origin::new(|_, _| Ok(fresh().body(text("page"))?)));
        for uri in &uris {
            fetch(&service, uri).await;
        }
        assert_eq!((puts.load(SeqCst), layer.handle().statistics().usage.entries), (9, 5));
    }
}

#[tokio::test(start_paused = true)]
async fn where_memory_for_bodies_is_short_for_a_moment_calls_are_shared_after_it() {
    let origin = Origin::new(|_, _| {
        Ok(fresh().header("content-length", "100").body(pieces(["0123456789"; 10]))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared()).coming(150);
    let service = layer.layer(origin.clone());
    let mut other = service.clone();
    let other = other.call(get("http://example.com/other")).await.unwrap();
    let first = fetch(&service, URI).await;
    assert_eq!(first.field("cache-status"), "http-cache; fwd=uri-miss; detail=no-room");
    drop(other);
    let all = futures_util::future::join_all((0..100).map(|_| fetch(&service, URI))).await;
    assert!(all.iter().all(|reply| reply.text().len() == 100));
    assert_eq!(origin.calls(), 3);
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

/// Counts what is put into it.
struct Counted(S3Fifo<Identity, Stored>, Arc<AtomicUsize>);

impl Counted {
    fn new(capacity: Capacity) -> (Self, Arc<AtomicUsize>) {
        let puts = Arc::<AtomicUsize>::default();
        (Self(S3Fifo::new(capacity), Arc::clone(&puts)), puts)
    }
}

impl Store<Identity, Stored> for Counted {
    fn get(&self, key: &Identity) -> Option<Stored> {
        self.0.get(key)
    }

    fn put(&self, key: Identity, value: Stored, size: usize) {
        self.1.fetch_add(1, SeqCst);
        self.0.put(key, value, size);
    }

    fn remove(&self, key: &Identity) -> Option<Stored> {
        self.0.remove(key)
    }

    fn retain(&self, keep: &dyn Fn(&Identity, &Stored) -> bool) {
        self.0.retain(keep);
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn resize(&self, capacity: Capacity) {
        self.0.resize(capacity);
    }

    fn usage(&self) -> Usage {
        self.0.usage()
    }
}
