use std::ops::ControlFlow;

use crate::{
    clock::Nanos,
    sync::{
        LINES, WAYS,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire},
        },
    },
};

/// The places that are searched together: two lines of cache, of which mostly one is read.
#[derive(Debug)]
pub(super) struct Set([Line; LINES]);

#[derive(Debug)]
#[repr(align(64))]
struct Line {
    /// Whose place it is; 0 if nobody's.
    prints: [AtomicU64; WAYS],
    /// The theoretical arrival times.
    arrivals: [AtomicU64; WAYS],
}

/// A key's fingerprint, and the moment up to which it has used its quota.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    print: &'a AtomicU64,
    arrival: &'a AtomicU64,
}

impl Set {
    pub(super) const PLACES: usize = LINES * WAYS;

    pub(super) fn new() -> Self {
        let empty = || std::array::from_fn(|_| AtomicU64::new(0));
        Self(std::array::from_fn(|_| Line { prints: empty(), arrivals: empty() }))
    }

    #[inline]
    pub(super) fn find(&self, print: u64) -> Option<Place<'_>> {
        self.0.iter().find_map(|line| {
            let index = line.prints.iter().position(|other| other.load(Acquire) == print)?;
            Some(Place { print: &line.prints[index], arrival: &line.arrivals[index] })
        })
    }

    #[inline]
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.0.iter().flat_map(Line::places)
    }
}

impl Line {
    #[inline]
    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.prints.iter().zip(&self.arrivals).map(|(print, arrival)| Place { print, arrival })
    }
}

impl Place<'_> {
    #[inline]
    pub(super) fn print(&self) -> u64 {
        self.print.load(Acquire)
    }

    pub(super) fn arrival(&self) -> u64 {
        self.arrival.load(Acquire)
    }

    /// The arrival of a place that was just claimed. Who paid before is seen here, and who pays after
    /// sees the claim: the write, though of nothing, puts the two in order.
    pub(super) fn arrival_after_claim(&self) -> u64 {
        self.arrival.fetch_max(0, AcqRel)
    }

    /// Makes it the place of another key. Its moment stays: what was owed here is now owed by that.
    pub(super) fn claim(&self, was: u64, print: u64) -> bool {
        self.print.compare_exchange(was, print, AcqRel, Acquire).is_ok()
    }

    /// Moves its moment by `weight` if that is admitted, and if it is and stays the key's place.
    #[inline]
    pub(super) fn pay(
        &self,
        print: u64,
        now: u64,
        weight: u64,
        admits: &impl Fn(u64) -> Result<(), Nanos>,
    ) -> ControlFlow<Result<(), Nanos>> {
        let mut arrival = self.arrival.load(Acquire);
        loop {
            let answer = admits(arrival);
            if self.print() != print {
                return ControlFlow::Continue(());
            }
            if answer.is_err() {
                return ControlFlow::Break(answer);
            }
            let next = arrival.max(now).saturating_add(weight);
            match self.arrival.compare_exchange_weak(arrival, next, AcqRel, Acquire) {
                Ok(_) if self.print() == print => return ControlFlow::Break(answer),
                Ok(_) => {
                    // Another key has taken the place in that moment, and shall not pay for this one.
                    self.give_back(weight);
                    return ControlFlow::Continue(());
                }
                Err(actual) => arrival = actual,
            }
        }
    }

    pub(super) fn give_back(&self, weight: u64) {
        let back = |arrival: u64| Some(arrival.saturating_sub(weight));
        let _always = self.arrival.fetch_update(AcqRel, Acquire, back);
    }
}
