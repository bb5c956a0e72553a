//! Exactly how often each layer allocates: never on the happy path, once for a refusal.

use std::{
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, Service};
use tower_ballast::{
    Guard, PerKeyLayer,
    bulkhead::{
        adaptive::{AdaptiveLayer, Aimd, BandwidthDelay, ClientWindow, Gradient2, Limiter, Vegas},
        shed::{ShedLayer, Thresholds},
        system::SystemLoad,
        throttle::ThrottleLayer,
    },
    circuit_breaker::WindowOf,
    core::{Key, clock},
    http::RespondLayer,
    http_client, http_server,
    prelude::*,
    rate_limit::{KeyLimit, Tier, adjust::Limits},
};
use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};

/// Answers at once, and allocates nothing.
#[derive(Debug, Clone)]
struct Inner<T>(T);

impl<R, T: Clone> Service<R> for Inner<T> {
    type Response = T;
    type Error = BoxError;
    type Future = Ready<Result<T, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        ready(Ok(self.0.clone()))
    }
}

/// An HTTP response is not `Clone` for nothing: its header map is, and an empty one is free.
#[derive(Debug, Clone)]
struct Ok200;

impl<R> Service<R> for Ok200 {
    type Response = http::Response<Empty<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        ready(Ok(http::Response::new(Empty::new())))
    }
}

fn poll_to_end<S: Service<R>, R>(service: &mut S, request: R) -> Result<S::Response, S::Error> {
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(cx).is_ready());
    match pin!(service.call(request)).poll(cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("these services answer at once"),
    }
}

/// What one call allocates, after a few that may set something up once.
fn of_a_call<S, R>(service: &mut S, request: impl Fn() -> R) -> AllocationInfo
where
    S: Service<R>,
{
    on_paused_time(async {
        for _ in 0..10 {
            let _ = poll_to_end(service, request());
        }
        of_one(service, request())
    })
}

fn of_one<S, R>(service: &mut S, request: R) -> AllocationInfo
where
    S: Service<R>,
{
    let mut outcome = None;
    let info = measure(|| outcome = Some(poll_to_end(service, request)));
    drop(outcome);
    info
}

/// Nothing that a layer does once in a while comes between two calls.
fn on_paused_time<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

fn happy<L>(layer: &L) -> u64
where
    L: Layer<Inner<()>>,
    L::Service: Service<()>,
{
    of_a_call(&mut layer.layer(Inner(())), || ()).count_total
}

#[track_caller]
fn assert_one_small_box(info: AllocationInfo) {
    assert_eq!(info.count_total, 1);
    assert!(info.bytes_total <= 64, "{} bytes", info.bytes_total);
}

#[test]
fn a_timeout_allocates_nothing_and_its_refusal_one_box() {
    let second = Duration::from_secs(1);
    assert_eq!(happy(&TimeoutLayer::new(second)), 0);
    assert_eq!(happy(&TimeoutLayer::total(second)), 0);
    assert_eq!(happy(&TimeoutLayer::new(second).cover_readiness()), 0);

    let passed = Deadline::at(clock::now());
    let known = facts().deadline_from(move |(): &()| Some(passed));
    let mut service = TimeoutLayer::new(second).facts(known).layer(Inner(()));
    assert_one_small_box(of_a_call(&mut service, || ()));
}

#[test]
fn a_circuit_breaker_allocates_nothing_and_its_refusal_one_box() {
    assert_eq!(happy(&CircuitBreakerLayer::new()), 0);
    assert_eq!(happy(&CircuitBreakerLayer::new().wait(Duration::from_secs(1), 10)), 0);
    let calls = CircuitBreakerLayer::new().window(WindowOf::Calls(count::<100>()));
    assert_eq!(happy(&calls), 0);

    let open = CircuitBreakerLayer::new().name("payments");
    open.handle().force_open();
    assert_one_small_box(of_a_call(&mut open.layer(Inner(())), || ()));
}

#[test]
fn a_retry_layer_allocates_nothing_while_the_first_attempt_succeeds() {
    assert_eq!(happy(&RetryLayer::new(idempotent())), 0);
    assert_eq!(happy(&RetryLayer::new(idempotent()).budget(Budget::unlimited())), 0);
}

#[test]
fn a_bulkhead_allocates_nothing_and_its_refusal_one_box() {
    assert_eq!(happy(&BulkheadLayer::new(1)), 0);
    assert_eq!(happy(&BulkheadLayer::new(1).queue(10)), 0);
    for refused in [
        of_a_call(&mut BulkheadLayer::new(0).name("reports").layer(Inner(())), || ()),
        of_a_call(&mut BulkheadLayer::new(0).queue(0).layer(Inner(())), || ()),
    ] {
        assert_one_small_box(refused);
    }
}

#[test]
fn a_limit_that_finds_itself_allocates_nothing() {
    fn of(limiter: impl Limiter + 'static) -> u64 {
        let bulkhead = BulkheadLayer::new(0).queue(10);
        let found = AdaptiveLayer::new(&bulkhead, limiter).facts(idempotent());
        happy(&(bulkhead, found))
    }
    let second = Duration::from_secs(1);
    assert_eq!(of(ClientWindow::new(second).initial(1)), 0);
    // Each call moves it: down by what takes too long, or up.
    assert_eq!(of(Aimd::new(Duration::ZERO)), 0);
    assert_eq!(of(Aimd::new(second).initial(1)), 0);
    assert_eq!(of(Vegas::new().initial(1)), 0);
    assert_eq!(of(Gradient2::new().initial(1)), 0);
    assert_eq!(of(BandwidthDelay::new().initial(1)), 0);
}

#[test]
fn a_throttle_allocates_nothing_and_its_refusal_one_box() {
    assert_eq!(happy(&ThrottleLayer::new()), 0);
    let refusing =
        || ThrottleLayer::new().fewest_requests(count::<1>()).most_refused(Ratio::ONE).name("a");
    // With nothing accepted one in a thousand is let through; seed 1 refuses the next one.
    let layer = refusing().seed(1).classify(|_: Result<&(), &BoxError>| Verdict::throttled());
    on_paused_time(async {
        let mut service = layer.layer(Inner(()));
        for _ in 0..1000 {
            let _ = poll_to_end(&mut service, ());
        }
        assert_one_small_box(of_one(&mut service, ()));
    });
}

#[test]
fn shedding_allocates_nothing_and_its_refusal_one_box() {
    assert_eq!(happy(&ShedLayer::new(&SystemLoad::new())), 0);
    let load = SystemLoad::new();
    let all = Thresholds::default().high(Ratio::ZERO).medium(Ratio::ZERO);
    let layer = ShedLayer::new(&load).thresholds(all.low(Ratio::ZERO).batch(Ratio::ZERO)).name("a");
    on_paused_time(async {
        let mut service = layer.layer(Inner(()));
        for _ in 0..4 {
            load.set(Ratio::ONE);
            let _ = poll_to_end(&mut service, ());
        }
        assert_one_small_box(of_one(&mut service, ()));
    });
}

#[test]
fn a_rate_limit_allocates_nothing_and_its_refusal_one_box() {
    let ample = Quota::per_second(count::<1_000_000>());
    assert_eq!(happy(&PriorityRateLimitLayer::new(ample)), 0);
    assert_eq!(happy(&PriorityRateLimitLayer::new(ample).queue(10)), 0);
    for refused in [
        of_a_call(
            &mut PriorityRateLimitLayer::new(Quota::CLOSED).name("a").layer(Inner(())),
            || (),
        ),
        of_a_call(&mut PriorityRateLimitLayer::new(Quota::CLOSED).queue(0).layer(Inner(())), || ()),
    ] {
        assert_one_small_box(refused);
    }
}

#[test]
fn a_rate_limit_that_measures_allocates_nothing_also_at_the_end_of_a_period() {
    let ample = Quota::per_second(count::<1_000_000>());
    let limits = Limits::new().errors(Ratio::ONE).latency(Duration::MAX);
    let layer = PriorityRateLimitLayer::new(ample).adjust(limits);
    assert_eq!(happy(&layer), 0);
    assert_eq!(happy(&layer.clone().queue(10)), 0);
    on_paused_time(async {
        let mut service = layer.layer(Inner(()));
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(of_one(&mut service, ()).count_total, 0);
        }
    });
}

#[test]
fn a_limit_by_key_allocates_nothing_for_a_key_that_owes_and_its_refusal_one_box() {
    let ample = Quota::per_second(count::<1_000_000>());
    let key = |(): &()| Some(Key::of("any"));
    let limited =
        |quota| PriorityRateLimitLayer::new(ample).per_key(KeyLimit::new(1000, quota), key);
    assert_eq!(happy(&limited(ample)), 0);
    assert_eq!(happy(&limited(ample).queue(10)), 0);
    let tier = |(): &()| Some((Key::of("any"), Tier::of::<1>()));
    let tiered = KeyLimit::new(1000, Quota::CLOSED).tier(Tier::of::<1>(), ample);
    assert_eq!(happy(&PriorityRateLimitLayer::new(ample).per_key(tiered, tier)), 0);
    let other = KeyLimit::new(1000, Quota::CLOSED).exception(Key::of("any"), ample);
    assert_eq!(happy(&PriorityRateLimitLayer::new(ample).per_key(other, key)), 0);
    for refused in [
        of_a_call(&mut limited(Quota::CLOSED).layer(Inner(())), || ()),
        of_a_call(&mut limited(Quota::per_hour(count::<1>())).queue(10).layer(Inner(())), || ()),
    ] {
        assert_one_small_box(refused);
    }
}

#[test]
fn a_guaranteed_share_allocates_nothing_within_the_limit_ahead_of_it_or_beyond() {
    let (ample, hour) = (Quota::per_second(count::<1_000_000>()), Quota::per_hour(count::<1>()));
    let key = |(): &()| Some(Key::of("any"));
    let sharing = |limit: Quota, share| {
        PriorityRateLimitLayer::new(limit).per_key(KeyLimit::new(1000, share).guaranteed(), key)
    };
    assert_eq!(happy(&sharing(ample, ample)), 0, "within");
    assert_eq!(happy(&sharing(ample, hour)), 0, "borrowed");
    let layer = sharing(hour.burst(count::<8>()), ample);
    assert_eq!(happy(&layer), 0, "ahead");
    assert_eq!(layer.handle().statistics().of(Priority::Medium).guaranteed, 3);
    assert_eq!(happy(&sharing(hour.burst(count::<8>()), ample).queue(10)), 0, "ahead");
    assert_one_small_box(of_a_call(&mut sharing(hour, hour).layer(Inner(())), || ()));
}

#[test]
fn the_refusal_of_a_client_allocates_one_box_and_seldom_a_larger_table_of_promises() {
    let known = facts().key_from(|client: &u32| Some(Key::of(client)));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>())).facts(known);
    on_paused_time(async {
        let mut service = layer.layer(Inner(()));
        while poll_to_end(&mut service, 0).is_ok() {}
        // Each is a client of its own, up to more than are remembered.
        let refused = (1..=5000).map(|client| of_one(&mut service, client).count_total);
        let (boxes, larger): (Vec<u64>, Vec<u64>) = refused.partition(|count| *count == 1);
        assert!(larger.iter().all(|count| *count == 2), "{larger:?}");
        // Twice as large each time, up to 4096.
        assert!(larger.len() <= 12, "{} of {}", larger.len(), boxes.len());
        assert_one_small_box(of_one(&mut service, 4000));
    });
}

#[test]
fn who_waits_takes_a_place_that_is_given_back_and_a_hundred_thousand_cancels_leave_nothing() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .facts(facts().priority_from(|n: &u32| Some(Priority::ALL[(*n % 4) as usize])))
        .queue(1000)
        .longest_wait(Duration::MAX);
    on_paused_time(async {
        let (mut service, cx) = (layer.layer(Inner(())), &mut Context::from_waker(Waker::noop()));
        poll_to_end(&mut service, 0).unwrap();
        let mut wait = |number| {
            assert!(service.poll_ready(cx).is_ready());
            let mut call = Box::pin(service.call(number));
            assert!(call.as_mut().poll(cx).is_pending());
            call
        };
        let first = wait(0);
        // Its box, and the places of a request and of its client when others wait already.
        let info = measure(|| drop(wait(0)));
        assert!(info.count_total <= 4, "{} allocations", info.count_total);
        drop(first);
        let left = measure(|| {
            for round in 0..1000 {
                let calls: Vec<_> = (0..100).map(&mut wait).collect();
                // From the middle, the end and the beginning.
                let (even, odd): (Vec<_>, Vec<_>) = calls
                    .into_iter()
                    .enumerate()
                    .partition(|(number, _)| (number + round) % 2 == 0);
                drop(odd);
                drop(even);
            }
        });
        assert_eq!((left.count_current, left.bytes_current), (0, 0));
        assert_eq!(layer.handle().waiting(), 0);
    });
}

#[test]
fn a_fallback_allocates_nothing_while_it_is_not_wanted() {
    assert_eq!(happy(&FallbackLayer::value(())), 0);
    assert_eq!(happy(&FallbackLayer::outcome(|outcome: Result<(), BoxError>| outcome)), 0);
    assert_eq!(happy(&FallbackLayer::service(Inner(()))), 0);
}

#[test]
fn a_hit_allocates_nothing_and_calls_state_their_count() {
    let minute = Duration::from_secs(60);
    assert_eq!(happy(&CacheLayer::<_, (), ()>::new(minute, |(): &()| Some(()))), 0);
    assert_eq!(happy(&CacheLayer::<_, (), ()>::new(minute, |(): &()| None)), 0);
    assert_eq!(happy(&CoalesceLayer::<_, (), ()>::new(|(): &()| None)), 0);
    // The call, and the place of its callers.
    let shared = CoalesceLayer::<_, (), ()>::new(|(): &()| Some(()));
    assert_eq!(happy(&shared), 2);
    // And what is kept.
    let uncached = CacheLayer::<_, (), ()>::new(Duration::ZERO, |(): &()| Some(()));
    assert_eq!(happy(&uncached), 3);
}

#[test]
fn metrics_allocate_nothing_for_an_operation_that_is_known() {
    assert_eq!(happy(&MetricsLayer::new()), 0);
    assert_eq!(happy(&MetricsLayer::new().operation(|(): &()| "any")), 0);
    assert_eq!(happy(&MetricsLayer::new().most_operations(0).operation(|(): &()| "any")), 0);
}

#[test]
fn the_minute_of_metrics_uses_its_memory_again() {
    on_paused_time(async {
        let mut service = MetricsLayer::new().layer(Inner(()));
        for _ in 0..120 {
            tokio::time::advance(Duration::from_secs(1)).await;
            poll_to_end(&mut service, ()).unwrap();
        }
        for _ in 0..60 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(of_one(&mut service, ()).count_total, 0);
        }
    });
}

#[test]
fn a_stack_per_key_allocates_nothing_for_a_key_that_is_known() {
    let key = |(): &()| Key::of("any");
    assert_eq!(happy(&PerKeyLayer::new(10, key, |(): &()| BulkheadLayer::new(10))), 0);
}

#[test]
fn a_guard_allocates_nothing() {
    let (guard, cx) = (Guard::new("any"), &mut Context::from_waker(Waker::noop()));
    let mut run = || {
        let work = guard.run(|| ready(Ok::<_, BoxError>(7)));
        matches!(pin!(work).poll(cx), Poll::Ready(Ok(7)))
    };
    assert!(run());
    let mut answered = false;
    assert_eq!(measure(|| answered = run()).count_total, 0);
    assert!(answered);
}

#[test]
fn the_stack_allocates_nothing() {
    let stack = (
        MetricsLayer::new(),
        TimeoutLayer::total(Duration::from_secs(30)),
        RetryLayer::new(idempotent()),
        BulkheadLayer::new(100),
        CircuitBreakerLayer::new(),
        TimeoutLayer::new(Duration::from_secs(10)),
    );
    assert_eq!(happy(&stack), 0);
}

/// What a call to a service takes on the stack, or in the task that drives it.
fn size_of_a_call<S: Service<R>, R>(service: &mut S, request: R) -> usize {
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(cx).is_ready());
    size_of_val(&service.call(request))
}

#[test]
fn futures_are_small() {
    let minute = Duration::from_secs(60);
    // Seven that pass readiness through; the inner future is 16 bytes.
    let seven = (
        MetricsLayer::new(),
        TimeoutLayer::total(minute),
        FallbackLayer::value(()),
        PriorityRateLimitLayer::new(Quota::per_second(count::<1_000_000>())),
        BulkheadLayer::new(100),
        CircuitBreakerLayer::new(),
        TimeoutLayer::new(minute),
    );
    let get = || http::Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
    on_paused_time(async {
        // Two timers of tokio are most of it, and in the client's the request that is kept.
        assert!(size_of_a_call(&mut seven.layer(Inner(())), ()) <= 480);
        let client = size_of_a_call(&mut http_client().layer(Ok200), get());
        let server = size_of_a_call(&mut http_server().layer(Ok200), get());
        assert!(client <= 1312 && server <= 360, "{client} and {server} bytes");
        // What a call that is shared takes is copied with each hit.
        let mut cached = CacheLayer::<_, u64, ()>::new(minute, |(): &()| Some(7)).layer(Inner(()));
        let hit = size_of_a_call(&mut cached, ());
        assert!(hit <= 96, "{hit} bytes");
    });
}

#[test]
fn the_server_preset_allocates_only_for_the_deadline_it_writes_on_the_request() {
    let request = || http::Request::new(Empty::<Bytes>::new());
    let of_the_server = of_a_call(&mut http_server().layer(Ok200), request).count_total;
    let of_an_extension = measure(|| {
        let mut request = request();
        request.extensions_mut().insert(Deadline::at(clock::now()));
    });
    assert_eq!(of_the_server, of_an_extension.count_total);
}

#[test]
fn an_answer_in_place_of_an_error_states_its_count() {
    let open = CircuitBreakerLayer::new();
    open.handle().force_open();
    let stack = (RespondLayer::new(), open);
    let mut service = stack.layer(Ok200);
    let info = of_a_call(&mut service, || http::Request::new(Full::<Bytes>::default()));
    // The rejection's box, and three for the answer.
    assert_eq!(info.count_total, 4);
}

#[test]
fn a_client_preset_allocates_only_for_the_marks_and_the_spare_request() {
    let request = || http::Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
    let info = of_a_call(&mut http_client().layer(Ok200), request);
    // Four for the two marks in its extensions, three for the copy of them that a retry would need.
    assert_eq!(info.count_total, 7);
}

#[test]
fn a_hit_of_the_http_cache_states_its_count_whatever_the_size_of_the_body() {
    let hit = |size: usize| {
        on_paused_time(async {
            let page = Page(Bytes::from(vec![b'a'; size]));
            let mut service = HttpCacheLayer::new(Rules::shared()).layer(page);
            let request = || http::Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
            let first = poll_to_end(&mut service, request()).unwrap();
            first.into_body().collect().await.unwrap();
            assert_eq!(poll_to_end(&mut service, request()).unwrap().headers()["age"], "0");
            of_one(&mut service, request()).count_total
        })
    };
    // For the key, the map of fields, `Age` and `Cache-Status`.
    assert_eq!((hit(1), hit(1_000_000)), (8, 8));
}

/// Says that it may be kept for a minute.
#[derive(Debug, Clone)]
struct Page(Bytes);

impl<R> Service<R> for Page {
    type Response = http::Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        let mut response = http::Response::new(Full::new(self.0.clone()));
        response.headers_mut().insert("cache-control", HeaderValue::from_static("max-age=60"));
        ready(Ok(response))
    }
}
