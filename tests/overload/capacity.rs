//! A server whose capacity halves and doubles again, while half more than it can do is asked for:
//! does a limit that finds itself find it again?
//!
//! It halves by workers, where the limit must halve too, or by the time that a call takes, where it
//! must not. Who cannot tell the two from each other loses throughput or builds a queue.

use std::{cmp::Ordering, time::Duration};

use tower_ballast::{Ratio, core::Multiplier};
use tower_ballast_test::simulator::{Change, Server, ServiceTime, Stream, simulate};

use super::{
    drawing::Drawing,
    is_long,
    limiters::{Answers, By, limited},
    millis,
    page::{Bar, Page, percent},
    run_all, seconds, seeds,
};

pub(super) const WORKERS: u32 = 40;
pub(super) const SERVICE: Duration = millis(20);
/// Half more than it can do.
pub(super) const OFFERED: f64 = 3_000.0;
/// The capacity is whole, halved, and whole again, for so long each.
const PHASE: Duration = seconds(20);
const PHASES: usize = 3;

pub(super) const BY: [(By, &str); 5] = [
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
pub(super) struct Steps(Vec<Span>);

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    answers: f64,
    /// Seconds that they took at the server, and that were worked on them.
    pub(super) seconds: f64,
    pub(super) worked: f64,
}

impl Steps {
    pub(super) fn of(answers: &[[f64; 3]]) -> Self {
        // No scenario is longer than a hundred seconds.
        let mut steps = vec![Span::default(); 1_000];
        for [at, took, worked] in answers {
            if let Some(step) = steps.get_mut(tenth(*at)) {
                step.answers += 1.0;
                step.seconds += took;
                step.worked += worked;
            }
        }
        Self(steps)
    }

    pub(super) fn span(&self, begin: f64, length: f64) -> Span {
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

    fn median(&self, by: By, halved: Halved, scatter: Scatter) -> Option<Figures> {
        Some(self.median_and_worst(by, halved, scatter, Errors::None)?[0])
    }

    /// The medians of those that find a limit in another way.
    fn others(&self, halved: Halved, scatter: Scatter) -> Vec<(&'static str, Figures)> {
        let median = |(by, name)| Some((name, self.median(by, halved, scatter)?));
        let is_other = |(by, _): &(By, &str)| !matches!(by, By::BandwidthDelay | By::Fixed(_));
        BY.into_iter().filter(is_other).filter_map(median).collect()
    }

    /// Of ours, with the usual scatter: the median, the worst, and the median with quick errors.
    fn asked(&self, halved: Halved) -> [Figures; 3] {
        let figures = |errors| {
            let figures = self.median_and_worst(By::BandwidthDelay, halved, USUAL, errors);
            figures.expect("it was run")
        };
        let ([median, worst], [errors, _]) = (figures(Errors::None), figures(Errors::Quick));
        [median, worst, errors]
    }

    fn bars(&self) -> Vec<Bar> {
        let mut bars = Vec::new();
        for (halved, name, _) in HALVED {
            let [median, worst, errors] = self.asked(halved);
            let times = |latency: f64| format!("{latency:.2}");
            let after = |seconds: f64| format!("{seconds:.1} s");
            for (of, bar, reached) in [("median", MEDIAN, median), ("worst", WORST, worst)] {
                let of = |what| format!("{name}, {of} of the seeds: {what}");
                let [throughput, latency] = [of("throughput"), of("latency")];
                bars.extend([
                    Bar::least(&throughput, bar.throughput, reached.throughput, percent),
                    Bar::most(&latency, bar.latency, reached.latency, times),
                    Bar::most(&of("good after"), bar.converged, reached.converged, after),
                ]);
            }
            let share = errors.throughput / median.throughput;
            let of = format!("{name}: throughput with 5 % errors, of that without");
            bars.push(Bar::least(&of, WITH_ERRORS, share, percent));
        }
        bars
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

/// Of the median of the seeds, and of the worst of them.
const MEDIAN: Figures = Figures { throughput: 0.97, latency: 1.35, converged: 1.0 };
const WORST: Figures = Figures { throughput: 0.95, latency: 1.5, converged: 5.0 };
/// Of the throughput without errors.
const WITH_ERRORS: f64 = 0.9;

/// What the median of the seeds reaches when the times scatter otherwise.
const REACHED: [(Halved, Scatter, Figures); 10] = {
    const fn figures(throughput: f64, latency: f64, converged: f64) -> Figures {
        Figures { throughput, latency, converged }
    }
    let (workers, service) = (Halved::Workers, Halved::Service);
    let [none, little, much, bimodal, pareto] =
        [OTHERS[0].0, OTHERS[1].0, OTHERS[2].0, OTHERS[3].0, OTHERS[4].0];
    [
        (workers, none, figures(0.9875, 1.195, 0.3)),
        (workers, little, figures(0.9885, 1.215, 0.3)),
        (workers, much, figures(0.9775, 1.345, 0.5)),
        (workers, bimodal, figures(0.968, 1.35, 0.7)),
        (workers, pareto, figures(0.9425, 1.335, 1.3)),
        (service, none, figures(0.9825, 1.195, 0.6)),
        (service, little, figures(0.9875, 1.185, 0.5)),
        (service, much, figures(0.9685, 1.295, 1.1)),
        (service, bimodal, figures(0.9535, 1.315, 1.1)),
        (service, pareto, figures(0.9395, 1.3, 1.3)),
    ]
};

/// Whether ours is the best of all that find a limit, in throughput and in latency; it is always good first.
const BEST: [(Scatter, [bool; 2]); 5] = {
    let [none, little, much, bimodal, pareto] = OTHERS;
    [
        (none.0, [false, true]),
        (little.0, [true, false]),
        (much.0, [true, false]),
        (bimodal.0, [false, true]),
        (pareto.0, [false, false]),
    ]
};

impl Figures {
    /// Whether the others are as good as these.
    fn is_met(&self, by: Self) -> bool {
        by.throughput >= self.throughput
            && by.latency <= self.latency
            && by.converged <= self.converged
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
                // With five seeds chance moves the median by more than any limit does.
                let some = if ours { usize::MAX } else { 5 };
                for (scatter, _) in OTHERS {
                    jobs.extend(seeds().take(some).map(job(scatter, Errors::None)));
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
        let [median, worst, errors] = all.asked(halved);
        assert!(MEDIAN.is_met(median), "{halved:?}: {median:?}");
        assert!(WORST.is_met(worst), "{halved:?}: {worst:?}");
        assert!(errors.throughput >= WITH_ERRORS * median.throughput, "{halved:?}: {errors:?}");
    }
    for (halved, scatter, reached) in REACHED {
        let ours = all.median(By::BandwidthDelay, halved, scatter);
        assert!(ours.is_none_or(|ours| reached.is_met(ours)), "{halved:?}, {scatter:?}: {ours:?}");
        for (by, peer) in all.others(halved, scatter) {
            let ours = ours.expect("it was run with the others");
            // Whoever is better in one figure is far off in the other, and none is as soon there.
            let better = peer.throughput > ours.throughput || peer.latency < ours.latency;
            let good = peer.throughput >= WORST.throughput && peer.latency <= WORST.latency;
            assert!(!better || !good, "{halved:?}, {scatter:?}, {by:?}: {peer:?}, {ours:?}");
            assert!(peer.converged >= ours.converged, "{halved:?}, {scatter:?}, {by:?}: {ours:?}");
            let best = BEST.into_iter().find(|(of, _)| *of == scatter).expect("each is there").1;
            let is_best = [ours.throughput >= peer.throughput, ours.latency <= peer.latency];
            for (asked, is_best) in best.into_iter().zip(is_best) {
                assert!(is_best || !asked, "{halved:?}, {scatter:?}, {by:?}: {peer:?}, {ours:?}");
            }
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
    )
    .bars(all.bars());
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

/// Other scatters, ours in all seeds, and errors, in five seeds each.
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
    page = page
        .section("Beside the best of the others")
        .text(
            "The medians, ours of all seeds and the others' of five. To be never worse than the best of the others is a bar that no limiter can meet figure \
             by figure: one that lets all in has all the throughput, one that lets in hardly anything has no latency. What \
             is asserted: whoever is better than ours in one of the two misses the loosest bar in the other, 95 % or 1.50, \
             and none is good sooner. The best of the others is named with its other figure.\n\n\
             In throughput ours is asserted to be the best of all with lognormal times, in latency without scatter and with one call in a \
             hundred that is long. Without any scatter calls end in waves; each measurement reaches from one \
             wave to another, and so counts as many waves as times between them. When it did not, it took the rate for a third more or a quarter less \
             than it was, and the throughput was 89.3 % by workers.",
        )
        .table(
            &["", "halves", "throughput", "best other", "latency", "best other", "good after", "best other"],
            HALVED.into_iter().flat_map(|(halved, name, _)| {
                OTHERS.map(|(scatter, scatters)| beside(all, (halved, name), (scatter, scatters)))
            }),
        );
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

/// Ours, and for each figure the other that is best in it.
fn beside(
    all: &All,
    (halved, by): (Halved, &str),
    (scatter, scatters): (Scatter, &str),
) -> Vec<String> {
    let ours = all.median(By::BandwidthDelay, halved, scatter).expect("it was run");
    let others = all.others(halved, scatter);
    let best = |order: fn(&Figures, &Figures) -> Ordering| {
        others.iter().min_by(|one, other| order(&one.1, &other.1)).expect("there are others")
    };
    let most = best(|one, other| other.throughput.total_cmp(&one.throughput));
    let quickest = best(|one, other| one.latency.total_cmp(&other.latency));
    let soonest = best(|one, other| one.converged.total_cmp(&other.converged));
    let is_there = soonest.1.converged < PHASE.as_secs_f64();
    vec![
        scatters.to_owned(),
        by.to_owned(),
        percent(ours.throughput),
        format!("{}, {} at {:.2}", percent(most.1.throughput), most.0, most.1.latency),
        format!("{:.2}", ours.latency),
        format!("{:.2}, {} at {}", quickest.1.latency, quickest.0, percent(quickest.1.throughput)),
        format!("{:.1} s", ours.converged),
        if is_there {
            format!("{:.1} s, {}", soonest.1.converged, soonest.0)
        } else {
            "none".into()
        },
    ]
}
