//! The simulator against theory, and against itself.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_ballast_core::{Multiplier, Priority};
use tower_service::Service;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn exponential(workers: u32) -> Server {
    Server::new(workers, ServiceTime::exponential(millis(10))).queue(1_000_000)
}

/// The share of the calls that wait in a queue M/M/c, by Erlang's formula C.
fn erlang_c(workers: u32, offered: f64) -> f64 {
    let c = f64::from(workers);
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..workers {
        term *= offered / f64::from(n);
        sum += term;
    }
    let last = term * offered / c * c / (c - offered);
    last / (sum + last)
}

#[test]
fn a_queue_is_as_long_as_erlang_says() {
    for (workers, load) in [(1, 0.7), (4, 0.8), (10, 0.9)] {
        let capacity = exponential(workers).capacity();
        let until = Duration::from_secs_f64(200_000.0 / (capacity * load));
        let recording = simulate(3, async |scene| {
            let backend = scene.serve(exponential(workers));
            let streams = [Stream::per_second(capacity * load)];
            scene.offer(&streams, until, |_| backend.clone()).await
        });
        // Mean time in the system: the service, and the wait of those who wait.
        let offered = load * f64::from(workers);
        let wait = erlang_c(workers, offered) / (capacity * (1.0 - load));
        let expected = 0.010 + wait;
        let found = recording.mean_latency(Duration::ZERO..until).as_secs_f64();
        assert!((found / expected - 1.0).abs() < 0.05, "{workers} at {load}: {found}, {expected}");
    }
}

#[test]
fn an_overloaded_server_gives_its_capacity_and_no_more() {
    let recording = simulate(5, async |scene| {
        let backend = scene.serve(exponential(10));
        let stream = Stream::per_second(2_000.0);
        scene.offer(&[stream], 20 * SECOND, |_| backend.clone()).await
    });
    let goodput = recording.goodput(SECOND..20 * SECOND);
    assert!((goodput - 1_000.0).abs() < 30.0, "{goodput}");
}

/// A scenario with all there is in it.
fn eventful(seed: u64) -> (Recording, Vec<u64>) {
    simulate(seed, async |scene| {
        let server = exponential(10)
            .at(2 * SECOND, Change::Slowdown(Multiplier::TWO))
            .at(4 * SECOND, Change::Down)
            .at(5 * SECOND, Change::Up);
        let backend = scene.serve(server);
        let streams = [
            Stream::per_second(20.0).clients(0..20).deadline(millis(500)),
            Stream::per_second(50.0).clients(20..22).evenly().priority(Priority::Batch),
        ];
        let recording = scene.offer(&streams, 8 * SECOND, |_| backend.clone()).await;
        (recording, backend.arrivals().curve(Duration::ZERO..8 * SECOND, millis(10)))
    })
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed| format!("{:?}", eventful(seed)).into_bytes();
    assert!(bytes(1) == bytes(1));
    assert!(bytes(1) != bytes(2));
}

#[test]
fn every_call_has_the_end_that_its_client_saw() {
    let (recording, curve) = eventful(1);
    let (down, up) = (4 * SECOND..5 * SECOND, 5 * SECOND..8 * SECOND);
    assert!(recording.share(down.clone(), End::Failed) > 0.99);
    assert!(recording.success(up.clone()) > 0.99);
    assert_eq!(recording.recovery(4 * SECOND, 8 * SECOND, 0.99), Some(SECOND));
    assert_eq!(recording.recovery(3 * SECOND, 5 * SECOND, 0.9), None);
    assert_eq!(curve.iter().sum::<u64>(), recording.calls().len() as u64);

    let batch = recording.only(|call| call.priority() == Priority::Batch);
    assert_eq!(batch.offered(Duration::ZERO..8 * SECOND), 800);
    let table = recording.to_string();
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.contains("| batch | 800 |"), "{table}");
}

#[test]
fn an_answer_after_the_deadline_is_late() {
    let recording = simulate(1, async |scene| {
        let server = Server::new(1, ServiceTime::constant(millis(30))).queue(10);
        let backend = scene.serve(server);
        let stream = Stream::per_second(50.0).evenly().deadline(millis(45));
        scene.offer(&[stream], millis(50), |_| backend.clone()).await
    });
    let ends: Vec<End> = recording.calls().iter().map(Recorded::end).collect();
    assert_eq!(ends, [End::Success, End::Success, End::Late]);
    assert_eq!(recording.calls()[2].took(), millis(50));
}

#[test]
fn a_call_that_nobody_answers_is_told_so() {
    let recording = simulate(1, async |scene| {
        let backend = scene.serve(exponential(1).at(Duration::ZERO, Change::Hung));
        scene.offer(&[Stream::per_second(10.0).evenly()], SECOND, |_| backend.clone()).await
    });
    assert_eq!(recording.offered(Duration::ZERO..SECOND), 10);
    assert!(recording.calls().iter().all(|call| call.end() == End::Unanswered));
}

/// In which tasks a service finds itself that takes so long, at fifty even calls a second.
fn tasks(took: Duration) -> usize {
    let tasks = Arc::new(Mutex::new(HashSet::new()));
    let noted = Arc::clone(&tasks);
    simulate(1, async |scene| {
        let backend = scene.serve(Server::new(10, ServiceTime::constant(took)));
        let service = tower::service_fn(move |call| {
            noted.lock().unwrap().insert(tokio::task::id());
            backend.clone().call(call)
        });
        scene.offer(&[Stream::per_second(50.0).evenly()], SECOND, |_| service.clone()).await
    });
    tasks.lock().unwrap().len()
}

#[test]
fn there_are_as_many_tasks_as_calls_at_once() {
    assert_eq!((tasks(millis(15)), tasks(millis(50))), (1, 3));
}

#[test]
fn a_call_that_panics_takes_no_other_with_it() {
    let recording = simulate(1, async |scene| {
        let backend = scene.serve(exponential(10));
        let service = tower::service_fn(move |call: Call| {
            assert!(call.number != 3, "as the test wants it");
            backend.clone().call(call)
        });
        scene.offer(&[Stream::per_second(10.0).evenly()], SECOND, |_| service.clone()).await
    });
    let ends: Vec<End> = recording.calls().iter().map(Recorded::end).collect();
    assert_eq!(ends.iter().filter(|end| **end == End::Success).count(), 9);
    assert_eq!(ends[3], End::Unanswered);
}

#[test]
fn fairness_is_one_for_equals_and_a_share_for_one_who_has_all() {
    let whole = Duration::ZERO..SECOND;
    let shared = |winners: u32| {
        simulate(1, async |scene| {
            let well = scene.serve(Server::new(1_000, ServiceTime::constant(millis(1))));
            let down = scene.serve(exponential(1).at(Duration::ZERO, Change::Down));
            let streams = [Stream::per_second(100.0).clients(0..10).evenly()];
            let client = |client| if client < winners { well.clone() } else { down.clone() };
            scene.offer(&streams, SECOND, client).await
        })
    };
    assert!((shared(10).fairness(whole.clone()) - 1.0).abs() < 1e-9);
    assert!((shared(1).fairness(whole.clone()) - 0.1).abs() < 1e-9);
    assert!(shared(9).worst_client(whole) < 1e-9);
}

#[test]
fn percentiles_are_those_of_the_sorted_list() {
    let recording = simulate(2, async |scene| {
        let backend = scene.serve(exponential(1_000));
        scene.offer(&[Stream::per_second(1_000.0)], 20 * SECOND, |_| backend.clone()).await
    });
    let mut took: Vec<Duration> = recording.calls().iter().map(Recorded::took).collect();
    took.sort_unstable();
    let whole = || Duration::ZERO..20 * SECOND;
    assert_eq!(recording.percentile(whole(), 1.0), took[took.len() - 1]);
    assert_eq!(recording.percentile(whole(), 0.0), took[0]);
    assert_eq!(recording.percentile(whole(), 0.5), took[took.len().div_ceil(2) - 1]);
    // The median of an exponential distribution is its mean times ln 2.
    let median = recording.percentile(whole(), 0.5).as_secs_f64();
    assert!((median / 0.006_931 - 1.0).abs() < 0.03, "{median}");
}

#[test]
fn a_span_without_calls_is_a_success_of_length_zero() {
    let (nothing, span) = (Recording::default(), SECOND..2 * SECOND);
    assert_eq!(
        (nothing.offered(span.clone()), nothing.percentile(span.clone(), 0.5)),
        (0, Duration::ZERO)
    );
    assert!(nothing.success(span.clone()) >= 1.0 && nothing.fairness(span) >= 1.0);
}
