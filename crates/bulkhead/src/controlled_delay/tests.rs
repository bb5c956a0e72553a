use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, Rejected, clock, facts,
    ranks::{Place, Rank},
};

use super::*;
use crate::BulkheadLayer;

const TARGET: Duration = Duration::from_millis(5);
const INTERVAL: Duration = Duration::from_millis(20);

/// What the rule says, from all that was ever seen.
#[derive(Default)]
struct Model {
    waiting: Vec<Nanos>,
    seen: Vec<(Nanos, bool)>,
}

impl Model {
    fn is_late(&self, now: Nanos) -> bool {
        self.waiting.len() > 1 && now.since(self.waiting[0]) > TARGET
    }

    fn tend(&mut self, now: Nanos) -> bool {
        self.seen.push((now, self.is_late(now)));
        let above = self.seen.iter().rev().take_while(|(_, late)| *late);
        let stands = above.last().is_some_and(|(since, _)| now.since(*since) >= INTERVAL);
        for _ in 0..AT_ONCE {
            if stands && self.is_late(now) {
                self.waiting.remove(0);
            }
        }
        stands
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_does_what_the_rule_says(
        steps in prop::collection::vec((0..4_u8, 0..12_u64, any::<prop::sample::Index>()), 0..120),
        newest_first: bool,
    ) {
        let (class, rank) = (Priority::Medium, Rank::default());
        let mut ranks = Ranks::new();
        let mut delays = Delays::default();
        let control = ControlledDelay::new().target(TARGET).interval(INTERVAL);
        let control = if newest_first { control.newest_first() } else { control };
        delays.set_control(Some(control), &mut ranks);
        let (mut model, mut now) = (Model::default(), Nanos::ZERO);
        let mut places: Vec<Place> = Vec::new();
        for (step, millis, index) in steps {
            now = now + Duration::from_millis(millis);
            let expected = model.tend(now);
            let target = delays.tend(class, now, &mut ranks, &mut Vec::new());
            prop_assert_eq!(target, expected.then_some(TARGET));
            let gone = places.len() - model.waiting.len();
            for place in places.drain(..gone) {
                prop_assert!(ranks.is_evicted(&place));
                let _ = ranks.leave(place);
            }
            prop_assert_eq!(ranks.oldest(class), model.waiting.first().copied());
            match step {
                0 | 1 => {
                    places.push(ranks.join(rank, now));
                    model.waiting.push(now);
                }
                _ if places.is_empty() => {}
                2 => {
                    let next = if newest_first && expected { places.len() - 1 } else { 0 };
                    prop_assert!(ranks.is_next(&places[next]));
                    ranks.serve(places.remove(next), now);
                    model.waiting.remove(next);
                }
                _ => {
                    let leaver = index.index(places.len());
                    let _ = ranks.leave(places.remove(leaver));
                    model.waiting.remove(leaver);
                }
            }
            prop_assert_eq!(ranks.len() as usize, model.waiting.len());
        }
    }
}

#[test]
fn a_class_that_is_spared_and_another_one_are_left_alone() {
    let (mut ranks, mut delays, mut evicted) = (Ranks::new(), Delays::default(), Vec::new());
    delays.set_control(Some(ControlledDelay::new().spare(Priority::Batch)), &mut ranks);
    for class in [Priority::Batch, Priority::Low] {
        for _ in 0..3 {
            let _ = ranks.join(Rank { class, ..Rank::default() }, Nanos::ZERO);
        }
    }
    for millis in (10..300).step_by(10) {
        let now = Nanos::ZERO + Duration::from_millis(millis);
        for class in Priority::ALL {
            let _ = delays.tend(class, now, &mut ranks, &mut evicted);
        }
    }
    assert_eq!((ranks.len_of(Priority::Batch), ranks.len_of(Priority::Low)), (3, 1));
}

#[test]
fn what_it_turned_round_it_turns_back_when_it_is_taken_away() {
    let (mut ranks, mut delays) = (Ranks::new(), Delays::default());
    delays.set_control(Some(ControlledDelay::new().newest_first()), &mut ranks);
    let places: Vec<_> = (0..9).map(|_| ranks.join(Rank::default(), Nanos::ZERO)).collect();
    for millis in [10, 120] {
        let now = Nanos::ZERO + Duration::from_millis(millis);
        let _ = delays.tend(Priority::Medium, now, &mut ranks, &mut Vec::new());
    }
    assert!(ranks.is_next(&places[8]));
    delays.set_control(None, &mut ranks);
    assert!(ranks.is_next(&places[4]), "four were too late");
}

#[test]
fn what_was_turned_round_for_good_stays_so_when_the_queue_drains_and_when_it_is_taken_away() {
    let (mut ranks, mut delays) = (Ranks::new(), Delays::default());
    delays.set_newest_first(Priority::Medium, true, &mut ranks);
    delays.set_control(Some(ControlledDelay::new().newest_first()), &mut ranks);
    let mut places: Vec<_> = (0..9).map(|_| ranks.join(Rank::default(), Nanos::ZERO)).collect();
    let mut tend = |ranks: &mut Ranks, millis| {
        let now = Nanos::ZERO + Duration::from_millis(millis);
        delays.tend(Priority::Medium, now, ranks, &mut Vec::new())
    };
    assert_eq!(tend(&mut ranks, 10), None);
    assert!(tend(&mut ranks, 120).is_some(), "it stands");
    while places.len() > 1 {
        ranks.leave(places.remove(0));
    }
    assert_eq!(tend(&mut ranks, 130), None, "it has drained");
    let newest = ranks.join(Rank::default(), Nanos::ZERO);
    assert!(ranks.is_next(&newest));
    delays.set_control(None, &mut ranks);
    assert!(ranks.is_next(&newest));
}

type Call = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// What became of callers that came at these moments, in milliseconds: how long each was served
/// after it came. One at a time takes 100 ms.
async fn served(layer: &BulkheadLayer<(), crate::Queue>, arrivals: &[u64]) -> Vec<Duration> {
    let service = layer.layer(service_fn(async |(): ()| {
        clock::sleep(Duration::from_millis(100)).await;
        Ok::<_, BoxError>(())
    }));
    let (began, waits) = (clock::now(), Arc::new(Mutex::new(Vec::new())));
    let mut calls = tokio::task::JoinSet::new();
    for arrival in arrivals {
        let moment = began + Duration::from_millis(*arrival);
        let call: Call = Box::pin(service.clone().oneshot(()));
        let waits = Arc::clone(&waits);
        calls.spawn(async move {
            clock::sleep_until(moment).await;
            match call.await {
                Ok(()) => waits.lock().unwrap().push(clock::now().since(moment)),
                Err(error) => assert!(Rejected::find(&*error).is_some()),
            }
        });
    }
    calls.join_all().await;
    let waits = waits.lock().unwrap();
    waits.clone()
}

fn queue() -> BulkheadLayer<(), crate::Queue> {
    BulkheadLayer::new(1).queue(100_000).longest_wait(Duration::MAX)
}

fn control() -> ControlledDelay {
    ControlledDelay::new().target(Duration::from_millis(500)).interval(Duration::from_secs(2))
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_drains_is_served_whole() {
    let bursts: Vec<u64> = (0..5).flat_map(|burst| [burst * 10_000; 15]).collect();
    let controlled = queue().controlled_delay(control());
    assert_eq!(served(&controlled, &bursts).await.len(), bursts.len());
    // A short wait for all would have cost most of it.
    let impatient = queue().longest_wait(Duration::from_millis(500));
    assert!(served(&impatient, &bursts).await.len() < bursts.len() / 2);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stands_is_kept_short_and_no_turn_is_lost() {
    let arrivals: Vec<u64> = (0..2000).map(|number| number * 60).collect();
    let mean =
        |waits: &[Duration]| waits.iter().sum::<Duration>() / u32::try_from(waits.len()).unwrap();
    // In two minutes 1200 can be served.
    for control in [control(), control().newest_first()] {
        let controlled = served(&queue().controlled_delay(control), &arrivals).await;
        assert!(controlled.len() > 1170, "{} served", controlled.len());
        let wait = mean(&controlled);
        assert!(wait < Duration::from_secs(1), "{wait:?}");
    }
    let wait = mean(&served(&queue(), &arrivals).await);
    assert!(wait > Duration::from_secs(30), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn who_was_too_late_is_told_so_until_the_control_is_taken_away() {
    let layer = queue().controlled_delay(control()).facts(facts());
    let handle = layer.handle();
    let service = layer.layer(service_fn(async |(): ()| {
        clock::sleep(Duration::from_secs(1)).await;
        Ok::<_, BoxError>(())
    }));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..10 {
        calls.spawn(service.clone().oneshot(()));
    }
    let outcomes = calls.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    assert_eq!(handle.statistics().queue_timeout, 6);

    handle.set_controlled_delay(None);
    let calls = (0..10).map(|_| service.clone().oneshot(()));
    let mut calls: tokio::task::JoinSet<_> = calls.collect();
    while let Some(outcome) = calls.join_next().await {
        assert!(outcome.unwrap().is_ok());
    }
}
