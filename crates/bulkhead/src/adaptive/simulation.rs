//! A server of some workers with a queue before them, on numbers for time, under a limiter.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    f64::consts::TAU,
    time::Duration,
};

use tower_ballast_core::{Random, clock::Nanos};

use super::{Limiter, Outcome, Sample};

/// How long calls take, around the mean.
#[derive(Debug, Clone, Copy)]
pub(super) enum Service {
    /// With this sigma.
    Lognormal(f64),
    /// One in a hundred takes twenty times as long.
    Bimodal,
}

/// What becomes of a share of the calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Errors {
    None,
    /// Failed after a millisecond, without a worker.
    Fast(f64),
    /// Refused after a millisecond, without a worker.
    Refused(f64),
    /// Failed like answers that are worth nothing.
    Slow(f64),
    /// The same, and told to be too much.
    Overloaded(f64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    pub(super) workers: u32,
    /// Seconds in the mean.
    pub(super) service: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) phases: [Phase; 3],
    /// Seconds of each.
    pub(super) length: f64,
    pub(super) service: Service,
    pub(super) errors: Errors,
    /// Calls in a second.
    pub(super) offered: f64,
    /// How many may wait for the limit; the others are refused.
    pub(super) queue: u32,
}

/// An answer: when it came, and what it took.
pub(super) type Answer = (f64, f64);

#[derive(Debug, Clone, Copy)]
struct Call {
    admitted: f64,
    outcome: Outcome,
    works: bool,
}

struct Server<'a> {
    scene: &'a Scene,
    random: Random,
    busy: u32,
    queue: VecDeque<Call>,
    running: Vec<Call>,
    free: Vec<usize>,
    ends: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Scene {
    fn phase(&self, now: f64) -> Phase {
        let passed = self.phases.iter().zip(1_u32..);
        let mut left = passed.filter(|(_, number)| now < self.length * f64::from(*number));
        left.next().map_or(self.phases[2], |(phase, _)| *phase)
    }

    /// Runs from the beginning to the end, and gives all answers.
    pub(super) fn run(&self, limiter: &mut dyn Limiter, seed: u64) -> Vec<Answer> {
        let (mut answers, mut limit) = (Vec::new(), limiter.initial());
        let (mut inside, mut waiting) = (0, 0);
        let mut server = Server::new(self, seed);
        let mut arrival = server.exponential();
        loop {
            let end = server.next_end();
            let now = arrival.min(end);
            if now >= self.length * 3.0 {
                return answers;
            }
            if arrival < end {
                arrival += server.exponential();
                waiting = (waiting + 1).min(self.queue.max(limit.saturating_sub(inside)));
            } else if let Some(call) = server.finish() {
                let latency = now - call.admitted;
                let at = Nanos::from_nanos(86_400_000_000_000) + Duration::from_secs_f64(now);
                let took = Duration::from_secs_f64(latency);
                if let Some(change) = limiter.sample(Sample::new(at, took, call.outcome, inside)) {
                    limit = change.limit;
                }
                inside -= 1;
                if call.outcome == Outcome::Answered {
                    answers.push((now, latency));
                }
            }
            while inside < limit && waiting > 0 {
                (inside, waiting) = (inside + 1, waiting - 1);
                server.admit(now);
            }
            server.work(now);
        }
    }
}

impl<'a> Server<'a> {
    fn new(scene: &'a Scene, seed: u64) -> Self {
        Self {
            scene,
            random: Random::seeded(seed),
            busy: 0,
            queue: VecDeque::new(),
            running: Vec::new(),
            free: Vec::new(),
            ends: BinaryHeap::new(),
        }
    }

    /// Seconds from one arrival to the next.
    fn exponential(&self) -> f64 {
        -(1.0 - self.random.unit()).ln() / self.scene.offered
    }

    fn service(&self, mean: f64) -> f64 {
        match self.scene.service {
            Service::Lognormal(sigma) => {
                let radius = (-2.0 * (1.0 - self.random.unit()).ln()).sqrt();
                let normal = radius * (TAU * self.random.unit()).cos();
                mean * (sigma * normal - sigma * sigma / 2.0).exp()
            }
            Service::Bimodal if self.random.unit() < 0.01 => mean * 20.0 / 1.19,
            Service::Bimodal => mean / 1.19,
        }
    }

    fn admit(&mut self, now: f64) {
        let drawn = |share| self.random.unit() < share;
        let (outcome, works) = match self.scene.errors {
            Errors::Fast(share) if drawn(share) => (Outcome::Failed, false),
            Errors::Refused(share) if drawn(share) => (Outcome::Overloaded, false),
            Errors::Slow(share) if drawn(share) => (Outcome::Failed, true),
            Errors::Overloaded(share) if drawn(share) => (Outcome::Overloaded, true),
            _ => (Outcome::Answered, true),
        };
        let call = Call { admitted: now, outcome, works };
        if works {
            self.queue.push_back(call);
        } else {
            self.start(call, now + 0.001);
        }
    }

    /// Gives waiting calls to idle workers.
    fn work(&mut self, now: f64) {
        let phase = self.scene.phase(now);
        while self.busy < phase.workers {
            let Some(call) = self.queue.pop_front() else { return };
            self.busy += 1;
            self.start(call, now + self.service(phase.service));
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some minutes")]
    fn start(&mut self, call: Call, end: f64) {
        let slot = self.free.pop().unwrap_or(self.running.len());
        if slot == self.running.len() {
            self.running.push(call);
        } else {
            self.running[slot] = call;
        }
        self.ends.push(Reverse(((end * 1e9) as u64, slot)));
    }

    #[allow(clippy::cast_precision_loss, reason = "some minutes")]
    fn next_end(&self) -> f64 {
        self.ends.peek().map_or(f64::MAX, |Reverse((end, _))| *end as f64 / 1e9)
    }

    fn finish(&mut self) -> Option<Call> {
        let Reverse((_, slot)) = self.ends.pop()?;
        self.free.push(slot);
        let call = self.running[slot];
        self.busy -= u32::from(call.works);
        Some(call)
    }
}
