use std::{
    cell::Cell,
    future::pending,
    sync::{Arc, Mutex},
};

use tower::ServiceBuilder;
use tower_ballast_core::{Budget, Event, Reason, Rejected, idempotent};
use tower_ballast_retry::RetryLayer;

use super::*;
use crate::{BulkheadLayer, MetricsLayer, retry};

fn reason(error: &BoxError) -> Option<Reason> {
    Rejected::find(&**error).map(Rejected::reason)
}

#[tokio::test(start_paused = true)]
async fn work_of_any_type_shares_one_circuit() {
    let guard = Guard::new("inventory");
    for _ in 0..20 {
        guard.run(|| async { Err::<String, _>("down") }).await.unwrap_err();
    }
    let refused = guard.run(|| async { Ok::<u32, std::io::Error>(7) }).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Reason::CircuitOpen));
    assert!(refused.to_string().starts_with("inventory: the circuit is open"), "{refused}");
    assert!(guard.clone().run(|| async { Ok::<_, BoxError>(()) }).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn work_that_hangs_ends() {
    let guard = Guard::new("inventory");
    let error = guard.run(pending::<Result<(), BoxError>>).await.unwrap_err();
    assert_eq!(reason(&error), Some(Reason::Timeout));
}

#[tokio::test(start_paused = true)]
async fn work_may_borrow_and_is_begun_again() {
    let (begun, text) = (Cell::new(0), String::from("borrowed"));
    let metrics = MetricsLayer::new();
    let stack = ServiceBuilder::new()
        .layer(metrics.clone())
        .layer(RetryLayer::new(idempotent()).retries(2))
        .layer(BulkheadLayer::new(1));
    let guard = Guard::with("inventory", stack);
    let work = || async {
        begun.set(begun.get() + 1);
        if begun.get() < 3 { Err("not yet") } else { Ok(text.len()) }
    };
    assert_eq!(guard.run(work).await.unwrap(), 8);
    assert_eq!((begun.get(), metrics.handle().of("requests").unwrap().whole.count), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn plain_work_is_begun_again_within_the_budget_of_its_policy() {
    let begun = Cell::new(0);
    let policy = RetryLayer::new(idempotent()).retries(2).budget(Budget::new().initial(3));
    let work = || async {
        begun.set(begun.get() + 1);
        if begun.get() < 9 { Err("not yet") } else { Ok("done") }
    };
    // Three attempts, two, and one each from then on, for the budget is used up.
    for attempts in [3, 5, 6, 7, 8] {
        assert_eq!(retry(&policy, work).await, Err("not yet"));
        assert_eq!(begun.get(), attempts);
    }
    assert_eq!(retry(&policy, work).await, Ok("done"));
}

#[tokio::test]
async fn a_lesser_answer_takes_the_place_of_an_error_and_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let guard = Guard::new("inventory")
        .observer(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
    let fail = || async { Err::<u32, _>("down") };
    assert_eq!(guard.run_or(fail, |_| Ok(7)).await.unwrap(), 7);
    assert_eq!(guard.run_or(fail, Err).await.unwrap_err().to_string(), "down");
    guard.layers().0.handle().force_open();
    assert_eq!(guard.run_or(fail, |_| Ok(8)).await.unwrap(), 8);
    guard.layers().0.handle().reset();
    assert_eq!(guard.run_or(|| async { Ok::<_, BoxError>(9) }, |_| Ok(0)).await.unwrap(), 9);
    let expected =
        ["inventory fell_back reason=transient", "inventory fell_back reason=circuit_forced_open"];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test]
async fn it_can_be_sent_to_a_task() {
    let guard = Guard::new("inventory");
    let task = tokio::spawn(async move { guard.run(|| async { Ok::<_, BoxError>(1) }).await });
    assert_eq!(task.await.unwrap().unwrap(), 1);
}
