//! Those who wait in vain, and settings at their ends.

use std::sync::OnceLock;

use super::*;
use crate::store::{Around, S3Fifo};

#[tokio::test(start_paused = true)]
async fn all_who_waited_in_vain_share_one_more_call_however_soon_that_fails() {
    let quick = Quick { failing: 2, ..Quick::default() };
    let mut service = layer().layer(quick.clone());
    let answers = join_all((0..1000).map(|_| service.call(7))).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(quick.calls(), 2);
    // They were told; who comes later asks anew.
    assert_eq!(service.call(7).await.unwrap(), "call 3");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_the_sake_of_one_is_asked_for_by_another() {
    for (reason, calls, failed) in [(Reason::DeadlinePassed, 2, 1), (Reason::CircuitOpen, 1, 10)] {
        let quick = Quick { refusing: Some(reason), ..Quick::default() };
        let mut service = layer().layer(quick.clone());
        let answers = join_all((0..10).map(|_| service.call(7))).await;
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert_eq!((quick.calls(), refused), (calls, failed), "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_leaves_what_is_still_good() {
    let quick = Quick { good: 1, ..Quick::default() };
    let layer = layer().stale_while_revalidate(MINUTE).negative(SECOND);
    let mut service = layer.layer(quick.clone());
    service.call(7).await.unwrap();
    pass(MINUTE).await;
    for calls in 1..4 {
        pass(2 * SECOND).await;
        assert_eq!(service.call(7).await.unwrap(), "call 1");
        pass(SECOND / 100).await;
        assert_eq!(quick.calls(), calls + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_any_length_is_legal() {
    for lifetime in [Duration::from_secs(u64::MAX), Duration::MAX, Duration::from_nanos(u64::MAX)] {
        let mut service = layer().lifetime_of(move |_, _| Some(lifetime)).layer(Quick::default());
        service.call(7).await.unwrap();
        pass(1000 * 365 * 24 * 60 * MINUTE).await;
        assert_eq!(service.call(7).await.unwrap(), "call 1");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_idle_is_expired() {
    let layer = layer().idle(SECOND);
    layer.layer(Quick::default()).call(7).await.unwrap();
    assert!(!layer.handle().is_expired(&7));
    pass(SECOND).await;
    assert!(layer.handle().is_expired(&7));
}

#[test]
fn settings_hold_in_any_order() {
    let store = S3Fifo::new(Capacity::of_entries(1000));
    let layer = layer().capacity(Capacity::of_entries(2)).store(store);
    let handle = layer.handle();
    (0..9).for_each(|key| assert!(handle.set(key, String::new(), MINUTE)));
    assert_eq!(handle.statistics().usage.entries, 2);
}

#[tokio::test(start_paused = true)]
async fn a_purge_while_an_answer_is_being_put_holds_at_once() {
    let (seen, purging) =
        (Arc::<Mutex<Vec<_>>>::default(), Arc::<OnceLock<CacheHandle<_, _>>>::default());
    let (before, after, seeing) = (Arc::clone(&purging), Arc::clone(&purging), Arc::clone(&seen));
    // There is always a purge before it puts, and somebody who looks after that.
    let store = Around::new(S3Fifo::new(Capacity::of_entries(10)))
        .before_put(move |key| _ = before.get().unwrap().invalidate(key))
        .after_put(move |key, _| seeing.lock().unwrap().push(after.get().unwrap().get(key)));
    let layer = layer().store(store);
    assert!(purging.set(layer.handle()).is_ok());
    let mut service = layer.layer(Quick::default());
    assert_eq!(service.call(7).await.unwrap(), "call 1");
    assert_eq!(*seen.lock().unwrap(), [None]);
    assert_eq!(layer.handle().get(&7), None);
}

/// Answers, or not, after a moment in which all can come.
#[derive(Clone)]
struct Quick {
    failing: u32,
    good: u32,
    /// Refuses the first call.
    refusing: Option<Reason>,
    called: Arc<AtomicU32>,
}

impl Default for Quick {
    fn default() -> Self {
        Self { failing: 0, good: u32::MAX, refusing: None, called: Arc::default() }
    }
}

impl Quick {
    fn calls(&self) -> u32 {
        self.called.load(SeqCst)
    }
}

impl Service<u32> for Quick {
    type Response = String;
    type Error = BoxError;
    type Future = std::future::Ready<Result<String, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u32) -> Self::Future {
        let number = self.called.fetch_add(1, SeqCst) + 1;
        ready(match self.refusing {
            Some(reason) if number == 1 => Err(Rejected::new(reason).into()),
            _ if number <= self.failing || number > self.good => Err("no".into()),
            _ => Ok(format!("call {number}")),
        })
    }
}
