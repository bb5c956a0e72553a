//! What passes although the limit has nothing left.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use tower_ballast_core::{clock::Nanos, ranks::Rank};

use crate::{
    Quota,
    claim::{Claim, Refused},
    gate::{Algorithm, Gate, Later},
    shared::Shared,
};

/// How much may pass ahead of a limit: as many at once as its burst, and then so much of its rate.
///
/// What passes ahead is charged to the limit as well, and others wait the longer for it. So in the long run no more
/// passes than without: after the last one that the limit itself has let through, the limit owes its burst at most,
/// and what passes ahead adds to that no faster than it is paid, but for this burst.
#[derive(Debug)]
pub(crate) struct Ahead {
    gate: Gate,
    part: u32,
}

impl Ahead {
    /// One part in so many of the rate.
    pub(crate) fn new(algorithm: Algorithm, quota: Quota, part: u32) -> Self {
        let algorithm = match algorithm {
            // After a rest these let one through at once, not a burst.
            Algorithm::Pacing | Algorithm::WarmUp(_) => Algorithm::Pacing,
            _ => Algorithm::Gcra,
        };
        Self { gate: Gate::new(algorithm, part_of(quota, part)), part }
    }

    pub(crate) fn configure(&self, now: Nanos, quota: Quota) {
        self.gate.configure(now, part_of(quota, self.part));
    }

    pub(crate) fn take(&self, now: Nanos, cost: u32) -> bool {
        self.gate.take(now, cost).is_ok()
    }

    /// Whether half of the burst would be left.
    fn has_spare(&self, now: Nanos, cost: u32) -> bool {
        let left = self.gate.standing(now);
        left.remaining >= (left.limit / 2).saturating_add(cost)
    }

    pub(crate) fn charge(&self, now: Nanos, cost: u32) {
        self.gate.charge(now, cost);
    }

    pub(crate) fn give_back(&self, taken: Nanos, cost: u32) {
        self.gate.give_back(taken, cost);
    }

    pub(crate) fn drain(&self, now: Nanos) {
        self.gate.drain(now);
    }
}

/// As many at once, in so many times the time: of a low count there is no part.
fn part_of(quota: Quota, part: u32) -> Quota {
    let (period, burst) = (quota.period().saturating_mul(part), quota.burst_size());
    match (NonZeroU32::new(quota.count()), NonZeroU32::new(burst)) {
        (Some(count), Some(burst)) => Quota::per(period, count).burst(burst),
        _ => Quota::CLOSED,
    }
}

impl Shared {
    /// Lets a request pass ahead of the limit, of which nothing is left or for which others wait: within a share that
    /// its key is guaranteed, or at the moment its client was promised. What it asked for by key is taken.
    #[cold]
    pub(crate) fn passes_ahead(&self, rank: &Rank, claim: &mut Claim, refused: Refused) -> bool {
        let is_open = match refused {
            Refused::Key(_) | Refused::Gate(Later::Never) => false,
            Refused::Gate(Later::At(_)) => true,
            Refused::Others => self.door.gate.admits(claim.cost),
        };
        let passes = is_open
            && (self.keeps_guarantee(rank, claim) || self.keeps_promise(rank, claim, refused));
        if passes {
            self.door.gate.charge(claim.taken, claim.cost);
        }
        passes
    }

    /// A guarantee is its key's own, so it is kept whoever waits.
    fn keeps_guarantee(&self, rank: &Rank, claim: &mut Claim) -> bool {
        let (now, cost) = (claim.taken, claim.cost);
        claim.ahead = self.levels.is_within_share(claim) && self.ahead.take(now, cost);
        if claim.ahead {
            self.counts.guaranteed(rank.class);
            self.passed(|| rank.client, now);
        }
        claim.ahead
    }

    /// A promise is kept before newcomers, not before a higher class that waits.
    fn keeps_promise(&self, rank: &Rank, claim: &mut Claim, refused: Refused) -> bool {
        let (now, cost) = (claim.taken, claim.cost);
        let Some(client) = rank.client.filter(|_| self.promises.are_out(now)) else { return false };
        let is_free =
            !matches!(refused, Refused::Others) || !self.door.has_waiting_above(rank.class);
        // Together no more passes ahead than by shares alone, and these have half of the burst to themselves.
        let beside_shares = self.levels.has_shares();
        let keeps = is_free
            && (!beside_shares || self.ahead.has_spare(now, cost))
            && self.promises.claim(client, now, cost);
        if keeps && beside_shares {
            self.ahead.charge(now, cost);
            claim.ahead = true;
        }
        keeps
    }
}
