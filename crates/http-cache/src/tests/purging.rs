//! Purges in the moment in which an answer is kept, and stores that are made while they are set.

use std::{
    sync::{Arc, Barrier, Mutex, OnceLock},
    thread,
};

use http::Uri;
use tower::Layer;
use tower_ballast_cache::store::{Around, Capacity, S3Fifo};

use super::origin::{Origin, fetch, fresh, text};
use crate::{HttpCacheHandle, HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";

#[tokio::test(start_paused = true)]
async fn a_purge_while_an_answer_is_being_kept_holds_at_once() {
    let (seen, purging) =
        (Arc::<Mutex<Vec<_>>>::default(), Arc::<OnceLock<HttpCacheHandle>>::default());
    let (before, after, seeing) = (Arc::clone(&purging), Arc::clone(&purging), Arc::clone(&seen));
    let uri: Uri = URI.parse().unwrap();
    let looked = uri.clone();
    // There is always a purge before it puts, and somebody who looks after that.
    let store = Around::new(S3Fifo::new(Capacity::mebibytes(1)))
        .before_put(move |_| _ = before.get().unwrap().invalidate(&uri))
        .after_put(move |_, _| {
            seeing.lock().unwrap().push(after.get().unwrap().get(&looked).is_some());
        });
    let layer = HttpCacheLayer::new(Rules::shared()).store(store);
    assert!(purging.set(layer.handle()).is_ok());
    let origin = Origin::new(|_, _| Ok(fresh().body(text("page"))?));
    let service = layer.layer(origin.clone());
    for calls in 1..=2 {
        assert_eq!(fetch(&service, URI).await.text(), "page");
        assert_eq!(origin.calls(), calls);
    }
    assert_eq!(*seen.lock().unwrap(), [false, false]);
    assert_eq!(layer.handle().statistics().stored, 0);
}

/// Whoever comes first: the one who asks for a store or the one who says how large it is.
#[test]
fn a_capacity_that_is_set_beside_the_first_use_holds() {
    type First = fn(&HttpCacheLayer);
    let firsts: [First; 2] = [
        |layer| assert_eq!(layer.handle().statistics().hits, 0),
        |layer| drop(layer.clone().store(S3Fifo::new(Capacity::mebibytes(1)))),
    ];
    for _ in 0..300 {
        for first in firsts {
            let (layer, barrier) = (HttpCacheLayer::new(Rules::shared()), Barrier::new(3));
            thread::scope(|scope| {
                for use_first in [first, |layer| drop(layer.handle().get(&URI.parse().unwrap()))] {
                    let (layer, barrier) = (&layer, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        use_first(layer);
                    });
                }
                barrier.wait();
                layer.handle().set_capacity(Capacity::of_bytes(0));
            });
            let service = layer.layer(Origin::new(|_, _| Ok(fresh().body(text("page"))?)));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.unwrap().block_on(fetch(&service, URI));
            assert_eq!(layer.handle().statistics().usage.entries, 0);
        }
    }
}
