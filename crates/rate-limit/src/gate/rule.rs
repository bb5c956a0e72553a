use std::{
    fmt::Debug,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tower_ballast_core::clock::{Nanos, nanos_in};

use super::{Later, Standing};
use crate::Quota;

/// What every algorithm answers, from many threads.
pub(super) trait Rule: Debug + Send + Sync {
    fn take(&self, now: Nanos, cost: u32) -> Result<(), Later>;
    fn reserve(&self, now: Nanos, cost: u32, horizon: Duration) -> Option<Nanos>;
    fn give_back(&self, taken: Nanos, cost: u32);
    fn charge(&self, now: Nanos, cost: u32);
    /// Takes all that is left.
    fn drain(&self, now: Nanos);
    fn configure(&self, now: Nanos, quota: Quota);
    fn standing(&self, now: Nanos) -> Standing;
    /// When so much would pass, of which nothing is taken; nothing if it never would.
    fn when(&self, now: Nanos, cost: u32) -> Option<Nanos>;
}

/// An algorithm as such: moments are nanoseconds that never go back, and it is alone.
pub(super) trait Brain: Debug + Send {
    /// Time has gone on; what else is asked is asked at this moment.
    fn advance(&mut self, now: u64);
    /// When so much may pass, not before `now`; nothing if it never may.
    fn slot(&self, now: u64, cost: u32) -> Option<u64>;
    /// Takes so much for a moment, whether it is there or not.
    fn book(&mut self, slot: u64, cost: u32);
    /// Gives back what was taken by who had read `taken` off its clock; it may have been booked a little
    /// later, since others with later clocks came before.
    fn give_back(&mut self, now: u64, taken: u64, cost: u32);
    fn configure(&mut self, now: u64, quota: Quota);
    fn standing(&self, now: u64) -> Standing;

    /// Whether what is booked for this moment, which lies ahead, can be remembered.
    fn can_hold(&self, _slot: u64) -> bool {
        true
    }
}

/// A brain behind a short lock, with the latest moment that it has seen.
#[derive(Debug)]
pub(super) struct Locked<B>(Mutex<(u64, B)>);

impl<B: Brain> Locked<B> {
    pub(super) fn new(brain: B) -> Self {
        Self(Mutex::new((0, brain)))
    }

    /// Asks at `now`, or at the latest moment so far.
    fn at<T>(&self, now: Nanos, ask: impl FnOnce(&mut B, u64) -> T) -> T {
        let (latest, brain) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = (*latest).max(now.as_nanos());
        brain.advance(*latest);
        ask(brain, *latest)
    }
}

impl<B: Brain> Rule for Locked<B> {
    fn take(&self, now: Nanos, cost: u32) -> Result<(), Later> {
        self.at(now, |brain, now| match brain.slot(now, cost).ok_or(Later::Never)? {
            slot if slot > now => Err(Later::At(Nanos::from_nanos(slot))),
            slot => {
                brain.book(slot, cost);
                Ok(())
            }
        })
    }

    fn reserve(&self, now: Nanos, cost: u32, horizon: Duration) -> Option<Nanos> {
        self.at(now, |brain, now| {
            let slot = brain.slot(now, cost)?;
            if slot > now {
                let latest = now.saturating_add(nanos_in(horizon));
                if slot > latest || !brain.can_hold(slot) {
                    return None;
                }
            }
            brain.book(slot, cost);
            Some(Nanos::from_nanos(slot))
        })
    }

    fn give_back(&self, taken: Nanos, cost: u32) {
        self.at(Nanos::ZERO, |brain, now| brain.give_back(now, taken.as_nanos(), cost));
    }

    fn charge(&self, now: Nanos, cost: u32) {
        self.at(now, |brain, now| brain.book(now, cost));
    }

    fn drain(&self, now: Nanos) {
        self.at(now, |brain, now| brain.book(now, brain.standing(now).remaining));
    }

    fn configure(&self, now: Nanos, quota: Quota) {
        self.at(now, |brain, now| brain.configure(now, quota));
    }

    fn standing(&self, now: Nanos) -> Standing {
        self.at(now, |brain, now| brain.standing(now))
    }

    fn when(&self, now: Nanos, cost: u32) -> Option<Nanos> {
        self.at(now, |brain, now| brain.slot(now, cost)).map(Nanos::from_nanos)
    }
}
