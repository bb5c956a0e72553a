//! A server that was down for ten seconds and comes back cold: do its clients let it get warm?
//!
//! Their callers wait for it, each up to three seconds. Released all at once they are more than the
//! cold server can do, and it goes down under them again and again.

use std::{
    num::NonZero,
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{
    BoxError, CircuitBreakerLayer, Ratio, TimeoutLayer,
    circuit_breaker::{Phase, WindowOf},
    core::clock,
    count,
};
use tower_ballast_test::{
    simulator::{Backend, Call, Change, Scene, Server, ServiceTime, Stream, simulate, stretched},
    time as paused,
};

use super::{
    drawing::Drawing,
    is_long, millis,
    page::{Bar, Page, percent, time},
    run_all, seconds, seeds,
};

/// How its clients behave. All give up an attempt after a second; none knows when the outage ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Arm {
    /// No circuit breaker.
    None,
    /// When the trials have succeeded, all may go. Every rest is the same.
    Classic,
    /// Ours, with so many trials.
    Ours {
        trials: u32,
    },
    /// The two, by the last twenty calls.
    ShortClassic,
    Short,
}

const ARMS: [(Arm, &str); 6] = [
    (Arm::None, "no breaker"),
    (Arm::Classic, "all at once"),
    (Arm::Ours { trials: 1 }, "ours, 1 trial"),
    (Arm::Ours { trials: 3 }, "ours, 3 trials"),
    (Arm::ShortClassic, "all at once, by the last 20 calls"),
    (Arm::Short, "ours, 3 trials, by the last 20 calls"),
];

/// How the server is down.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outage {
    /// It fails every call at once.
    Fails,
    /// It answers none.
    Hangs,
}

const OUTAGES: [(Outage, &str, &str); 2] = [
    (Outage::Fails, "fails", "It fails every call at once"),
    (Outage::Hangs, "hangs", "It answers no call"),
];
const OUTAGE: Range<u64> = 30..40;
const END: u64 = 100;
const GOOD: f64 = 0.9;

#[derive(Debug, Clone, Copy)]
struct Job {
    arm: Arm,
    outage: Outage,
    seed: u64,
}

struct Found {
    recovery: Option<Duration>,
    success: f64,
    /// The most that was sent in a tenth of a second, in times of the usual.
    peak: f64,
    curve: Vec<(f64, f64)>,
}

impl Job {
    fn run(&self) -> Found {
        const RATE: f64 = 35.0;
        const CLIENTS: u32 = 20;
        let (from, to) = (seconds(OUTAGE.start), seconds(OUTAGE.end));
        simulate(self.seed, async |scene| {
            let down = match self.outage {
                Outage::Fails => Change::Down,
                Outage::Hangs => Change::Hung,
            };
            let cold = Change::ColdUp { from: Ratio::percent::<20>(), within: seconds(10) };
            let server = Server::new(10, ServiceTime::exponential(millis(10)))
                .queue(10_000)
                .at(from, down)
                .at(to, cold);
            let backend = scene.serve(server);
            let streams = [Stream::per_second(RATE).clients(0..CLIENTS)];
            let client = |_| client(self.arm, &scene, backend.clone());
            let recording = scene.offer(&streams, seconds(END), client).await;
            let peak = backend.arrivals().peak(to..seconds(END), millis(100));
            #[allow(clippy::cast_precision_loss)]
            let peak = peak as f64 / (RATE * f64::from(CLIENTS) / 10.0);
            Found {
                recovery: recording.recovery(to, seconds(END), GOOD),
                success: recording.success(to..seconds(70)),
                peak,
                curve: recording.curve(seconds(20)..seconds(80), seconds(1)),
            }
        })
    }
}

fn client(arm: Arm, scene: &Scene, backend: Backend) -> BoxCloneService<Call, (), BoxError> {
    let attempt = TimeoutLayer::new(stretched(seconds(1)));
    let bare = ServiceBuilder::new().map_response(drop).layer(attempt).service(backend);
    let circuit = breaker().seed(scene.seed());
    let circuit = match arm {
        Arm::Short | Arm::ShortClassic => circuit.window(WindowOf::Calls(count::<20>())),
        _ => circuit,
    };
    let circuit = match arm {
        Arm::None => return BoxCloneService::new(bare),
        Arm::Classic | Arm::ShortClassic => circuit.recovery(false).rest_spread(Ratio::ZERO),
        Arm::Ours { trials: 1 } => circuit.trials(count::<1>()),
        Arm::Ours { .. } | Arm::Short => circuit,
    };
    let circuit = circuit.wait(stretched(seconds(3)), 1_000);
    BoxCloneService::new(ServiceBuilder::new().layer(circuit).service(bare))
}

/// The defaults, but for the window: half of the last 100 calls, which are those of three seconds. In
/// one of 30 seconds the failures of ten are not yet half.
fn breaker() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new()
        .window(WindowOf::Calls(count::<100>()))
        .rest(stretched(seconds(5)))
        .longest_rest(stretched(seconds(60)))
        .longest_trial(stretched(seconds(10)))
        .abandoned_after(stretched(seconds(10)))
}

/// What is asked for, of one trial and of three.
const BARS: Worst = Worst { recovery: Some(seconds(10)), success: 0.87, peak: 5.0 };
/// What is reached of the last, to a tenth: 3.0.
const PEAK: f64 = 3.05;

#[test]
fn a_cold_server_gets_warm_unless_all_callers_come_at_once() {
    let mut jobs: Vec<Job> = Vec::new();
    if is_long() {
        for (outage, arm) in
            OUTAGES.iter().flat_map(|(outage, ..)| ARMS.map(|(arm, _)| (outage, arm)))
        {
            jobs.extend(seeds().map(|seed| Job { arm, outage: *outage, seed }));
        }
    } else {
        let job = |trials, seed| Job { arm: Arm::Ours { trials }, outage: Outage::Fails, seed };
        jobs.extend(
            [1, 3].into_iter().flat_map(|trials| seeds().map(move |seed| job(trials, seed))),
        );
        jobs.push(Job { arm: Arm::ShortClassic, outage: Outage::Fails, seed: 1 });
    }
    let all = All::run(jobs);
    all.publish();

    for trials in [1, 3] {
        let ours = all.worst(Outage::Fails, Arm::Ours { trials }).expect("it was run");
        assert!(ours.recovery.is_some() && ours.recovery <= BARS.recovery, "{trials}: {ours:?}");
        assert!(ours.success >= BARS.success, "{trials}: {ours:?}");
        assert!(ours.peak <= PEAK, "{trials}: {ours:?}");
    }
    // Whoever lets all go at once misses each of the bars, by the last 20 calls for good.
    if let Some(classic) = all.worst(Outage::Fails, Arm::Classic) {
        assert!(classic.recovery.is_none_or(|after| Some(after) > BARS.recovery), "{classic:?}");
        assert!(classic.success < 0.8 && classic.peak > 2.0 * BARS.peak, "{classic:?}");
    }
    let short = all.worst(Outage::Fails, Arm::ShortClassic).expect("it was run");
    assert!(short.recovery.is_none() && short.success < 0.5 && short.peak > 10.0, "{short:?}");
}

/// The worst of all seeds.
#[derive(Debug)]
struct Worst {
    recovery: Option<Duration>,
    success: f64,
    peak: f64,
}

/// All runs with what was found.
struct All(Vec<(Job, Found)>);

impl All {
    fn run(jobs: Vec<Job>) -> Self {
        let found = run_all(&jobs, Job::run);
        Self(jobs.into_iter().zip(found).collect())
    }

    fn of(&self, outage: Outage, arm: Arm) -> impl Iterator<Item = &Found> {
        let is_it = move |job: &Job| job.outage == outage && job.arm == arm;
        self.0.iter().filter(move |(job, _)| is_it(job)).map(|(_, found)| found)
    }

    fn worst(&self, outage: Outage, arm: Arm) -> Option<Worst> {
        let each = |found: &Found| Worst {
            recovery: found.recovery,
            success: found.success,
            peak: found.peak,
        };
        self.of(outage, arm).map(each).reduce(|worst, found| Worst {
            recovery: worst.recovery.zip(found.recovery).map(|(one, other)| one.max(other)),
            success: worst.success.min(found.success),
            peak: worst.peak.max(found.peak),
        })
    }

    /// When it fails every call at once, the harder of the two.
    fn bars(&self) -> Vec<Bar> {
        let mut bars = Vec::new();
        for trials in [1, 3] {
            let Some(ours) = self.worst(Outage::Fails, Arm::Ours { trials }) else { continue };
            let trials = if trials == 1 { "1 trial" } else { "3 trials" };
            let of = |what| format!("{trials}: {what}");
            let end = seconds(END - OUTAGE.end);
            let [bar, reached] =
                [BARS.recovery, ours.recovery].map(|recovery| recovery.unwrap_or(end));
            bars.push(Bar::most(&of("recovered after"), bar, reached, |found| time(Some(found))));
            let success = of("success, 40 to 70 s");
            bars.push(Bar::least(&success, BARS.success, ours.success, percent));
            let peak = of("peak");
            bars.push(Bar::most(&peak, BARS.peak, ours.peak, |peak| format!("{peak:.1}")));
        }
        bars
    }

    fn publish(&self) {
        let mut page = Page::new(
            "half-open",
            "Half-open",
            "A server of ten workers and 10 ms (exponential) is down from 30 to 40 s and then cold: it \
             begins at 20 % of its speed and has all of it ten seconds later. Twenty processes with 35 \
             calls a second each use 70 % of what it can do when warm. Their callers wait up to three \
             seconds for the circuit, and an attempt is given up after one. A circuit opens when half \
             of the last 100 calls have failed, which come in three seconds. A second counts as a good one when 90 % of the calls \
             made in it succeed. The peak is the most that was sent in a tenth of a second, in times \
             of the usual.",
        )
        .bars(self.bars())
        .text(
            "Nobody can have all: a server that begins at a fifth of its speed cannot answer a thirteenth of what \
             comes while it gets warm, and what comes until a circuit asks whether it is back is lost but for the last three \
             seconds. It is a matter of the moment: by the last 20 calls, a fifth of a second more or less until the circuit \
             opens, the worst of these seeds misses the bar by a little. In fifty other seeds 100 calls had 92.1 % in the \
             mean and 82.8 % and 16 s at the worst with three trials, 88.1 % and 10 s with one; 20 calls with three trials had 90.8 %, 84.9 % and \
             11 s. Tried without gain: windows of 60, 80, 120 and 150 calls, failure rates of 75 and 90 %, ten trials, shorter rests, rests \
             that do not grow, a recovery that ends later, and eight thresholds that follow the usual failures.",
        );
        for (outage, name, title) in OUTAGES {
            let row = |(arm, name): (Arm, &str)| {
                let worst = self.worst(outage, arm)?;
                Some(vec![
                    name.to_owned(),
                    time(worst.recovery),
                    percent(worst.success),
                    format!("{:.1}", worst.peak),
                ])
            };
            let rows: Vec<Vec<String>> = ARMS.into_iter().filter_map(row).collect();
            if rows.is_empty() {
                continue;
            }
            let mut drawing = Drawing::of_shares("Success").trouble(30.0, 40.0);
            for (arm, name) in ARMS {
                if let Some(found) = self.of(outage, arm).next() {
                    drawing = drawing.curve(name, found.curve.clone());
                }
            }
            page = page
                .section(title)
                .table(&["breaker", "recovered after", "success, 40 to 70 s", "peak"], rows)
                .drawing(name, &drawing);
        }
        page.publish();
    }
}

#[test]
fn of_ten_thousand_callers_at_the_half_open_instant_just_the_trials_go() {
    for trials in [1, 3] {
        let reached = AtomicU32::new(0);
        let layer = breaker()
            .trials(NonZero::new(trials).expect("at least one"))
            .rest(seconds(5))
            .rest_spread(Ratio::ZERO);
        let circuit = layer.handle();
        paused::drive(async {
            let service = ServiceBuilder::new().layer(layer).service(service_fn(|fails: bool| {
                reached.fetch_add(1, Ordering::Relaxed);
                async move {
                    clock::sleep_until(clock::now() + seconds(1)).await;
                    if fails { Err(BoxError::from("down")) } else { Ok(()) }
                }
            }));
            while circuit.phase() == Phase::Closed {
                assert!(service.clone().oneshot(true).await.is_err());
            }
            paused::jump(circuit.standing().rest).await;
            reached.store(0, Ordering::Relaxed);
            let calls = (0..10_000).map(|_| service.clone().oneshot(false));
            let outcomes = join_all(calls).await;
            let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(answered, trials as usize);
        });
        assert_eq!(reached.into_inner(), trials);
    }
}
