//! A second tier that panics.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_tier_that_panics_costs_no_answer_and_is_told() {
    for at in [At::Once, At::Polled] {
        let (told, slow) = (Arc::new(Mutex::new(Vec::new())), Slow::default());
        let telling = Arc::clone(&told);
        let layer = layer()
            .tier(Panics(at))
            .on_event(move |event| telling.lock().unwrap().push(event.to_string()));
        let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
        let answers = join_all((0..10).map(|_| service.call(7))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "7 of call 1"), "{at:?}");
        assert_eq!(service.call(7).now_or_never().unwrap().unwrap(), "7 of call 1");
        assert!(handle.invalidate(&7), "{at:?}");
        pass(Duration::from_millis(5)).await;
        assert_eq!(service.call(7).await.unwrap(), "7 of call 2", "{at:?}");
        pass(SECOND).await;
        let hidden = |of| format!("cache error_hidden reason={of} detail=\"as the test wants it\"");
        let asked = ["tier_get", "tier_put", "tier_remove", "tier_get", "tier_put"].map(hidden);
        let mut told = told.lock().unwrap().clone();
        told.sort_unstable();
        let mut expected = asked.to_vec();
        expected.sort_unstable();
        assert_eq!(told, expected, "{at:?}");
        assert_eq!((slow.calls(), handle.statistics().tier_hits), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_tier_that_panics_takes_no_place_of_the_writes() {
    for at in [At::Once, At::Polled] {
        let told = Arc::new(AtomicU32::new(0));
        let telling = Arc::clone(&told);
        let layer = layer().tier(Panics(at)).on_event(move |event| {
            telling.fetch_add(u32::from(event.reason == "tier_put"), SeqCst);
        });
        let mut service = layer.layer(Slow::default());
        for key in 0..200 {
            service.call(key).await.unwrap();
        }
        pass(SECOND).await;
        assert_eq!(told.load(SeqCst), 200, "{at:?}");
    }
}

/// When it panics.
#[derive(Debug, Clone, Copy)]
enum At {
    Once,
    Polled,
}

struct Panics(At);

impl Panics {
    fn panic<T: Send + 'static>(&self) -> TierFuture<T> {
        match self.0 {
            At::Once => panic!("as the test wants it"),
            At::Polled => Box::pin(async { panic!("as the test wants it") }),
        }
    }
}

impl Tier<u32, String> for Panics {
    fn get(&self, _: &u32) -> TierFuture<Option<Tiered<String>>> {
        self.panic()
    }

    fn put(&self, _: &u32, _: Tiered<String>) -> TierFuture<()> {
        self.panic()
    }

    fn remove(&self, _: &u32) -> TierFuture<()> {
        self.panic()
    }
}
