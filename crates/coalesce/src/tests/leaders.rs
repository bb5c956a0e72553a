//! The one who began a call goes away, or the call panics, at every moment there is.

use tower_ballast_test::leaving::{Crowd, Moment, Order, Stage, each};

use super::*;

/// How often a service is asked before it is ready, and its call before it answers.
const READIES: u32 = 3;
const POLLS: u32 = 4;
/// The moments of a call: each wait has one more after it, and the call begins between the two.
const READY: usize = READIES as usize + 1;
const ALL: usize = READY + 1 + POLLS as usize + 1;

type Answers = Crowd<Result<String, BoxError>>;

#[tokio::test(start_paused = true)]
async fn a_leader_that_goes_away_at_any_moment_costs_no_call_and_no_answer() {
    let moments = each(Order::ALL, |moment| {
        let stage = Stage::new();
        let crowd = leave(moment, &stage, 0);
        assert_eq!(stage.calls(), 1, "{moment:?}");
        assert!(crowd.are_others(is("call 1")), "{moment:?}");
        crowd.has_left
    });
    assert!(moments > 900, "{moments}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_made_once_more_whenever_its_leader_goes_away() {
    each(Order::ALL, |moment| {
        let stage = Stage::new();
        let crowd = leave(moment, &stage, 1);
        // Who was alone with it is told that it failed.
        assert_eq!(stage.calls(), 1 + again(&crowd), "{moment:?}");
        assert!(crowd.are_others(is("call 2")), "{moment:?}");
        crowd.has_left
    });
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_any_moment_costs_one_call_more_whenever_its_leader_goes_away() {
    for panic in 0..ALL {
        each(Order::ALL, |moment| {
            let stage = Stage::panicking(panic);
            let crowd = leave(moment, &stage, 0);
            let before = usize::from(panic >= READY);
            assert_eq!(stage.calls(), before + again(&crowd), "{moment:?}, panic at {panic}");
            let told = format!("call {}", before + 1);
            assert!(crowd.are_others(is(&told)), "{moment:?}, panic at {panic}");
            crowd.has_left
        });
    }
}

/// Others come as long as there is a call to join.
fn leave(moment: Moment, stage: &Stage, failing: usize) -> Answers {
    let layer = CoalesceLayer::new((|key| Some(*key)) as Key);
    let answer = move |call| {
        let told = format!("call {call}");
        if call <= failing { Err(BoxError::from(told)) } else { Ok(told) }
    };
    let service = layer.layer(stage.service(READIES, POLLS, answer));
    let (handle, mut first) = (layer.handle(), Some(()));
    let crowd = moment.run(stage, || {
        let comes = first.take().is_some() || handle.statistics().in_flight > 0;
        comes.then(|| service.clone().call(7))
    });
    assert_eq!(handle.statistics().in_flight, 0, "{moment:?}");
    crowd
}

fn is(told: &str) -> impl Fn(&Result<String, BoxError>) -> bool {
    move |answer| answer.as_ref().is_ok_and(|answer| answer == told)
}

/// The call for the others after one in vain.
fn again(crowd: &Answers) -> usize {
    usize::from(!crowd.others.is_empty())
}
