use proptest::prelude::*;
use tower_ballast_core::{FailureKind, Jitter};

use super::*;

const NOW: Nanos = Nanos::from_nanos(1_000_000_000_000);

#[test]
fn a_request_is_sent_as_often_as_it_may_and_no_more() {
    for retries in [0, 1, 2, 7] {
        let settings = Settings { retries, ..exact() };
        let (attempts, stop) = run(Plan::new(true, None, None), &settings, Verdict::transient());
        assert_eq!((attempts, stop), (retries + 1, Stop::Attempts));
    }
}

#[test]
fn who_has_a_say_in_which_order() {
    let settings = exact();
    let ask = |repeatable, verdict| {
        let mut plan = Plan::new(repeatable, None, None);
        plan.next(NOW, verdict, &settings, &Random::seeded(1)).map(|again| again.delay)
    };
    let (kept, unsent) = (Verdict::transient(), Verdict::transient().retry(Retryable::Unsent));
    assert_eq!(ask(true, kept), Ok(ms(100)));
    assert_eq!(ask(false, kept), Err(Stop::NotRepeatable));
    assert_eq!(ask(false, unsent), Ok(ms(100)));
    assert_eq!(ask(true, Verdict::fault()), Err(Stop::Verdict));
    assert_eq!(ask(true, Verdict::ignore()), Err(Stop::Verdict));
    assert_eq!(ask(false, Verdict::ignore().retry(Retryable::Unsent)), Ok(ms(100)));
}

#[test]
fn a_hint_is_waited_for_and_the_backoff_behind_it() {
    assert_eq!(hinted(RetryAfter::hint(ms(700))), Ok((ms(800), false)));
    assert_eq!(hinted(RetryAfter::hint(Duration::ZERO)), Ok((ms(100), false)));
    assert_eq!(hinted(RetryAfter::hint(ms(30_000))), Ok((ms(30_100), false)));
    assert_eq!(hinted(RetryAfter::hint(ms(30_001))), Err(Stop::HintTooLong));
}

#[test]
fn a_reserved_moment_is_kept_to_the_nanosecond() {
    assert_eq!(hinted(RetryAfter::reserved(ms(700))), Ok((ms(700), true)));
    assert_eq!(hinted(RetryAfter::reserved(Duration::ZERO)), Ok((Duration::ZERO, true)));
    assert_eq!(hinted(RetryAfter::reserved(ms(30_001))), Err(Stop::HintTooLong));
}

#[test]
fn a_reserved_moment_uses_up_no_delay_of_the_backoff() {
    let settings = exact();
    let mut plan = Plan::new(true, None, None);
    let reserved = Verdict::throttled().retry_after(RetryAfter::reserved(ms(5)));
    let random = Random::seeded(1);
    let delays = [reserved, Verdict::transient()].map(|verdict| {
        let again = plan.next(NOW, verdict, &settings, &random).unwrap();
        plan.begin(plan.turn_at(NOW, &settings));
        again.delay
    });
    assert_eq!(delays, [ms(5), ms(100)]);
}

#[test]
fn the_attempts_end_where_the_backoff_ends() {
    let backoff = Backoff::constant(ms(10)).jitter(Jitter::None).take(2);
    let settings = Settings { retries: 9, backoff, ..exact() };
    let (attempts, stop) = run(Plan::new(true, None, None), &settings, Verdict::transient());
    assert_eq!((attempts, stop), (3, Stop::BackoffEnded));
}

#[test]
fn nothing_starts_at_the_deadline_or_too_late_for_what_it_needs() {
    let starts = |needs, remaining| {
        let settings = Settings { needs: ms(needs), ..exact() };
        let deadline = Some(Deadline::at(NOW + ms(remaining)));
        let mut plan = Plan::new(true, deadline, None);
        plan.next(NOW, Verdict::transient(), &settings, &Random::seeded(1)).is_ok()
    };
    assert!(starts(0, 101) && !starts(0, 100) && !starts(0, 99));
    assert!(starts(50, 150) && !starts(50, 149));
}

#[test]
fn the_total_bounds_the_start_of_the_last_attempt() {
    let settings = exact();
    let ask = |total| {
        let mut plan = Plan::new(true, None, Some(NOW + ms(total)));
        plan.next(NOW, Verdict::transient(), &settings, &Random::seeded(1)).map(|_| ())
    };
    assert_eq!(ask(100), Ok(()));
    assert_eq!(ask(99), Err(Stop::Total));
}

#[test]
fn the_last_attempt_is_known_beforehand() {
    let turn = |settings: &Settings, remaining| {
        let mut plan = Plan::new(true, Some(Deadline::at(NOW + ms(remaining))), None);
        plan.next(NOW, Verdict::transient(), settings, &Random::seeded(1)).unwrap();
        plan.turn_at(NOW + ms(100), settings).attempt()
    };
    let (roomy, needy) = (exact(), Settings { needs: ms(400), ..exact() });
    assert_eq!(turn(&roomy, 1000), Attempt::number(2));
    assert_eq!(turn(&needy, 901), Attempt::number(2));
    assert_eq!(turn(&needy, 899), Attempt { number: 2, last: true });
    assert_eq!(turn(&Settings { retries: 1, ..exact() }, 1000), Attempt { number: 2, last: true });
    let backoff = Backoff::constant(ms(1)).take(1);
    assert_eq!(turn(&Settings { backoff, ..exact() }, 1000), Attempt { number: 2, last: true });
}

#[test]
fn retries_that_are_turned_off_end_the_requests_that_run() {
    let (mut settings, random) = (exact(), Random::seeded(1));
    let mut plan = Plan::new(true, None, None);
    assert!(plan.next(NOW, Verdict::transient(), &settings, &random).is_ok());
    plan.begin(plan.turn_at(NOW, &settings));
    settings.retries = 0;
    assert_eq!(plan.next(NOW, Verdict::transient(), &settings, &random), Err(Stop::Attempts));
}

#[test]
fn the_longest_settings_saturate() {
    let settings = Settings {
        retries: u32::MAX,
        backoff: Backoff::constant(Duration::MAX),
        longest_hint: Duration::MAX,
        needs: Duration::MAX,
        ..exact()
    };
    let random = Random::seeded(1);
    let hint = Verdict::throttled().retry_after(RetryAfter::hint(Duration::MAX));
    let mut plan = Plan::new(true, None, None);
    plan.begin(Turn { number: u32::MAX - 1, last: None });
    for _ in 0..3 {
        assert_eq!(plan.next(NOW, hint, &settings, &random).unwrap().delay, Duration::MAX);
        plan.begin(plan.turn_at(Nanos::MAX, &settings));
    }
    let mut plan = Plan::new(true, Some(Deadline::at(Nanos::MAX)), None);
    assert_eq!(plan.next(NOW, hint, &settings, &random), Err(Stop::Deadline));
}

#[test]
fn the_indices_of_the_stops_are_their_order() {
    assert!(Stop::ALL.iter().enumerate().all(|(index, stop)| *stop as usize == index));
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    let retry = prop_oneof![
        1 => Just(Retryable::Never),
        6 => Just(Retryable::IfRepeatable),
        3 => Just(Retryable::Unsent),
    ];
    let after = prop::option::weighted(0.4, (0..40_000_u64, any::<bool>()));
    (retry, after, any::<bool>()).prop_map(|(retry, after, ignore)| {
        let verdict =
            if ignore { Verdict::ignore() } else { Verdict::failure(FailureKind::Transient) };
        let verdict = verdict.retry(retry);
        match after {
            Some((delay, reserved)) => {
                verdict.retry_after(RetryAfter { delay: ms(delay), reserved })
            }
            None => verdict,
        }
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let take = prop::option::of(0..5_u32);
    (0..6_u32, 0..500_u64, 0..300_u64, take).prop_map(|(retries, base, needs, take)| {
        let backoff = Backoff::exponential(ms(base));
        let backoff = match take {
            Some(take) => backoff.take(take),
            None => backoff,
        };
        Settings { retries, backoff, needs: ms(needs), ..Settings::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the service answers, and however long it takes to.
    #[test]
    fn no_attempt_breaks_a_bound(
        settings in settings(),
        repeatable: bool,
        remaining in prop::option::of(0..5_000_u64),
        total in prop::option::of(0..5_000_u64),
        course in prop::collection::vec((verdicts(), 0..400_u64), 1..10),
        seed: u64,
    ) {
        let random = Random::seeded(seed);
        let deadline = remaining.map(|remaining| Deadline::at(NOW + ms(remaining)));
        let starts_by = total.map(|total| NOW + ms(total));
        let mut plan = Plan::new(repeatable, deadline, starts_by);
        let (mut now, mut promised) = (NOW, false);
        for (verdict, took) in course {
            now = now + ms(took);
            let Ok(again) = plan.next(now, verdict, &settings, &random) else { break };
            prop_assert!(!promised, "the last attempt is followed by another");
            prop_assert!(verdict.retryable() != Retryable::Never);
            prop_assert!(repeatable || verdict.retryable() == Retryable::Unsent);
            if let Some(after) = verdict.after() {
                prop_assert!(again.delay >= after.delay && after.delay <= settings.longest_hint);
                prop_assert!(!after.reserved || again.delay == after.delay);
                prop_assert_eq!(again.reserved, after.reserved);
            }
            now = now + again.delay;
            if let Some(deadline) = deadline {
                prop_assert!(!deadline.is_passed(now));
                prop_assert!(now + settings.needs <= deadline.moment());
            }
            prop_assert!(starts_by.is_none_or(|latest| now <= latest));
            let turn = plan.turn_at(now, &settings);
            prop_assert_eq!(turn.attempt().number, plan.number() + 1);
            prop_assert!(turn.attempt().number <= settings.retries + 1);
            plan.begin(turn);
            promised = turn.attempt().last;
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays(settings in settings(), seed: u64) {
        let draw = || {
            let (random, mut plan) = (Random::seeded(seed), Plan::new(true, None, None));
            let delays = (0..5).map(|_| plan.next(NOW, Verdict::transient(), &settings, &random));
            delays.collect::<Vec<_>>()
        };
        prop_assert_eq!(draw(), draw());
    }
}

fn exact() -> Settings {
    let backoff = Backoff::exponential(ms(100)).jitter(Jitter::None);
    Settings { backoff, ..Settings::default() }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn hinted(after: RetryAfter) -> Result<(Duration, bool), Stop> {
    let verdict = Verdict::throttled().retry_after(after);
    let mut plan = Plan::new(true, None, None);
    let again = plan.next(NOW, verdict, &exact(), &Random::seeded(1))?;
    Ok((again.delay, again.reserved))
}

/// Runs a request whose attempts all end with this verdict: how many there were, and why no more.
fn run(mut plan: Plan, settings: &Settings, verdict: Verdict) -> (u32, Stop) {
    let random = Random::seeded(1);
    loop {
        match plan.next(NOW, verdict, settings, &random) {
            Ok(_) => plan.begin(plan.turn_at(NOW, settings)),
            Err(stop) => return (plan.number(), stop),
        }
    }
}
