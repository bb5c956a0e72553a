//! The brain of a server: workers, queue and what happens to them, without clock or waker.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use tower_ballast_core::Random;

use super::{
    answer::{Answer, ServerError},
    server::{Change, Server},
    time::{Tick, seconds_of, tick_of, tick_of_seconds},
};

/// Which of the calls inside, by the place that the shell keeps for it.
pub(super) type Ticket = usize;

/// How a call ended.
pub(super) type Outcome = Result<Answer, ServerError>;

/// The calls that have left, in order; without an outcome those that are never answered.
pub(super) type Left = Vec<(Ticket, Option<Outcome>)>;

#[derive(Debug)]
pub(super) struct Station {
    plan: Server,
    random: Random,
    /// How many of the plan's changes have happened.
    changed: usize,
    mood: Mood,
    busy: u32,
    queue: VecDeque<Job>,
    /// By ticket, whether the call stands in the queue and is waited for.
    awaited: Vec<bool>,
    /// How many of those there are.
    waiting: usize,
    running: BinaryHeap<Reverse<Run>>,
    begun: u64,
}

/// What holds at present.
#[derive(Debug)]
struct Mood {
    workers: u32,
    slowdown: f64,
    errors: f64,
    quick_errors: f64,
    health: Health,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Health {
    Up,
    Warming { since: Tick, from: f64, within: Tick },
    Down,
    Hung,
}

#[derive(Debug)]
struct Job {
    ticket: Ticket,
    came: Tick,
}

/// Ordered by the moment it ends, and by its beginning among those that end together.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    ends: Tick,
    number: u64,
    ticket: Ticket,
    came: Tick,
    began: Tick,
    fails: bool,
}

impl Station {
    pub(super) fn new(plan: Server, random: Random) -> Self {
        let mood = Mood {
            workers: plan.workers,
            slowdown: 1.0,
            errors: 0.0,
            quick_errors: 0.0,
            health: Health::Up,
        };
        Self {
            plan,
            random,
            changed: 0,
            mood,
            busy: 0,
            queue: VecDeque::new(),
            awaited: Vec::new(),
            waiting: 0,
            running: BinaryHeap::new(),
            begun: 0,
        }
    }

    /// The next moment at which something happens by itself.
    pub(super) fn next(&self) -> Option<Tick> {
        let end = self.running.peek().map(|Reverse(run)| run.ends);
        let change = self.plan.changes.get(self.changed).map(|(moment, _)| *moment);
        match (end, change) {
            (Some(end), Some(change)) => Some(end.min(change)),
            (end, change) => end.or(change),
        }
    }

    /// Lets all happen that is due by `now`, and notes who leaves by it.
    pub(super) fn advance(&mut self, now: Tick, left: &mut Left) {
        while let Some(moment) = self.next().filter(|moment| *moment <= now) {
            match self.plan.changes.get(self.changed) {
                Some((at, change)) if *at <= moment => {
                    let change = *change;
                    self.changed += 1;
                    self.change(moment, change, left);
                }
                _ => self.finish(left),
            }
            self.begin(moment, left);
        }
    }

    /// Takes a call in, unless it leaves at once.
    pub(super) fn arrive(&mut self, now: Tick, ticket: Ticket, left: &mut Left) {
        if self.mood.health == Health::Hung {
            left.push((ticket, None));
        } else if let Some(error) = self.refusal() {
            left.push((ticket, Some(Err(error))));
        } else {
            self.queue.push_back(Job { ticket, came: now });
            self.await_in_queue(ticket);
            self.begin(now, left);
        }
    }

    fn refusal(&self) -> Option<ServerError> {
        let is_full = self.busy >= self.mood.workers && self.waiting >= self.plan.queue;
        if self.mood.health == Health::Down {
            Some(ServerError::Down)
        } else if is_chance(self.mood.quick_errors, &self.random) {
            Some(ServerError::Failed)
        } else {
            is_full.then_some(ServerError::QueueFull)
        }
    }

    fn await_in_queue(&mut self, ticket: Ticket) {
        if self.awaited.len() <= ticket {
            self.awaited.resize(ticket + 1, false);
        }
        self.awaited[ticket] = true;
        self.waiting += 1;
    }

    /// Notes that nobody waits for a call any more.
    pub(super) fn abandon(&mut self, ticket: Ticket) {
        if self.plan.skips_abandoned {
            self.unqueue(ticket);
        }
    }

    /// Takes a call out of those that stand in the queue; whether it was one.
    fn unqueue(&mut self, ticket: Ticket) -> bool {
        let was = self.awaited.get_mut(ticket).is_some_and(std::mem::take);
        self.waiting -= usize::from(was);
        was
    }

    /// How many calls wait for a worker.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    fn begin(&mut self, now: Tick, left: &mut Left) {
        while self.busy < self.mood.workers {
            let Some(Job { ticket, came }) = self.queue.pop_front() else { return };
            if !self.unqueue(ticket) {
                left.push((ticket, None));
                continue;
            }
            let seconds = self.plan.times.seconds(&self.random) * self.mood.slowdown;
            let ends = now.saturating_add(tick_of_seconds(seconds / self.speed(now)));
            let fails = is_chance(self.mood.errors, &self.random);
            self.busy += 1;
            self.begun += 1;
            let number = self.begun;
            self.running.push(Reverse(Run { ends, number, ticket, came, began: now, fails }));
        }
    }

    fn finish(&mut self, left: &mut Left) {
        let Some(Reverse(run)) = self.running.pop() else { return };
        self.busy -= 1;
        let outcome = if run.fails {
            Err(ServerError::Failed)
        } else {
            Ok(Answer::new(run.began - run.came, run.ends - run.began))
        };
        left.push((run.ticket, Some(outcome)));
    }

    fn change(&mut self, now: Tick, change: Change, left: &mut Left) {
        match change {
            Change::Workers(workers) => self.mood.workers = workers,
            Change::Slowdown(factor) => self.mood.slowdown = factor.get(),
            Change::Errors(share) => self.mood.errors = share.get(),
            Change::QuickErrors(share) => self.mood.quick_errors = share.get(),
            Change::Up => self.mood.health = Health::Up,
            Change::ColdUp { from, within } => {
                let within = tick_of(within);
                self.mood.health = Health::Warming { since: now, from: from.get(), within };
            }
            Change::Down => {
                self.mood.health = Health::Down;
                self.clear(Some(ServerError::Down), left);
            }
            Change::Hung => {
                self.mood.health = Health::Hung;
                self.clear(None, left);
            }
        }
    }

    /// Loses all calls inside, in the order in which they came.
    fn clear(&mut self, error: Option<ServerError>, left: &mut Left) {
        let running = std::mem::take(&mut self.running).into_iter().map(|Reverse(run)| run);
        let mut running: Vec<(u64, Ticket)> = running.map(|run| (run.number, run.ticket)).collect();
        running.sort_unstable();
        let waiting = std::mem::take(&mut self.queue).into_iter().map(|job| job.ticket);
        for ticket in running.into_iter().map(|(_, ticket)| ticket).chain(waiting) {
            self.unqueue(ticket);
            left.push((ticket, error.map(Err)));
        }
        self.busy = 0;
    }

    /// The present share of the full speed; above zero, so that calls end.
    fn speed(&self, now: Tick) -> f64 {
        match self.mood.health {
            Health::Warming { since, from, within } if now < since + within => {
                let warmed = seconds_of(now - since) / seconds_of(within);
                (from + (1.0 - from) * warmed).max(1e-6)
            }
            _ => 1.0,
        }
    }
}

fn is_chance(share: f64, random: &Random) -> bool {
    share > 0.0 && random.unit() < share
}

#[cfg(test)]
mod tests;
