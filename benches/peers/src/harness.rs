//! Measures many cases in one run, so that whatever disturbs the machine disturbs all of them.
//!
//! A case runs in short batches of `ready().await.call().await`. Each round runs one batch of every
//! case, in an order that turns, and compares the cases with each other; what is reported is the
//! median over the rounds. Times drift with the machine, ratios within a round hardly do.

use std::{
    cell::Cell,
    fmt::Debug,
    hint::black_box,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};
use tower::{Service, ServiceExt};

use crate::counting::allocations;

/// Two threads that share nothing: the most that any two can gain on this machine at this time.
pub const TWO_THREADS: &str = "tower retry, two threads, nothing shared";

const BATCH: Duration = Duration::from_micros(200);

/// What the calls of a case have to come to; a case that does something else measures nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Answers,
    Refusals,
}

/// What a case is held against.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    /// At most this many times the cost of the other case.
    Cost(f64),
    /// At least this many times the throughput of the other case.
    Throughput(f64),
    /// Only compared.
    None,
}

pub struct Case {
    pub name: &'static str,
    pub against: Option<(&'static str, Bar)>,
    threads: u32,
    run: Box<dyn FnMut(u64) -> Duration>,
    allocated: Rc<Cell<u64>>,
}

impl Case {
    /// A service that one thread calls again and again.
    pub fn reused<S>(name: &'static str, service: S, expect: Expect) -> Self
    where
        S: Service<u64> + 'static,
        S::Error: Debug,
    {
        let mut service = service;
        Self::alone(name, move |runtime, calls| {
            runtime.block_on(async {
                let mut answers = 0;
                for request in 0..calls {
                    answers += u64::from(call(&mut service, request).await);
                }
                check(name, expect, answers, calls);
            });
        })
    }

    /// A service that is cloned for every call, as a server clones its stack for a request.
    pub fn cloned<S>(name: &'static str, service: S, expect: Expect) -> Self
    where
        S: Service<u64> + Clone + 'static,
        S::Error: Debug,
    {
        Self::alone(name, move |runtime, calls| {
            runtime.block_on(async {
                let mut answers = 0;
                for request in 0..calls {
                    answers += u64::from(call(&mut service.clone(), request).await);
                }
                check(name, expect, answers, calls);
            });
        })
    }

    /// A decision that needs no service, asked again and again.
    pub fn deciding(
        name: &'static str,
        mut decide: impl FnMut(u64) -> bool + 'static,
        expect: Expect,
    ) -> Self {
        Self::alone(name, move |_, calls| {
            let mut answers = 0;
            for request in 0..calls {
                answers += u64::from(black_box(decide(black_box(request))));
            }
            check(name, expect, answers, calls);
        })
    }

    fn alone(name: &'static str, mut calls_of: impl FnMut(&Runtime, u64) + 'static) -> Self {
        let runtime = runtime();
        let allocated = Rc::new(Cell::new(0));
        let counter = Rc::clone(&allocated);
        let run = move |calls| {
            let (before, began) = (allocations(), Instant::now());
            calls_of(&runtime, calls);
            let took = began.elapsed();
            counter.set(allocations() - before);
            took
        };
        Self {
            name,
            against: None,
            threads: 1,
            run: Box::new(run),
            allocated,
        }
    }

    /// Services that share their state, one for each of two threads that call at the same time.
    /// Both threads warm up, and only the time in which both were calling is taken.
    pub fn two_threads<S>(name: &'static str, service: S, expect: Expect) -> Self
    where
        S: Service<u64> + Clone + Send + 'static,
        S::Error: Debug,
    {
        let run = move |calls: u64| {
            let arrived = AtomicU32::new(0);
            let worker = || {
                let mut service = service.clone();
                let arrived = &arrived;
                move || {
                    let runtime = runtime();
                    arrived.fetch_add(1, SeqCst);
                    while arrived.load(SeqCst) < 2 {
                        std::hint::spin_loop();
                    }
                    let began = Instant::now();
                    let answers = runtime.block_on(async {
                        let mut answers = 0;
                        for request in 0..calls {
                            answers += u64::from(call(&mut service, request).await);
                        }
                        answers
                    });
                    check(name, expect, answers, calls);
                    (began, Instant::now())
                }
            };
            let (one, other) = thread::scope(|scope| {
                let (one, other) = (scope.spawn(worker()), scope.spawn(worker()));
                (
                    one.join().expect("checked calls"),
                    other.join().expect("checked calls"),
                )
            });
            one.1.max(other.1).duration_since(one.0.min(other.0)) / 2
        };
        let allocated = Rc::new(Cell::new(0));
        Self {
            name,
            against: None,
            threads: 2,
            run: Box::new(run),
            allocated,
        }
    }

    pub fn against(mut self, other: &'static str, bar: Bar) -> Self {
        self.against = Some((other, bar));
        self
    }
}

async fn call<S: Service<u64>>(service: &mut S, request: u64) -> bool
where
    S::Error: Debug,
{
    let ready = service
        .ready()
        .await
        .expect("the inner services are always ready");
    black_box(ready.call(black_box(request)).await).is_ok()
}

fn check(name: &str, expect: Expect, answers: u64, calls: u64) {
    let expected = if expect == Expect::Answers { calls } else { 0 };
    assert_eq!(answers, expected, "{name}: answers among {calls} calls");
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O")
}

/// What was found of one case.
pub struct Finding {
    pub name: &'static str,
    pub nanos: f64,
    /// Of one call; unknown where several threads call.
    pub allocations: Option<f64>,
    pub against: Option<Comparison>,
}

pub struct Comparison {
    pub other: &'static str,
    pub bar: Bar,
    /// The cost as a multiple of the other's, or the throughput where the bar asks for that.
    pub ratio: f64,
}

impl Comparison {
    pub fn is_met(&self) -> Option<bool> {
        match self.bar {
            Bar::Cost(most) => Some(self.ratio <= most),
            Bar::Throughput(least) => Some(self.ratio >= least),
            Bar::None => None,
        }
    }
}

/// Runs rounds until `time` is over, at least three.
pub fn measure(mut cases: Vec<Case>, time: Duration) -> (Vec<Finding>, usize) {
    let began = Instant::now();
    let calls: Vec<u64> = cases.iter_mut().map(calibrate).collect();
    let mut rounds: Vec<Vec<f64>> = Vec::new();
    while rounds.len() < 3 || began.elapsed() < time {
        let mut round = vec![0.0; cases.len()];
        for step in 0..cases.len() {
            let index = (step + rounds.len()) % cases.len();
            let took = (cases[index].run)(calls[index]);
            round[index] = took.as_nanos() as f64 / calls[index] as f64;
        }
        rounds.push(round);
    }
    let findings = (0..cases.len())
        .map(|index| finding(&cases, &calls, &rounds, index))
        .collect();
    (findings, rounds.len())
}

/// How many calls make a batch. Two threads need longer ones, or they would hardly meet.
fn calibrate(case: &mut Case) -> u64 {
    let target = BATCH * case.threads.pow(3);
    let mut calls = 64;
    loop {
        // The first time fills what is kept.
        let took = (case.run)(calls).min((case.run)(calls));
        if took >= target / 2 {
            break (calls as f64 * target.as_secs_f64() / took.as_secs_f64()) as u64;
        }
        calls *= 2;
    }
}

fn finding(cases: &[Case], calls: &[u64], rounds: &[Vec<f64>], index: usize) -> Finding {
    let case = &cases[index];
    let against = case.against.map(|(other, bar)| {
        let peer = cases.iter().position(|case| case.name == other);
        let peer = peer.unwrap_or_else(|| panic!("{}: there is no case {other}", case.name));
        let ratio = median(rounds.iter().map(|round| match bar {
            Bar::Throughput(_) => round[peer] / round[index],
            Bar::Cost(_) | Bar::None => round[index] / round[peer],
        }));
        Comparison { other, bar, ratio }
    });
    Finding {
        name: case.name,
        nanos: median(rounds.iter().map(|round| round[index])),
        allocations: (case.threads == 1).then(|| case.allocated.get() as f64 / calls[index] as f64),
        against,
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
