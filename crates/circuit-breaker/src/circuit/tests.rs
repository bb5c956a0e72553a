use std::time::Duration;

use proptest::prelude::*;
use tower_ballast_core::{Ratio, RetryAfter, count};

use super::*;
use crate::settings::{Rest, Slow, WindowOf};

mod simulation;

const SECOND: Duration = Duration::from_secs(1);
const START: Nanos = Nanos::from_nanos(86_400_000_000_000);

/// The window that the tests fill fast: the last four calls, of which two fail.
fn quick() -> Settings {
    Settings {
        window: WindowOf::Calls(count::<4>()),
        rest: Rest { spread: Ratio::ZERO, ..Rest::default() },
        ..Settings::default()
    }
}

fn at(seconds: u64) -> Nanos {
    START + Duration::from_secs(seconds)
}

fn epoch(decision: Decision) -> u64 {
    match decision {
        Decision::Admit { epoch } => epoch,
        Decision::Refuse { reason, .. } => panic!("refused: {reason:?}"),
    }
}

fn reason(decision: Decision) -> Reason {
    match decision {
        Decision::Refuse { reason, .. } => reason,
        Decision::Admit { .. } => panic!("admitted"),
    }
}

fn ended(epoch: u64, verdict: Verdict) -> Ended {
    Ended { epoch, verdict, slow: false }
}

/// Makes a call that ends at once with this verdict.
fn call(circuit: &mut Circuit, now: Nanos, verdict: Verdict) {
    let epoch = epoch(circuit.admit(now));
    circuit.settle(ended(epoch, verdict), now);
}

fn opened(settings: Settings) -> Circuit {
    let mut circuit = Circuit::new(settings);
    for _ in 0..4 {
        call(&mut circuit, START, Verdict::fault());
    }
    assert_eq!(circuit.phase(), Phase::Open);
    circuit
}

fn half_open(settings: Settings) -> (Circuit, Vec<u64>) {
    let mut circuit = opened(settings);
    let trials = (0..3).map(|_| epoch(circuit.admit(at(5)))).collect();
    assert_eq!(circuit.phase(), Phase::HalfOpen);
    (circuit, trials)
}

fn recovering(settings: Settings) -> Circuit {
    let (mut circuit, trials) = half_open(settings);
    for trial in trials {
        circuit.settle(ended(trial, Verdict::Success), at(5));
    }
    assert_eq!(circuit.phase(), Phase::Recovering);
    circuit
}

#[test]
fn a_rate_trips_when_it_is_reached_and_not_before_the_minimum() {
    let mut circuit = Circuit::new(Settings::default());
    for _ in 0..10 {
        call(&mut circuit, START, Verdict::transient());
    }
    for _ in 0..9 {
        call(&mut circuit, START, Verdict::Success);
    }
    assert_eq!(circuit.phase(), Phase::Closed);
    call(&mut circuit, START, Verdict::Success);
    assert_eq!(circuit.phase(), Phase::Open, "10 of 20 is half, on a success too");
    assert_eq!(circuit.take_change().unwrap().reason, Tripped::FailureRate);
}

#[test]
fn a_window_of_calls_slides_after_any_number_of_successes() {
    let window = WindowOf::Calls(count::<100>());
    let mut circuit = Circuit::new(Settings { window, ..Settings::default() });
    for _ in 0..100_000 {
        call(&mut circuit, START, Verdict::Success);
    }
    for failure in 1..=50 {
        assert_eq!(circuit.phase(), Phase::Closed, "before failure {failure}");
        call(&mut circuit, START, Verdict::transient());
    }
    assert_eq!(circuit.phase(), Phase::Open);
}

#[test]
fn a_time_window_reads_what_lies_in_it() {
    let window = WindowOf::Time(10 * SECOND);
    let mut circuit = Circuit::new(Settings { window, ..Settings::default() });
    let read: Vec<_> = (0..7)
        .map(|pair| {
            let now = at(2 * pair);
            let first = if pair < 2 { Verdict::transient() } else { Verdict::Success };
            call(&mut circuit, now, first);
            call(&mut circuit, now, Verdict::Success);
            let tally = circuit.tally(now);
            (tally.calls, (tally.failure_rate() * 100.0).round() / 100.0)
        })
        .collect();
    let expected = [(2, 0.5), (4, 0.5), (6, 0.33), (8, 0.25), (10, 0.2), (10, 0.1), (10, 0.0)];
    assert_eq!(read, expected);
}

#[test]
fn a_burst_and_the_same_calls_spread_over_the_window_decide_alike() {
    for failures in 0..=30 {
        let phases = [0, 300].map(|gap_in_millis| {
            // No rest is over while the calls last.
            let rest = Rest { nominal: 100 * SECOND, ..Rest::default() };
            let mut circuit = Circuit::new(Settings { rest, ..Settings::default() });
            for n in 0..30 {
                let verdict = if n < failures { Verdict::fault() } else { Verdict::Success };
                let now = START + Duration::from_millis(n * gap_in_millis);
                if let Decision::Admit { epoch } = circuit.admit(now) {
                    circuit.settle(ended(epoch, verdict), now);
                }
            }
            circuit.openings()
        });
        assert_eq!(phases[0], phases[1], "{failures} failures");
    }
}

#[test]
fn failures_in_a_row_and_failures_in_the_window_trip_with_their_reason() {
    let consecutive = Some(count::<3>());
    let mut circuit = Circuit::new(Settings { consecutive, ..Settings::default() });
    for verdict in [Verdict::fault(), Verdict::fault(), Verdict::Success, Verdict::fault()] {
        call(&mut circuit, START, verdict);
    }
    assert_eq!(circuit.phase(), Phase::Closed);
    call(&mut circuit, START, Verdict::fault());
    call(&mut circuit, START, Verdict::fault());
    assert_eq!(circuit.take_change().unwrap().reason, Tripped::Consecutive);

    let failures = Some(count::<3>());
    let mut circuit = Circuit::new(Settings { failures, ..Settings::default() });
    for _ in 0..3 {
        call(&mut circuit, START, Verdict::Success);
        call(&mut circuit, START, Verdict::fault());
    }
    assert_eq!(circuit.take_change().unwrap().reason, Tripped::Failures);
}

#[test]
fn slow_calls_trip_although_they_succeed() {
    let slow = Some(Slow { above: SECOND, rate: Ratio::percent::<50>() });
    let mut circuit = Circuit::new(Settings { slow, ..quick() });
    for slow in [false, false, true, true] {
        let epoch = epoch(circuit.admit(START));
        circuit.settle(Ended { epoch, verdict: Verdict::Success, slow }, START);
    }
    assert_eq!(circuit.take_change().unwrap().reason, Tripped::SlowRate);
}

#[test]
fn being_throttled_is_not_counted_while_closed_but_fails_a_trial() {
    let mut circuit = Circuit::new(quick());
    for _ in 0..100 {
        call(&mut circuit, START, Verdict::throttled());
    }
    assert_eq!(circuit.phase(), Phase::Closed);

    let (mut circuit, trials) = half_open(quick());
    circuit.settle(ended(trials[0], Verdict::throttled()), at(5));
    assert_eq!(circuit.phase(), Phase::Open);
}

#[test]
fn an_open_circuit_says_how_long_it_still_rests() {
    let mut circuit = opened(quick());
    let after = Some(3 * SECOND);
    let refuse = Decision::Refuse { reason: Reason::CircuitOpen, after };
    assert_eq!(circuit.admit(at(2)), refuse);
}

#[test]
fn a_retry_after_makes_the_rest_longer_up_to_the_longest() {
    for (asked, rest) in [(1, 5), (20, 20), (3600, 60)] {
        let mut circuit = Circuit::new(Settings { consecutive: Some(count::<1>()), ..quick() });
        let after = RetryAfter::hint(Duration::from_secs(asked));
        call(&mut circuit, START, Verdict::transient().retry_after(after));
        assert_eq!(circuit.take_change().unwrap().rest, Duration::from_secs(rest));
    }
}

#[test]
fn exactly_as_many_trials_pass_as_are_wanted() {
    let mut circuit = opened(quick());
    let admitted =
        (0..10_000).filter(|_| matches!(circuit.admit(at(5)), Decision::Admit { .. })).count();
    assert_eq!(admitted, 3);
    assert_eq!(reason(circuit.admit(at(5))), Reason::CircuitHalfOpen);
}

#[test]
fn a_trial_given_back_lets_another_pass() {
    let (mut circuit, trials) = half_open(quick());
    circuit.settle(ended(trials[0], Verdict::ignore()), at(6));
    epoch(circuit.admit(at(6)));
    assert_eq!(reason(circuit.admit(at(6))), Reason::CircuitHalfOpen);
}

#[test]
fn hung_trials_cannot_wedge_it() {
    let (mut circuit, trials) = half_open(quick());
    assert_eq!(reason(circuit.admit(at(14))), Reason::CircuitHalfOpen);
    assert_eq!(reason(circuit.admit(at(15))), Reason::CircuitOpen);
    assert_eq!(circuit.take_change().unwrap().reason, Tripped::TrialsHung);
    for trial in trials {
        circuit.settle(ended(trial, Verdict::Success), at(16));
    }
    assert_eq!(circuit.phase(), Phase::Open, "late results move nothing");
    epoch(circuit.admit(at(20)));
    assert_eq!(circuit.phase(), Phase::HalfOpen);
}

#[test]
fn a_late_result_never_moves_a_new_state() {
    let mut circuit = Circuit::new(quick());
    let late: Vec<_> = (0..100).map(|_| epoch(circuit.admit(START))).collect();
    for epoch in &late[..4] {
        circuit.settle(ended(*epoch, Verdict::fault()), START);
    }
    epoch(circuit.admit(at(5)));
    for (n, epoch) in late[4..].iter().enumerate() {
        let verdict = if n % 2 == 0 { Verdict::Success } else { Verdict::fault() };
        circuit.settle(ended(*epoch, verdict), at(5));
    }
    assert_eq!(circuit.phase(), Phase::HalfOpen);
}

#[test]
fn a_failed_trial_opens_it_again_and_the_rests_grow() {
    let mut circuit = opened(quick());
    let mut now = START;
    let rests: Vec<_> = (0..7)
        .map(|_| {
            let until = circuit.rests_until().unwrap();
            let rest = until.since(now).as_secs();
            now = until;
            call(&mut circuit, now, Verdict::fault());
            rest
        })
        .collect();
    assert_eq!(rests, [5, 5, 10, 20, 40, 60, 60]);
}

#[test]
fn a_recovering_circuit_lets_calls_back_in_growing_numbers() {
    let mut circuit = recovering(quick());
    let running: Vec<_> = (0..3).map(|_| epoch(circuit.admit(at(5)))).collect();
    assert_eq!(reason(circuit.admit(at(5))), Reason::CircuitRecovering);
    circuit.settle(ended(running[0], Verdict::Success), at(5));
    epoch(circuit.admit(at(5)));
    epoch(circuit.admit(at(5)));
    assert_eq!(reason(circuit.admit(at(5))), Reason::CircuitRecovering);
}

#[test]
fn a_recovery_ends_when_its_step_is_not_used_up_for_a_second() {
    let mut circuit = recovering(quick());
    call(&mut circuit, START + Duration::from_millis(5_999), Verdict::ignore());
    assert_eq!(circuit.phase(), Phase::Recovering);
    call(&mut circuit, at(6), Verdict::ignore());
    assert_eq!(circuit.phase(), Phase::Closed);
    assert_eq!(circuit.openings(), 0);
}

#[test]
fn a_recovery_ends_at_twice_the_concurrency_before_the_trip() {
    let mut circuit = Circuit::new(quick());
    let before: Vec<_> = (0..8).map(|_| epoch(circuit.admit(START))).collect();
    for epoch in before {
        circuit.settle(ended(epoch, Verdict::fault()), START);
    }
    let trials: Vec<_> = (0..3).map(|_| epoch(circuit.admit(at(5)))).collect();
    for trial in trials {
        circuit.settle(ended(trial, Verdict::Success), at(5));
    }
    // Four failures tripped it and four came later: five ran at the trip, so ten are enough.
    for _ in 3..10 {
        assert_eq!(circuit.phase(), Phase::Recovering);
        call(&mut circuit, at(5), Verdict::Success);
    }
    assert_eq!(circuit.phase(), Phase::Closed);
}

#[test]
fn a_relapse_opens_it_again() {
    let mut circuit = recovering(quick());
    call(&mut circuit, at(5), Verdict::fault());
    assert_eq!(circuit.phase(), Phase::Recovering, "the step of three is halved");
    call(&mut circuit, at(5), Verdict::fault());
    assert_eq!(circuit.phase(), Phase::Open);
    assert_eq!(circuit.take_change().unwrap().reason, Tripped::Relapse);
    assert_eq!(circuit.openings(), 2);
}

#[test]
fn hung_calls_cannot_wedge_a_recovery() {
    let mut circuit = recovering(quick());
    for _ in 0..3 {
        epoch(circuit.admit(at(5)));
    }
    assert_eq!(reason(circuit.admit(at(14))), Reason::CircuitRecovering);
    assert_eq!(reason(circuit.admit(at(15))), Reason::CircuitOpen);
    assert_eq!(circuit.take_change().unwrap().reason, Tripped::TrialsHung);
}

#[test]
fn without_recovery_it_closes_at_once() {
    let (mut circuit, trials) = half_open(Settings { recovery: false, ..quick() });
    for trial in trials {
        circuit.settle(ended(trial, Verdict::Success), at(5));
    }
    assert_eq!(circuit.phase(), Phase::Closed);
}

#[test]
fn what_is_forced_stays_until_it_is_reset() {
    let mut circuit = Circuit::new(quick());
    circuit.force_open();
    assert_eq!(reason(circuit.admit(at(1_000_000))), Reason::CircuitForcedOpen);
    circuit.force_closed();
    for _ in 0..100 {
        call(&mut circuit, START, Verdict::fault());
    }
    assert_eq!(circuit.phase(), Phase::ForcedClosed);
    circuit.reset();
    assert_eq!(circuit.tally(START), Tally::default());
    for _ in 0..4 {
        call(&mut circuit, START, Verdict::fault());
    }
    assert_eq!(circuit.phase(), Phase::Open);
}

#[test]
fn changed_settings_keep_the_state_and_the_remaining_rest() {
    let mut circuit = opened(quick());
    circuit
        .configure(Settings { rest: Rest { nominal: 50 * SECOND, ..Rest::default() }, ..quick() });
    assert_eq!(circuit.rests_until(), Some(at(5)));
}

#[test]
fn extreme_settings_neither_panic_nor_wedge() {
    let settings = Settings {
        window: WindowOf::Time(Duration::MAX),
        rest: Rest { nominal: Duration::MAX, longest: Duration::MAX, ..Rest::default() },
        trials: count::<{ u32::MAX }>(),
        minimum_calls: count::<{ u32::MAX }>(),
        failure_rate: Ratio::ZERO,
        consecutive: Some(count::<1>()),
        longest_trial: Duration::MAX,
        abandoned_after: Duration::MAX,
        ..Settings::default()
    };
    let mut circuit = Circuit::new(settings);
    call(&mut circuit, START, Verdict::fault());
    assert_eq!(reason(circuit.admit(at(1))), Reason::CircuitOpen);
    epoch(circuit.admit(Nanos::MAX));
    let mut zero = Circuit::new(Settings {
        window: WindowOf::Time(Duration::ZERO),
        rest: Rest { nominal: Duration::ZERO, ..Rest::default() },
        longest_trial: Duration::ZERO,
        consecutive: Some(count::<1>()),
        ..Settings::default()
    });
    call(&mut zero, START, Verdict::fault());
    epoch(zero.admit(START));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Admit,
    Settle(usize, u8),
    Wait(u64),
    Force(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Admit),
        4 => (any::<usize>(), 0..4_u8).prop_map(|(which, what)| Step::Settle(which, what)),
        2 => (0..8_000_u64).prop_map(Step::Wait),
        1 => (0..12_u8).prop_map(Step::Force),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever happens: never more trials than allowed, and the way out is never lost.
    #[test]
    fn it_can_always_be_closed_again(steps in steps()) {
        let mut circuit = Circuit::new(quick());
        let mut now = START;
        let mut running: Vec<u64> = Vec::new();
        for step in steps {
            match step {
                Step::Admit => {
                    if let Decision::Admit { epoch } = circuit.admit(now) {
                        running.push(epoch);
                    }
                }
                Step::Settle(which, what) if !running.is_empty() => {
                    let epoch = running.swap_remove(which % running.len());
                    let verdict = [
                        Verdict::Success, Verdict::fault(), Verdict::ignore(), Verdict::throttled(),
                    ][usize::from(what)];
                    circuit.settle(ended(epoch, verdict), now);
                }
                Step::Wait(millis) => now = now + Duration::from_millis(millis),
                Step::Force(0) => circuit.force_open(),
                Step::Force(1) => circuit.force_closed(),
                Step::Force(2) => circuit.reset(),
                Step::Settle(..) | Step::Force(_) => {}
            }
            if circuit.phase() == Phase::HalfOpen {
                let epoch = circuit.epoch();
                prop_assert!(running.iter().filter(|running| **running == epoch).count() <= 3);
            }
        }
        if matches!(circuit.phase(), Phase::ForcedOpen | Phase::ForcedClosed) {
            circuit.reset();
        }
        // Nothing that still runs is ever heard of again; the service works from here on.
        for _ in 0..200 {
            now = now + SECOND;
            if let Decision::Admit { epoch } = circuit.admit(now) {
                circuit.settle(ended(epoch, Verdict::Success), now);
            }
        }
        prop_assert_eq!(circuit.phase(), Phase::Closed);
    }
}
