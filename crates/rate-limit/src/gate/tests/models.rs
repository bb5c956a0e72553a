//! Each algorithm beside a model that is too slow and too large to use, and hard to get wrong.

use std::collections::HashMap;

use governor::{Quota as Their, RateLimiter, clock::FakeRelativeClock};

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn gcra_decides_as_governor_does(
        interval in 1..2_000_u64,
        burst in 1..20_u32,
        steps in prop::collection::vec((0..5_000_u64, 1..25_u32), 1..200),
    ) {
        let (period, burst) = (nanos(interval), some(burst));
        let gate = Gate::new(Algorithm::Gcra, Quota::per(period, NonZeroU32::MIN).burst(burst));
        let clock = FakeRelativeClock::default();
        let theirs = Their::with_period(period).unwrap().allow_burst(burst);
        let theirs = RateLimiter::direct_with_clock(theirs, clock.clone());

        let mut now = START;
        for (pause, cost) in steps {
            clock.advance(nanos(pause));
            now = now + nanos(pause);
            let decided = match theirs.check_n(some(cost)) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(until)) => Err(Later::At(START + until.earliest_possible().into())),
                Err(_) => Err(Later::Never),
            };
            prop_assert_eq!(gate.take(now, cost), decided);
        }
    }

    #[test]
    fn a_bucket_holds_what_drips_into_it_nanosecond_by_nanosecond(
        quota in quotas(),
        calls in calls(),
    ) {
        let gate = Gate::new(Algorithm::TokenBucket, quota);
        let period = quota.period().as_nanos();
        let full = u128::from(quota.burst_size()) * period;
        let (mut now, mut level) = (START, full);
        for (pause, cost) in calls {
            for _ in 0..pause {
                level = full.min(level + u128::from(quota.count()));
            }
            now = now + nanos(pause);
            let needed = u128::from(cost) * period;
            let passes = needed <= level;
            if passes {
                level -= needed;
            }
            prop_assert_eq!(gate.take(now, cost).is_ok(), passes);
            prop_assert_eq!(u128::from(gate.standing(now).remaining), level / period);
        }
    }

    #[test]
    fn fixed_windows_count_each_by_itself(quota in quotas(), calls in calls()) {
        let gate = Gate::new(Algorithm::FixedWindow, quota);
        let mut used: HashMap<u128, u32> = HashMap::new();
        let mut now = START;
        for (pause, cost) in calls {
            now = now + nanos(pause);
            let used = used.entry(u128::from(now.as_nanos()) / quota.period().as_nanos()).or_default();
            let passes = *used + cost <= quota.count();
            if passes {
                *used += cost;
            }
            prop_assert_eq!(gate.take(now, cost).is_ok(), passes);
            prop_assert_eq!(gate.standing(now).remaining, quota.count() - *used);
        }
    }

    #[test]
    fn a_sliding_counter_weighs_the_window_before(quota in quotas(), calls in calls()) {
        let gate = Gate::new(Algorithm::SlidingCounter, quota);
        let period = quota.nanos();
        let mut used: HashMap<u64, u64> = HashMap::new();
        let mut now = START;
        for (pause, cost) in calls {
            now = now + nanos(pause);
            let (window, elapsed) = (now.as_nanos() / period, now.as_nanos() % period);
            let before = used.get(&(window - 1)).copied().unwrap_or(0);
            let current = used.entry(window).or_default();
            let estimate = before * (period - elapsed) + (*current + u64::from(cost)) * period;
            let passes = estimate <= u64::from(quota.count()) * period;
            if passes {
                *current += u64::from(cost);
            }
            prop_assert_eq!(gate.take(now, cost).is_ok(), passes);
        }
    }

    #[test]
    fn a_sliding_log_counts_what_passed_in_the_last_period(quota in quotas(), calls in calls()) {
        let gate = Gate::new(Algorithm::SlidingLog, quota);
        let mut passed: Vec<(Nanos, u32)> = Vec::new();
        let mut now = START;
        for (pause, cost) in calls {
            now = now + nanos(pause);
            let recent = |entry: &&(Nanos, u32)| now.since(entry.0) < quota.period();
            let used: u32 = passed.iter().filter(recent).map(|entry| entry.1).sum();
            let passes = used + cost <= quota.count();
            if passes {
                passed.push((now, cost));
            }
            prop_assert_eq!(gate.standing(now).remaining, quota.count() - used);
            prop_assert_eq!(gate.take(now, cost).is_ok(), passes);
        }
    }

    #[test]
    fn a_pace_keeps_its_distance_from_one_to_the_next(quota in quotas(), calls in calls()) {
        let gate = Gate::new(Algorithm::Pacing, quota);
        let (mut now, mut next) = (START, START);
        for (pause, cost) in calls {
            now = now + nanos(pause);
            let decided = if next <= now { Ok(()) } else { Err(Later::At(next)) };
            if decided.is_ok() {
                next = now + quota.interval() * cost;
            }
            prop_assert_eq!(gate.take(now, cost), decided);
        }
    }
}

#[test]
fn warming_up_takes_the_time_given_and_ends_at_the_quota() {
    let warming = Duration::from_secs(10);
    let gate = Gate::new(Algorithm::WarmUp(warming), Quota::per_second(some(100)));
    let mut moments = Vec::new();
    while let Some(moment) = gate.reserve(START, 1, Duration::from_secs(20)) {
        moments.push(moment);
    }
    let waits: Vec<f64> =
        moments.windows(2).map(|pair| pair[1].since(pair[0]).as_secs_f64() * 100.0).collect();

    assert!((2.97..3.0).contains(&waits[0]), "cold is three times slower: {}", waits[0]);
    assert!(waits.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9), "it only quickens");
    // Half of the stored time, 500 intervals, is used up within the warming.
    let warm = waits.iter().position(|wait| *wait < 1.0 + 1e-9).unwrap();
    assert!((warm, moments[warm].since(START)) == (500, warming), "{warm}: {:?}", moments[warm]);
    assert!(waits[warm..].iter().all(|wait| (*wait - 1.0).abs() < 1e-9));
}

#[test]
fn what_rested_half_the_time_is_still_warm() {
    let warming = Duration::from_secs(10);
    let gate = Gate::new(Algorithm::WarmUp(warming), Quota::per_second(some(100)));
    let mut now = START;
    for _ in 0..1000 {
        now = gate.reserve(now, 1, Duration::MAX).unwrap();
    }
    let second_after = |now: Nanos, pause: Duration| {
        let now = now + Duration::from_millis(10) + pause;
        gate.take(now, 1).unwrap();
        let Err(Later::At(next)) = gate.take(now, 1) else { panic!("one at a time") };
        next.since(now)
    };
    assert_eq!(second_after(now, warming / 2), Duration::from_millis(10));
    let cold = second_after(now + warming, warming * 2);
    assert!(cold > Duration::from_millis(29), "{cold:?}");
}
