//! A server whose capacity halves and doubles again, while half more than it can do is asked for:
//! does a limit that finds itself find it again?
//!
//! It halves by workers, where the limit must halve too, or by the time that a call takes, where it
//! must not. Who cannot tell the two from each other loses throughput or builds a queue.

use std::time::Duration;

use tower_ballast::{Ratio, core::Multiplier};
use tower_ballast_test::simulator::{Change, Server, ServiceTime, Stream, simulate};

use super::{
    drawing::Drawing,
    is_long,
    limiters::{Answers, By, limited},
    millis,
    page::{Page, percent},
    run_all, seconds, seeds,
};

const WORKERS: u32 = 40;
const SERVICE: Duration = millis(20);
/// Half more than it can do.
const OFFERED: f64 = 3_000.0;
/// The capacity is whole, halved, and whole again, for so long each.
const PHASE: Duration = seconds(20);
const PHASES: usize = 3;

const BY: [(By, &str); 5] = [
    (By::BandwidthDelay, "`BandwidthDelay`"),
    (By::Aimd(millis(60)), "`Aimd` of 60 ms"),
    (By::Vegas, "`Vegas`"),
    (By::Gradient2, "`Gradient2`"),
    // As many as are right when the capacity is whole.
    (By::Fixed(45), "fixed, 45"),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Halved {
    Workers,
    Service,
}

const HALVED: [(Halved, &str, &str); 2] = [
    (Halved::Workers, "workers", "By workers: 40, 20, 40"),
    (Halved::Service, "service", "By the time a call takes: 20, 40, 20 ms"),
];

/// How the times scatter that calls take.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scatter {
    Lognormal(f64),
    /// One call in a hundred takes twenty times as long.
    Bimodal,
    /// With an alpha of 1.5.
    Pareto,
}

const USUAL: Scatter = Scatter::Lognormal(0.5);
const OTHERS: [(Scatter, &str); 5] = [
    (Scatter::Lognormal(0.0), "none"),
    (Scatter::Lognormal(0.25), "lognormal, 0.25"),
    (Scatter::Lognormal(1.0), "lognormal, 1"),
    (Scatter::Bimodal, "1 % x 20"),
    (Scatter::Pareto, "Pareto, 1.5"),
];

/// What the server fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Errors {
    None,
    /// This share of the calls, after a millisecond.
    Quick,
    /// The same, when the work is done.
    Slow,
    /// All of them for five seconds in the middle of the first phase, after a millisecond.
    AllQuick,
}

const ERRORS: [(Errors, &str); 3] = [
    (Errors::Quick, "5 %, after 1 ms"),
    (Errors::Slow, "5 %, when the work is done"),
    (Errors::AllQuick, "all from 10 to 15 s, after 1 ms"),
];

#[derive(Debug, Clone, Copy)]
struct Job {
    by: By,
    halved: Halved,
    scatter: Scatter,
    errors: Errors,
    seed: u64,
}

/// Of the worst phase: the share of the workers' time that went into answers, the mean latency at
/// the server in times of what was worked, and how long it took until both were good.
#[derive(Debug, Clone, Copy)]
struct Figures {
    throughput: f64,
    latency: f64,
    converged: f64,
}

struct Found {
    figures: Figures,
    throughput: Vec<(f64, f64)>,
    latency: Vec<(f64, f64)>,
}

impl Job {
    fn run(&self) -> Found {
        let answers = Answers::default();
        simulate(self.seed, async |scene| {
            let backend = scene.serve(self.server());
            let noted = answers.of(&scene, backend);
            let client = limited(self.by, (300, millis(100)), (), noted);
            scene.offer(&[Stream::per_second(OFFERED)], seconds(60), |_| client.clone()).await
        });
        self.found(&Steps::of(&answers.take()))
    }

    fn server(&self) -> Server {
        let times = match self.scatter {
            Scatter::Lognormal(sigma) => ServiceTime::lognormal(SERVICE, sigma),
            Scatter::Bimodal => {
                let usual = SERVICE.div_f64(1.19);
                ServiceTime::bimodal(usual, Ratio::percent::<1>(), Multiplier::of::<20, 1>())
            }
            Scatter::Pareto => ServiceTime::pareto(SERVICE, 1.5),
        };
        let changes = match self.halved {
            Halved::Workers => [WORKERS / 2, WORKERS].map(Change::Workers),
            Halved::Service => [Multiplier::TWO, Multiplier::of::<1, 1>()].map(Change::Slowdown),
        };
        let [halves, doubles] = changes;
        let server =
            Server::new(WORKERS, times).queue(100_000).at(PHASE, halves).at(2 * PHASE, doubles);
        let few = Ratio::percent::<5>();
        match self.errors {
            Errors::None => server,
            Errors::Quick => server.at(Duration::ZERO, Change::QuickErrors(few)),
            Errors::Slow => server.at(Duration::ZERO, Change::Errors(few)),
            Errors::AllQuick => server
                .at(seconds(10), Change::QuickErrors(Ratio::ONE))
                .at(seconds(15), Change::QuickErrors(Ratio::ZERO)),
        }
    }

    fn workers(&self, phase: usize) -> f64 {
        let halved = self.halved == Halved::Workers && phase == 1;
        f64::from(if halved { WORKERS / 2 } else { WORKERS })
    }

    fn found(&self, steps: &Steps) -> Found {
        let phases = (0..PHASES).map(|phase| self.phase(steps, phase));
        let worst = phases.reduce(|worst, phase| Figures {
            throughput: worst.throughput.min(phase.throughput),
            latency: worst.latency.max(phase.latency),
            converged: worst.converged.max(phase.converged),
        });
        let span = |at: f64| steps.span(at, 0.5);
        let starts = || (0..120_u32).map(|half| f64::from(half) / 2.0);
        Found {
            figures: worst.expect("there are phases"),
            throughput: starts().map(|at| (at, span(at).answers * 2.0 / 2_000.0)).collect(),
            latency: starts().map(|at| (at, span(at).mean() / SERVICE.as_secs_f64())).collect(),
        }
    }

    /// Both are good from the first half second on that has at least 92 % of the throughput and at most
    /// 1.5 times the latency.
    fn phase(&self, steps: &Steps, phase: usize) -> Figures {
        let length = PHASE.as_secs_f64();
        let begin = length * phase as f64;
        let workers = self.workers(phase);
        let is_good = |at: f64| {
            let span = steps.span(at, 0.5);
            span.worked >= 0.92 * workers * 0.5 && span.seconds <= 1.5 * span.worked
        };
        let starts = (0..195_u32).map(|tenth| f64::from(tenth) / 10.0);
        let converged = starts.into_iter().find(|passed| is_good(begin + passed));
        let span = steps.span(begin, length);
        // What the workers are idle for while all calls fail is no fault of the limit.
        let idle = if self.errors == Errors::AllQuick && phase == 0 { 5.0 } else { 0.0 };
        Figures {
            throughput: span.worked / (workers * (length - idle)),
            latency: span.seconds / span.worked.max(f64::MIN_POSITIVE),
            converged: converged.unwrap_or(length),
        }
    }
}

/// What was answered in each tenth of a second.
struct Steps(Vec<Span>);

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    answers: f64,
    /// Seconds that they took at the server, and that were worked on them.
    seconds: f64,
    worked: f64,
}

impl Steps {
    fn of(answers: &[[f64; 3]]) -> Self {
        let mut steps = vec![Span::default(); 600];
        for [at, took, worked] in answers {
            if let Some(step) = steps.get_mut(tenth(*at)) {
                step.answers += 1.0;
                step.seconds += took;
                step.worked += worked;
            }
        }
        Self(steps)
    }

    fn span(&self, begin: f64, length: f64) -> Span {
        let steps = &self.0[tenth(begin + 0.01)..tenth(begin + length + 0.01)];
        steps.iter().fold(Span::default(), |sum, step| Span {
            answers: sum.answers + step.answers,
            seconds: sum.seconds + step.seconds,
            worked: sum.worked + step.worked,
        })
    }
}

impl Span {
    fn mean(&self) -> f64 {
        self.seconds / self.answers.max(1.0)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred")]
fn tenth(seconds: f64) -> usize {
    (seconds * 10.0) as usize
}

/// All runs with what was found.
struct All(Vec<(Job, Found)>);

impl All {
    fn run(jobs: Vec<Job>) -> Self {
        let found = run_all(&jobs, Job::run);
        Self(jobs.into_iter().zip(found).collect())
    }

    fn of(&self, by: By, halved: Halved, scatter: Scatter, errors: Errors) -> Vec<&Found> {
        let is_it = |job: &Job| {
            (job.by, job.halved, job.errors) == (by, halved, errors) && job.scatter == scatter
        };
        self.0.iter().filter(|(job, _)| is_it(job)).map(|(_, found)| found).collect()
    }

    /// The median of the seeds and the worst of them, each figure for itself.
    fn median_and_worst(
        &self,
        by: By,
        halved: Halved,
        scatter: Scatter,
        errors: Errors,
    ) -> Option<[Figures; 2]> {
        let runs = self.of(by, halved, scatter, errors);
        let last = runs.len().checked_sub(1)?;
        let sorted = |figure: fn(&Figures) -> f64| {
            let mut all: Vec<f64> = runs.iter().map(|found| figure(&found.figures)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let throughput = sorted(|figures| figures.throughput);
        let (latency, converged) = (sorted(|figures| figures.latency), sorted(|f| f.converged));
        Some([runs.len() / 2, last].map(|rank| Figures {
            throughput: throughput[last - rank],
            latency: latency[rank],
            converged: converged[rank],
        }))
    }

    fn cells(&self, by: By, halved: Halved, scatter: Scatter, errors: Errors) -> Vec<String> {
        let Some(both) = self.median_and_worst(by, halved, scatter, errors) else {
            return Vec::new();
        };
        let cells = |figures: Figures| {
            [
                percent(figures.throughput),
                format!("{:.2}", figures.latency),
                format!("{:.1} s", figures.converged),
            ]
        };
        both.into_iter().flat_map(cells).collect()
    }
}

const HEAD: [&str; 6] =
    ["throughput", "latency", "good after", "worst seed's throughput", "latency", "good after"];

#[test]
fn what_a_server_can_do_is_found_again_when_it_halves_and_doubles() {
    let mut jobs = Vec::new();
    for (by, _) in BY {
        let ours = by == By::BandwidthDelay;
        let some = if ours {
            usize::MAX
        } else if is_long() {
            5
        } else {
            1
        };
        for (halved, ..) in HALVED {
            let job = |scatter, errors| move |seed| Job { by, halved, scatter, errors, seed };
            jobs.extend(seeds().take(some).map(job(USUAL, Errors::None)));
            if ours || is_long() {
                let some = if is_long() { 5 } else { 1 };
                jobs.extend(seeds().take(some).map(job(USUAL, Errors::Quick)));
            }
            if is_long() && !matches!(by, By::Fixed(_)) {
                for (scatter, _) in OTHERS {
                    jobs.extend(seeds().take(5).map(job(scatter, Errors::None)));
                }
                for errors in [Errors::Slow, Errors::AllQuick] {
                    jobs.extend(seeds().take(5).map(job(USUAL, errors)));
                }
            }
        }
    }
    let all = All::run(jobs);
    publish(&all);

    for (halved, ..) in HALVED {
        let figures =
            |by, errors| all.median_and_worst(by, halved, USUAL, errors).expect("it was run");
        let [median, worst] = figures(By::BandwidthDelay, Errors::None);
        assert!(median.throughput >= 0.97, "{halved:?}: {median:?}");
        assert!(median.latency <= 1.35, "{halved:?}: {median:?}");
        assert!(median.converged <= 1.0, "{halved:?}: {median:?}");
        assert!(worst.throughput >= 0.95, "{halved:?}: {worst:?}");
        assert!(worst.latency <= 1.5, "{halved:?}: {worst:?}");
        assert!(worst.converged <= 5.0, "{halved:?}: {worst:?}");
        let [errors, _] = figures(By::BandwidthDelay, Errors::Quick);
        assert!(errors.throughput >= 0.9 * median.throughput, "{halved:?}: {errors:?}");
    }
    // None of the others has more of the throughput and less latency, however the times scatter.
    for ((halved, ..), (scatter, _)) in
        HALVED.into_iter().flat_map(|halved| OTHERS.map(|other| (halved, other)))
    {
        let figures = |by| Some(all.median_and_worst(by, halved, scatter, Errors::None)?[0]);
        let Some(ours) = figures(By::BandwidthDelay) else { continue };
        for peer in BY.into_iter().skip(1).filter_map(|(by, _)| figures(by)) {
            let better = peer.throughput > ours.throughput && peer.latency < ours.latency;
            assert!(!better, "{halved:?}, {scatter:?}: {peer:?}, {ours:?}");
        }
    }
    // Each of the others fails at one of the two, the fixed limit at fewer workers.
    for (by, _) in BY.into_iter().skip(1) {
        let fails = HALVED.into_iter().any(|(halved, ..)| {
            let figures = all.median_and_worst(by, halved, USUAL, Errors::None);
            let [median, _] = figures.expect("it was run");
            median.throughput < 0.95 || median.latency > 1.5
        });
        assert!(fails, "{by:?} proves nothing");
    }
}

fn publish(all: &All) {
    let mut page = Page::new(
        "capacity",
        "Capacity",
        "A server of forty workers and 20 ms (lognormal, sigma 0.5) does 2000 calls a second, half of \
         that from 20 to 40 s, and all of it again. 3000 calls a second are asked for, and wait up to \
         100 ms for a `BulkheadLayer` whose limit is found by an `AdaptiveLayer`, from 20 on. Throughput is the \
         share of the workers' time that went into answers, latency the time at the server in times \
         of what was worked, both of the worst of the three phases, the first begun not knowing \
         anything. They are good from the first half second on with 92 % and 1.5 times. Beside the worst \
         seed's figures stand those of the median of the seeds. The others were run with five seeds.",
    );
    for (halved, name, title) in HALVED {
        let row = |(by, name): (By, &str)| {
            let cells = all.cells(by, halved, USUAL, Errors::None);
            [vec![name.to_owned()], cells].concat()
        };
        let head = [&["limit"][..], &HEAD].concat();
        page = page.section(title).table(&head, BY.map(row));
        let mut throughput = Drawing::of_shares("Answers, of 2000/s").trouble(20.0, 40.0);
        let mut latency = Drawing::of_shares("Latency, of 20 ms").most(4.0).trouble(20.0, 40.0);
        for (by, name) in BY {
            if let Some(found) = all.of(by, halved, USUAL, Errors::None).first() {
                let name = &name.replace('`', "");
                throughput = throughput.curve(name, found.throughput.clone());
                latency = latency.curve(name, found.latency.clone());
            }
        }
        let names = if name == "workers" {
            ["workers-throughput", "workers-latency"]
        } else {
            ["service-throughput", "service-latency"]
        };
        page = page.drawing(names[0], &throughput).drawing(names[1], &latency);
    }
    if is_long() { without_bars(page, all) } else { page }.publish();
}

/// Other scatters and errors, in five seeds each.
fn without_bars(mut page: Page, all: &All) -> Page {
    let head = [&["", "limit"][..], &HEAD].concat();
    let rows = |name: &str, halved, scatter, errors| {
        let row = |(by, limit): (By, &str)| {
            let cells = all.cells(by, halved, scatter, errors);
            [vec![name.to_owned(), limit.to_owned()], cells].concat()
        };
        let is_known = |(by, _): &(By, &str)| !matches!(by, By::Fixed(_));
        BY.into_iter().filter(is_known).map(row).collect::<Vec<_>>()
    };
    for (halved, name, _) in HALVED {
        let of_scatter = |(scatter, name)| rows(name, halved, scatter, Errors::None);
        let of_errors = |(errors, name)| rows(name, halved, USUAL, errors);
        page = page
            .section(&format!("Other scatters, by {name}"))
            .table(&head, OTHERS.into_iter().flat_map(of_scatter))
            .section(&format!("Errors, by {name}"))
            .table(&head, ERRORS.into_iter().flat_map(of_errors));
    }
    page
}
