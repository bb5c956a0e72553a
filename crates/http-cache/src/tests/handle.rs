use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use http::HeaderMap;
use tower::Layer;
use tower_ballast_cache::store::Capacity;
use tower_ballast_core::Key;

use super::origin::{Origin, fetch, fresh, text};
use crate::{HttpCacheHandle, HttpCacheLayer, engine::Rules};

type Purge = fn(&HttpCacheHandle);

fn echo() -> Origin {
    Origin::new(|_, request| {
        let path = request.uri().path();
        Ok(fresh().header("tag", path.split('/').next_back().unwrap()).body(text(path))?)
    })
}

fn tags(headers: &HeaderMap, tags: &mut Vec<Key>) {
    tags.extend(headers.get("tag").map(|tag| Key::of(tag.as_bytes())));
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_can_be_read_and_let_go_of_by_each_of_its_names() {
    let uris = ["http://a.example/x/1", "http://a.example/x/2", "http://b.example/1"];
    let purges: [(usize, Purge); 4] = [
        (2, |handle| assert!(handle.invalidate(&"http://a.example:80/x/1".parse().unwrap()))),
        (1, |handle| handle.invalidate_prefix("http://a.example/x/")),
        (1, |handle| handle.invalidate_tag(Key::of(b"1".as_slice()))),
        (0, HttpCacheHandle::clear),
    ];
    for (left, purge) in purges {
        let layer = HttpCacheLayer::new(Rules::shared()).tags(tags);
        let (service, handle) = (layer.layer(echo()), layer.handle());
        for uri in uris {
            fetch(&service, uri).await;
        }
        assert_eq!(handle.get(&uris[1].parse().unwrap()).unwrap().body(), "/x/2");
        purge(&handle);
        let there = |uri: &&str| handle.get(&uri.parse().unwrap()).is_some();
        let count = uris.iter().filter(|uri| there(uri)).count();
        assert_eq!(count as u64, handle.statistics().usage.entries);
        assert_eq!(count, left);
    }
}

#[tokio::test(start_paused = true)]
async fn settings_are_changed_while_requests_run_and_what_is_kept_stays() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let layer = HttpCacheLayer::new(Rules::shared())
        .name("pages")
        .on_event(move |event| heard.lock().unwrap().push(event.to_string()));
    let (service, handle) = (layer.layer(echo()), layer.handle());
    let uri = "http://a.example/x";
    assert_eq!(fetch(&service, uri).await.field("cache-status"), "pages; fwd=uri-miss; stored");
    handle.set_rules(Rules::private());
    assert_eq!(fetch(&service, uri).await.field("cache-status"), "pages; hit; ttl=60");
    handle.set_capacity(Capacity::of_entries(0));
    assert_eq!(handle.statistics().usage.entries, 0);
    let through = "pages; fwd=uri-miss; detail=too-large";
    assert_eq!(fetch(&service, uri).await.field("cache-status"), through);
    let told = ["rules", "capacity"].map(|what| format!("pages settings_changed reason={what}"));
    assert_eq!(*events.lock().unwrap(), told);
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_breaks_nothing_for_the_next_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let layer = HttpCacheLayer::new(Rules::shared()).tags(move |_, _| {
        assert!(counted.fetch_add(1, SeqCst) > 0, "the closure panics");
    });
    let service = layer.layer(echo());
    let uri = "http://a.example/x";
    let first = tokio::spawn({
        let service = service.clone();
        async move { fetch(&service, uri).await }
    });
    tokio::task::yield_now().await;
    let second = fetch(&service, uri).await;
    assert!(first.await.unwrap_err().is_panic());
    assert_eq!(second.text(), "/x");
    assert_eq!(fetch(&service, uri).await.field("cache-status"), "http-cache; hit; ttl=60");
    assert_eq!((layer.handle().statistics().in_flight, calls.load(SeqCst)), (0, 2));
}
