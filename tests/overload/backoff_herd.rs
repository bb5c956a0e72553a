//! A thousand clients that failed in one moment, and a service that takes in two of them in ten
//! milliseconds: how often do they have to ask?
//!
//! Whoever waits as long as the others comes with the others. Chance spreads a herd; a moment that
//! is kept for one client alone leaves nothing to spread.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, future::ready, stream::FuturesUnordered};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{
    Backoff, BoxError, Budget, HttpClassify, Jitter, PriorityRateLimitLayer, Quota, Reason,
    Rejected, RetryLayer,
    core::{
        RetryAfter,
        clock::{self, Nanos},
        count,
    },
    idempotent,
};
use tower_ballast_test::{simulator::Arrivals, time};

use super::{
    drawing::Drawing,
    millis,
    page::{Bar, Page},
    run_all, seconds, seeds,
};

const CLIENTS: u32 = 1_000;
/// The gate lets in one client in this time ..
const EACH: Duration = millis(5);
/// .. and up to so many at once when nobody came for a while.
const BURST: u32 = 4;
/// The clients go on for so long; who was not let in by then was not.
const HORIZON: Duration = seconds(600);

const BASE: Duration = millis(100);
const CAP: Duration = seconds(10);

/// What a client is told when it is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    /// Nothing.
    Nothing,
    /// The same time for all: when all would be served.
    Same,
    /// A moment of its own, in process.
    Slot,
    /// The same, by our limiter.
    Limiter,
    /// A moment of its own, in `Retry-After`: whole seconds.
    Seconds,
    /// A moment of its own, in `retry-after-ms`.
    Millis,
    /// The same, of a server of which one knows that no two are told the same: without jitter behind it.
    Trusted,
}

#[derive(Debug, Clone)]
struct Job {
    backoff: Backoff,
    told: Told,
    seed: u64,
}

#[derive(Debug)]
struct Found {
    /// Attempts per client that was let in.
    attempts: f64,
    /// When each of those was.
    served: Vec<Duration>,
    /// The most attempts in ten milliseconds, those of the first moment aside.
    peak: u64,
}

impl Found {
    /// When the last client was let in, if all were.
    fn finished(&self) -> Option<Duration> {
        (self.served.len() == CLIENTS as usize).then(|| self.served[self.served.len() - 1])
    }

    /// The share of the clients that was let in by each moment of the first half minute.
    fn curve(&self) -> Vec<(f64, f64)> {
        let by = |moment: Duration| {
            let served = self.served.partition_point(|served| *served <= moment);
            (moment.as_secs_f64(), served as f64 / f64::from(CLIENTS))
        };
        (0..=100).map(|step| by(step * millis(200))).collect()
    }
}

/// Lets clients in at its rate, and names a slot to each that it refuses.
struct Gate {
    state: Mutex<State>,
    attempts: Arrivals,
    began: Nanos,
}

struct State {
    /// When it will have made up for all that it let in.
    settled: Nanos,
    /// The last slot that was named.
    slot: Nanos,
}

impl Gate {
    /// One that is full at first: the herd fails together.
    fn new() -> Self {
        let began = clock::now();
        let state = State { settled: began + EACH * BURST, slot: began };
        Self { state: Mutex::new(state), attempts: Arrivals::new(), began }
    }

    fn note(&self) {
        self.attempts.note(clock::now().since(self.began));
    }

    /// Lets a client in, or says how far away a moment is that it may have for itself.
    fn ask(&self) -> Result<(), Duration> {
        let now = clock::now();
        self.note();
        let mut state = self.state.lock().unwrap();
        if state.settled.since(now) <= EACH * (BURST - 1) {
            state.settled = state.settled.max(now) + EACH;
            return Ok(());
        }
        state.slot = state.slot.max(now) + EACH;
        Err(state.slot.since(now))
    }
}

impl Job {
    fn run(&self) -> Found {
        time::drive(async {
            let gate = Arc::new(Gate::new());
            let client = self.client(&gate);
            let served = Mutex::new(Vec::new());
            let calls = (0..CLIENTS).map(|_| async {
                if client.clone().oneshot(()).await.is_ok() {
                    served.lock().unwrap().push(clock::now().since(gate.began));
                }
            });
            let all = calls.collect::<FuturesUnordered<_>>().count();
            // Whoever was not let in by then has asked in vain.
            let _ = tokio::time::timeout(HORIZON, all).await;
            let served = served.into_inner().unwrap();
            let attempts = gate.attempts.count(Duration::ZERO..Duration::MAX) as f64;
            let peak = gate.attempts.peak(millis(1)..seconds(60), millis(10));
            Found { attempts: attempts / served.len() as f64, served, peak }
        })
    }

    /// The service of each client.
    fn client(&self, gate: &Arc<Gate>) -> BoxCloneService<(), (), BoxError> {
        let (gate, told) = (Arc::clone(gate), self.told);
        let retry = RetryLayer::new(idempotent())
            .retries(u32::MAX)
            .backoff(self.backoff.clone())
            .budget(Budget::unlimited())
            .seed(self.seed);
        match told {
            Told::Nothing | Told::Same | Told::Slot => {
                let ask =
                    service_fn(move |()| ready(gate.ask().map_err(|slot| told.refusal(slot))));
                BoxCloneService::new(retry.layer(ask))
            }
            Told::Limiter => {
                let quota = Quota::per(EACH, count::<1>()).burst(count::<BURST>());
                let limit = PriorityRateLimitLayer::new(quota);
                // It is full at first.
                let burst = limit.handle().try_reserve(count::<BURST>(), Duration::ZERO);
                burst.expect("nobody has taken anything").spend();
                let answer = service_fn(|()| ready(Ok::<_, BoxError>(())));
                let noted = limit.layer(answer).map_request(move |()| gate.note());
                BoxCloneService::new(retry.layer(noted))
            }
            Told::Seconds | Told::Millis | Told::Trusted => {
                let ask = service_fn(move |_| {
                    let answer =
                        gate.ask().map_or_else(|slot| told.answer(slot), |()| Response::new(()));
                    ready(Ok::<_, BoxError>(answer))
                });
                let client = retry.classify_with(HttpClassify::new()).layer(ask);
                BoxCloneService::new(client.map_request(Request::new).map_result(
                    |answer: Result<Response<()>, _>| {
                        answer.and_then(|answer| match answer.status() {
                            StatusCode::OK => Ok(()),
                            status => Err(status.to_string().into()),
                        })
                    },
                ))
            }
        }
    }
}

impl Told {
    fn refusal(self, slot: Duration) -> BoxError {
        let rejected = Rejected::new(Reason::RateLimited);
        match self {
            Self::Slot => rejected.retry_after(RetryAfter::reserved(slot)).into(),
            Self::Same => rejected.retry_after(RetryAfter::hint(seconds(1))).into(),
            _ => "refused".into(),
        }
    }

    fn answer(self, slot: Duration) -> Response<()> {
        let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
        let (name, value) = match self {
            Self::Millis | Self::Trusted => ("retry-after-ms", slot.as_millis()),
            _ => ("retry-after", slot.as_millis().div_ceil(1_000)),
        };
        answer.header(name, value.to_string()).body(()).expect("a number is a value")
    }
}

/// A strategy, and for each jitter how many attempts a client needs.
struct Classical {
    name: &'static str,
    make: fn(Duration) -> Backoff,
    attempts: [f64; 4],
}

const CLASSICAL: [Classical; 4] = [
    // The jitter named decorrelated grows by itself: it is the same with each strategy.
    Classical { name: "constant", make: Backoff::constant, attempts: [127.0, 50.0, 34.0, 5.8] },
    Classical { name: "linear", make: Backoff::linear, attempts: [196.0, 9.9, 8.5, 5.8] },
    Classical { name: "fibonacci", make: Backoff::fibonacci, attempts: [225.0, 8.4, 7.9, 5.8] },
    Classical { name: "exponential", make: Backoff::exponential, attempts: [227.0, 6.4, 6.4, 5.8] },
];
const JITTERS: [Jitter; 4] = [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated];

const TOLD: [(Told, &str); 7] = [
    (Told::Nothing, "nothing"),
    (Told::Same, "a second, to all"),
    (Told::Seconds, "its slot, in whole seconds (`Retry-After`)"),
    (Told::Millis, "its slot (`retry-after-ms`)"),
    (Told::Trusted, "its slot (`retry-after-ms`), backoff without jitter"),
    (Told::Slot, "its slot, in process"),
    (Told::Limiter, "its slot, by `PriorityRateLimitLayer`"),
];

/// The least time in which all can be let in.
const LEAST: Duration = EACH.saturating_mul(CLIENTS);

fn classical(make: fn(Duration) -> Backoff, jitter: Jitter, seed: u64) -> Job {
    Job { backoff: make(BASE).cap(CAP).jitter(jitter), told: Told::Nothing, seed }
}

#[test]
fn each_backoff_spreads_a_herd_as_well_as_its_jitter() {
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for Classical { make, attempts, .. } in CLASSICAL {
        for (jitter, attempts) in JITTERS.into_iter().zip(attempts) {
            jobs.extend(seeds().map(|seed| classical(make, jitter, seed)));
            expected.extend(seeds().map(|_| attempts));
        }
    }
    let all = run_all(&jobs, Job::run);
    for ((job, expected), found) in jobs.iter().zip(expected).zip(&all) {
        let off = found.attempts / expected - 1.0;
        assert!(off.abs() <= 0.15, "{}: {}, not {expected}", job.backoff, found.attempts);
    }
    publish(&all);
}

/// What is asked of a slot of one's own: attempts, when all are in, and the most in 10 ms.
const BARS: (f64, Duration, u64) = (2.2, LEAST.saturating_add(millis(250)), 5);
/// What a hint reaches that has jitter behind it: see what the page says of it.
const REACHED: (f64, Duration, u64) = (2.2, LEAST.saturating_add(millis(1_250)), 8);
/// Who gives a slot, or what tells of it.
const SLOTS: [Told; 4] = [Told::Slot, Told::Limiter, Told::Trusted, Told::Millis];

#[test]
fn a_slot_for_each_client_leaves_nothing_to_spread() {
    let jobs: Vec<Job> = seeds().flat_map(|seed| SLOTS.map(|slot| told(slot, seed))).collect();
    for (job, found) in jobs.iter().zip(run_all(&jobs, Job::run)) {
        let (attempts, last, peak) = if job.told == Told::Millis { REACHED } else { BARS };
        let finished = found.finished();
        assert!(found.attempts <= attempts, "{job:?}: {}", found.attempts);
        assert!(finished.is_some_and(|finished| finished <= last), "{job:?}: {finished:?}");
        assert!(found.peak <= peak, "{job:?}: {}", found.peak);
    }
    // The same clients, told nothing.
    let jobs: Vec<Job> = seeds().map(|seed| told(Told::Nothing, seed)).collect();
    for (job, found) in jobs.iter().zip(run_all(&jobs, Job::run)) {
        assert!(found.attempts > BARS.0 && found.peak > BARS.2, "{job:?}: {}", found.attempts);
        assert!(found.finished().is_none_or(|last| last > BARS.1), "{job:?} proves nothing");
    }
}

/// The default backoff, with its cap.
fn told(told: Told, seed: u64) -> Job {
    let backoff = Backoff::exponential(BASE).cap(CAP);
    let jitter = if told == Told::Trusted { Jitter::None } else { Jitter::Full };
    Job { backoff: backoff.jitter(jitter), told, seed }
}

fn shown(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn publish(classical: &[Found]) {
    let each = classical.chunks(classical.len() / (CLASSICAL.len() * JITTERS.len()));
    let worst: Vec<f64> =
        each.map(|found| found.iter().map(|found| found.attempts).fold(0.0, f64::max)).collect();
    let rows = CLASSICAL.iter().zip(worst.chunks(JITTERS.len())).map(|(strategy, worst)| {
        let cells = worst.iter().map(|attempts| format!("{attempts:.1}"));
        std::iter::once(strategy.name.to_owned()).chain(cells).collect()
    });
    let mut drawing = Drawing::of_shares("Let in");
    let none = classical[classical.len() / 4 * 3].curve();
    drawing = drawing.curve("no jitter", none);
    let mut told_rows = Vec::new();
    let mut bars = Vec::new();
    for (what, name) in TOLD {
        let jobs: Vec<Job> = seeds().map(|seed| told(what, seed)).collect();
        let found = run_all(&jobs, Job::run);
        let attempts = found.iter().map(|found| found.attempts).fold(0.0, f64::max);
        let finished: Option<Vec<Duration>> = found.iter().map(Found::finished).collect();
        let finished = finished.and_then(|all| all.into_iter().max());
        let peak = found.iter().map(|found| found.peak).max().unwrap_or(0);
        let cells = [
            name.to_owned(),
            format!("{attempts:.2}"),
            finished.map_or("never".into(), shown),
            peak.to_string(),
        ];
        told_rows.push(cells.to_vec());
        if SLOTS.contains(&what) {
            let finished = finished.unwrap_or(HORIZON);
            bars.extend([
                Bar::most(&format!("{name}: attempts"), BARS.0, attempts, |a| format!("{a:.2}")),
                Bar::most(&format!("{name}: all in after"), BARS.1, finished, shown),
                Bar::most(&format!("{name}: peak"), BARS.2, peak, |peak| peak.to_string()),
            ]);
        }
        let name = name.replace(" (`retry-after-ms`)", "").replace(" (`Retry-After`)", "");
        drawing = drawing.curve(&name.replace('`', ""), found[0].curve());
    }
    Page::new(
        "backoff-herd",
        "Backoff herd",
        "A thousand clients fail at t = 0. From then on one is let in every 5 ms, which is two in \
         10 ms, and up to four at once when nobody came for 20 ms. They ask again until they are let \
         in, but no longer than ten minutes. All could be in after 5 s.",
    )
    .bars(bars)
    .text(
        "What is told over HTTP is a hint: the client cannot know that no other was told the same, and waits a part \
         of its backoff behind it, up to 100 ms after the first refusal and up to 200 ms after the second. \
         So they come out of turn, and who finds its moment taken by another is told one behind all others: an eighth of the \
         clients, for a quarter more time. Tried were, over 20 seeds: equal jitter, 5.84 s and a peak of 8; decorrelated, 7.01 s and 8; \
         a constant base, 5.69 s and 8; a base of 20 ms, 5.18 s and 6, and one of 5 ms, 5.01 s and 2. A client of a server whose moments are \
         known to be distinct, as those of `PriorityRateLimitLayer` are, sets its backoff to no jitter, which is then the \
         same for all, and meets the bar over HTTP too. That is no default: told the same by a server, such clients \
         come back as one herd.\n\n\
         The attempts by backoff and jitter are to be within 15 % of: constant 127, 50, 34; linear 196, 9.9, 8.5; fibonacci \
         225, 8.4, 7.9; exponential 227, 6.4, 6.4; decorrelated 5.8. All are.",
    )
    .section("Attempts per client that is let in, by backoff and jitter")
    .text(
        "The base is 100 ms, the cap 10 s. Constant: the base each time. Linear: once, twice, three \
         times the base. Fibonacci: the base twice, then the sum of the last two. Exponential: \
         doubling. Of a delay d, full jitter waits between 0 and d, equal jitter between d/2 and d. \
         Decorrelated jitter waits between the base and three times the last wait, whatever the \
         strategy.",
    )
    .table(&["backoff", "no jitter", "full", "equal", "decorrelated"], rows)
    .section("By what a client is told when it is refused")
    .text(
        "All have the exponential backoff, unless said otherwise with full jitter, which comes behind a hint \
         and not behind a slot that was kept in process. The peak is the most attempts in 10 ms, after the first \
         moment.",
    )
    .table(&["told", "attempts", "all in after", "peak"], told_rows)
    .drawing("in", &drawing)
    .publish();
}
