//! Time stands still until it is moved.

use std::time::Duration;

use tokio::sync::oneshot;
use tower_ballast_core::clock;
use tower_ballast_test::{Probe, time};

#[test]
fn the_clock_of_the_layers_moves_exactly_as_far_as_told() {
    let moved = time::drive(async {
        let start = clock::now();
        time::settle().await;
        time::advance(Duration::from_millis(1500)).await;
        time::jump(Duration::from_nanos(7)).await;
        time::advance(Duration::from_nanos(1)).await;
        clock::now().since(start)
    });
    assert_eq!(moved, Duration::from_nanos(1_500_000_008));
}

#[test]
fn a_task_just_spawned_feels_all_of_the_advance() {
    time::drive(async {
        let task = tokio::spawn(tokio::time::sleep(Duration::from_secs(5)));
        time::advance(Duration::from_secs(5)).await;
        assert!(task.is_finished());
    });
}

#[test]
fn settling_follows_a_long_chain_of_tasks() {
    time::drive(async {
        let (first, mut last) = oneshot::channel();
        for _ in 0..100 {
            let (next, after) = oneshot::channel();
            let before = std::mem::replace(&mut last, after);
            tokio::spawn(async move { next.send(before.await.unwrap()) });
        }
        first.send(7).unwrap();
        time::settle().await;
        assert_eq!(last.try_recv(), Ok(7));
    });
}

#[test]
fn a_probe_tells_each_wake_up_once() {
    let probe = Probe::new();
    assert!(!probe.was_woken());
    probe.waker().wake();
    probe.waker().wake_by_ref();
    assert_eq!(probe.wakes(), 2);
    assert!(probe.was_woken());
    assert!(!probe.was_woken());
}
