use std::{num::NonZeroU32, time::Duration};

use tokio::sync::watch;
use tower_ballast_core::{Enforcement, Event, EventKind, Ratio, Spread, window::Tally};

use crate::{
    phase::Phase,
    settings::{Settings, Slow, WindowOf},
    shared::Shared,
};

/// Reads a circuit, and changes it while traffic flows.
///
/// Changed settings keep the state, and what remains of a rest. Another window starts empty.
///
/// ```
/// use tower_ballast_circuit_breaker::{CircuitBreakerLayer, Phase};
///
/// let circuit = CircuitBreakerLayer::new().handle();
/// circuit.force_open();
/// assert_eq!(circuit.phase(), Phase::ForcedOpen);
/// circuit.reset();
/// assert_eq!(circuit.phase(), Phase::Closed);
/// ```
#[derive(Debug, Clone)]
pub struct CircuitBreakerHandle(pub(crate) Spread<Shared>);

/// How a circuit stands at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Standing {
    /// Its phase. An open circuit whose rest is over is open until a call comes.
    pub phase: Phase,
    /// The calls it judges by.
    pub calls: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How many of them were slow.
    pub slow: u64,
    /// How often it has opened since it was last closed.
    pub openings: u32,
    /// What remains of its rest; zero unless it is open.
    pub rest: Duration,
    /// How many callers wait for it.
    pub waiting: u32,
}

impl Standing {
    /// The share of the calls that failed; zero without calls.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        self.tally().failure_rate()
    }

    /// The share of the calls that were slow; zero without calls.
    #[must_use]
    pub fn slow_rate(&self) -> f64 {
        self.tally().slow_rate()
    }

    const fn tally(&self) -> Tally {
        Tally { calls: self.calls, failures: self.failures, slow: self.slow }
    }
}

impl CircuitBreakerHandle {
    /// The present phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.lock().circuit.phase()
    }

    /// How the circuit stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.change(|locked, now| {
            let tally = locked.circuit.tally(now);
            let rest = locked.circuit.rests_until().map_or(Duration::ZERO, |end| end.since(now));
            Standing {
                phase: locked.circuit.phase(),
                calls: tally.calls,
                failures: tally.failures,
                slow: tally.slow,
                openings: locked.circuit.openings(),
                rest,
                waiting: locked.line.len(),
            }
        })
    }

    /// The phase as it changes, in order. Phases that pass before the receiver looks are skipped.
    ///
    /// ```
    /// use tower_ballast_circuit_breaker::{CircuitBreakerLayer, Phase};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let circuit = CircuitBreakerLayer::new().handle();
    /// let mut phases = circuit.watch();
    /// circuit.force_open();
    /// phases.changed().await.unwrap();
    /// assert_eq!(*phases.borrow(), Phase::ForcedOpen);
    /// # });
    /// ```
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }

    /// Refuses every call until [`reset`](Self::reset).
    pub fn force_open(&self) {
        self.0.change(|locked, _| locked.circuit.force_open());
    }

    /// Lets every call pass and counts none until [`reset`](Self::reset).
    pub fn force_closed(&self) {
        self.0.change(|locked, _| locked.circuit.force_closed());
    }

    /// Closes the circuit, with nothing counted.
    pub fn reset(&self) {
        self.0.change(|locked, _| locked.circuit.reset());
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement.get()
    }

    /// Changes whether refusals are carried out.
    pub fn set_enforcement(&self, enforcement: Enforcement) {
        self.0.enforcement.set(enforcement);
        self.tell("enforcement");
    }

    /// Changes over which calls it judges. What was counted is forgotten.
    pub fn set_window(&self, window: WindowOf) {
        self.set("window", |settings| settings.window = window);
    }

    /// Changes the share of failures at which it opens.
    pub fn set_failure_rate(&self, rate: Ratio) {
        self.set("failure_rate", |settings| settings.failure_rate = rate);
    }

    /// Changes how many calls a rate needs.
    pub fn set_minimum_calls(&self, calls: NonZeroU32) {
        self.set("minimum_calls", |settings| settings.minimum_calls = calls);
    }

    /// Changes how many failures in the window open it; `None` for any number.
    pub fn set_failures(&self, failures: Option<NonZeroU32>) {
        self.set("failures", |settings| settings.failures = failures);
    }

    /// Changes how many failures in a row open it; `None` for any number.
    pub fn set_consecutive_failures(&self, failures: Option<NonZeroU32>) {
        self.set("consecutive_failures", |settings| {
            settings.consecutive = failures;
        });
    }

    /// Changes which calls are slow, and which share of them opens it; `None` for no judgement.
    pub fn set_slow_calls(&self, slow: Option<(Duration, Ratio)>) {
        self.set("slow_calls", |settings| {
            settings.slow = slow.map(|(above, rate)| Slow { above, rate });
        });
    }

    /// Changes the nominal length of coming rests.
    pub fn set_rest(&self, rest: Duration) {
        self.set("rest", |settings| {
            settings.rest.nominal = rest;
            settings.rest.schedule = None;
        });
    }

    /// Changes the longest of coming rests.
    pub fn set_longest_rest(&self, rest: Duration) {
        self.set("longest_rest", |settings| settings.rest.longest = rest);
    }

    /// Changes how many trials may run at once.
    pub fn set_trials(&self, trials: NonZeroU32) {
        self.set("trials", |settings| settings.trials = trials);
    }

    /// Changes how long trials may hang.
    pub fn set_longest_trial(&self, longest: Duration) {
        self.set("longest_trial", |settings| settings.longest_trial = longest);
    }

    /// Changes how long and how many callers may wait, where they may wait at all.
    pub fn set_wait(&self, longest: Duration, most: u32) {
        self.set("wait", |settings| {
            settings.longest_wait = longest;
            settings.most_waiting = most;
        });
    }

    fn set(&self, what: &'static str, set: impl FnOnce(&mut Settings)) {
        self.0.configure(set);
        self.tell(what);
    }

    fn tell(&self, what: &'static str) {
        self.0.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }
}
