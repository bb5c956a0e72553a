//! A server that answers nothing for a while, and then as before: is the limit that finds itself back
//! with it?
//!
//! While it hangs all that a limiter sees are calls that were given up. Who takes their time for that of a
//! call, or counts for long that nothing ended, keeps the service at a crawl when it is well again.

use tower::Layer;
use tower_ballast::TimeoutLayer;
use tower_ballast_test::simulator::{Change, Server, ServiceTime, Stream, simulate, stretched};

use super::{
    capacity::{BY, OFFERED, SERVICE, Steps, WORKERS},
    drawing::Drawing,
    is_long,
    limiters::{Answers, By, limited},
    millis,
    page::{Bar, Page, percent},
    run_all, seconds, seeds,
};

const HANGS: u64 = 20;
const LASTS: [u64; 2] = [10, 30];
/// How long is looked at what comes after it.
const AFTER: u64 = 30;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Job {
    by: By,
    lasts: u64,
    seed: u64,
}

#[derive(Debug, Clone)]
struct Found {
    /// Seconds from the end of the hang to the first half second that has at least 92 % of the throughput
    /// and at most 1.5 times the latency.
    back: f64,
    /// The share of the workers' time that went into answers in the ten seconds that follow it.
    throughput: f64,
    latency: f64,
    curve: Vec<(f64, f64)>,
}

impl Job {
    fn run(&self) -> Found {
        let answers = Answers::default();
        let over = HANGS + self.lasts;
        simulate(self.seed, async |scene| {
            let server = Server::new(WORKERS, ServiceTime::lognormal(SERVICE, 0.5))
                .queue(100_000)
                .at(seconds(HANGS), Change::Hung)
                .at(seconds(over), Change::Up);
            let noted = answers.of(&scene, scene.serve(server));
            let attempt = TimeoutLayer::new(stretched(seconds(1)));
            let client = limited(self.by, (300, millis(100)), (), attempt.layer(noted));
            let stream = Stream::per_second(OFFERED);
            scene.offer(&[stream], seconds(over + AFTER), |_| client.clone()).await
        });
        let steps = Steps::of(&answers.take());
        let over = over as f64;
        let workers = f64::from(WORKERS);
        let is_good = |at: f64| {
            let span = steps.span(at, 0.5);
            span.worked >= 0.92 * workers * 0.5 && span.seconds <= 1.5 * span.worked
        };
        let mut starts = (0..10 * AFTER - 5).map(|tenth| tenth as f64 / 10.0);
        let after = steps.span(over, 10.0);
        let halves =
            (2 * HANGS - 10..2 * (HANGS + self.lasts + AFTER)).map(|half| half as f64 / 2.0);
        Found {
            back: starts.find(|passed| is_good(over + passed)).unwrap_or(AFTER as f64),
            throughput: after.worked / (workers * 10.0),
            latency: after.seconds / after.worked.max(f64::MIN_POSITIVE),
            curve: halves.map(|at| (at, steps.span(at, 0.5).worked / (workers * 0.5))).collect(),
        }
    }
}

/// What is asked of ours: to be back within seconds, for each length of the hang.
const BACK: [f64; 2] = [2.0, 2.0];

#[test]
fn a_limit_that_finds_itself_is_soon_back_after_a_hang() {
    let mut jobs = Vec::new();
    for lasts in LASTS.into_iter().filter(|lasts| is_long() || *lasts == LASTS[1]) {
        for (by, _) in BY {
            let some = match by {
                By::BandwidthDelay => usize::MAX,
                _ if is_long() => 5,
                _ => 0,
            };
            jobs.extend(seeds().take(some).map(|seed| Job { by, lasts, seed }));
        }
    }
    let found = run_all(&jobs, Job::run);
    let of = |by: By, lasts: u64| -> Vec<&Found> {
        let all = jobs.iter().zip(&found);
        let is_it = |job: &Job| job.by == by && job.lasts == lasts;
        all.filter(|(job, _)| is_it(job)).map(|(_, found)| found).collect()
    };
    let is_run = |lasts: &(u64, f64)| jobs.iter().any(|job| job.lasts == lasts.0);
    let asked = || LASTS.into_iter().zip(BACK).filter(is_run);
    let back = |lasts| of(By::BandwidthDelay, lasts).iter().map(|f| f.back).fold(0.0, f64::max);
    let shown = |seconds: f64| format!("{seconds:.1} s");
    let bars = asked().map(|(lasts, bar)| {
        Bar::most(&format!("back after a hang of {lasts} s"), bar, back(lasts), shown)
    });
    let mut page = Page::new(
        "hang",
        "Hang",
        "The server of the capacity scenario, forty workers of 20 ms (lognormal, sigma 0.5), answers nothing for \
         ten or thirty seconds from 20 s on, and then does as before. 3000 calls a second are asked for, of which it \
         can do 2000; they wait up to 100 ms for a `BulkheadLayer` whose limit is found by an `AdaptiveLayer`, and an \
         attempt is given up after a second. Back is who has half a second with 92 % of the throughput and at most \
         1.5 times the latency. Throughput and latency are those of the ten seconds after the hang, the first the share of \
         the workers' time, the second in times of what was worked. The others were run with five seeds.",
    )
    .bars(bars);
    for (lasts, _) in asked() {
        let mut rows = Vec::new();
        let title = format!("The workers' time that went into answers, a hang of {lasts} s");
        let (from, to) = (HANGS as f64, (HANGS + lasts) as f64);
        let mut drawing = Drawing::of_shares(&title).trouble(from, to);
        for (by, name) in BY {
            let found = of(by, lasts);
            let Some(first) = found.first() else { continue };
            let most = |of: fn(&Found) -> f64| found.iter().map(|f| of(f)).fold(0.0, f64::max);
            let least = found.iter().map(|found| found.throughput).fold(f64::MAX, f64::min);
            let back = most(|found| found.back);
            let never = back >= AFTER as f64;
            rows.push(vec![
                name.to_owned(),
                if never { format!("not in {AFTER} s") } else { shown(back) },
                percent(least),
                format!("{:.2}", most(|found| found.latency)),
            ]);
            drawing = drawing.curve(&name.replace('`', ""), first.curve.clone());
        }
        page = page
            .section(&format!("A hang of {lasts} s"))
            .table(&["limit", "back after", "throughput", "latency"], rows)
            .drawing(&lasts.to_string(), &drawing);
    }
    page.publish();
    for (lasts, bar) in asked() {
        assert!(back(lasts) <= bar, "{lasts}: {}", back(lasts));
    }
}
