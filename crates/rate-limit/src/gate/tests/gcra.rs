use std::num::NonZeroU32;

use governor::{Quota as Their, RateLimiter, clock::FakeRelativeClock};
use proptest::prelude::*;

use super::*;

const START: Nanos = Nanos::from_nanos(1_000_000_000);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_decides_as_governor_does(
        interval in 1..2_000_u64,
        burst in 1..20_u32,
        steps in prop::collection::vec((0..5_000_u64, 1..25_u32), 1..200),
    ) {
        let (period, burst) = (Duration::from_nanos(interval), NonZeroU32::new(burst).unwrap());
        let quota = Quota::per(period, NonZeroU32::MIN).burst(burst);
        let ours = Gate::new(Algorithm::Gcra, quota);
        let clock = FakeRelativeClock::default();
        let theirs = Their::with_period(period).unwrap().allow_burst(burst);
        let theirs = RateLimiter::direct_with_clock(theirs, clock.clone());

        let mut now = START;
        for (pause, cost) in steps {
            let pause = Duration::from_nanos(pause);
            clock.advance(pause);
            now = now + pause;
            let decided = match theirs.check_n(NonZeroU32::new(cost).unwrap()) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(until)) => Err(Later::At(START + until.earliest_possible().into())),
                Err(_) => Err(Later::Never),
            };
            prop_assert_eq!(ours.take(now, cost), decided);
        }
    }
}
