//! What all services of one layer share: the circuit under its lock, and in front of it the few
//! atomic words that let a healthy call pass without it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use tokio::sync::watch;
use tower_ballast_core::{
    EnforcementCell, Random, Reason, Reporter,
    clock::{self, Nanos},
    queue::Line,
    window::Striped,
};

use crate::{
    circuit::Circuit,
    decision::{Decision, Ended},
    phase::{Change, Phase},
    settings::Settings,
};

/// Calls pass without asking.
const PASSES: u64 = 1;
/// A success may be counted aside, without the lock.
const ASIDE: u64 = 1 << 1;
/// A success changes nothing.
const CALM: u64 = 1 << 2;
/// Calls are refused until [`Shared::until`], without asking.
const OPEN: u64 = 1 << 3;
/// Calls are refused until somebody says otherwise, without asking.
const FORCED: u64 = 1 << 4;
const EPOCH: u32 = 5;

#[derive(Debug)]
pub(crate) struct Shared {
    /// The epoch of the present state, and what that state allows without the lock.
    word: AtomicU64,
    until: AtomicU64,
    /// Successes of the present bucket.
    aside: Striped,
    bucket_end: AtomicU64,
    /// Calls that take longer are slow; `u64::MAX` when none is.
    slow_above: AtomicU64,
    abandoned_after: AtomicU64,
    locked: Mutex<Locked>,
    pub(crate) enforcement: EnforcementCell,
    pub(crate) reporter: Reporter,
    phase: watch::Sender<Phase>,
    pub(crate) random: Random,
}

#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) circuit: Circuit,
    pub(crate) line: Line,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let shared = Self {
            word: AtomicU64::new(0),
            until: AtomicU64::new(0),
            aside: Striped::new(),
            bucket_end: AtomicU64::new(0),
            slow_above: AtomicU64::new(u64::MAX),
            abandoned_after: AtomicU64::new(0),
            locked: Mutex::new(Locked { circuit: Circuit::new(settings), line: Line::new() }),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("circuit_breaker"),
            phase: watch::Sender::new(Phase::Closed),
            random: Random::new(),
        };
        shared.change(|_, _| ());
        shared
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new(self.lock().circuit.settings.clone());
        separate.enforcement.set(self.enforcement.get());
        separate.seed(self.random.next_u64());
        separate
    }

    /// The epoch of a call that passes without asking, as all do while the circuit is closed.
    #[inline]
    pub(crate) fn passes(&self) -> Option<u64> {
        let word = self.word.load(Ordering::Acquire);
        (word & PASSES != 0 && !self.enforcement.is_off()).then_some(word >> EPOCH)
    }

    /// Admits a call, without the lock while the circuit is closed or open.
    #[inline]
    pub(crate) fn admit(&self) -> Result<u64, Refusal> {
        let word = self.word.load(Ordering::Acquire);
        if word & PASSES != 0 {
            return Ok(word >> EPOCH);
        }
        if word & FORCED != 0 {
            return Err(Refusal { reason: Reason::CircuitForcedOpen, after: None });
        }
        let now = clock::now();
        let until = Nanos::from_nanos(self.until.load(Ordering::Acquire));
        if word & OPEN != 0 && now < until {
            return Err(Refusal { reason: Reason::CircuitOpen, after: Some(until.since(now)) });
        }
        self.decide(now)
    }

    #[inline(never)]
    fn decide(&self, now: Nanos) -> Result<u64, Refusal> {
        let (admitted, changed) = self.change_at(now, Locked::admit);
        self.tell_with(changed, admitted.as_ref().ok());
        admitted
    }

    /// Takes in a success without the lock, if it needs none.
    #[inline]
    pub(crate) fn counts_aside(&self, epoch: u64) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word >> EPOCH == epoch && (word & CALM != 0 || word & ASIDE != 0 && self.count_aside())
    }

    #[inline(never)]
    fn count_aside(&self) -> bool {
        let in_time = clock::now().as_nanos() < self.bucket_end.load(Ordering::Relaxed);
        if in_time {
            self.aside.add();
        }
        in_time
    }

    /// Takes in an outcome.
    #[cold]
    pub(crate) fn settle(&self, ended: Ended) {
        let (next, changed) = self.change_at(clock::now(), |locked, now| {
            locked.circuit.settle(ended, now);
            // A place was given back, or the step has grown.
            locked.line.first_waker()
        });
        if let Some(next) = next {
            next.wake();
        }
        self.tell(changed);
    }

    /// Changes the circuit under its lock, publishes what it allows now, then tells of it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Locked, Nanos) -> T) -> T {
        let (result, changed) = self.change_at(clock::now(), change);
        self.tell(changed);
        result
    }

    /// The same without telling; that is left to the caller, who first brings to safety what it
    /// got: an observer may panic.
    #[inline(never)]
    pub(crate) fn change_at<T>(
        &self,
        now: Nanos,
        change: impl FnOnce(&mut Locked, Nanos) -> T,
    ) -> (T, Option<Change>) {
        let mut locked = self.lock();
        self.fold(&mut locked);
        let result = change(&mut locked, now);
        let changed = locked.circuit.take_change();
        let waker = self.publish(&mut locked, now, changed.is_some());
        drop(locked);
        if let Some(waker) = waker {
            waker.wake();
        }
        (result, changed)
    }

    fn fold(&self, locked: &mut Locked) {
        let successes = self.aside.drain();
        if successes > 0 {
            locked.circuit.fold(successes);
        }
    }

    /// Writes what the state allows without the lock; returns whom it has to wake.
    fn publish(&self, locked: &mut Locked, now: Nanos, changed: bool) -> Option<Waker> {
        let circuit = &mut locked.circuit;
        let phase = circuit.phase();
        if let Some(until) = circuit.rests_until() {
            self.until.store(until.as_nanos(), Ordering::Release);
        }
        let mut word = circuit.epoch() << EPOCH;
        match phase {
            Phase::Closed => {
                word |= PASSES;
                let hot = circuit.is_hot(now);
                match circuit.bucket_end() {
                    Some(end) if !hot => {
                        self.bucket_end.store(end.as_nanos(), Ordering::Relaxed);
                        word |= ASIDE;
                    }
                    None if circuit.is_calm() => word |= CALM,
                    _ => {}
                }
            }
            Phase::ForcedClosed => word |= PASSES | CALM,
            Phase::ForcedOpen => word |= FORCED,
            // Whoever waits in line is served before newcomers, so these must ask.
            Phase::Open if locked.line.is_empty() => word |= OPEN,
            _ => {}
        }
        if !locked.line.is_empty() {
            word &= !PASSES;
        }
        let settings = &circuit.settings;
        let slow = settings.slow.map_or(u64::MAX, |slow| clock::nanos_in(slow.above));
        self.slow_above.store(slow, Ordering::Relaxed);
        let abandoned = clock::nanos_in(settings.abandoned_after);
        self.abandoned_after.store(abandoned, Ordering::Relaxed);
        self.word.store(word, Ordering::Release);
        if changed {
            self.phase.send_replace(phase);
        }
        if changed { locked.line.first_waker() } else { None }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Locked> {
        // Nothing under this lock runs user code; a panic elsewhere leaves whole states only.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a call begins that comes now; no clock is read without need, and zero stands for that.
    #[inline]
    pub(crate) fn begins(&self) -> Nanos {
        match self.slow_above.load(Ordering::Relaxed) {
            u64::MAX => Nanos::ZERO,
            _ => clock::now(),
        }
    }

    /// Whether a call that ends now has been slow.
    #[inline]
    pub(crate) fn is_slow(&self, began: Nanos) -> bool {
        match self.slow_above.load(Ordering::Relaxed) {
            u64::MAX => false,
            // Of a call that began before any could be slow nobody knows.
            _ if began == Nanos::ZERO => false,
            above => clock::now().since(began) > Duration::from_nanos(above),
        }
    }

    pub(crate) fn abandoned_after(&self) -> Duration {
        Duration::from_nanos(self.abandoned_after.load(Ordering::Relaxed))
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn configure(&self, set: impl FnOnce(&mut Settings)) {
        self.change(|locked, _| {
            let mut settings = locked.circuit.settings.clone();
            set(&mut settings);
            locked.circuit.configure(settings);
        });
    }

    pub(crate) fn seed(&self, seed: u64) {
        self.random.reseed(seed);
        self.lock().circuit.random.reseed(seed);
    }
}

impl Locked {
    /// Admits a newcomer: nobody overtakes those who wait.
    fn admit(&mut self, now: Nanos) -> Result<u64, Refusal> {
        if self.line.is_empty() {
            return self.ask(now);
        }
        Err(Refusal { reason: self.circuit.reason(), after: None })
    }

    /// Asks the circuit, for a newcomer or the first in line.
    pub(crate) fn ask(&mut self, now: Nanos) -> Result<u64, Refusal> {
        match self.circuit.admit(now) {
            Decision::Admit { epoch } => Ok(epoch),
            Decision::Refuse { reason, after } => Err(Refusal { reason, after }),
        }
    }
}

/// Why a call may not go now, and when one may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) after: Option<Duration>,
}
