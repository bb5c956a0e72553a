//! What others do at the door of a server that is asked for too much, told in a few lines each.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::oneshot;
use tower::{Service, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{
    BoxError, Deadline, Priority, Reason, Rejected,
    core::{
        Random,
        clock::{self, Nanos},
    },
};
use tower_ballast_test::simulator::{Call, Scene, stretched};

use super::seconds;

/// By what a door lets in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// A queue for each class, and always the highest first.
    Strict,
    /// One queue, and from some length of it on only the classes above a threshold that is set once a
    /// second, so that the share by which the queue is too long is refused. A class is cut in two by
    /// chance where the threshold lies in it. As failsafe-go's prioritized limiter at its defaults:
    /// a queue of twice to three times the limit.
    Threshold,
    /// No queue; a class has this share of the places, and whatever is free. As Netflix's partitioned
    /// limiter.
    Partitions([f64; 4]),
}

/// So many places, so many that wait, and the rule.
pub(super) fn door<S>(
    scene: &Scene,
    (places, most): (u32, usize),
    rule: Rule,
    inner: S,
) -> BoxCloneService<Call, S::Response, BoxError>
where
    S: Service<Call, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError> + Send,
    S::Response: Send + 'static,
{
    let state = State { busy: 0, of: [0; 4], waiting: Default::default(), levels: Levels::new() };
    let random = Random::seeded(scene.seed());
    let door = Arc::new(Door { rule, places, most, random, state: Mutex::new(state) });
    BoxCloneService::new(service_fn(move |call: Call| {
        let (door, inner) = (Arc::clone(&door), inner.clone());
        async move {
            let _place = door.enter(&call).await?;
            inner.oneshot(call).await.map_err(Into::into)
        }
    }))
}

struct Door {
    rule: Rule,
    places: u32,
    most: usize,
    random: Random,
    state: Mutex<State>,
}

struct State {
    busy: u32,
    /// The places that each class has.
    of: [u32; 4],
    /// In the order of the classes, or all in the first.
    waiting: [VecDeque<Waiter>; 4],
    levels: Levels,
}

struct Waiter {
    class: usize,
    until: Nanos,
    turn: oneshot::Sender<()>,
}

impl Door {
    async fn enter(self: &Arc<Self>, call: &Call) -> Result<Place, BoxError> {
        let class = call.priority.index();
        let turn = {
            let mut state = self.state.lock().unwrap();
            let is_full = state.busy >= self.places;
            if !is_full || self.shares(class).is_some_and(|share| state.of[class] < share) {
                state.busy += 1;
                state.of[class] += 1;
                state.levels.note(self.level(class));
                return Ok(Place { door: Arc::clone(self), class });
            }
            if !self.may_wait(&mut state, class) {
                return Err(Rejected::new(Reason::QueueFull).into());
            }
            let until = call.deadline.map_or(Nanos::MAX, Deadline::moment);
            let (sender, turn) = oneshot::channel();
            state.waiting[self.line(class)].push_back(Waiter { class, until, turn: sender });
            turn
        };
        match turn.await {
            Ok(()) => Ok(Place { door: Arc::clone(self), class }),
            Err(_) => Err(Rejected::new(Reason::DeadlinePassed).into()),
        }
    }

    fn shares(&self, class: usize) -> Option<u32> {
        let Rule::Partitions(shares) = self.rule else { return None };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most ten")]
        let share = (f64::from(self.places) * shares[class]).ceil() as u32;
        Some(share.max(1))
    }

    fn may_wait(&self, state: &mut State, class: usize) -> bool {
        let waiting = state.waiting[self.line(class)].len();
        match self.rule {
            Rule::Partitions(_) => false,
            Rule::Strict => waiting < self.most,
            Rule::Threshold => {
                let (from, to) = (2 * self.places as usize, 3 * self.places as usize);
                let too_many = waiting.saturating_sub(from) as f64 / (to - from) as f64;
                let threshold = state.levels.threshold(too_many.min(1.0));
                let level = self.level(class);
                let enters = waiting < to && level >= threshold;
                if enters {
                    state.levels.note(level);
                }
                enters
            }
        }
    }

    /// The higher the more it matters, by chance within the hundred of its class.
    fn level(&self, class: usize) -> u64 {
        100 * (3 - class as u64) + self.random.below(100)
    }

    fn line(&self, class: usize) -> usize {
        if self.rule == Rule::Strict { class } else { 0 }
    }

    /// A place that has become free goes to the first whose deadline has not passed.
    fn hand_over(&self, class: usize) {
        let mut state = self.state.lock().unwrap();
        state.busy -= 1;
        state.of[class] -= 1;
        let now = clock::now();
        for line in 0..Priority::ALL.len() {
            while let Some(next) = state.waiting[line].pop_front() {
                if next.until > now && next.turn.send(()).is_ok() {
                    state.busy += 1;
                    state.of[next.class] += 1;
                    return;
                }
            }
        }
    }
}

struct Place {
    door: Arc<Door>,
    class: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.hand_over(self.class);
    }
}

/// The levels of the last thousand that were let in, and the threshold that was made of them.
struct Levels {
    last: VecDeque<u64>,
    threshold: u64,
    set: Nanos,
}

impl Levels {
    const EACH: Duration = stretched(seconds(1));

    fn new() -> Self {
        Self { last: VecDeque::new(), threshold: 0, set: Nanos::ZERO }
    }

    fn note(&mut self, level: u64) {
        self.last.push_back(level);
        if self.last.len() > 1_000 {
            self.last.pop_front();
        }
    }

    /// The level below which this share of them lies, as of when it was last set.
    fn threshold(&mut self, share: f64) -> u64 {
        let now = clock::now();
        if now.since(self.set) >= Self::EACH {
            let mut sorted: Vec<u64> = self.last.iter().copied().collect();
            sorted.sort_unstable();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
            let place = (share * sorted.len() as f64) as usize;
            let at = sorted.get(place).or(sorted.last()).copied().unwrap_or(0);
            self.threshold = if share > 0.0 { at } else { 0 };
            self.set = now;
        }
        self.threshold
    }
}
