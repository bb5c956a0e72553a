//! A server that is asked for up to ten times what it can do, by four classes of callers.

use std::{
    future::{Future, poll_fn},
    ops::Range,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tower::{Layer, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{
    BoxError, BulkheadLayer, Priority, PriorityRateLimitLayer, Quota, Reason, Rejected, core::count,
};
use tower_ballast_test::simulator::{
    Backend, Call, CallFacts, End, Recording, Scene, Server, ServiceTime, Stream, simulate,
    stretched,
};

use super::{
    drawing::Drawing,
    is_long, millis,
    page::{Bar, Page, percent},
    run_all, seconds, seeds,
    sheds::{Rule, door},
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Arm {
    /// The queue of the server, which works on whatever comes first.
    Bare,
    /// Ten at once, and a queue that is first come, first served.
    Fifo,
    /// Ten at once, in the way of others.
    Known(Rule),
    /// No more than this share of the capacity in a second, ours, with a queue by class.
    Rate,
    /// Ten at once, and a queue by class.
    Ours,
}

/// The high class asks for half of the capacity at ten times it.
const PARTITIONS: Rule = Rule::Partitions([0.5, 0.35, 0.10, 0.05]);

const ARMS: [(Arm, &str); 7] = [
    (Arm::Bare, "no limit"),
    (Arm::Fifo, "first come, first served"),
    (Arm::Known(Rule::Strict), "strict priority"),
    (Arm::Known(Rule::Threshold), "threshold by chance"),
    (Arm::Known(PARTITIONS), "partitions"),
    (Arm::Rate, "ours, rate 0.95 C"),
    (Arm::Ours, "ours"),
];

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
    /// Of those that were not served, the share that was told so within a millisecond, and of those
    /// of them that a layer refused.
    told_at_once: f64,
    /// What a layer refused.
    refused: Refused,
    /// Of the highest class: its success in the second after the step, in the ten seconds after it,
    /// and from then on.
    high: [f64; 3],
    high_p99: Duration,
    /// The same of the service alone, in this run: the time that a worker took for a call.
    bare_p99: Duration,
    curve: Vec<(f64, f64)>,
}

impl Job {
    fn run(&self) -> Found {
        let capacity = f64::from(WORKERS) / SERVICE.as_secs_f64();
        let (recording, mut worked, refused) = self.simulate(capacity);
        let of = Priority::ALL.map(|class| recording.only(|call| call.priority() == class));
        let goodput = |recording: &Recording| recording.goodput(SETTLED) / capacity;
        Found {
            goodput: goodput(&recording),
            got: of.each_ref().map(goodput),
            told_at_once: told_at_once(&recording),
            refused,
            high: [seconds(11), seconds(20), SETTLED.end]
                .map(|end| of[0].success(if end < SETTLED.end { STEP } else { seconds(20) }..end)),
            high_p99: of[0].percentile(SETTLED, 0.99),
            bare_p99: p99(&mut worked),
            curve: of[0].curve(seconds(5)..seconds(30), millis(500)),
        }
    }

    /// The calls, and what was worked on each and what was refused when all had settled.
    fn simulate(&self, capacity: f64) -> (Recording, Vec<Duration>, Refused) {
        let (worked, noted) = (Worked::default(), Noted::default());
        let recording = simulate(self.seed, async |scene| {
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
            let service = server(self.arm, &scene, backend, worked.clone());
            let service = match self.arm {
                Arm::Ours => noted.of(&scene, service),
                _ => service,
            };
            scene.offer(&streams, SETTLED.end, |_| service.clone()).await
        });
        let worked = std::mem::take(&mut *worked.0.lock().unwrap());
        let refused = std::mem::take(&mut *noted.0.lock().unwrap());
        (recording, worked, refused)
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

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// How long a worker took for each call that was answered when all had settled.
#[derive(Debug, Clone, Default)]
struct Worked(Arc<Mutex<Vec<Duration>>>);

/// What a layer has refused when all had settled.
#[derive(Debug, Clone, Default)]
struct Refused {
    /// At once, when the call was made, and how long that took at the most.
    on_arrival: usize,
    slowest: Duration,
    /// Those that had to wait first: why they were refused then, and after how long.
    from_the_queue: Vec<(Reason, Duration)>,
}

#[derive(Debug, Clone, Default)]
struct Noted(Arc<Mutex<Refused>>);

impl Noted {
    /// Notes what this service refuses, and whether it knew so when it was asked.
    fn of(
        &self,
        scene: &Scene,
        inner: BoxCloneService<Call, (), BoxError>,
    ) -> BoxCloneService<Call, (), BoxError> {
        let (noted, scene) = (self.clone(), scene.clone());
        BoxCloneService::new(service_fn(move |call: Call| {
            let (noted, scene, inner) = (noted.clone(), scene.clone(), inner.clone());
            async move {
                let made = scene.now();
                let mut answer = pin!(inner.oneshot(call));
                let mut has_waited = false;
                let answer = poll_fn(|cx| {
                    let answer = answer.as_mut().poll(cx);
                    has_waited |= answer.is_pending();
                    answer
                });
                let answer = answer.await;
                let reason = answer.as_ref().err().and_then(|error| Rejected::find(&**error));
                if let Some(reason) = reason.map(Rejected::reason)
                    && SETTLED.contains(&made)
                {
                    noted.0.lock().unwrap().note(
                        reason,
                        has_waited,
                        scene.now().saturating_sub(made),
                    );
                }
                answer
            }
        }))
    }
}

impl Refused {
    fn note(&mut self, reason: Reason, has_waited: bool, took: Duration) {
        if has_waited {
            self.from_the_queue.push((reason, took));
        } else {
            self.on_arrival += 1;
            self.slowest = self.slowest.max(took);
        }
    }

    fn count(&self) -> usize {
        self.on_arrival + self.from_the_queue.len()
    }

    /// The share of those that had to wait first.
    fn later(&self) -> f64 {
        self.from_the_queue.len() as f64 / self.count().max(1) as f64
    }

    /// The rows of a table: those on arrival, and the others by why they were refused.
    fn rows(all: &[&Self]) -> Vec<Vec<String>> {
        let count: usize = all.iter().map(|refused| refused.count()).sum();
        let time = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        let row = |name: &str, of: usize, times: [Duration; 3]| {
            let share = format!("{:.3} %", 100.0 * of as f64 / count.max(1) as f64);
            [vec![name.to_owned(), share], times.map(time).to_vec()].concat()
        };
        let slowest = all.iter().map(|refused| refused.slowest).max().unwrap_or_default();
        let on_arrival = all.iter().map(|refused| refused.on_arrival).sum();
        let mut rows = vec![row("when they come", on_arrival, [slowest; 3])];
        for (reason, name) in [
            (Reason::QueueFull, "put out of the queue for calls that matter more"),
            (Reason::DeadlinePassed, "when their deadline has come"),
            (Reason::QueueTimeout, "when they have waited for the longest time that calls may"),
        ] {
            let of = |refused: &&Self| refused.from_the_queue.clone();
            let mut times: Vec<Duration> =
                all.iter().flat_map(of).filter(|(of, _)| *of == reason).map(|of| of.1).collect();
            times.sort_unstable();
            let at = |share: usize| times.get(times.len() * share / 100).copied();
            let last = times.last().copied();
            let of = [at(50), at(99), last].map(Option::unwrap_or_default);
            rows.push(row(name, times.len(), of));
        }
        rows
    }
}

fn server(
    arm: Arm,
    scene: &Scene,
    backend: Backend,
    worked: Worked,
) -> BoxCloneService<Call, (), BoxError> {
    let queue = BulkheadLayer::new(WORKERS).queue(1_000).longest_wait(stretched(seconds(5)));
    let clock = scene.clone();
    let bare = backend.map_err(BoxError::from).map_response(move |answer| {
        if SETTLED.contains(&clock.now()) {
            worked.0.lock().unwrap().push(answer.worked());
        }
    });
    match arm {
        Arm::Bare => BoxCloneService::new(bare),
        Arm::Fifo => BoxCloneService::new(queue.layer(bare)),
        Arm::Known(rule) => door(scene, (WORKERS, 1_000), rule, bare),
        Arm::Rate => {
            let quota = Quota::per(stretched(seconds(1)), count::<950>()).burst(count::<10>());
            let limit = PriorityRateLimitLayer::new(quota)
                .facts(ByClass)
                .queue(1_000)
                .longest_wait(stretched(seconds(5)));
            BoxCloneService::new(limit.layer(bare))
        }
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

/// What is asked of ours at ten times the capacity.
const GOODPUT: f64 = 0.98;
const HIGH: f64 = 0.999;
const HIGH_P99: f64 = 1.15;
const MEDIUM: f64 = 0.97;
const LOW: f64 = 0.039;
const BATCH: f64 = 0.0095;
/// Of the refusals, those that come later than when the call does.
const LATER: f64 = 0.002;

impl Found {
    fn is_good_for_all(&self, job: &Job) -> bool {
        self.high.iter().all(|high| *high >= HIGH)
            && self.high_p99 <= self.bare_p99.mul_f64(HIGH_P99)
            && self.got[1] >= MEDIUM * job.ideal_of_medium()
            && self.got[2] >= LOW
            && self.got[3] >= BATCH
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
    for (arm, _) in ARMS.into_iter().filter(|(arm, _)| *arm != Arm::Ours) {
        let mut mixes = vec![Mix::Usual];
        if is_long() && matches!(arm, Arm::Known(_)) {
            mixes.push(Mix::Equal);
        }
        if is_long() || matches!(arm, Arm::Bare | Arm::Fifo) {
            jobs.extend(mixes.into_iter().map(|mix| Job { arm, mix, load: 10.0, seed: 1 }));
        }
    }
    let found = run_all(&jobs, Job::run);
    let all: Vec<(Job, Found)> = jobs.into_iter().zip(found).collect();
    publish(&all, loads);

    for (job, found) in all.iter().filter(|(job, _)| job.arm == Arm::Ours && job.load >= 10.0) {
        assert!(found.goodput >= GOODPUT, "{job:?}: {found:?}");
        assert!(found.refused.on_arrival > 0, "{job:?}: {found:?}");
        assert!(found.refused.slowest <= millis(1), "{job:?}: {found:?}");
        assert!(found.refused.later() <= LATER, "{job:?}: {found:?}");
        assert!(job.mix == Mix::Equal || found.is_good_for_all(job), "{job:?}: {found:?}");
    }
    // Each of the others fails at something, and the first two at everything.
    for (arm, name) in ARMS.into_iter().take(5) {
        let of = || all.iter().filter(|(job, _)| job.arm == arm);
        let is_good = |(job, found): &(Job, Found)| {
            found.goodput >= GOODPUT && (job.mix == Mix::Equal || found.is_good_for_all(job))
        };
        assert!(of().count() == 0 || !of().all(is_good), "{name} proves nothing");
        if matches!(arm, Arm::Bare | Arm::Fifo) {
            assert!(of().all(|(_, found)| found.high[2] < 0.5), "{name} proves nothing");
        }
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
    let pick = |arm: Arm, mix: Mix, load: f64| -> Vec<(&Job, &Found)> {
        let is_it =
            |job: &Job| job.arm == arm && job.mix == mix && job.load.total_cmp(&load).is_eq();
        all.iter().filter(|(job, _)| is_it(job)).map(|(job, found)| (job, found)).collect()
    };
    let mut rows = Vec::new();
    let mut row = |name: String, found: Vec<(&Job, &Found)>| {
        if found.is_empty() {
            return;
        }
        let least = |of: fn(&Found) -> f64| least(&found, |_, found| of(found));
        let p99 = found.iter().map(|(_, found)| found.high_p99).max().unwrap_or_default();
        rows.push(vec![
            name,
            percent(least(|found| found.goodput)),
            percent(least(|found| found.high[0])),
            percent(least(|found| found.high[1])),
            percent(least(|found| found.high[2])),
            format!("{:.1} ms", p99.as_secs_f64() * 1e3),
            percent(least(|found| found.got[1])),
            percent(least(|found| found.got[2])),
            percent(least(|found| found.got[3])),
            percent(least(|found| found.told_at_once)),
        ]);
    };
    for load in loads {
        row(format!("ours, {load} times"), pick(Arm::Ours, Mix::Usual, *load));
    }
    let mut drawing =
        Drawing::of_shares("Success of high priority, ten times the capacity from 10 s on");
    for (arm, name) in ARMS {
        let found = pick(arm, Mix::Usual, 10.0);
        if let Some((_, found)) = found.first() {
            drawing = drawing.curve(name, found.curve.clone());
        }
        if arm != Arm::Ours {
            row(format!("{name}, 10 times"), found);
        }
    }
    for (arm, name) in ARMS.into_iter().rev() {
        row(format!("{name}, 10 times, 25 % of each class"), pick(arm, Mix::Equal, 10.0));
    }
    let ours = [Mix::Usual, Mix::Equal].map(|mix| pick(Arm::Ours, mix, 10.0));
    page = page
        .bars(bars(&ours))
        .section("When a refusal is told")
        .text(
            "At ten times the capacity, in the usual mix, of all seeds together: the share of all that was refused, and the time until \
             it was told in the median, in 99 of 100 and at the most. Those that are refused later had a turn that was foreseen and was \
             then taken by calls that matter more, which nobody could know when they came: they leave when their deadline has come. \
             To tell them at once too, nobody might wait whose turn is not certain, and then the workers are idle between the calls of \
             the highest class. In the table below also calls count as not told within a millisecond whose answer came after their deadline.",
        )
        .table(
            &["refused", "of all refusals", "median", "99 of 100", "at the most"],
            Refused::rows(&ours[0].iter().map(|(_, found)| &found.refused).collect::<Vec<_>>()),
        )
        .section("What each class gets")
        .table(
            &[
                "arm",
                "goodput of C",
                "high, first second",
                "high, 10 to 20 s",
                "high, 20 to 70 s",
                "high, p99",
                "medium of C",
                "low of C",
                "batch of C",
                "told within 1 ms",
            ],
            rows,
        )
        .text(KNOWN);
    page.drawing("high", &drawing).publish();
}

const KNOWN: &str = "Others were run with one seed. All have the limit of ten. First come, first served: a queue of \
     1000. Strict priority: such a queue for each class, always the highest first, and who has waited beyond its deadline takes no turn. \
     Threshold by chance, after failsafe-go's prioritized limiter: a queue of 20 to 30, of which once a second it is made out which share \
     of the calls is too many; those below the level that this share lies below are refused, where a call's level is drawn \
     within its class. Partitions, after Netflix's concurrency limits: no queue, 50, 35, 10 and 5 % of the places for the \
     classes, and whatever is free for all. The rate of 0.95 C is `PriorityRateLimitLayer` with a burst of ten and a queue, \
     before a server with a queue of its own.";

fn least(found: &[(&Job, &Found)], of: impl Fn(&Job, &Found) -> f64) -> f64 {
    found.iter().map(|(job, found)| of(job, found)).fold(f64::MAX, f64::min)
}

/// At ten times the capacity, in the usual mix and with as much of each class.
fn bars([usual, equal]: &[Vec<(&Job, &Found)>; 2]) -> Vec<Bar> {
    let of = |of: fn(&Found) -> f64| least(usual, |_, found| of(found));
    let times = |times: f64| format!("{times:.2} times");
    let slower = usual.iter().map(|(_, found)| {
        found.high_p99.as_secs_f64() / found.bare_p99.as_secs_f64().max(f64::MIN_POSITIVE)
    });
    let of_ideal = least(usual, |job, found| found.got[1] / job.ideal_of_medium());
    vec![
        Bar::least("goodput of C", GOODPUT, of(|found| found.goodput), percent),
        Bar::least("high, in the first second", HIGH, of(|found| found.high[0]), percent),
        Bar::least("high, in the first 10 s", HIGH, of(|found| found.high[1]), percent),
        Bar::least("high, from then on", HIGH, of(|found| found.high[2]), percent),
        Bar::most(
            "high, p99 in times of the service's alone, in the same run",
            HIGH_P99,
            slower.fold(0.0, f64::max),
            times,
        ),
        Bar::least("medium, of all that is left for it", MEDIUM, of_ideal, percent),
        Bar::least("low, of C", LOW, of(|found| found.got[2]), percent),
        Bar::least("batch, of C", BATCH, of(|found| found.got[3]), |share| {
            format!("{:.2} %", 100.0 * share)
        }),
        Bar::most(
            "refusals when they come, told within",
            millis(1),
            usual.iter().map(|(_, found)| found.refused.slowest).max().unwrap_or_default(),
            |time| format!("{:.1} ms", time.as_secs_f64() * 1e3),
        ),
        Bar::most(
            "refusals that come later, of all",
            LATER,
            usual.iter().map(|(_, found)| found.refused.later()).fold(0.0, f64::max),
            |share| format!("{:.2} %", 100.0 * share),
        ),
        Bar::least(
            "goodput of C, with 25 % of each class",
            GOODPUT,
            least(equal, |_, found| found.goodput),
            percent,
        ),
    ]
}
