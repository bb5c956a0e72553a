use std::{future::pending, time::Duration};

use proptest::prelude::*;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_ballast_core::{BoxError, Reason, Rejected, Verdict, clock::Nanos};

use super::*;
use crate::BulkheadLayer;

const SECOND: Duration = Duration::from_secs(1);
const START: Nanos = Nanos::from_nanos(1_000_000_000_000);

fn sample(now: Nanos, outcome: Outcome, in_flight: u32) -> Sample {
    Sample::new(now, Duration::from_millis(10), outcome, in_flight)
}

#[test]
fn a_window_of_answers_opens_it_by_one() {
    let mut window = ClientWindow::new(SECOND).initial(10);
    let answers = (0..10).filter_map(|_| window.sample(sample(START, Outcome::Answered, 10)));
    assert_eq!(answers.map(|change| change.limit).collect::<Vec<_>>(), [11]);
    let more = window.sample(sample(START, Outcome::Answered, 10).calls(11));
    assert_eq!(more.unwrap(), Change::new(12, "room"));
}

#[test]
fn a_crowd_of_timeouts_halves_it_once() {
    let mut window = ClientWindow::new(SECOND).initial(64);
    let limits: Vec<u32> = (0..40)
        .filter_map(|n| {
            let now = START + SECOND / 10 * n;
            window.sample(sample(now, Outcome::Overloaded, 64)).map(|change| change.limit)
        })
        .collect();
    assert_eq!(limits, [32, 16, 8, 4]);
}

#[test]
fn what_nobody_uses_neither_grows_nor_is_halved_for_nothing() {
    let mut window = ClientWindow::new(SECOND).initial(100);
    assert_eq!(window.sample(sample(START, Outcome::Answered, 49)), None);
    assert_eq!(window.sample(sample(START, Outcome::Failed, 100)), None);
    let halved = window.sample(sample(START, Outcome::Overloaded, 10)).unwrap();
    assert_eq!(halved.limit, 5);
}

#[test]
fn a_fixed_threshold_shrinks_with_what_is_slow_and_grows_with_what_is_not() {
    let mut limiter = Aimd::new(Duration::from_millis(20)).initial(10).bounds(2..=12);
    let mut end = |millis, in_flight| {
        let latency = Duration::from_millis(millis);
        let sample = Sample::new(START, latency, Outcome::Answered, in_flight);
        limiter.sample(sample).map(|change| (change.limit, change.reason))
    };
    assert_eq!(end(10, 10), Some((11, "room")));
    assert_eq!(end(10, 10), Some((12, "room")));
    assert_eq!(end(10, 12), None, "the most");
    assert_eq!(end(10, 1), None, "unused");
    assert_eq!(end(30, 12), Some((10, "latency")));
    let down: Vec<_> = (0..20).filter_map(|_| end(30, 12)).collect();
    assert_eq!(down.last(), Some(&(2, "latency")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_limit_stays_within_its_bounds(
        samples in prop::collection::vec((0..3_u8, any::<u32>(), any::<u64>(), any::<u32>()), 1..200),
        initial: u32, one: u32, other: u32,
    ) {
        let bounds = one.min(other).max(1)..=one.max(other).max(1);
        let limiters: [Box<dyn Limiter>; 5] = [
            Box::new(ClientWindow::new(SECOND).initial(initial).bounds(one..=other)),
            Box::new(Aimd::new(SECOND).bounds(one..=other).initial(initial)),
            Box::new(BandwidthDelay::new().initial(initial).bounds(one..=other)),
            Box::new(Vegas::new().bounds(one..=other).initial(initial)),
            Box::new(Gradient2::new().initial(initial).bounds(one..=other)),
        ];
        for mut limiter in limiters {
            prop_assert!(bounds.contains(&limiter.initial()));
            for (outcome, in_flight, nanos, calls) in &samples {
                let outcome = [Outcome::Answered, Outcome::Failed, Outcome::Overloaded]
                    [usize::from(*outcome)];
                let now = Nanos::from_nanos(*nanos);
                let sample = Sample::new(now, Duration::from_nanos(*nanos), outcome, *in_flight);
                if let Some(change) = limiter.sample(sample.calls(*calls)) {
                    prop_assert!(bounds.contains(&change.limit), "{change:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn timeouts_close_the_window_of_a_bulkhead_and_answers_open_it() {
    let bulkhead = BulkheadLayer::new(0);
    let window = AdaptiveLayer::new(&bulkhead, ClientWindow::new(SECOND).initial(8)).classify(
        |outcome: Result<&bool, &BoxError>| match outcome {
            Ok(true) => Verdict::Success,
            Ok(false) => Verdict::timeout(),
            Err(_) => Verdict::ignore(),
        },
    );
    let handle = bulkhead.handle();
    assert_eq!(handle.limit(), 8);
    let service =
        ServiceBuilder::new().layer(bulkhead).layer(window).service_fn(|answer: bool| async move {
            tokio::time::sleep(SECOND).await;
            Ok::<_, BoxError>(answer)
        });
    let all = async |answer: bool, calls| {
        let calls: Vec<_> =
            (0..calls).map(|_| tokio::spawn(service.clone().oneshot(answer))).collect();
        for call in calls {
            let _ = call.await.unwrap();
        }
    };
    all(false, 8).await;
    assert_eq!(handle.limit(), 4);
    for _ in 0..2 {
        all(true, 4).await;
    }
    assert_eq!(handle.limit(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_no_sample() {
    let bulkhead = BulkheadLayer::new(0);
    let adaptive = AdaptiveLayer::new(&bulkhead, Aimd::new(Duration::ZERO).initial(10));
    let handle = bulkhead.handle();
    let hanging = service_fn(|(): ()| pending::<Result<(), BoxError>>());
    let mut service = bulkhead.layer(adaptive.layer(hanging));
    for _ in 0..100 {
        drop(service.ready().await.unwrap().call(()));
    }
    assert_eq!((handle.limit(), handle.in_flight()), (10, 0));
    let refusing = service_fn(|(): ()| async {
        Err::<(), BoxError>(Rejected::new(Reason::CircuitOpen).into())
    });
    let _ = adaptive.layer(refusing).oneshot(()).await;
    assert_eq!(handle.limit(), 10, "a refusal of ours says nothing of the service");
}
