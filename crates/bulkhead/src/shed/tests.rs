use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, Enforcement, EventKind, Priority, Ratio, Reason, Rejected, facts,
};

use super::*;
use crate::system::SystemLoad;

const FULL: Ratio = Ratio::ONE;

/// Which classes are let through.
async fn admitted(layer: &ShedLayer) -> Vec<Priority> {
    let layer = layer.clone().facts(facts().priority_from(|class: &Priority| Some(*class)));
    let mut service = layer.layer(service_fn(async |class| Ok::<_, BoxError>(class)));
    let mut admitted = Vec::new();
    for class in Priority::ALL {
        match service.ready().await.unwrap().call(class).await {
            Ok(class) => admitted.push(class),
            Err(error) => {
                assert_eq!(Rejected::find(&*error).unwrap().reason(), Reason::Overloaded);
            }
        }
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn what_matters_least_is_refused_first_and_what_matters_most_never() {
    let load = SystemLoad::new();
    let layer = ShedLayer::new(&load);
    for most in [4, 3, 2, 1, 1, 1] {
        assert_eq!(admitted(&layer).await, Priority::ALL[..most]);
        load.set(FULL);
    }
    // Two words: the last of the loop above counts as this one.
    for most in [3, 4, 4] {
        load.set(Ratio::percent::<20>());
        assert_eq!(admitted(&layer).await, Priority::ALL[..most]);
    }
}

#[tokio::test(start_paused = true)]
async fn each_reading_counts_once_however_many_ask() {
    let load = SystemLoad::new();
    let layer = ShedLayer::new(&load);
    load.set(FULL);
    for _ in 0..10 {
        assert_eq!(admitted(&layer).await, Priority::ALL[..3]);
    }
    // And each counts, though nobody asked between them.
    load.set(FULL);
    load.set(FULL);
    assert_eq!(admitted(&layer).await, Priority::ALL[..1]);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_nobody_tells_any_more_refuses_nothing() {
    let load = SystemLoad::new();
    let layer = ShedLayer::new(&load);
    load.set(FULL);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(admitted(&layer).await, Priority::ALL[..3]);
    assert_eq!(load.get(), FULL);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(admitted(&layer).await, Priority::ALL);
    assert_eq!(load.get(), Ratio::ZERO);
}

#[tokio::test(start_paused = true)]
async fn changes_and_refusals_are_told() {
    let (load, told) = (SystemLoad::new(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&told);
    let layer = ShedLayer::new(&load).enforcement(Enforcement::Shadow).on_event(move |event| {
        log.lock().unwrap().push((event.kind, event.from, event.to, event.shadow));
    });
    load.set(FULL);
    assert_eq!(admitted(&layer).await, Priority::ALL);
    load.set(Ratio::ZERO);
    assert_eq!(admitted(&layer).await, Priority::ALL);
    assert_eq!(
        *told.lock().unwrap(),
        [
            (EventKind::StateChanged, "none", "batch", false),
            (EventKind::Refused, "", "", true),
            (EventKind::StateChanged, "batch", "none", false),
        ]
    );
    assert_eq!(layer.handle().refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_highest_class_is_refused_only_by_a_threshold_of_its_own() {
    let load = SystemLoad::new();
    let layer = ShedLayer::new(&load)
        .thresholds(Thresholds::default().high(Ratio::percent::<99>()))
        .hysteresis(Ratio::percent::<10>());
    for _ in 0..4 {
        load.set(Ratio::percent::<99>());
    }
    assert_eq!(admitted(&layer).await, []);
    load.set(Ratio::percent::<90>());
    assert_eq!(admitted(&layer).await, []);
    load.set(Ratio::percent::<88>());
    assert_eq!(admitted(&layer).await, [Priority::High]);
}

#[tokio::test(start_paused = true)]
async fn a_separate_layer_goes_by_the_same_load_with_a_level_of_its_own() {
    let load = SystemLoad::new();
    let layer = ShedLayer::new(&load);
    load.set(FULL);
    load.set(FULL);
    assert_eq!(admitted(&layer).await, Priority::ALL[..2]);
    let separate = layer.separate();
    assert_eq!(admitted(&separate).await, Priority::ALL[..2]);
    assert_eq!(separate.handle().refused(), 2);
}
