//! The one who began a call goes away, or the call panics, at every moment there is.

use tower_ballast_test::leaving::{Crowd, Moment, Order, Stage, each};

use super::*;

/// How often a service is asked before it is ready, and its call before it answers; the second tier before either.
const ASKS: u32 = 2;
const READIES: u32 = 2;
const POLLS: u32 = 3;
/// The moments of a call: each wait has one more after it, and the call begins between the last two.
const READY: usize = ASKS as usize + 1 + READIES as usize + 1;
const ALL: usize = READY + 1 + POLLS as usize + 1;

type Answers = Crowd<Result<String, BoxError>>;

#[tokio::test(start_paused = true)]
async fn a_leader_that_goes_away_at_any_moment_costs_no_call_and_no_answer() {
    let moments = each(Order::ALL, |moment| {
        let (stage, layer) = (Stage::new(), layer());
        let crowd = leave(moment, &layer, &stage, 0);
        assert_eq!(stage.calls(), 1, "{moment:?}");
        assert!(crowd.are_others(is("call 1")), "{moment:?}");
        assert_eq!(layer.handle().get(&7).unwrap(), "call 1", "and it is kept");
        crowd.has_left
    });
    assert!(moments > 900, "{moments}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_made_once_more_whenever_its_leader_goes_away() {
    each(Order::ALL, |moment| {
        let stage = Stage::new();
        let crowd = leave(moment, &layer(), &stage, 1);
        assert_eq!(stage.calls(), 2, "{moment:?}");
        assert!(crowd.are_others(is("call 2")), "{moment:?}");
        crowd.has_left
    });
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_any_moment_costs_one_call_more_whenever_its_leader_goes_away() {
    for panic in 0..ALL {
        each(Order::ALL, |moment| {
            let stage = Stage::panicking(panic);
            let crowd = leave(moment, &layer(), &stage, 0);
            let calls = if panic < READY { 1 } else { 2 };
            assert_eq!(stage.calls(), calls, "{moment:?}, panic at {panic}");
            assert!(crowd.are_others(is(&format!("call {calls}"))), "{moment:?}, panic at {panic}");
            crowd.has_left
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_one_alone_makes_nobody_wait_again_whenever_its_leader_goes_away() {
    each(Order::ALL, |moment| {
        let (stage, layer) = (Stage::new(), layer().lifetime_of(|_, _| None));
        let crowd = leave(moment, &layer, &stage, 0);
        let counted = layer.handle().statistics();
        assert_eq!(stage.calls() as u64, 1 + counted.passed, "{moment:?}");
        let alone = crowd.others.len() as u64;
        assert_eq!((counted.misses, counted.passed), (1, alone), "{moment:?}");
        assert!(crowd.are_others(Result::is_ok), "{moment:?}");
        crowd.has_left
    });
}

#[tokio::test(start_paused = true)]
async fn a_purge_at_any_moment_keeps_the_old_answer_away() {
    each(Order::ALL, |moment| {
        if !moment.has_another() {
            return false;
        }
        let (stage, layer) = (Stage::new(), layer());
        let handle = layer.handle();
        let crowd = leave_and(moment, &layer, &stage, 0, || _ = handle.invalidate(&7));
        let mut answers: Vec<_> =
            crowd.others.into_iter().map(|other| other.unwrap().unwrap()).collect();
        assert_eq!(answers.pop().as_deref(), Some("call 2"), "{moment:?}");
        assert!(answers.iter().all(|answer| answer == "call 1"), "{moment:?}: {answers:?}");
        assert_eq!((stage.calls(), handle.get(&7).unwrap()), (2, "call 2".to_owned()));
        crowd.has_left
    });
}

fn leave(moment: Moment, layer: &CacheOf, stage: &Stage, failing: usize) -> Answers {
    leave_and(moment, layer, stage, failing, || ())
}

fn leave_and(
    moment: Moment,
    layer: &CacheOf,
    stage: &Stage,
    failing: usize,
    goes: impl FnOnce(),
) -> Answers {
    let layer = layer.clone().tier(Slowly(stage.clone()));
    let answer = move |call| {
        let told = format!("call {call}");
        if call <= failing { Err(BoxError::from(told)) } else { Ok(told) }
    };
    let mut service = layer.layer(stage.service(READIES, POLLS, answer));
    let crowd = moment.run_with(stage, || Some(service.call(7)), goes);
    assert_eq!(layer.handle().statistics().in_flight, 0, "{moment:?}");
    crowd
}

fn is(told: &str) -> impl Fn(&Result<String, BoxError>) -> bool {
    move |answer| answer.as_ref().is_ok_and(|answer| answer == told)
}

/// A tier that has nothing, and takes some polls to say so.
struct Slowly(Stage);

impl Tier<u32, String> for Slowly {
    fn get(&self, _: &u32) -> TierFuture<Option<Tiered<String>>> {
        self.0.steps(ASKS).map(|()| None).boxed()
    }

    fn put(&self, _: &u32, _: Tiered<String>) -> TierFuture<()> {
        ready(()).boxed()
    }

    fn remove(&self, _: &u32) -> TierFuture<()> {
        ready(()).boxed()
    }
}
