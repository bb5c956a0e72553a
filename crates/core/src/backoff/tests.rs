use proptest::prelude::{Strategy, *};

use super::*;
use crate::Ratio;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn the_four_strategies_grow_as_named() {
    assert_eq!(seconds(&Backoff::constant(SECOND), 3), [1, 1, 1]);
    assert_eq!(seconds(&Backoff::linear(SECOND), 3), [1, 2, 3]);
    assert_eq!(seconds(&Backoff::exponential(SECOND), 3), [1, 2, 4]);
    assert_eq!(seconds(&Backoff::fibonacci(SECOND), 5), [1, 1, 2, 3, 5]);
}

#[test]
fn the_default_doubles_from_a_tenth_of_a_second_to_five() {
    let nominal: Vec<_> =
        (1..=8).map(|n| Backoff::default().nominal(n).unwrap().as_millis()).collect();
    assert_eq!(nominal, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
}

#[test]
fn a_cap_below_the_base_is_each_delay_without_jitter() {
    for backoff in strategies(10 * SECOND) {
        let backoff = backoff.cap(SECOND).jitter(Jitter::None);
        assert!(backoff.iter().take(100).all(|delay| delay == SECOND), "{backoff}");
    }
}

#[test]
fn no_jitter_passes_the_cap() {
    for backoff in strategies(10 * SECOND) {
        for jitter in jitters() {
            let backoff = backoff.clone().cap(SECOND).jitter(jitter);
            assert!(backoff.iter().take(1000).all(|delay| delay <= SECOND), "{backoff}");
        }
    }
}

#[test]
fn any_attempt_number_and_base_saturate_at_the_cap() {
    let numbers = [0, 1, 2, 63, 64, 186, 187, 1023, 1024, 1025, u32::MAX - 1, u32::MAX];
    for base in [Duration::ZERO, Duration::from_nanos(1), DAY, Duration::MAX] {
        for cap in [Duration::ZERO, 2 * DAY, Duration::MAX] {
            for backoff in strategies(base).map(|backoff| backoff.cap(cap)) {
                let nominal = numbers.map(|n| backoff.nominal(n).unwrap());
                assert!(nominal.is_sorted() && nominal[11] <= cap, "{backoff}: {nominal:?}");
                let longest = numbers.map(|n| backoff.longest(n));
                assert!(longest.is_sorted(), "{backoff}: {longest:?}");
                assert_eq!(nominal[0], Duration::ZERO);
            }
        }
    }
    for backoff in [Backoff::linear(DAY), Backoff::exponential(DAY), Backoff::fibonacci(DAY)] {
        assert_eq!(backoff.cap(30 * DAY).nominal(1000), Some(30 * DAY));
    }
}

#[test]
fn doubling_is_exact_at_any_length() {
    let base = Duration::from_nanos(1_000_000_007);
    for n in 1..=50 {
        let doubled = base.as_nanos() << (n - 1);
        assert_eq!(Backoff::exponential(base).nominal(n).unwrap().as_nanos(), doubled);
    }
}

#[test]
fn full_jitter_is_uniform() {
    let backoff = Backoff::exponential(SECOND).cap(3 * SECOND);
    for (attempt, high) in [(1, 1.0), (2, 2.0), (5, 3.0)] {
        assert_uniform(0.0, high, |random| {
            let mut delays = backoff.delays();
            (1..attempt).for_each(|_| _ = delays.next_with(random));
            delays.next_with(random)
        });
    }
}

#[test]
fn equal_and_proportional_jitter_are_uniform_over_their_ranges() {
    let equal = Backoff::constant(SECOND).jitter(Jitter::Equal);
    assert_uniform(0.5, 1.0, |random| equal.delays().next_with(random));

    let half = Jitter::Proportional(Ratio::percent::<50>());
    let proportional = Backoff::constant(SECOND).jitter(half);
    assert_uniform(0.5, 1.5, |random| proportional.delays().next_with(random));
}

#[test]
fn decorrelated_jitter_starts_over_in_each_request() {
    let backoff = Backoff::exponential(SECOND).jitter(Jitter::Decorrelated);
    let random = Random::seeded(4);
    for _ in 0..1000 {
        let first = backoff.delays().next_with(&random).unwrap();
        assert!((SECOND..=3 * SECOND).contains(&first));
    }
}

#[test]
fn stages_follow_one_another() {
    let backoff = Backoff::constant(SECOND)
        .take(2)
        .then(Backoff::linear(SECOND).until(6 * SECOND))
        .then(Backoff::none().take(1));
    assert_eq!(seconds(&exact(&backoff), 10), [1, 1, 1, 2, 3, 0]);
}

#[test]
fn a_stage_of_nothing_is_passed_over() {
    let short = Backoff::constant(SECOND).until(SECOND / 2);
    let nothing = exact(&Backoff::constant(SECOND).take(0).then(short));
    assert_eq!(nothing.nominal(1), None);
    assert_eq!(nothing.iter().next(), None);
    assert_eq!(nothing.longest(u32::MAX), Duration::ZERO);
    assert_eq!(nothing.then(Backoff::constant(SECOND)).nominal(1), Some(SECOND));
}

#[test]
fn clones_are_changed_apart() {
    let backoff = Backoff::constant(SECOND);
    assert_eq!(backoff.clone().cap(Duration::ZERO).nominal(1), Some(Duration::ZERO));
    assert_eq!(backoff.nominal(1), Some(SECOND));
}

#[test]
fn a_factor_a_hair_above_one_is_summed_without_walking() {
    for factor in [1.0, 1.0 + f64::EPSILON, 1.000_000_1, 1.001] {
        let factor = Multiplier::try_new("multiplier", factor).unwrap();
        let backoff = Backoff::exponential(SECOND).multiplier(factor).jitter(Jitter::None);
        let (sum, n) = (backoff.longest(20_000).as_secs_f64(), 20_000.0);
        let growth = factor.get() - 1.0;
        let series = if growth > 0.0 { (n * growth.ln_1p()).exp_m1() / growth } else { n };
        assert!((sum / series - 1.0).abs() < 1e-6, "{sum} against {series}");
        assert!(backoff.until(SECOND * 20_000).nominal(1000).is_some());
    }
}

#[test]
fn it_says_what_it_does() {
    let backoff = Backoff::default()
        .take(2)
        .then(Backoff::constant(SECOND).jitter(Jitter::Proportional(Ratio::percent::<10>())));
    let words = "exponential from 100ms x 2, at most 5s, full jitter, 2 times, \
                 then constant 1s, 10 % jitter";
    assert_eq!(backoff.to_string(), words);
}

#[test]
fn it_moves_between_threads() {
    fn moves<T: Send + Sync + 'static>() {}
    moves::<Backoff>();
    moves::<Delays>();
    moves::<Iter>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn each_delay_is_what_naive_growth_says(
        base in 0..10_000_000_000_u64, cap in 0..100_000_000_000_000_u64, factor in 1..20_u32,
    ) {
        let [constant, linear, exponential, fibonacci] =
            strategies(Duration::from_nanos(base)).map(|b| b.cap(Duration::from_nanos(cap)));
        let factor_value = Multiplier::try_new("multiplier", f64::from(factor)).unwrap();
        let exponential = exponential.multiplier(factor_value);
        let (base, cap) = (u128::from(base), u128::from(cap));
        let (mut line, mut power, mut before, mut current) = (base, base, 0, base);
        for n in 1..200 {
            prop_assert_eq!(nanos(&constant, n), base.min(cap));
            prop_assert_eq!(nanos(&linear, n), line.min(cap));
            prop_assert_eq!(nanos(&exponential, n), power.min(cap));
            prop_assert_eq!(nanos(&fibonacci, n), current.min(cap));
            line += base;
            power = (power * u128::from(factor)).min(cap.max(power));
            (before, current) = (current, (before + current).min(cap.max(current)));
        }
    }

    #[test]
    fn a_broken_factor_grows_as_repeated_multiplication(
        base in 1..10_000_000_000_u64, factor in 1.0..4.0_f64,
    ) {
        let multiplier = Multiplier::try_new("multiplier", factor).unwrap();
        let backoff = Backoff::exponential(Duration::from_nanos(base)).multiplier(multiplier);
        let mut naive = Duration::from_nanos(base).as_secs_f64();
        for n in 1..30 {
            let delay = backoff.nominal(n).unwrap().as_secs_f64();
            prop_assert!((delay - naive).abs() <= naive * 1e-9 + 2e-9);
            naive *= factor;
        }
    }

    #[test]
    fn nominal_is_the_sequence_without_jitter(backoff in backoffs()) {
        let exact = exact(&backoff);
        let walked: Vec<_> = exact.iter().take(60).collect();
        for n in 0..60 {
            prop_assert_eq!(exact.nominal(u32::try_from(n).unwrap() + 1), walked.get(n).copied());
        }
    }

    #[test]
    fn longest_is_the_sum_without_jitter(backoff in backoffs(), n in 0..60_u32) {
        let exact = exact(&backoff);
        let walked = exact.iter().take(n as usize).fold(Duration::ZERO, Duration::saturating_add);
        prop_assert_eq!(exact.longest(n), walked);
    }

    #[test]
    fn chance_never_passes_the_longest(backoff in backoffs(), n in 0..60_u32, seed: u64) {
        let walked: Duration = backoff.iter_with(Random::seeded(seed)).take(n as usize).sum();
        prop_assert!(walked <= backoff.longest(n), "{walked:?} of {backoff}");
    }

    #[test]
    fn each_jitter_keeps_its_range(
        base in 0..5_000_000_000_u64, cap in 0..20_000_000_000_u64, seed: u64, jitter in a_jitter(),
    ) {
        let (base, cap) = (Duration::from_nanos(base), Duration::from_nanos(cap));
        let backoff = Backoff::exponential(base).cap(cap).jitter(jitter);
        let mut previous = base;
        for (n, drawn) in (1..40).zip(backoff.iter_with(Random::seeded(seed))) {
            let nominal = backoff.nominal(n).unwrap();
            let (low, high) = match jitter {
                Jitter::None => (nominal, nominal),
                Jitter::Full => (Duration::ZERO, nominal),
                Jitter::Equal => (nominal / 2, nominal),
                Jitter::Decorrelated => (base.min(cap), cap.min(3 * previous)),
                Jitter::Proportional(share) => {
                    let spread = nominal.mul_f64(share.get());
                    let slack = Duration::from_nanos(1);
                    (nominal.saturating_sub(spread + slack), cap.min(nominal + spread + slack))
                }
            };
            prop_assert!((low..=high).contains(&drawn), "{drawn:?} from {low:?} to {high:?}");
            previous = drawn;
        }
    }

    #[test]
    fn without_jitter_delays_never_shrink(
        base in 1..u64::MAX, factor in 1.0..16.0_f64, n in 1..u32::MAX,
    ) {
        let factor = Multiplier::try_new("multiplier", factor).unwrap();
        for backoff in strategies(Duration::from_nanos(base)) {
            let backoff = backoff.multiplier(factor);
            for n in [n, n % 64 + 1] {
                prop_assert!(backoff.nominal(n) <= backoff.nominal(n + 1), "{backoff} at {n}");
            }
        }
    }
}

fn strategies(base: Duration) -> [Backoff; 4] {
    [
        Backoff::constant(base),
        Backoff::linear(base),
        Backoff::exponential(base),
        Backoff::fibonacci(base),
    ]
}

fn jitters() -> [Jitter; 5] {
    let share = Ratio::percent::<30>();
    [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::Proportional(share)]
}

fn exact(backoff: &Backoff) -> Backoff {
    let stages = backoff.stages.iter().cloned();
    Backoff { stages: stages.map(|stage| Stage { jitter: Jitter::None, ..stage }).collect() }
}

fn seconds(backoff: &Backoff, n: usize) -> Vec<u64> {
    exact(backoff).iter().take(n).map(|delay| delay.as_secs()).collect()
}

fn nanos(backoff: &Backoff, n: u32) -> u128 {
    backoff.nominal(n).unwrap().as_nanos()
}

/// A test of Kolmogorov and Smirnov for each of a hundred seeds. A fair draw passes the critical
/// value, 1.36, in five of them, and in more than fifteen once in ten thousand.
fn assert_uniform(low: f64, high: f64, draw: impl Fn(&Random) -> Option<Duration>) {
    let suspicious = (0..100).filter(|seed| {
        let random = Random::seeded(*seed);
        let position = |_| (draw(&random).unwrap().as_secs_f64() - low) / (high - low);
        kolmogorov_smirnov((0..1000).map(position).collect()) > 1.36
    });
    let suspicious = suspicious.count();
    assert!(suspicious <= 15, "{suspicious} of 100 from {low} to {high}");
}

/// The largest distance from a uniform distribution, times the root of the number of draws.
fn kolmogorov_smirnov(mut drawn: Vec<f64>) -> f64 {
    drawn.sort_by(f64::total_cmp);
    let count = f64::from(u32::try_from(drawn.len()).unwrap());
    let furthest = (1..).zip(drawn).map(|(rank, draw)| {
        let rank = f64::from(rank);
        (rank / count - draw).max(draw - (rank - 1.0) / count)
    });
    furthest.fold(0.0, f64::max) * count.sqrt()
}

fn a_jitter() -> impl Strategy<Value = Jitter> {
    (0..5_usize, 0.0..=1.0_f64).prop_map(|(which, share)| match jitters()[which] {
        Jitter::Proportional(_) => Jitter::Proportional(Ratio::try_new("share", share).unwrap()),
        other => other,
    })
}

fn a_stage() -> impl Strategy<Value = Backoff> {
    let base = prop_oneof![Just(0), 1..50_u64, 1..5_000_000_000_u64];
    let end = prop::option::of(0..12_u32);
    let total = prop::option::of(0..40_000_000_000_u64);
    (0..4_usize, base, 0..20_000_000_000_u64, a_jitter(), end, total, 1.0..4.0_f64).prop_map(
        |(which, base, cap, jitter, take, until, factor)| {
            let [a, b, c, d] = strategies(Duration::from_nanos(base));
            let factor = Multiplier::try_new("multiplier", factor).unwrap();
            let chosen = [a, b, c.multiplier(factor), d][which].clone();
            let backoff = chosen.cap(Duration::from_nanos(cap)).jitter(jitter);
            let backoff = take.into_iter().fold(backoff, Backoff::take);
            until.map(Duration::from_nanos).into_iter().fold(backoff, Backoff::until)
        },
    )
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    prop::collection::vec(a_stage(), 1..4)
        .prop_map(|stages| stages.into_iter().reduce(Backoff::then).unwrap())
}
