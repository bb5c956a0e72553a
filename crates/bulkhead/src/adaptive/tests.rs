use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, Deadline, Event, Reason, Rejected, Verdict, clock::Nanos, facts,
};

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
    assert_eq!(limiter.sample(sample(START, Outcome::Failed, 2)), None, "a quick error");
}

/// The numbers of `VegasLimit`, from its source: two thresholds, and three steps.
#[test]
fn the_queue_that_vegas_sees_moves_the_limit_by_its_logarithm() {
    let of = |limit, latency_over_least: f64| {
        let mut limiter = Vegas::new().bounds(1..=5000).initial(limit);
        let least = Duration::from_millis(100);
        assert_eq!(limiter.sample(Sample::new(START, least, Outcome::Answered, limit)), None);
        let latency = least.mul_f64(latency_over_least);
        let sample = Sample::new(START, latency, Outcome::Answered, limit);
        limiter.sample(sample).map(|change| i64::from(change.limit) - i64::from(limit))
    };
    // With 50 the unit is 1: a queue of 1, 2, 3 to 6, and 7.
    assert_eq!(of(50, 1.0), Some(6));
    assert_eq!(of(50, 50.0 / 49.0), Some(6));
    assert_eq!(of(50, 50.0 / 48.5), Some(1));
    assert_eq!(of(50, 50.0 / 46.5), None);
    assert_eq!(of(50, 50.0 / 43.5), Some(-1));
    // With 200 it is 2, and from 1000 the square root.
    assert_eq!((of(200, 1.0), of(200, 2.0)), (Some(12), Some(-2)));
    assert_eq!((of(1000, 1.0), of(1000, 2.0)), (Some(186), Some(-31)));
}

/// The numbers of `Gradient2Limit`, from its source.
#[test]
fn the_gradient_moves_a_fifth_of_the_way_to_where_it_points() {
    let mut limiter = Gradient2::new().bounds(1..=5000).initial(100);
    let mut end = |millis| {
        let sample = Sample::new(START, Duration::from_millis(millis), Outcome::Answered, u32::MAX);
        limiter.sample(sample).map(|change| change.limit)
    };
    // Four more to let in, of which a fifth is done each time.
    assert_eq!((0..11).filter_map(|_| end(100)).last(), Some(108));
    // The usual has gone to (600 - 1) / 601 of it and 2 / 601 of a second: 1.5 times that is 0.154.
    let usual = 0.1 + 0.9 * 2.0 / 601.0;
    let expected = 108.8 + 0.2 * (4.0 - 0.5 * 108.8);
    assert!(1.5 * usual < 0.5, "so the gradient is its least, a half");
    assert_eq!(end(1000).map(f64::from), Some(f64::floor(expected)));
}

/// A service that ends a call each millisecond at the most, and takes 10 ms for it without a queue.
fn end_one(limiter: &mut BandwidthDelay, now: &mut Nanos, limit: &mut u32) -> Option<Change> {
    let latency = Duration::from_millis(u64::from((*limit).max(10)));
    *now = *now + latency / *limit;
    let change = limiter.sample(Sample::new(*now, latency, Outcome::Answered, *limit))?;
    *limit = change.limit;
    Some(change)
}

#[test]
fn errors_and_refusals_faster_than_the_base_latency_are_no_samples() {
    let (mut limiter, mut now, mut limit) = (BandwidthDelay::new(), START, 20);
    for _ in 0..5_000 {
        end_one(&mut limiter, &mut now, &mut limit);
    }
    let base = limiter.model().base_latency.unwrap();
    assert!((9..=11).contains(&base.as_millis()), "{base:?}");
    let (mut spared, mut spared_now, mut spared_limit) = (limiter.clone(), now, limit);
    for _ in 0..10_000 {
        for outcome in [Outcome::Failed, Outcome::Overloaded].into_iter().cycle().take(6) {
            let quick = Sample::new(now, Duration::from_millis(1), outcome, limit);
            assert_eq!(limiter.sample(quick), None);
        }
        let change = end_one(&mut limiter, &mut now, &mut limit);
        let other = end_one(&mut spared, &mut spared_now, &mut spared_limit);
        assert_eq!(change, other);
    }
    assert_eq!(limiter.model(), spared.model());
}

#[test]
fn what_a_call_takes_is_never_learnt_from_those_that_time_out_or_fail_as_late() {
    for outcome in [Outcome::Overloaded, Outcome::Failed] {
        let (mut limiter, mut now, mut limit) = (BandwidthDelay::new(), START, 20);
        for _ in 0..5_000 {
            end_one(&mut limiter, &mut now, &mut limit);
        }
        let known = limiter.model();
        for number in 0..500 {
            if number % 50 == 0 {
                now = now + 10 * SECOND;
            }
            limiter.sample(Sample::new(now, 10 * SECOND, outcome, limit));
            assert_eq!(limiter.model(), known, "{outcome:?}, {number}");
        }
    }
}

#[test]
fn bounds_that_are_changed_hold_at_once_and_the_limit_is_found_again() {
    let (mut limiter, mut now, mut limit) = (BandwidthDelay::new(), START, 20);
    for _ in 0..5_000 {
        end_one(&mut limiter, &mut now, &mut limit);
    }
    assert!((9..=17).contains(&limit), "{limit}");
    limit = limiter.set_range(2..=4).unwrap();
    assert_eq!((limit, limiter.range()), (4, 2..=4));
    for _ in 0..5_000 {
        end_one(&mut limiter, &mut now, &mut limit);
        assert!((2..=4).contains(&limit));
    }
    assert_eq!(limiter.set_range(1..=1000), Some(limit), "and where it is it may be");
    for _ in 0..5_000 {
        end_one(&mut limiter, &mut now, &mut limit);
    }
    assert!((9..=17).contains(&limit), "{limit}");
}

#[test]
fn every_limiter_goes_on_from_where_it_is_put() {
    let limiters: [Box<dyn Limiter>; 5] = [
        Box::new(ClientWindow::new(SECOND)),
        Box::new(Aimd::new(SECOND)),
        Box::new(BandwidthDelay::new()),
        Box::new(Vegas::new()),
        Box::new(Gradient2::new()),
    ];
    for mut limiter in limiters {
        assert_eq!(limiter.set_range(10..=50), Some(limiter.initial().min(50)));
        assert_eq!(limiter.range(), 10..=50);
        for (put, kept) in [(30, 30), (5, 10), (70, 50)] {
            limiter.restart(put);
            assert_eq!(limiter.initial(), kept, "{limiter:?}");
        }
    }
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
                if *calls % 16 == 0 {
                    limiter.restart(*in_flight);
                    let limit = limiter.set_range(bounds.clone());
                    prop_assert!(bounds.contains(&limit.unwrap()));
                }
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

/// A bulkhead whose window is halved by timeouts, what is told of it, and its services.
struct Rig {
    bulkhead: BulkheadLayer,
    window: AdaptiveLayer,
    told: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    fn new(initial: u32) -> Self {
        let told = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&told);
        let bulkhead = BulkheadLayer::new(0)
            .name("shop")
            .on_event(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
        let window = AdaptiveLayer::new(&bulkhead, ClientWindow::new(SECOND).initial(initial));
        Self { bulkhead, window, told }
    }

    /// So many calls that are given up after a second, each with this deadline.
    async fn give_up(&self, calls: u32, deadline: Duration) {
        let known = facts().deadline_from(move |(): &()| Some(Deadline::after(deadline)));
        let hanging = service_fn(|(): ()| pending::<Result<(), BoxError>>());
        let service = self.bulkhead.layer(self.window.clone().facts(known).layer(hanging));
        let mut service = service.clone();
        let mut calling = Vec::new();
        for _ in 0..calls {
            calling.push(service.ready().await.unwrap().call(()));
        }
        tokio::time::advance(SECOND).await;
        drop(calling);
    }

    async fn answer(&self, calls: u32) {
        let quick = service_fn(|(): ()| async { Ok::<_, BoxError>(()) });
        let mut service = self.bulkhead.layer(self.window.layer(quick));
        for _ in 0..calls {
            let _ = service.ready().await.unwrap().call(()).await;
        }
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_after_its_deadline_is_a_timeout() {
    let rig = Rig::new(8);
    rig.give_up(8, SECOND * 2).await;
    assert_eq!(rig.bulkhead.handle().limit(), 8, "given up before it");
    rig.give_up(8, SECOND).await;
    assert_eq!(rig.bulkhead.handle().limit(), 4, "not before it");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_set_by_hand_is_where_it_goes_on() {
    let rig = Rig::new(8);
    let handle = rig.bulkhead.handle();
    handle.set_limit(100);
    rig.give_up(100, SECOND).await;
    assert_eq!(handle.limit(), 50, "half of what was set");
    handle.set_limit(2000);
    rig.answer(1).await;
    assert_eq!(handle.limit(), 2000, "beyond the bounds it holds");
    rig.give_up(2000, SECOND).await;
    assert_eq!(handle.limit(), 500, "until the next change");
}

#[tokio::test(start_paused = true)]
async fn who_sets_the_limit_to_zero_keeps_the_service_closed() {
    let rig = Rig::new(8);
    let handle = rig.bulkhead.handle();
    let gone = async {
        tokio::task::yield_now().await;
        handle.set_limit(0);
    };
    tokio::join!(rig.give_up(8, SECOND), gone);
    rig.answer(10).await;
    assert_eq!(handle.limit(), 0);
    rig.window.handle().set_bounds(5..=10);
    assert_eq!(handle.limit(), 0);
    handle.set_limit(6);
    rig.answer(10).await;
    assert_eq!(handle.limit(), 6);
}

#[tokio::test(start_paused = true)]
async fn every_change_of_the_limit_is_told_in_order_with_both_and_why() {
    let rig = Rig::new(8);
    rig.give_up(8, SECOND).await;
    assert_eq!(rig.told(), ["shop limit_changed reason=overloaded limit_from=8 limit_to=4"]);
    rig.bulkhead.handle().set_limit(6);
    rig.answer(1).await;
    assert_eq!(
        rig.told(),
        [
            "shop settings_changed reason=limit",
            "shop limit_changed reason=by_hand limit_from=4 limit_to=6"
        ]
    );
    rig.window.handle().set_bounds(1..=5);
    assert_eq!(
        rig.told(),
        [
            "shop settings_changed reason=bounds",
            "shop limit_changed reason=bounds limit_from=6 limit_to=5"
        ]
    );
    let Rig { bulkhead, window, told } = rig;
    drop(window);
    assert_eq!(bulkhead.handle().limit(), 5);
    assert_eq!(
        *told.lock().unwrap(),
        ["shop limit_changed reason=dropped limit_from=5 limit_to=0"],
        "so that a sum over layers of one name is right"
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_refused_is_in_the_demand() {
    let bulkhead = BulkheadLayer::new(0);
    let window = AdaptiveLayer::new(&bulkhead, ClientWindow::new(SECOND).initial(4).bounds(4..=4));
    let handle = window.handle();
    let service = ServiceBuilder::new().layer(bulkhead).layer(window).service_fn(|(): ()| async {
        tokio::time::sleep(SECOND).await;
        Ok::<_, BoxError>(())
    });
    assert_eq!(handle.scaling(), None);
    // Eight each second, of which four are refused.
    for _ in 0..22 {
        let calls: Vec<_> = (0..8).map(|_| tokio::spawn(service.clone().oneshot(()))).collect();
        for call in calls {
            let _ = call.await.unwrap();
        }
    }
    let scaling = handle.scaling().unwrap();
    assert!((scaling.utilisation - 1.0).abs() < 0.05, "{scaling:?}");
    assert!((scaling.demand - 2.0).abs() < 0.1, "{scaling:?}");
    assert_eq!((handle.in_flight(), handle.limit(), handle.bandwidth()), (0, 4, None));
}
