//! A server whose capacity halves and doubles again, by workers and by what a call takes, while half
//! more than it can do is asked for.

use std::{env, time::Duration};

use super::{
    Aimd, BandwidthDelay, Gradient2, Limiter, Vegas,
    simulation::{Answer, Errors, Phase, Scene, Service},
};

const USUAL: Service = Service::Lognormal(0.5);
const BUCKETS: usize = 200;
const FEW: u64 = 3;

/// Of the worst phase: the part of the capacity that was used, the mean latency and the time until
/// throughput and latency were good, the last two relative to the latency without a queue and in seconds.
#[derive(Debug, Clone, Copy)]
struct Figures {
    throughput: f64,
    latency: f64,
    converged: f64,
}

#[derive(Debug, Clone, Copy)]
enum Changes {
    Workers,
    Service,
}

#[derive(Debug, Clone, Copy)]
enum By {
    BandwidthDelay,
    Aimd,
    Vegas,
    Gradient2,
}

#[test]
fn what_a_service_can_do_is_found_when_it_halves_and_doubles() {
    for changes in [Changes::Workers, Changes::Service] {
        let (median, worst) = figures(By::BandwidthDelay, &scene(changes, USUAL, Errors::None), 20);
        assert!(median.throughput >= 0.97, "{changes:?}: {median:?}");
        assert!(median.latency <= 1.35, "{changes:?}: {median:?}");
        assert!(median.converged <= 1.0, "{changes:?}: {median:?}");
        assert!(worst.throughput >= 0.95, "{changes:?}: {worst:?}");
        assert!(worst.latency <= 1.5, "{changes:?}: {worst:?}");
        assert!(worst.converged <= 5.0, "{changes:?}: {worst:?}");
    }
}

#[test]
fn errors_cost_no_more_than_they_are() {
    let quick = [Errors::Fast(0.05), Errors::Refused(0.05)];
    for errors in quick.into_iter().chain([Errors::Slow(0.05), Errors::Overloaded(0.05)]) {
        let (median, _) = figures(By::BandwidthDelay, &scene(Changes::Workers, USUAL, errors), FEW);
        assert!(median.throughput >= 0.9 * 0.97, "{errors:?}: {median:?}");
    }
}

#[test]
fn the_limiters_that_are_known_fail_where_it_does_not() {
    for by in [By::Aimd, By::Vegas, By::Gradient2] {
        let (median, _) = figures(by, &scene(Changes::Service, USUAL, Errors::None), FEW);
        assert!(median.throughput < 0.95 || median.latency > 1.5, "{by:?}: {median:?}");
    }
}

#[test]
fn calls_that_take_the_same_time_or_scatter_widely_are_followed_as_well() {
    for service in [Service::Lognormal(0.0), Service::Lognormal(1.0), Service::Bimodal] {
        for changes in [Changes::Workers, Changes::Service] {
            let (median, _) =
                figures(By::BandwidthDelay, &scene(changes, service, Errors::None), FEW);
            assert!(median.throughput >= 0.93, "{changes:?} {service:?}: {median:?}");
            assert!(median.latency <= 1.45, "{changes:?} {service:?}: {median:?}");
        }
    }
}

/// In a queue there is always one to take the place of who leaves, so that calls that all take the same
/// time end together from then on.
#[test]
fn calls_that_end_in_waves_are_not_mistaken_for_more_or_less_than_they_are() {
    for changes in [Changes::Workers, Changes::Service] {
        let mut scene = scene(changes, Service::Lognormal(0.0), Errors::None);
        scene.queue = 300;
        let (median, worst) = figures(By::BandwidthDelay, &scene, FEW);
        assert!(median.throughput >= 0.97, "{changes:?}: {median:?}");
        assert!(worst.throughput >= 0.95, "{changes:?}: {worst:?}");
        assert!(worst.latency <= 1.35, "{changes:?}: {worst:?}");
    }
}

#[test]
fn a_limit_that_is_not_reached_does_not_grow() {
    let mut scene = scene(Changes::Workers, USUAL, Errors::None);
    scene.offered = 500.0;
    let mut limiter = Watched { limiter: Box::new(BandwidthDelay::new().initial(60)), most: 0 };
    let throughput = scene.run(&mut limiter, 1).len();
    assert_eq!(limiter.most, 0, "ten in flight of sixty");
    assert!(throughput > 29_000, "{throughput} of 30 000");
}

/// Prints all figures of all limiters, in as many seeds as are asked for.
#[test]
fn the_table() {
    let Ok(seeds) = env::var("BALLAST_OVERLOAD_SEEDS") else { return };
    let seeds = seeds.parse().unwrap();
    let services = [0.5, 0.0, 0.25, 1.0].map(Service::Lognormal).into_iter();
    for changes in [Changes::Workers, Changes::Service] {
        for service in services.clone().chain([Service::Bimodal]) {
            for by in [By::BandwidthDelay, By::Aimd, By::Vegas, By::Gradient2] {
                print(seeds, by, &scene(changes, service, Errors::None), &(changes, service));
            }
        }
    }
    for errors in [Errors::Fast(0.05), Errors::Slow(0.05), Errors::Overloaded(0.05)] {
        for by in [By::BandwidthDelay, By::Aimd, By::Vegas, By::Gradient2] {
            print(seeds, by, &scene(Changes::Workers, USUAL, errors), &errors);
        }
    }
}

/// Keeps the largest limit that it was given.
#[derive(Debug)]
struct Watched {
    limiter: Box<dyn Limiter>,
    most: u32,
}

impl Limiter for Watched {
    fn initial(&self) -> u32 {
        self.limiter.initial()
    }

    fn sample(&mut self, sample: super::Sample) -> Option<super::Change> {
        let change = self.limiter.sample(sample)?;
        let more = if change.limit > self.limiter.initial() { change.limit } else { 0 };
        self.most = self.most.max(more);
        Some(change)
    }
}

fn print(seeds: u64, by: By, scene: &Scene, what: &dyn std::fmt::Debug) {
    let (median, worst) = figures(by, scene, seeds);
    let cells = |of: Figures| {
        format!("{:5.1} % {:5.2}x {:4.1} s", 100.0 * of.throughput, of.latency, of.converged)
    };
    println!("{what:?} | {by:?} | {} | {} | {seeds} seeds", cells(median), cells(worst));
}

fn limiter(by: By) -> Box<dyn Limiter> {
    match by {
        By::BandwidthDelay => Box::new(BandwidthDelay::new()),
        By::Aimd => Box::new(Aimd::new(Duration::from_millis(60))),
        By::Vegas => Box::new(Vegas::new()),
        By::Gradient2 => Box::new(Gradient2::new()),
    }
}

fn scene(changes: Changes, service: Service, errors: Errors) -> Scene {
    let phases = match changes {
        Changes::Workers => [40, 20, 40].map(|workers| Phase { workers, service: 0.02 }),
        Changes::Service => [0.02, 0.04, 0.02].map(|service| Phase { workers: 40, service }),
    };
    Scene { phases, length: 20.0, service, errors, offered: 3000.0, queue: 0 }
}

/// The median of the seeds, and the worst of them, each figure for itself.
fn figures(by: By, scene: &Scene, seeds: u64) -> (Figures, Figures) {
    let runs: Vec<Figures> =
        (1..=seeds).map(|seed| worst_phase(scene, &scene.run(&mut *limiter(by), seed))).collect();
    let sorted = |figure: fn(&Figures) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let throughput = sorted(|run| run.throughput);
    let (latency, converged) = (sorted(|run| run.latency), sorted(|run| run.converged));
    let at = |rank: usize| Figures {
        throughput: throughput[runs.len() - 1 - rank],
        latency: latency[rank],
        converged: converged[rank],
    };
    (at(runs.len() / 2), at(runs.len() - 1))
}

fn worst_phase(scene: &Scene, answers: &[Answer]) -> Figures {
    let mut worst = Figures { throughput: f64::MAX, latency: 0.0, converged: 0.0 };
    let mut begin = 0.0;
    for phase in &scene.phases {
        let of_phase = of_phase(phase, scene.length, begin, answers);
        worst.throughput = worst.throughput.min(of_phase.throughput);
        worst.latency = worst.latency.max(of_phase.latency);
        worst.converged = worst.converged.max(of_phase.converged);
        begin += scene.length;
    }
    worst
}

/// It has converged at the beginning of the first half second with at least 92 % of the capacity and at
/// most 1.5 times the latency.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a few hundred"
)]
fn of_phase(phase: &Phase, length: f64, begin: f64, answers: &[Answer]) -> Figures {
    let capacity = f64::from(phase.workers) / phase.service;
    let bucket = length / BUCKETS as f64;
    let mut buckets = [(0.0, 0.0); BUCKETS];
    for (at, latency) in answers.iter().filter(|(at, _)| (begin..begin + length).contains(at)) {
        let sums = &mut buckets[(((at - begin) / bucket) as usize).min(BUCKETS - 1)];
        *sums = (sums.0 + 1.0, sums.1 + latency);
    }
    let total = |part: &[(f64, f64)]| {
        part.iter().fold((0.0, 0.0), |sums, one| (sums.0 + one.0, sums.1 + one.1))
    };
    let mut starts = 0..;
    let converged = buckets.windows(5).zip(&mut starts).find(|(window, _)| {
        let (calls, seconds) = total(window);
        calls >= 0.92 * capacity * 5.0 * bucket && seconds <= 1.5 * phase.service * calls
    });
    let (calls, seconds) = total(&buckets);
    Figures {
        throughput: calls / (capacity * length),
        latency: seconds / calls.max(1.0) / phase.service,
        converged: converged.map_or(length, |(_, start)| f64::from(start) * bucket),
    }
}
