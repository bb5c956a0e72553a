//! A limit that finds itself beside other things: priorities above it, and more of its kind.

use std::{ops::Range, time::Duration};

use tower::Layer;
use tower_ballast::{Priority, TimeoutLayer};
use tower_ballast_test::simulator::{
    Change, Recording, Server, ServiceTime, Stream, simulate, stretched,
};

use super::{
    is_long,
    limiters::{Answers, By, limited},
    millis,
    page::{Page, percent},
    priority::{ByClass, DEADLINES, SHARES},
    run_all, seconds,
};

/// Which server the classes ask for too much.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Size {
    /// That of the priority scenario.
    Ten,
    /// That of the capacity scenario.
    Forty,
}

const SIZES: [(Size, &str); 2] = [
    (Size::Forty, "Classes over a limit that must be found, forty workers of 20 ms"),
    (Size::Ten, "The same, ten workers of 10 ms"),
];

impl Size {
    fn workers(self) -> u32 {
        if self == Self::Ten { 10 } else { 40 }
    }

    fn times(self) -> ServiceTime {
        match self {
            Self::Ten => ServiceTime::exponential(millis(10)),
            Self::Forty => ServiceTime::lognormal(millis(20), 0.5),
        }
    }

    fn limits(self) -> [(By, &'static str); 4] {
        [
            (By::BandwidthDelay, "`BandwidthDelay`"),
            (By::Aimd(3 * self.times().mean()), "`Aimd` of three times the mean"),
            (By::Gradient2, "`Gradient2`"),
            (By::Fixed(self.workers()), "fixed, the workers"),
        ]
    }
}

/// Ten times the capacity comes from 10 s on; at 40 s the workers halve, and so does what comes.
const STEP: Duration = seconds(10);
const HALVED: Duration = seconds(40);
const END: Duration = seconds(60);

/// Of the highest class and of all: from a moment on, and when all has settled.
#[derive(Debug, Clone, Copy)]
struct Classes {
    goodput: f64,
    high: f64,
    high_p99: Duration,
}

fn classes(size: Size, by: By, seed: u64) -> [Classes; 2] {
    let (workers, times) = (size.workers(), size.times());
    let capacity = f64::from(workers) / times.mean().as_secs_f64();
    let recording = simulate(seed, async |scene| {
        let server =
            Server::new(workers, times).queue(100_000).at(HALVED, Change::Workers(workers / 2));
        let backend = scene.serve(server);
        let streams = Priority::ALL.map(|class| {
            Stream::per_second(capacity * SHARES[class.index()] * 0.7)
                .priority(class)
                .deadline(DEADLINES[class.index()])
                .factor(STEP, 10.0 / 0.7)
                .factor(HALVED, 5.0 / 0.7)
        });
        let client = limited(by, (1_000, seconds(5)), ByClass, backend);
        scene.offer(&streams, END, |_| client.clone()).await
    });
    let high = recording.only(|call| call.priority() == Priority::High);
    let found = |span: Range<Duration>, settled: Range<Duration>, capacity: f64| Classes {
        goodput: recording.goodput(settled.clone()) / capacity,
        high: high.success(span),
        high_p99: high.percentile(settled, 0.99),
    };
    [
        found(STEP..HALVED, seconds(20)..HALVED, capacity),
        found(HALVED..END, seconds(45)..END, capacity / 2.0),
    ]
}

const CLIENTS: [u32; 5] = [2, 5, 10, 20, 50];
const THEIRS: [(By, &str); 3] = [
    (By::Window, "`ClientWindow`"),
    (By::BandwidthDelay, "`BandwidthDelay`"),
    (By::Gradient2, "`Gradient2`"),
];

/// Of clients that compete: the share of the capacity that all got, Jain's index, and the time at the
/// server in times of what was worked.
#[derive(Debug, Clone, Copy)]
struct Shared {
    throughput: f64,
    fairness: f64,
    latency: f64,
}

fn shared(by: By, clients: u32, seed: u64) -> Shared {
    let span = || seconds(20)..seconds(40);
    let answers = Answers::default();
    let recording: Recording = simulate(seed, async |scene| {
        let times = ServiceTime::lognormal(millis(20), 0.5);
        let backend = scene.serve(Server::new(40, times).queue(100_000));
        let attempt = TimeoutLayer::new(stretched(seconds(1)));
        let streams = [Stream::per_second(3_000.0 / f64::from(clients)).clients(0..clients)];
        let client = |_| {
            let noted = answers.of(&scene, backend.clone());
            limited(by, (300, millis(100)), (), attempt.layer(noted))
        };
        scene.offer(&streams, seconds(40), client).await
    });
    let answers = answers.take();
    let settled = || answers.iter().filter(|[at, ..]| *at >= 20.0);
    let [took, worked] = [1, 2].map(|field| settled().map(|times| times[field]).sum::<f64>());
    Shared {
        throughput: recording.goodput(span()) / 2_000.0,
        fairness: recording.fairness(span()),
        latency: took / worked,
    }
}

#[test]
fn the_highest_class_is_served_over_a_limit_that_must_be_found() {
    let few = if is_long() { 3 } else { 1 };
    let sizes = if is_long() { &SIZES[..] } else { &SIZES[..1] };
    let mut page = Page::new(
        "limits",
        "Limits that find themselves, and others",
        "Limits of a `BulkheadLayer` that are found by an `AdaptiveLayer`, from 20 on. Here the figures are of \
         the worst of three seeds. Asserted of `BandwidthDelay` before forty workers, whole and halved: 99.5 % of \
         the high class, and 95 % of the capacity as in the capacity scenario. The rest is without bars.",
    );
    for (size, title) in sizes {
        let limits = size.limits();
        let some = if is_long() { &limits[..] } else { &limits[..2] };
        let jobs: Vec<(By, u64)> =
            some.iter().flat_map(|(by, _)| (1..=few).map(|seed| (*by, seed))).collect();
        let found = run_all(&jobs, |(by, seed)| classes(*size, *by, *seed));
        let of = |by: By, phase: usize| {
            let of = jobs.iter().zip(&found).filter(|((other, _), _)| *other == by);
            let worst = |one: Classes, other: Classes| Classes {
                goodput: one.goodput.min(other.goodput),
                high: one.high.min(other.high),
                high_p99: one.high_p99.max(other.high_p99),
            };
            of.map(|(_, found)| found[phase]).reduce(worst).expect("it was run")
        };
        if *size == Size::Forty {
            // What the capacity scenario asks of its worst seed.
            for found in [0, 1].map(|phase| of(By::BandwidthDelay, phase)) {
                assert!(found.high >= 0.995 && found.goodput >= 0.95, "{found:?}");
            }
            let (by, _) = limits[1];
            assert!(of(by, 0).high < 0.9, "a limit that is too low shows: {:?}", of(by, 0));
        }
        let rows = some.iter().map(|(by, name)| {
            let cells = |of: Classes| {
                let p99 = format!("{:.0} ms", of.high_p99.as_secs_f64() * 1e3);
                [percent(of.goodput), percent(of.high), p99]
            };
            let [whole, half] = [0, 1].map(|phase| cells(of(*by, phase)));
            [&[(*name).to_owned()][..], &whole, &half].concat()
        });
        page = page
            .section(title)
            .text(
                "Classes and deadlines are those of the priority scenario, and so is the queue. Ten times \
                 the capacity is asked for from 10 s on; at 40 s half of the workers go, and half of \
                 the calls. High's success counts from those moments on, the rest when all has settled, \
                 ten and five seconds later. The service alone has a 99th percentile of 57 and 46 ms.",
            )
            .table(
                &[
                    "limit",
                    "goodput of C",
                    "high, success",
                    "high, p99",
                    "halved: goodput of C/2",
                    "high, success",
                    "high, p99",
                ],
                rows,
            );
    }
    if is_long() { competing(page) } else { page }.publish();
}

/// Clients that offer half more than there is, each with a limit of its own.
fn competing(page: Page) -> Page {
    let mut rows = Vec::new();
    for (by, name) in THEIRS {
        for clients in CLIENTS {
            let found = run_all(&[1, 2, 3], |seed| shared(by, clients, *seed));
            let least = |of: fn(&Shared) -> f64| found.iter().map(of).fold(f64::MAX, f64::min);
            let latency = found.iter().map(|found| found.latency).fold(0.0, f64::max);
            rows.push(vec![
                name.to_owned(),
                clients.to_string(),
                percent(least(|found| found.throughput)),
                format!("{:.3}", least(|found| found.fairness)),
                format!("{latency:.2}"),
            ]);
        }
    }
    page.section("Clients that compete, 1.5 C in all")
        .text(
            "Forty workers of 20 ms (lognormal, sigma 0.5), from 20 to 40 s. Each client has a bulkhead \
             with a limiter of its own, calls wait for it up to 100 ms, and an attempt is given up after a \
             second. Latency is the time at the server, in times of what was worked.",
        )
        .table(&["limit", "clients", "throughput of C", "Jain's index", "latency"], rows)
}
