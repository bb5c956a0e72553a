use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{
    slots::{Slots, Until},
    step::{Readiness, Step},
    tally::{Tally, Violation},
};

/// The strings by which a test plays a [`Scripted`](crate::Scripted) service, and its record.
///
/// It is one thing for the service and all its clones. Steps are taken from a queue in the order
/// in which calls are made; when the queue is empty, the standing step serves.
///
/// ```
/// use tower_ballast_test::{Scripted, ScriptError, Step, time};
/// use tower_service::Service;
///
/// let mut backend = Scripted::echo();
/// backend.script().then(Step::fail());
///
/// time::drive(async {
///     assert_eq!(backend.call(1).await, Err(ScriptError));
///     assert_eq!(backend.call(2).await, Ok(2));
/// });
/// // Nobody had asked for readiness: the record tells.
/// assert_eq!(backend.script().violations().len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    step: Step,
    steps: VecDeque<Step>,
    ready: Readiness,
    readies: VecDeque<Readiness>,
    tally: Tally,
    violations: Vec<Violation>,
    held: [Held; 2],
    next_ticket: u64,
    slots: Option<Slots>,
    quiet: bool,
}

/// Those who wait for a release.
#[derive(Debug, Default)]
struct Held {
    free_below: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// Which of the two releases somebody waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    Response = 0,
    Readiness = 1,
}

impl Script {
    pub(super) fn new() -> Self {
        let state = State {
            step: Step::answer(),
            steps: VecDeque::new(),
            ready: Readiness::now(),
            readies: VecDeque::new(),
            tally: Tally::default(),
            violations: Vec::new(),
            held: [Held::default(), Held::default()],
            next_ticket: 0,
            slots: None,
            quiet: false,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Sets the standing step: what each call does for which no step is queued.
    pub fn always(&self, step: Step) {
        self.state().step = step;
    }

    /// Queues a step for one call.
    pub fn then(&self, step: Step) {
        self.state().steps.push_back(step);
    }

    /// Sets how an instance becomes ready when nothing is queued for it.
    pub fn always_ready(&self, readiness: Readiness) {
        self.state().ready = readiness;
    }

    /// Queues how the next instance that is asked becomes ready.
    pub fn then_ready(&self, readiness: Readiness) {
        self.state().readies.push_back(readiness);
    }

    /// Lets every response go that hangs now. Those that come to hang later wait for the next one.
    pub fn release(&self) {
        self.free(Wait::Response);
    }

    /// Lets every readiness go that is held now.
    pub fn release_ready(&self) {
        self.free(Wait::Readiness);
    }

    /// From now on readiness takes one of `count` slots, which is held until the response ends or
    /// is dropped, as under tower's `concurrency_limit`. Those who wait are served in order.
    ///
    /// ```
    /// use tower_ballast_test::{Probe, Scripted};
    /// use tower_service::Service;
    ///
    /// let mut backend = Scripted::echo();
    /// backend.script().slots(1);
    /// let mut other = backend.clone();
    ///
    /// let probe = Probe::new();
    /// assert!(probe.with(|cx| backend.poll_ready(cx)).is_ready());
    /// assert!(probe.with(|cx| other.poll_ready(cx)).is_pending());
    /// drop(backend.call(1));
    /// assert_eq!(probe.wakes(), 1);
    /// ```
    pub fn slots(&self, count: usize) {
        self.state().slots = Some(Slots::new(count, Until::Answered));
    }

    /// From now on readiness takes one of `count` places, which is free again as soon as the
    /// instance is called or dropped, as under tower's `buffer`.
    pub fn places(&self, count: usize) {
        self.state().slots = Some(Slots::new(count, Until::Called));
    }

    /// What was seen so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.state().tally
    }

    /// Every breach of the service contract so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.state().violations.clone()
    }

    /// Scripted panics shall unwind without a message on standard error.
    pub(crate) fn quiet(&self) {
        self.state().quiet = true;
    }

    /// Drops every queued step and goes back to answering at once.
    pub(crate) fn calm(&self) {
        let mut state = self.state();
        state.steps.clear();
        state.readies.clear();
        state.step = Step::answer();
        state.ready = Readiness::now();
    }

    pub(super) fn next_step(&self) -> Step {
        let mut state = self.state();
        state.steps.pop_front().unwrap_or(state.step)
    }

    pub(super) fn next_readiness(&self) -> Readiness {
        let mut state = self.state();
        state.readies.pop_front().unwrap_or(state.ready)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.state().tally);
    }

    /// The number of the call that is made now, from 1.
    pub(super) fn count_call(&self) -> usize {
        let mut state = self.state();
        state.tally.calls += 1;
        state.tally.calls
    }

    pub(super) fn violate(&self, violation: Violation) {
        let mut state = self.state();
        state.tally.violations += 1;
        state.violations.push(violation);
    }

    pub(super) fn blow(&self, place: &str) -> ! {
        let message = format!("scripted panic in {place}");
        if self.state().quiet {
            resume_unwind(Box::new(message));
        }
        panic!("{message}");
    }

    pub(super) fn wake(&self, waker: &Waker) {
        self.count(|tally| tally.wakes += 1);
        waker.wake_by_ref();
    }

    pub(super) fn ticket(&self, wait: Wait) -> Ticket {
        let mut state = self.state();
        state.next_ticket += 1;
        Ticket { script: self.clone(), wait, number: state.next_ticket }
    }

    pub(super) fn with_slots<T>(&self, f: impl FnOnce(&mut Slots) -> T) -> Option<T> {
        self.state().slots.as_mut().map(f)
    }

    fn free(&self, wait: Wait) {
        let wakers = {
            let mut state = self.state();
            let next = state.next_ticket + 1;
            let held = &mut state.held[wait as usize];
            held.free_below = next;
            mem::take(&mut held.wakers)
        };
        for waker in wakers.values() {
            self.wake(waker);
        }
    }

    // A scripted panic unwinds outside of the lock, so a poisoned one is still in order.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait for a release.
#[derive(Debug)]
pub(super) struct Ticket {
    script: Script,
    wait: Wait,
    number: u64,
}

impl Ticket {
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.script.state();
        let held = &mut state.held[self.wait as usize];
        if self.number < held.free_below {
            return Poll::Ready(());
        }
        let old = held.wakers.insert(self.number, cx.waker().clone());
        // A waker that is dropped may run any code, which must find the lock open.
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let waker = self.script.state().held[self.wait as usize].wakers.remove(&self.number);
        drop(waker);
    }
}
