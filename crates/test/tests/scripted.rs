//! The scripted service does as its script says and misses nothing.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tower::{Service, ServiceExt, limit::ConcurrencyLimit};
use tower_ballast_core::clock;
use tower_ballast_test::{Probe, Readiness, ScriptError, Scripted, Step, Violation, time};

type Plain = Scripted<u32, u32, ScriptError>;

fn ready(service: &mut Plain) -> Poll<Result<(), ScriptError>> {
    Probe::new().with(|cx| service.poll_ready(cx))
}

fn called(
    service: &mut Plain,
    request: u32,
) -> tower_ballast_test::ResponseFuture<u32, ScriptError> {
    assert_eq!(ready(service), Poll::Ready(Ok(())));
    service.call(request)
}

#[test]
fn takes_steps_in_the_order_of_calls_and_then_the_standing_one() {
    let mut service = Scripted::echo();
    service.script().then(Step::fail());
    service.then_give(Ok(70));
    service.then_with(Step::answer().yields(1), |request| Ok(request * 2));

    let outcomes = time::drive(async {
        let mut outcomes = Vec::new();
        for request in 1..=4 {
            outcomes.push(service.ready().await.unwrap().call(request).await);
        }
        outcomes
    });

    assert_eq!(outcomes, [Err(ScriptError), Ok(70), Ok(6), Ok(4)]);
    assert_eq!(service.take_requests(), [1, 2, 3, 4]);
    assert_eq!(service.take_requests(), []);
}

#[test]
fn a_latency_passes_on_the_clock_of_the_runtime() {
    let mut service = Scripted::echo();
    service.script().always(Step::answer().after(Duration::from_secs(60)));

    let (outcome, took) = time::drive(async {
        let start = clock::now();
        let outcome = called(&mut service, 1).await;
        (outcome, clock::now().since(start))
    });

    assert_eq!((outcome, took), (Ok(1), Duration::from_secs(60)));
}

#[test]
fn yields_wake_each_time() {
    let mut service = Scripted::echo();
    service.script().always(Step::answer().yields(2));
    let (mut response, probe) = (called(&mut service, 1), Probe::new());
    let mut response = pin!(&mut response);

    assert!(probe.poll(response.as_mut()).is_pending());
    assert!(probe.poll(response.as_mut()).is_pending());
    assert_eq!(probe.poll(response.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!((probe.wakes(), service.script().tally().wakes), (2, 2));
}

#[test]
fn a_release_lets_go_who_hangs_now_and_wakes_the_last_waker() {
    let mut service = Scripted::echo();
    service.script().always(Step::hang());
    let (first, last) = (Probe::new(), Probe::new());
    let (mut one, mut two) = (Box::pin(called(&mut service, 1)), Box::pin(called(&mut service, 2)));

    assert!(first.poll(one.as_mut()).is_pending());
    assert!(last.poll(one.as_mut()).is_pending());
    service.script().release();

    assert_eq!((first.wakes(), last.wakes()), (0, 1));
    assert_eq!(last.poll(one.as_mut()), Poll::Ready(Ok(1)));
    assert!(last.poll(two.as_mut()).is_pending(), "it came to hang after the release");
}

#[test]
fn counts_who_is_alive_and_the_most_at_once() {
    let mut service = Scripted::echo();
    let responses: Vec<_> = (0..3).map(|request| called(&mut service, request)).collect();
    assert_eq!(service.script().tally().alive, 3);
    drop(responses);
    drop(called(&mut service, 4));

    let tally = service.script().tally();
    assert_eq!((tally.calls, tally.alive, tally.peak, tally.finished), (4, 0, 3, 0));
}

#[test]
fn notes_a_call_without_readiness_and_one_on_a_clone() {
    let mut service = Scripted::echo();
    assert_eq!(ready(&mut service), Poll::Ready(Ok(())));
    drop(service.clone().call(1));
    drop(service.call(2));
    drop(service.call(3));

    let expected = [Violation::CalledUnready { call: 1 }, Violation::CalledUnready { call: 3 }];
    assert_eq!(service.script().violations(), expected);
    assert_eq!(service.script().tally().violations, 2);
}

#[test]
fn notes_a_poll_after_the_end() {
    let mut service = Scripted::echo();
    let (mut response, probe) = (Box::pin(called(&mut service, 1)), Probe::new());
    assert!(probe.poll(response.as_mut()).is_ready());
    assert!(probe.poll(response.as_mut()).is_pending());

    assert_eq!(service.script().violations(), [Violation::PolledAfterEnd { call: 1 }]);
}

#[test]
fn counts_instances_that_were_asked_and_are_kept() {
    let mut service = Scripted::echo();
    let mut other = service.clone();
    assert!(ready(&mut service).is_ready());
    assert!(ready(&mut other).is_ready());
    assert_eq!(service.script().tally().polled, 2);
    drop(other);
    assert_eq!(service.script().tally().polled, 1);
    drop(service.call(1));
    assert_eq!(service.script().tally().polled, 0);
}

#[test]
fn readiness_comes_late_fails_and_panics_as_scripted() {
    let mut service = Scripted::echo();
    service.script().then_ready(Readiness::now().pending(1));
    service.script().then_ready(Readiness::fail());
    service.script().then_ready(Readiness::panic());

    assert!(ready(&mut service).is_pending());
    assert_eq!(ready(&mut service), Poll::Ready(Ok(())));
    drop(service.call(1));
    assert_eq!(ready(&mut service), Poll::Ready(Err(ScriptError)));
    assert!(catch_unwind(AssertUnwindSafe(|| ready(&mut service))).is_err());
    assert_eq!(ready(&mut service), Poll::Ready(Ok(())));
}

#[test]
fn a_panic_in_call_and_one_in_poll_leave_nobody_alive() {
    let mut service = Scripted::echo();
    service.script().then(Step::panic_in_call());
    service.script().then(Step::panic());

    assert!(catch_unwind(AssertUnwindSafe(|| called(&mut service, 1))).is_err());
    let mut response = Box::pin(called(&mut service, 2));
    assert!(catch_unwind(AssertUnwindSafe(|| time::poll_once(response.as_mut()))).is_err());
    drop(response);

    let tally = service.script().tally();
    assert_eq!((tally.calls, tally.alive, tally.violations), (2, 0, 0));
}

/// The original that `slots` is made after, and the copy, in the same situation.
#[test]
fn slots_are_held_like_those_of_towers_concurrency_limit() {
    fn holds<S>(mut service: S, mut other: S) -> [bool; 4]
    where
        S: Service<u32, Error: std::fmt::Debug>,
    {
        let probe = Probe::new();
        let first = probe.with(|cx| service.poll_ready(cx)).is_ready();
        let while_ready = probe.with(|cx| other.poll_ready(cx)).is_ready();
        let response = service.call(1);
        let while_alive = probe.with(|cx| other.poll_ready(cx)).is_ready();
        drop(response);
        let afterwards = probe.with(|cx| other.poll_ready(cx)).is_ready();
        [first, while_ready, while_alive, afterwards]
    }

    let original = ConcurrencyLimit::new(Scripted::echo(), 1);
    let copy = Scripted::echo();
    copy.script().slots(1);

    assert_eq!(holds(copy.clone(), copy), [true, false, false, true]);
    assert_eq!(holds(original.clone(), original), [true, false, false, true]);
}

#[test]
fn a_place_is_free_again_when_the_call_is_made() {
    let mut service = Scripted::echo();
    service.script().places(1);
    let mut other = service.clone();

    assert!(ready(&mut service).is_ready());
    assert!(ready(&mut other).is_pending());
    let _response = service.call(1);
    assert!(ready(&mut other).is_ready());
}

#[test]
fn slots_are_given_in_order_and_one_who_goes_hands_on() {
    let holder = &mut Scripted::echo();
    holder.script().slots(1);
    let (mut second, mut third) = (holder.clone(), holder.clone());
    let (waits, waits_longer) = (Probe::new(), Probe::new());

    assert!(ready(holder).is_ready());
    assert!(waits.with(|cx| second.poll_ready(cx)).is_pending());
    assert!(waits_longer.with(|cx| third.poll_ready(cx)).is_pending());
    drop(holder.call(1));

    assert_eq!((waits.wakes(), waits_longer.wakes()), (1, 0));
    assert!(ready(&mut third).is_pending(), "the second was there before");
    drop(second);
    assert!(ready(&mut third).is_ready());
}
