//! What holds for every algorithm.

use super::*;

/// The most that may pass within any one period, if nothing costs more than `cost`.
fn bound(algorithm: Algorithm, quota: Quota, cost: u32) -> u32 {
    match algorithm {
        Algorithm::Gcra | Algorithm::TokenBucket => quota.burst_size() + quota.count(),
        Algorithm::FixedWindow | Algorithm::SlidingCounter => 2 * quota.count(),
        Algorithm::SlidingLog => quota.count(),
        Algorithm::Pacing | Algorithm::WarmUp(_) => quota.count() + cost,
    }
}

fn most_within(period: Duration, passed: &[(Nanos, u32)]) -> u32 {
    let until = |end: Nanos| {
        let within = move |entry: &&(Nanos, u32)| entry.0 <= end && end.since(entry.0) < period;
        passed.iter().filter(within).map(|entry| entry.1).sum()
    };
    passed.iter().map(|entry| until(entry.0)).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_period_sees_more_than_it_may(
        algorithm in algorithms(),
        quota in quotas(),
        calls in calls(),
        reserving in any::<bool>(),
    ) {
        let gate = Gate::new(algorithm, quota);
        let (mut now, mut passed) = (START, Vec::new());
        for (pause, cost) in calls {
            now = now + nanos(pause);
            if reserving && cost % 2 == 0 {
                passed.extend(gate.reserve(now, cost, nanos(5_000)).map(|slot| (slot, cost)));
            } else if gate.take(now, cost).is_ok() {
                passed.push((now, cost));
            }
        }
        prop_assert!(most_within(quota.period(), &passed) <= bound(algorithm, quota, 7));
    }

    #[test]
    fn what_is_told_to_come_later_passes_then_and_not_before(
        algorithm in algorithms(),
        quota in quotas(),
        calls in calls(),
    ) {
        let gate = Gate::new(algorithm, quota);
        let mut now = START;
        for (pause, cost) in calls {
            now = now + nanos(pause);
            match gate.take(now, cost) {
                Ok(()) => {}
                Err(Later::Never) => prop_assert!(cost > gate.standing(now).limit),
                Err(Later::At(moment)) => {
                    let before = Nanos::from_nanos(moment.as_nanos() - 1);
                    prop_assert!(before >= now);
                    prop_assert_eq!(gate.take(before, cost), Err(Later::At(moment)));
                    prop_assert_eq!(gate.take(moment, cost), Ok(()));
                    now = moment;
                }
            }
        }
    }

    #[test]
    fn all_is_there_again_at_the_moment_told_and_not_before(
        algorithm in algorithms(),
        quota in quotas(),
        calls in calls(),
    ) {
        let gate = Gate::new(algorithm, quota);
        let mut now = START;
        for (pause, cost) in calls {
            now = now + nanos(pause);
            let _ = gate.take(now, cost);
        }
        let Standing { limit, full_at, .. } = gate.standing(now);
        if full_at > now {
            let before = Nanos::from_nanos(full_at.as_nanos() - 1);
            prop_assert!(gate.standing(before).remaining < limit);
        }
        prop_assert_eq!(gate.standing(full_at).remaining, limit);
    }

    #[test]
    fn who_comes_after_a_reservation_goes_behind(
        algorithm in algorithms(),
        quota in quotas(),
        costs in prop::collection::vec(1..8_u32, 1..40),
    ) {
        let gate = Gate::new(algorithm, quota);
        let slots: Vec<_> =
            costs.iter().filter_map(|&cost| gate.reserve(START, cost, nanos(50_000))).collect();
        prop_assert!(slots.is_sorted());
        if let Some(&last) = slots.last().filter(|last| **last > START) {
            let largest = gate.standing(START).limit.max(1);
            if let Err(Later::At(moment)) = gate.take(START, largest) {
                prop_assert!(moment >= last);
            }
        }
    }

    #[test]
    fn what_is_given_back_at_once_was_never_taken(
        algorithm in prop::sample::select(&ALL[..6]),
        quota in quotas(),
        calls in calls(),
    ) {
        let (gate, other) = (Gate::new(algorithm, quota), Gate::new(algorithm, quota));
        let mut now = START;
        for (pause, cost) in calls {
            now = now + nanos(pause);
            let decided = gate.take(now, cost);
            prop_assert_eq!(other.take(now, cost), decided);
            if gate.take(now, 1).is_ok() {
                gate.give_back(now, 1);
            }
            prop_assert_eq!(gate.standing(now), other.standing(now));
        }
    }

    #[test]
    fn no_more_is_given_back_than_there_was(
        algorithm in algorithms(),
        quota in quotas(),
        calls in calls(),
    ) {
        let gate = Gate::new(algorithm, quota);
        let (mut now, mut passed) = (START, 0);
        for (pause, cost) in calls {
            now = now + nanos(pause);
            gate.give_back(now, cost);
            let standing = gate.standing(now);
            prop_assert!(standing.remaining <= standing.limit);
        }
        while gate.take(now, 1).is_ok() {
            passed += 1;
        }
        prop_assert_eq!(passed, gate.standing(now).limit);
    }

    #[test]
    fn it_is_known_beforehand_when_something_passes(
        algorithm in algorithms(),
        quota in prop_oneof![9 => quotas(), 1 => Just(Quota::CLOSED)],
        calls in calls(),
        cost in prop_oneof![9 => 0..40_u32, 1 => Just(u32::MAX)],
    ) {
        let (gate, mut now) = (Gate::new(algorithm, quota), START);
        for (pause, cost) in calls {
            now = now + nanos(pause);
            let _ = gate.take(now, cost);
        }
        let (left, when) = (gate.standing(now), gate.when(now, cost));
        prop_assert_eq!(gate.admits(cost), when.is_some());
        prop_assert_eq!(gate.standing(now), left, "a question takes nothing");
        let found = match gate.take(now, cost) {
            Ok(()) => Some(now),
            Err(Later::At(moment)) => Some(moment),
            Err(Later::Never) => None,
        };
        prop_assert_eq!(when, found);
    }

    #[test]
    fn what_is_owed_is_waited_for(
        algorithm in prop::sample::select(&ALL[..3]),
        quota in quotas(),
        owed in 1..500_u32,
    ) {
        let gate = Gate::new(algorithm, quota);
        gate.charge(START, quota.burst_size().max(quota.count()) + owed);
        prop_assert_eq!(gate.standing(START).remaining, 0);
        // One more than is owed has to be earned first; of fixed windows whole ones.
        let Err(Later::At(moment)) = gate.take(START, 1) else { panic!("it is owed") };
        let periods = f64::from(owed / quota.count()) - 1.0;
        prop_assert!(moment.since(START) >= quota.period().mul_f64(periods.max(0.0)));
        prop_assert_eq!(gate.take(moment, 1), Ok(()));
    }

    #[test]
    fn the_same_quota_again_changes_nothing(
        algorithm in algorithms(),
        quota in quotas(),
        calls in calls(),
    ) {
        let (gate, other) = (Gate::new(algorithm, quota), Gate::new(algorithm, quota));
        let mut now = START;
        for (pause, cost) in calls {
            now = now + nanos(pause);
            gate.configure(now, quota);
            prop_assert_eq!(gate.take(now, cost), other.take(now, cost));
        }
    }

    #[test]
    fn changes_make_no_permits(
        algorithm in algorithms(),
        quotas in prop::collection::vec(
            prop_oneof![
                4 => quotas(),
                1 => Just(Quota::CLOSED),
                1 => Just(Quota::per(Duration::ZERO, NonZeroU32::MAX)),
                1 => Just(Quota::per(Duration::MAX, NonZeroU32::MAX).burst(NonZeroU32::MAX)),
                1 => Just(Quota::per_second(some(1))),
            ],
            1..60,
        ),
    ) {
        let gate = Gate::new(algorithm, quotas[0]);
        let mut most = 0_u64;
        let mut passed = 0_u64;
        for quota in quotas {
            gate.configure(START, quota);
            most = most.max(gate.standing(START).limit.into());
            for cost in [1, 5, 1 << 20] {
                passed += if gate.take(START, cost).is_ok() { u64::from(cost) } else { 0 };
            }
        }
        // Pacing and warming up let one through whatever it costs.
        let one = if matches!(algorithm, Algorithm::Pacing | Algorithm::WarmUp(_)) { 1 << 20 } else { 0 };
        prop_assert!(passed <= most + one, "{passed} of {most}");
    }

    #[test]
    fn an_earlier_moment_finds_no_more_than_is_left(
        algorithm in algorithms(),
        quota in quotas(),
        back in 1..10_000_u64,
    ) {
        let gate = Gate::new(algorithm, quota);
        while gate.take(START, 1).is_ok() {}
        let earlier = Nanos::from_nanos(START.as_nanos() - back);
        prop_assert!(gate.take(earlier, 1).is_err());
        prop_assert_eq!(gate.take(Nanos::ZERO, 1).is_ok(), false);
    }
}

#[test]
fn a_year_of_rest_grants_one_burst() {
    for algorithm in ALL {
        let gate = Gate::new(algorithm, Quota::per_second(some(50)).burst(some(7)));
        let mut now = START;
        for days in [1, 30, 400] {
            now = now + Duration::from_secs(days * 24 * 60 * 60);
            let passed = (0..1000).filter(|_| gate.take(now, 1).is_ok()).count();
            assert_eq!(passed, usize::try_from(gate.standing(now).limit).unwrap(), "{algorithm:?}");
        }
    }
}

#[test]
fn what_is_closed_lets_nothing_through_and_opens_empty() {
    for algorithm in [Algorithm::Gcra, Algorithm::TokenBucket, Algorithm::Pacing] {
        let gate = Gate::new(algorithm, Quota::CLOSED);
        assert_eq!(gate.take(START, 1), Err(Later::Never), "{algorithm:?}");
        assert_eq!(gate.reserve(START, 1, Duration::MAX), None);
        gate.configure(START, Quota::per_second(some(10)));
        let first = START + Duration::from_millis(100);
        assert_eq!(gate.take(START, 1), Err(Later::At(first)), "{algorithm:?}");
    }
}

#[test]
fn the_level_stays_when_the_quota_changes() {
    for algorithm in [Algorithm::Gcra, Algorithm::TokenBucket] {
        let gate = Gate::new(algorithm, Quota::per_second(some(100)));
        gate.take(START, 70).unwrap();
        gate.configure(START, Quota::per_second(some(1000)));
        assert_eq!(gate.standing(START).remaining, 30, "{algorithm:?}");
        gate.configure(START, Quota::per_second(some(10)));
        assert_eq!(gate.standing(START).remaining, 10, "{algorithm:?}");

        gate.charge(START, 30);
        gate.configure(START, Quota::per_second(some(1)));
        let paid = START + Duration::from_secs(21);
        assert_eq!(gate.take(START, 1), Err(Later::At(paid)), "{algorithm:?}");
    }
}

#[test]
fn a_reservation_that_does_not_fit_leaves_the_rest_of_the_next_window() {
    let gate = Gate::new(Algorithm::FixedWindow, Quota::per_second(some(10)));
    gate.take(START, 7).unwrap();
    let next = START + Duration::from_secs(1);
    assert_eq!(gate.reserve(START, 5, Duration::from_secs(5)), Some(next));
    assert_eq!(gate.take(START, 1), Err(Later::At(next)));
    assert_eq!(gate.standing(next).remaining, 5);
    assert_eq!(gate.take(next, 5), Ok(()));
}

#[test]
fn a_change_of_windows_keeps_what_has_passed() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingCounter, Algorithm::SlidingLog] {
        let gate = Gate::new(algorithm, Quota::per_second(some(10)));
        gate.take(START, 7).unwrap();
        gate.configure(START, Quota::per_second(some(8)));
        assert_eq!(gate.standing(START).remaining, 1, "{algorithm:?}");
        gate.configure(START, Quota::per_minute(some(20)));
        assert_eq!(gate.standing(START).remaining, 13, "{algorithm:?}");
        gate.configure(START, Quota::CLOSED);
        assert_eq!(gate.take(START, 1), Err(Later::Never), "{algorithm:?}");
    }
}

#[test]
fn a_reservation_given_back_is_there_for_the_next() {
    for algorithm in ALL {
        let gate = Gate::new(algorithm, Quota::per_second(some(4)));
        gate.take(START, 4).unwrap();
        let slot = gate.reserve(START, 2, Duration::from_secs(10)).unwrap();
        assert!(slot > START, "{algorithm:?}");
        gate.give_back(slot, 2);
        let again = gate.reserve(START, 2, Duration::from_secs(10)).unwrap();
        assert!(again <= slot, "{algorithm:?}");
    }
}

#[test]
fn extreme_quotas_and_costs_saturate() {
    let most = NonZeroU32::MAX;
    for algorithm in ALL.into_iter().chain([Algorithm::WarmUp(Duration::MAX)]) {
        for period in [Duration::ZERO, nanos(1), Duration::from_secs(1), Duration::MAX] {
            for count in [some(1), most] {
                for quota in [Quota::per(period, count), Quota::per(period, count).burst(most)] {
                    let gate = Gate::new(algorithm, quota);
                    for now in [Nanos::ZERO, START, Nanos::MAX, START] {
                        for cost in [0, 1, u32::MAX] {
                            let _ = gate.take(now, cost);
                            let _ = gate.reserve(now, cost, Duration::MAX);
                            gate.give_back(now, cost);
                            gate.charge(now, cost);
                            let standing = gate.standing(now);
                            assert!(standing.remaining <= standing.limit);
                        }
                        gate.configure(now, quota);
                        gate.configure(now, Quota::CLOSED);
                    }
                }
            }
        }
    }
}

#[test]
fn a_log_of_any_limit_remembers_a_bounded_number() {
    let quota = Quota::per_second(some(1_000_000)).burst(some(1));
    let gate = Gate::new(Algorithm::SlidingLog, quota);
    let mut passed = Vec::new();
    for step in 0..400_000 {
        let now = START + nanos(step * 5_000);
        if gate.take(now, 7).is_ok() {
            passed.push((now, 7));
        }
    }
    // A million in two seconds each; the rounding costs a 4096th.
    let sum: u32 = passed.iter().map(|entry| entry.1).sum();
    assert!((1_990_000..=2_000_000).contains(&sum), "{sum}");
}

#[test]
fn what_is_given_back_by_who_read_an_earlier_clock_is_given_back() {
    for algorithm in ALL {
        let gate = Gate::new(algorithm, Quota::per_second(some(10)).burst(some(10)));
        gate.take(START + nanos(5), 1).unwrap();
        // Another thread has read its clock before, and comes after.
        if gate.take(START, 1).is_ok() {
            let left = |gate: &Gate| gate.standing(START + nanos(5)).remaining;
            let before = left(&gate);
            gate.give_back(START, 1);
            assert_eq!(left(&gate), before + 1, "{algorithm:?}");
        }
    }
}

#[test]
fn what_is_given_back_after_a_change_of_grain_is_given_back() {
    for (before, after) in [(5000, 4000), (4000, 5000), (5000, 9000), (9000, 5000)] {
        let gate = Gate::new(Algorithm::SlidingLog, Quota::per_second(some(before)));
        gate.take(START + nanos(7), 3).unwrap();
        gate.configure(START + nanos(8), Quota::per_second(some(after)));
        gate.give_back(START + nanos(7), 3);
        assert_eq!(gate.standing(START + nanos(9)).remaining, after, "{before} and then {after}");
    }
}

#[test]
fn what_no_longer_counts_gives_back_nothing_of_others() {
    let gate = Gate::new(Algorithm::SlidingLog, Quota::per_second(some(10)));
    gate.take(START, 4).unwrap();
    let later = START + Duration::from_secs(1);
    gate.take(later, 3).unwrap();
    gate.give_back(START, 4);
    assert_eq!(gate.standing(later).remaining, 7);
}

#[test]
fn what_is_drained_is_all_and_no_more_than_that() {
    for algorithm in ALL {
        let gate = Gate::new(algorithm, Quota::per_second(some(8)).burst(some(4)));
        let _ = gate.take(START, 1);
        gate.drain(START);
        let (left, opens) = (gate.standing(START).remaining, gate.when(START, 1));
        assert_eq!(left, 0, "{algorithm:?}");
        assert!(opens.unwrap().since(START) <= Duration::from_secs(2), "{algorithm:?}");
        gate.drain(START);
        assert_eq!(gate.when(START, 1), opens, "{algorithm:?}: twice is as good as once");
        gate.charge(START, 20);
        let opens = gate.when(START, 1);
        gate.drain(START);
        assert_eq!(gate.when(START, 1), opens, "{algorithm:?}: what is owed stays");
    }
}
