use proptest::prelude::*;
use tower_ballast_core::Multiplier;

use super::*;

const START: Nanos = Nanos::from_nanos(86_400_000_000_000);
const ROUND_TRIP: Duration = Duration::from_millis(100);
const FAILING: Signals = Signals { errors: Ratio::ONE, ..CALM_SIGNALS };
const CALM_SIGNALS: Signals =
    Signals { errors: Ratio::ZERO, latency: Duration::ZERO, queue: 0, load: Ratio::ZERO };

fn adjustment() -> Adjustment {
    Adjustment::new(Limits::new().errors(Ratio::percent::<10>()).latency(Duration::from_secs(1)))
}

fn number(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap())
}

fn is(multiplier: f64, expected: f64) -> bool {
    (multiplier - expected).abs() < 1e-9
}

#[test]
fn it_is_lowered_once_in_a_round_trip() {
    let mut adjustment = adjustment();
    for step in 0..30 {
        adjustment.observe(START + Duration::from_millis(step * 10), FAILING, ROUND_TRIP);
    }
    assert!(is(adjustment.multiplier(), 0.7_f64.powi(3)), "{}", adjustment.multiplier());
}

#[test]
fn it_recovers_a_twentieth_in_a_second_however_often_it_is_asked() {
    for step in [10, 100, 1000] {
        let mut adjustment = adjustment();
        adjustment.observe(START, FAILING, ROUND_TRIP);
        for millis in (0..=2000).step_by(step) {
            let now = START + Duration::from_millis(millis);
            adjustment.observe(now, Signals::default(), ROUND_TRIP);
        }
        assert!(is(adjustment.multiplier(), 0.8), "{}", adjustment.multiplier());
    }
}

#[test]
fn a_year_without_a_look_recovers_no_more_than_a_second() {
    let mut adjustment = adjustment();
    adjustment.observe(START, FAILING, ROUND_TRIP);
    let year = START + Duration::from_secs(365 * 24 * 60 * 60);
    let change = adjustment.observe(year, Signals::default(), ROUND_TRIP).unwrap();
    assert_eq!(change.cause, Cause::Recovery);
    assert!(is(change.to, 0.75));
}

#[test]
fn between_calm_and_too_much_it_stays() {
    let mut adjustment = adjustment();
    adjustment.observe(START, FAILING, ROUND_TRIP);
    let close = Signals { errors: Ratio::percent::<9>(), ..Signals::default() };
    assert_eq!(adjustment.observe(START + ROUND_TRIP, close, ROUND_TRIP), None);
    assert!(is(adjustment.multiplier(), 0.7));
}

#[test]
fn the_signal_that_is_furthest_off_is_the_cause() {
    let slow = Signals {
        latency: Duration::from_secs(9),
        errors: Ratio::percent::<20>(),
        ..Signals::default()
    };
    let change = adjustment().observe(START, slow, ROUND_TRIP).unwrap();
    assert_eq!((change.from, change.cause), (1.0, Cause::Latency));
}

#[test]
fn each_signal_is_heeded_if_it_has_a_limit() {
    let signals = |cause| match cause {
        Cause::Errors => Signals { errors: Ratio::ONE, ..Signals::default() },
        Cause::Latency => Signals { latency: Duration::MAX, ..Signals::default() },
        Cause::Queue => Signals { queue: 6, ..Signals::default() },
        _ => Signals { load: Ratio::ONE, ..Signals::default() },
    };
    let half = Ratio::percent::<50>();
    let all = Limits::new().errors(half).latency(ROUND_TRIP).queue(5).load(half);
    for cause in [Cause::Errors, Cause::Latency, Cause::Queue, Cause::Load] {
        let heeded = Adjustment::new(all).observe(START, signals(cause), ROUND_TRIP);
        assert_eq!(heeded.map(|change| change.cause), Some(cause));
        let deaf = Adjustment::new(Limits::new()).observe(START, signals(cause), ROUND_TRIP);
        assert_eq!(deaf, None);
    }
}

#[test]
fn a_limit_of_nothing_is_passed_by_anything() {
    let mut adjustment = Adjustment::new(Limits::new().queue(0));
    assert_eq!(adjustment.observe(START, Signals::default(), ROUND_TRIP), None);
    let one = Signals { queue: 1, ..Signals::default() };
    assert!(adjustment.observe(START, one, ROUND_TRIP).is_some());
}

#[test]
fn other_limits_keep_what_it_was_lowered_to_and_the_least_raises_it() {
    let mut adjustment = adjustment();
    for step in 0..4 {
        adjustment.observe(START + ROUND_TRIP * step, FAILING, ROUND_TRIP);
    }
    assert!(is(adjustment.multiplier(), 0.7_f64.powi(4)));
    adjustment.set_limits(Limits::new().queue(3));
    assert!(is(adjustment.multiplier(), 0.7_f64.powi(4)));
    assert_eq!(
        adjustment.observe(START + ROUND_TRIP * 9, FAILING, ROUND_TRIP).unwrap().cause,
        Cause::Recovery
    );
    adjustment.set_limits(Limits::new().least(Ratio::percent::<60>()));
    assert!(is(adjustment.multiplier(), 0.6));
}

#[test]
fn what_others_see_holds_it_and_never_lowers_it() {
    let mut adjustment = adjustment();
    let next = |step: u32| START + Duration::from_secs(1) * step;
    assert_eq!(adjustment.observe_beside(next(0), Signals::NONE, FAILING, ROUND_TRIP), None);
    adjustment.observe(next(1), FAILING, ROUND_TRIP);
    assert_eq!(adjustment.observe_beside(next(2), Signals::NONE, FAILING, ROUND_TRIP), None);
    let change = adjustment.observe_beside(next(3), Signals::NONE, Signals::NONE, ROUND_TRIP);
    assert_eq!(change.unwrap().cause, Cause::Recovery);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn answers_are_counted_together_until_they_are_enough_or_old(
        periods in prop::collection::vec((0..4_u64, prop::collection::vec((any::<bool>(), 0..500_u64), 0..15)), 1..60),
    ) {
        const PERIOD: Duration = Duration::from_secs(1);
        let mut counted = Periods::default();
        counted.end(START, PERIOD, Tally::default());
        // Every answer, and since when.
        let (mut now, mut since, mut known) = (START, START, Vec::new());
        for (pause, answers) in periods {
            now = now + PERIOD + Duration::from_secs(pause);
            let came = Tally {
                answers: answers.len() as u64,
                failures: answers.iter().filter(|answer| answer.0).count() as u64,
                nanos: answers.iter().map(|answer| answer.1).sum(),
            };
            known.extend(answers);
            let seen = counted.end(now, PERIOD, came);
            if now.since(since) > PERIOD * 10 {
                (since, known) = (now, Vec::new());
                prop_assert_eq!(seen, Seen { signals: Signals::NONE, hint: Signals::NONE, latency: Duration::ZERO });
                continue;
            }
            let all = known.len().max(1);
            let failed = known.iter().filter(|answer| answer.0).count();
            let took: u64 = known.iter().map(|answer| answer.1).sum();
            let latency = Duration::from_nanos(took / all as u64);
            let errors = Ratio::try_new("errors", number(failed) / number(all)).unwrap();
            let said = Signals { errors, latency, ..Signals::NONE };
            if known.len() < 20 {
                prop_assert_eq!(seen, Seen { signals: Signals::NONE, hint: said, latency });
            } else {
                prop_assert_eq!(seen, Seen { signals: said, hint: Signals::NONE, latency });
                (since, known) = (now, Vec::new());
            }
        }
    }

    #[test]
    fn it_stays_between_the_least_and_the_whole(
        steps in prop::collection::vec((0..3_000_u64, 0.0..=1.0_f64, 0..20_u32), 1..200),
        least in 0.0..=1.0_f64,
    ) {
        let least = Ratio::try_new("least", least).unwrap();
        let limits = Limits::new().errors(Ratio::percent::<30>()).queue(10).least(least);
        let mut adjustment = Adjustment::new(limits);
        let mut now = START;
        for (pause, errors, queue) in steps {
            now = now + Duration::from_millis(pause);
            let before = adjustment.multiplier();
            let errors = Ratio::try_new("errors", errors).unwrap();
            let seen = Signals { errors, queue, ..Signals::default() };
            let change = adjustment.observe(now, seen, ROUND_TRIP);
            let after = adjustment.multiplier();
            prop_assert!((least.get()..=1.0).contains(&after));
            prop_assert_eq!(change.is_some(), before.total_cmp(&after).is_ne());
            if let Some(change) = change {
                prop_assert_eq!((change.from, change.to), (before, after));
                prop_assert_eq!(change.cause == Cause::Recovery, after > before);
            }
        }
    }

    #[test]
    fn a_schedule_only_raises(
        spans in prop::collection::vec((0..100_000_u64, 0..100_000_u64, 1..5_u32), 0..6),
        time in 0..200_000_u64,
    ) {
        let raise = |number: u32| Multiplier::try_new("raise", f64::from(number)).unwrap();
        let schedule = Schedule::new(spans.iter().map(|&(from, to, number)| {
            Span::new(Duration::from_secs(from), Duration::from_secs(to), raise(number))
        }));
        // Each second of a span, one after the other.
        let is_in = |&&(from, to, _): &&(u64, u64, u32)| {
            let (from, to, time) = (from % 86_400, to % 86_400, time % 86_400);
            let length = if from < to { to - from } else { to + 86_400 - from };
            (time + 86_400 - from) % 86_400 < length
        };
        let expected = spans.iter().filter(is_in).map(|span| span.2).max().unwrap_or(1);
        prop_assert!(is(schedule.multiplier(Duration::from_secs(time)), f64::from(expected)));
    }
}

#[test]
fn the_next_change_of_a_schedule_is_the_next_end_of_a_span() {
    let hour = |hour: u64| Duration::from_secs(hour * 60 * 60);
    let night = Span::new(hour(22), hour(6), Multiplier::TWO);
    let schedule = Schedule::new([night, Span::new(hour(12), hour(13), Multiplier::TWO)]);
    for (time, next) in [(0, 6), (6, 12), (12, 13), (13, 22), (23, 30), (22, 30), (24, 30)] {
        assert_eq!(schedule.next_change(hour(time)), hour(next - time), "at {time}");
    }
    assert_eq!(Schedule::default().next_change(hour(3)), hour(24));
    let whole_day = Schedule::new([Span::new(hour(3), hour(3), Multiplier::TWO)]);
    assert_eq!(whole_day.next_change(hour(3)), hour(24));
}
