//! A server that was overloaded for ten seconds: does it come back, while its clients retry?
//!
//! It has a long queue and works on calls that nobody waits for any more, as most servers do. When
//! the trigger is over the queue is full of such calls. If the clients then send more than the server
//! can do, because each failure brings another attempt, it stays so for ever: the overload
//! sustains itself (Bronson and others, "Metastable Failures in Distributed Systems", 2021).

use std::{ops::Range, time::Duration};

use tower::{ServiceBuilder, util::BoxCloneService};
use tower_ballast::{Backoff, Budget, Jitter, Ratio, RetryLayer, TimeoutLayer, core::Multiplier};
use tower_ballast_test::simulator::{
    Backend, CallFacts, Change, Recording, Scene, Server, ServiceTime, Stream, simulate, stretched,
};

use super::{
    drawing::Drawing,
    is_long, millis,
    page::{Bar, Page, percent, time},
    peers,
    preset::{ATTEMPT, Client, over_http, preset},
    run_all, seconds, seeds,
};

/// What brings the server to its knees, from 30 to 40 s.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trigger {
    /// It is ten times slower.
    Slow,
    /// It is asked for five times as much.
    Spike,
    /// A fifth of the calls fails at once, and so it stays.
    Errors,
}

const TRIGGERS: [(Trigger, &str, &str); 3] = [
    (Trigger::Slow, "slow", "The server is ten times slower"),
    (Trigger::Spike, "spike", "It is asked for five times as much"),
    (Trigger::Errors, "errors", "A fifth of the calls fails at once, from 30 s on for good"),
];

/// How its clients behave. All give up an attempt after a second.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Arm {
    /// One attempt, and that is it.
    NoRetries,
    /// Three attempts, exponential from 100 ms with full jitter.
    Naive,
    /// The same without jitter.
    NaiveInStep,
    /// The same with the budget of Finagle and tower: 20 %, and ten a second for each client.
    BudgetWithReserve,
    /// The client preset without its window: 1000 attempts at once, whatever happens.
    Fixed,
    /// The client preset without its budget.
    Unlimited,
    /// The client preset.
    Preset,
}

const ARMS: [(Arm, &str); 7] = [
    (Arm::NoRetries, "no retries"),
    (Arm::Naive, "3 attempts, no budget"),
    (Arm::NaiveInStep, "the same, no jitter"),
    (Arm::BudgetWithReserve, "budget 20 % + 10/s"),
    (Arm::Fixed, "`http_client`, no window"),
    (Arm::Unlimited, "`http_client`, no budget"),
    (Arm::Preset, "`http_client`"),
];

const TROUBLE: Range<u64> = 30..40;
const END: u64 = 100;

/// A second is a good one when so many of the calls that are made in it succeed.
const GOOD: f64 = 0.9;

/// What is measured of one run.
#[derive(Debug)]
struct Found {
    recovery: Option<Duration>,
    success: f64,
    attempts: f64,
    curve: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Copy)]
struct Job {
    arm: Arm,
    trigger: Trigger,
    seed: u64,
    load: f64,
    clients: u32,
}

impl Job {
    fn new(arm: Arm, trigger: Trigger, seed: u64) -> Self {
        Self { arm, trigger, seed, load: 0.7, clients: 20 }
    }

    fn run(&self) -> Found {
        let (recording, attempts) = self.simulate();
        let (over, end) = (seconds(TROUBLE.end), seconds(END));
        Found {
            recovery: recording.recovery(over, end, GOOD),
            success: recording.success(over..end),
            attempts,
            curve: recording.curve(seconds(20)..end, seconds(1)),
        }
    }

    /// The calls, and how many attempts were made for each since the trouble began.
    fn simulate(&self) -> (Recording, f64) {
        simulate(self.seed, async |scene| {
            let server = Server::new(10, ServiceTime::exponential(millis(10))).queue(10_000);
            let rate = server.capacity() * self.load / f64::from(self.clients);
            let stream = Stream::per_second(rate).clients(0..self.clients);
            let (from, to) = (seconds(TROUBLE.start), seconds(TROUBLE.end));
            let (server, stream) = match self.trigger {
                Trigger::Slow => {
                    let slow = Change::Slowdown(Multiplier::of::<10, 1>());
                    let well = Change::Slowdown(Multiplier::of::<1, 1>());
                    (server.at(from, slow).at(to, well), stream)
                }
                Trigger::Spike => (server, stream.factor(from, 5.0).factor(to, 1.0)),
                Trigger::Errors => {
                    (server.at(from, Change::QuickErrors(Ratio::percent::<20>())), stream)
                }
            };
            let backend = scene.serve(server);
            let client = |_| client(self.arm, &scene, backend.clone());
            let recording = scene.offer(&[stream], seconds(END), client).await;
            let attempts = recording.amplification(&backend.arrivals(), from..seconds(END));
            (recording, attempts)
        })
    }
}

fn client(arm: Arm, scene: &Scene, backend: Backend) -> Client {
    let attempt = TimeoutLayer::new(stretched(ATTEMPT));
    let bare = ServiceBuilder::new().map_response(drop).layer(attempt).service(backend.clone());
    let backoff = Backoff::exponential(stretched(millis(100))).cap(stretched(seconds(5)));
    match arm {
        Arm::NoRetries => BoxCloneService::new(bare),
        Arm::Naive | Arm::NaiveInStep => {
            let jitter = if arm == Arm::Naive { Jitter::Full } else { Jitter::None };
            let retry = RetryLayer::new(CallFacts)
                .backoff(backoff.jitter(jitter))
                .budget(Budget::unlimited())
                .seed(scene.seed());
            BoxCloneService::new(ServiceBuilder::new().layer(retry).service(bare))
        }
        Arm::BudgetWithReserve => {
            let retry = peers::retry_with_reserve(&backoff, scene.seed());
            BoxCloneService::new(ServiceBuilder::new().layer(retry).service(bare))
        }
        Arm::Fixed => over_http(&preset(scene).window(1_000..=1_000), backend),
        Arm::Unlimited => {
            let preset = preset(scene).retry(|layer| layer.budget(Budget::unlimited()));
            over_http(&preset, backend)
        }
        Arm::Preset => over_http(&preset(scene), backend),
    }
}

/// What is asked of the preset: recovered after, and success.
const BARS: [(Trigger, Duration, f64); 2] =
    [(Trigger::Slow, seconds(2), 0.98), (Trigger::Spike, seconds(5), 0.94)];
/// Per call, whatever the trigger.
const ATTEMPTS: f64 = 1.10;

#[test]
fn the_preset_outlives_a_retry_storm_that_naive_retries_keep_up() {
    let mut jobs: Vec<Job> = Vec::new();
    for (trigger, ..) in TRIGGERS {
        for (arm, _) in ARMS.into_iter().filter(|(arm, _)| is_long() || *arm == Arm::Preset) {
            jobs.extend(seeds().map(|seed| Job::new(arm, trigger, seed)));
        }
        if !is_long() {
            let off: &[Arm] = match trigger {
                Trigger::Errors => &[Arm::Unlimited],
                _ => &[Arm::Naive, Arm::Fixed],
            };
            jobs.extend(off.iter().map(|arm| Job::new(*arm, trigger, 1)));
        }
    }
    let all = All::run(jobs);
    all.publish();

    for (trigger, ..) in TRIGGERS {
        let preset = all.of(trigger, Arm::Preset);
        assert!(preset.attempts <= ATTEMPTS, "{trigger:?}: {preset:?}");
    }
    for (trigger, recovery, success) in BARS {
        let preset = all.of(trigger, Arm::Preset);
        assert!(preset.recovery.is_some_and(|found| found <= recovery), "{trigger:?}: {preset:?}");
        assert!(preset.success >= success, "{trigger:?}: {preset:?}");
        // The same without its window is not good enough; retries alone never recover.
        let fixed = all.of(trigger, Arm::Fixed);
        assert!(fixed.recovery.is_none_or(|found| found > recovery), "{trigger:?}: {fixed:?}");
        assert!(fixed.success < success, "{trigger:?}: {fixed:?}");
        let naive = all.of(trigger, Arm::Naive);
        assert!(naive.recovery.is_none() && naive.success < 0.01, "{trigger:?}: {naive:?}");
    }
    // The window does not see errors that come at once: against them there is the budget.
    let unlimited = all.of(Trigger::Errors, Arm::Unlimited);
    assert!(unlimited.attempts > 1.2, "{unlimited:?}");
}

/// All runs with what was found.
struct All(Vec<(Job, Found)>);

impl All {
    fn run(jobs: Vec<Job>) -> Self {
        let found = run_all(&jobs, Job::run);
        Self(jobs.into_iter().zip(found).collect())
    }

    /// The worst of all seeds.
    fn worst(&self, is_it: impl Fn(&Job) -> bool) -> Worst {
        let mut found = self.0.iter().filter(|(job, _)| is_it(job)).map(|(_, found)| found);
        let first = found.next().expect("every arm is run");
        let first =
            Worst { recovery: first.recovery, success: first.success, attempts: first.attempts };
        found.fold(first, |worst, found| Worst {
            recovery: worst.recovery.zip(found.recovery).map(|(one, other)| one.max(other)),
            success: worst.success.min(found.success),
            attempts: worst.attempts.max(found.attempts),
        })
    }

    fn of(&self, trigger: Trigger, arm: Arm) -> Worst {
        self.worst(|job| job.trigger == trigger && job.arm == arm)
    }

    fn arms(&self, trigger: Trigger) -> Vec<(Arm, &'static str)> {
        let is_it = |job: &Job, arm| job.trigger == trigger && job.arm == arm;
        let is_run = |arm: Arm| self.0.iter().any(|(job, _)| is_it(job, arm));
        ARMS.into_iter().filter(|(arm, _)| is_run(*arm)).collect()
    }

    fn publish(&self) {
        let mut page = Page::new(
            "retry-storm",
            "Retry storm",
            "Twenty clients with 35 calls a second each use 70 % of a server of ten workers and 10 ms \
             (exponential) with a queue of 10 000, which works on calls that nobody waits for any \
             more. From 30 to 40 s something goes wrong. An attempt is given up after a second. A \
             second counts as a good one when 90 % of the calls made in it succeed; recovered is who \
             has only good ones from then to the end, at 100 s.\n\n\
             Ours is what `http_client()` makes, with one setting changed: an attempt is given up after a second as \
             with the others, and not after ten, which is as long as the trouble lasts. Its window of concurrent \
             attempts goes from 1 to 1000, begins at 100, is set to half of what is in use at most once a second \
             when an attempt times out, and grows by one with each window of successes.",
        )
        .bars(self.bars())
        .text(
            "The bars are those of 20 clients at 70 % of the capacity. Without the window the first two triggers \
             break them; the third, which the window cannot see, is what the budget is for: it keeps a service that fails a \
             fifth of its calls from being asked for a quarter more, at the price of some successes. In the first two the \
             window alone would do.",
        );
        for (trigger, name, title) in TRIGGERS {
            let row = |(arm, name): (Arm, &str)| {
                let worst = self.of(trigger, arm);
                vec![
                    name.to_owned(),
                    time(worst.recovery),
                    percent(worst.success),
                    format!("{:.2}", worst.attempts),
                ]
            };
            let rows: Vec<Vec<String>> = self.arms(trigger).into_iter().map(row).collect();
            let mut drawing = Drawing::of_shares("Success").trouble(30.0, 40.0);
            for (arm, name) in self.arms(trigger) {
                let is_it = |job: &Job| job.trigger == trigger && job.arm == arm;
                let first = self.0.iter().find(|(job, _)| is_it(job));
                drawing = drawing.curve(
                    &name.replace('`', ""),
                    first.expect("every arm is run").1.curve.clone(),
                );
            }
            page = page
                .section(title)
                .table(
                    &["clients", "recovered after", "success, 40 to 100 s", "attempts per call"],
                    rows,
                )
                .drawing(name, &drawing);
        }
        if is_long() { sweep(page) } else { page }.publish();
    }

    fn bars(&self) -> Vec<Bar> {
        let shown = |found| time((found < seconds(END)).then_some(found));
        let mut bars = Vec::new();
        for (trigger, name, _) in TRIGGERS {
            let found = self.of(trigger, Arm::Preset);
            let asked = BARS.into_iter().find(|(of, ..)| *of == trigger);
            if let Some((_, recovery, success)) = asked {
                let reached = found.recovery.unwrap_or(seconds(END));
                let of = format!("{name}: recovered after");
                bars.push(Bar::most(&of, recovery, reached, shown));
                let of = format!("{name}: success, 40 to 100 s");
                bars.push(Bar::least(&of, success, found.success, percent));
            }
            let of = format!("{name}: attempts per call, from 30 s on");
            let shown = |attempts| format!("{attempts:.2}");
            bars.push(Bar::most(&of, ATTEMPTS, found.attempts, shown));
        }
        bars
    }
}

/// What is asserted of an arm.
#[derive(Debug)]
struct Worst {
    recovery: Option<Duration>,
    success: f64,
    attempts: f64,
}

/// The preset at other loads, and with other numbers of clients.
fn sweep(page: Page) -> Page {
    const LOADS: [f64; 5] = [0.5, 0.7, 0.8, 0.9, 0.95];
    const CLIENTS: [u32; 5] = [1, 5, 20, 100, 1_000];
    let mut jobs = Vec::new();
    for trigger in [Trigger::Slow, Trigger::Spike] {
        for (load, clients) in LOADS.iter().flat_map(|load| CLIENTS.map(|clients| (*load, clients)))
        {
            let job = |seed| Job { load, clients, ..Job::new(Arm::Preset, trigger, seed) };
            jobs.extend((1..=5).map(job));
        }
    }
    let all = All::run(jobs);
    let mut page = page;
    for (trigger, title) in [
        (Trigger::Slow, "The preset at other loads: ten times slower"),
        (Trigger::Spike, "The preset at other loads: five times as much"),
    ] {
        let cell = |load: f64, clients| {
            let here = |job: &Job| {
                job.trigger == trigger
                    && job.load.total_cmp(&load).is_eq()
                    && job.clients == clients
            };
            let worst = all.worst(here);
            assert!(worst.recovery.is_some(), "{trigger:?} at {load} with {clients}: {worst:?}");
            format!("{}, {}", time(worst.recovery), percent(worst.success))
        };
        let row = |clients: u32| {
            let cells = LOADS.map(|load| cell(load, clients));
            std::iter::once(clients.to_string()).chain(cells).collect()
        };
        let head = ["clients", "0.5 C", "0.7 C", "0.8 C", "0.9 C", "0.95 C"];
        page = page
            .section(title)
            .text("Recovered after, and success from 40 to 100 s, of the worst of five seeds.")
            .table(&head, CLIENTS.map(row));
    }
    page
}
