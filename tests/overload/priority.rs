//! A server that is asked for up to ten times what it can do, by four classes of callers.

use std::{ops::Range, time::Duration};

use tower::{Layer, util::BoxCloneService};
use tower_ballast::{BoxError, BulkheadLayer, Priority};
use tower_ballast_test::simulator::{
    Backend, Call, CallFacts, End, Recording, Server, ServiceTime, Stream, simulate, stretched,
};

use super::{
    drawing::Drawing,
    is_long, millis,
    page::{Page, percent},
    run_all, seconds, seeds,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Arm {
    /// The queue of the server, which works on whatever comes first.
    Bare,
    /// Ten at once, and a queue that is first come, first served.
    Fifo,
    /// Ten at once, and a queue by class.
    Ours,
}

const ARMS: [(Arm, &str); 3] =
    [(Arm::Bare, "no limit"), (Arm::Fifo, "first come, first served"), (Arm::Ours, "ours")];

/// The shares of the classes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mix {
    Usual,
    Equal,
}

impl Mix {
    /// In the order of [`Priority::ALL`].
    const fn shares(self) -> [f64; 4] {
        match self {
            Self::Usual => SHARES,
            Self::Equal => [0.25; 4],
        }
    }
}

/// What each class asks for usually.
pub(super) const SHARES: [f64; 4] = [0.05, 0.25, 0.40, 0.30];
/// How long each class waits.
pub(super) const DEADLINES: [Duration; 4] = [millis(250), millis(500), millis(1_000), seconds(5)];
/// What a class gets in any case.
const FLOORS: [f64; 4] = [0.0, 0.10, 0.04, 0.01];

/// The step comes at 10 s, and what is reached is measured when all has settled.
const STEP: Duration = seconds(10);
const SETTLED: Range<Duration> = seconds(40)..seconds(70);
const WORKERS: u32 = 10;
const SERVICE: Duration = millis(10);

#[derive(Debug, Clone, Copy)]
struct Job {
    arm: Arm,
    mix: Mix,
    load: f64,
    seed: u64,
}

/// What one run gives, as shares of the capacity or of what was asked for.
#[derive(Debug, Clone)]
struct Found {
    goodput: f64,
    /// By class: the successes as a share of the capacity.
    got: [f64; 4],
    /// Of those that were not served, the share that was told so within a millisecond.
    told_at_once: f64,
    /// The same for the highest class from the step on.
    high_at_once: f64,
    high_p99: Duration,
    curve: Vec<(f64, f64)>,
}

impl Job {
    fn run(&self) -> Found {
        let capacity = f64::from(WORKERS) / SERVICE.as_secs_f64();
        let recording = self.simulate(capacity);
        let of = Priority::ALL.map(|class| recording.only(|call| call.priority() == class));
        let goodput = |recording: &Recording| recording.goodput(SETTLED) / capacity;
        Found {
            goodput: goodput(&recording),
            got: of.each_ref().map(goodput),
            told_at_once: told_at_once(&recording),
            high_at_once: of[0].success(STEP..SETTLED.end),
            high_p99: of[0].percentile(SETTLED, 0.99),
            curve: of[0].curve(seconds(5)..seconds(30), millis(500)),
        }
    }

    fn simulate(&self, capacity: f64) -> Recording {
        simulate(self.seed, async |scene| {
            let times = ServiceTime::exponential(SERVICE);
            let backend = scene.serve(Server::new(WORKERS, times).queue(10_000));
            let streams: Vec<Stream> = Priority::ALL
                .into_iter()
                .map(|class| {
                    let share = self.mix.shares()[class.index()];
                    Stream::per_second(capacity * share * 0.7)
                        .priority(class)
                        .deadline(DEADLINES[class.index()])
                        .factor(STEP, self.load / 0.7)
                })
                .collect();
            let service = server(self.arm, backend);
            scene.offer(&streams, SETTLED.end, |_| service.clone()).await
        })
    }

    /// What the second class could get: all that the highest leaves, but for the floors below.
    fn ideal_of_medium(&self) -> f64 {
        let shares = self.mix.shares();
        let high = shares[0] * self.load;
        let below: f64 = (2..4).map(|class| FLOORS[class].min(shares[class] * self.load)).sum();
        (1.0 - high - below).min(shares[1] * self.load)
    }
}

fn told_at_once(recording: &Recording) -> f64 {
    let settled =
        recording.only(|call| SETTLED.contains(&call.made()) && call.end() != End::Success);
    let at_once = settled.only(|call| call.took() <= millis(1));
    if settled.calls().is_empty() {
        return 1.0;
    }
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let share = at_once.calls().len() as f64 / settled.calls().len() as f64;
    share
}

fn server(arm: Arm, backend: Backend) -> BoxCloneService<Call, (), BoxError> {
    let queue = BulkheadLayer::new(WORKERS).queue(1_000).longest_wait(stretched(seconds(5)));
    let drop_answer = tower::util::MapResponseLayer::new(drop);
    let drop_error = tower::util::MapErrLayer::new(BoxError::from);
    let bare = drop_error.layer(drop_answer.layer(backend));
    match arm {
        Arm::Bare => BoxCloneService::new(bare),
        Arm::Fifo => BoxCloneService::new(queue.layer(bare)),
        Arm::Ours => BoxCloneService::new(queue.facts(ByClass).layer(bare)),
    }
}

/// Calls by class, of one client.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByClass;

impl tower_ballast::Facts<Call> for ByClass {
    fn priority(&self, call: &Call) -> Option<Priority> {
        CallFacts.priority(call)
    }

    fn deadline(&self, call: &Call) -> Option<tower_ballast::Deadline> {
        CallFacts.deadline(call)
    }
}

#[test]
fn who_matters_most_is_served_at_ten_times_the_capacity_and_nobody_starves() {
    let loads: &[f64] = if is_long() { &[1.0, 2.0, 4.0, 10.0] } else { &[1.0, 10.0] };
    let mut jobs = Vec::new();
    let few = || seeds().take(if is_long() { usize::MAX } else { 1 });
    let ours = |mix, load| move |seed| Job { arm: Arm::Ours, mix, load, seed };
    for load in &loads[..loads.len() - 1] {
        jobs.extend(few().map(ours(Mix::Usual, *load)));
    }
    jobs.extend(seeds().map(ours(Mix::Usual, 10.0)));
    jobs.extend(few().map(ours(Mix::Equal, 10.0)));
    for arm in [Arm::Bare, Arm::Fifo] {
        jobs.push(Job { arm, mix: Mix::Usual, load: 10.0, seed: 1 });
    }
    let found = run_all(&jobs, Job::run);
    let all: Vec<(Job, Found)> = jobs.into_iter().zip(found).collect();
    publish(&all, loads);

    for (job, found) in all.iter().filter(|(job, _)| job.arm == Arm::Ours && job.load >= 10.0) {
        assert!(found.goodput >= 0.98, "{job:?}: {found:?}");
        assert!(found.told_at_once >= 0.99, "{job:?}: {found:?}");
        if job.mix == Mix::Usual {
            assert!(found.high_at_once >= 0.999, "{job:?}: {found:?}");
            // The 99th percentile of the service alone is 4.6 times its mean.
            assert!(found.high_p99 <= SERVICE.mul_f64(4.605 * 1.15), "{job:?}: {found:?}");
            assert!(found.got[1] >= 0.97 * job.ideal_of_medium(), "{job:?}: {found:?}");
            assert!(found.got[2] >= 0.039 && found.got[3] >= 0.0095, "{job:?}: {found:?}");
        }
    }
    for (job, found) in all.iter().filter(|(job, _)| job.arm != Arm::Ours) {
        assert!(found.high_at_once < 0.5, "{job:?} proves nothing: {found:?}");
    }
}

fn publish(all: &[(Job, Found)], loads: &[f64]) {
    let mut page = Page::new(
        "priority",
        "Priority",
        "Ten workers of 10 ms (exponential) serve 1000 calls a second. 5 % of the calls are of high priority, \
         25 % medium, 40 % low, 30 % batch, with 250, 500, 1000 and 5000 ms until their deadlines. After 10 s at 70 % \
         of the capacity they come at many times it. Ours is `BulkheadLayer` with a limit of ten and a queue.",
    );
    let mut rows = Vec::new();
    let mut row = |name: String, found: Vec<&Found>| {
        let least =
            |of: fn(&Found) -> f64| found.iter().map(|found| of(found)).fold(f64::MAX, f64::min);
        let p99 = found.iter().map(|found| found.high_p99).max().unwrap_or_default();
        rows.push(vec![
            name,
            percent(least(|found| found.goodput)),
            percent(least(|found| found.high_at_once)),
            format!("{:.1} ms", p99.as_secs_f64() * 1e3),
            percent(least(|found| found.got[1])),
            percent(least(|found| found.got[2])),
            percent(least(|found| found.got[3])),
            percent(least(|found| found.told_at_once)),
        ]);
    };
    let pick = |arm: Arm, mix: Mix, load: f64| -> Vec<&Found> {
        let is_it =
            |job: &Job| job.arm == arm && job.mix == mix && job.load.total_cmp(&load).is_eq();
        all.iter().filter(|(job, _)| is_it(job)).map(|(_, found)| found).collect()
    };
    for load in loads {
        row(format!("ours, {load} times"), pick(Arm::Ours, Mix::Usual, *load));
    }
    row("ours, 10 times, 25 % of each class".to_owned(), pick(Arm::Ours, Mix::Equal, 10.0));
    let mut drawing =
        Drawing::of_shares("Success of high priority, ten times the capacity from 10 s on");
    for (arm, name) in ARMS {
        let found = pick(arm, Mix::Usual, 10.0);
        if arm != Arm::Ours {
            row(format!("{name}, 10 times"), found.clone());
        }
        if let Some(found) = found.first() {
            drawing = drawing.curve(name, found.curve.clone());
        }
    }
    page = page.section("What each class gets").table(
        &[
            "arm",
            "goodput of C",
            "high, success",
            "high, p99",
            "medium of C",
            "low of C",
            "batch of C",
            "told within 1 ms",
        ],
        rows,
    );
    page.drawing("high", &drawing).publish();
}
