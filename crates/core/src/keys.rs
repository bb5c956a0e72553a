//! A rate limit for each of very many keys, in a memory that does not grow.
//!
//! A limit per client needs something to remember for each client, and who invents clients fills the
//! memory of a limiter that remembers them all. A [`KeyTable`] has a hard bound. It remembers only who
//! owes: a key that has been quiet for long enough owes nothing, is no different from one that never
//! came, and its place is free.
//!
//! ```
//! use std::time::Duration;
//! use tower_ballast_core::{Key, clock::Nanos, keys::{KeyTable, Pace}};
//!
//! let table = KeyTable::new(100_000);
//! let pace = Pace::new(Duration::from_millis(100), 2);
//! let (ann, bob) = (Key::of("ann"), Key::of("bob"));
//! let now = Nanos::from_nanos(1_000_000_000);
//!
//! assert!(table.take(ann, now, pace, 1).is_ok());
//! assert!(table.take(ann, now, pace, 1).is_ok());
//! assert_eq!(table.take(ann, now, pace, 1), Err(now + Duration::from_millis(100)));
//! assert!(table.take(bob, now, pace, 1).is_ok());
//! ```
//!
//! # How it works
//!
//! The limit is the generic cell rate algorithm, which needs one moment for each key: its theoretical
//! arrival time, up to which its quota is used. Places are in sets of eight, 128 bytes that hold eight
//! fingerprints and eight moments. A key has two sets to be in, by a hash that is seeded anew in each
//! process. There are five places for four keys of the capacity, 20 bytes a key; what is not used is
//! not allocated but in segments of 64 KiB.
//!
//! # When it is full
//!
//! If all sixteen places of a newcomer are taken by keys that owe, it takes the place of the one that
//! owes least **and owes what that one owed**. So a flood of new keys wins no bursts: it runs into the
//! debts that it made. Such [evictions](KeyTable::evictions) are counted; the one that was driven out
//! is a newcomer when it comes again.
//!
//! # How large it has to be
//!
//! As many keys as come in the time for which one owes: **new keys a second x seconds in debt**. Who sends one request
//! owes for one interval of its pace, and who uses its burst up owes for the whole of it. With 5 a minute each, a request
//! is owed for 12 seconds, so a capacity of 100 000 bears 8 000 new keys a second, and one of 1 000 000 (20 MiB) bears
//! 80 000; with 10 a second each, 100 000 bears a million a second. A flood within that, of ten million keys or more, changes
//! neither the memory nor what the others get.
//!
//! A larger one is held to what its places allow, **and so is everybody whose debt finds no place**: nothing tells a polite
//! newcomer from a hostile one. Of f times as many as the capacity, about 1 - 1.25/f are refused, whoever they are:
//! 3 to 4 of 10 at twice as many, 7 at four times. If the number of keys that somebody can invent has no bound, as with
//! addresses of IPv6, limit by what has one: its prefix, or a login.
//!
//! # Keys taken for one another
//!
//! Two keys are one if their fingerprints are, 64 bits: with a million keys at once the chance that
//! any two are is 1 in 37 million.
//!
//! # Threads
//!
//! A key that has a place pays there without a lock. Who has none takes its place under the locks of its two sets, a
//! 64th of all each, so that no key ever has two places; it pays there before others find it. What passes is paid exactly
//! once, at a place that is its key's before and after. In the moment in which a place changes hands a caller may be
//! refused once too often, never too seldom.

mod pace;
mod segments;
mod set;
#[cfg(all(test, not(ballast_loom)))]
mod tests;
mod turns;

use std::ops::ControlFlow;

pub use self::pace::Pace;
use self::{
    segments::Segments,
    set::{Place, Set},
    turns::Turns,
};
use crate::{
    Key,
    clock::Nanos,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The highest capacity: 160 MiB.
const MOST: u32 = 1 << 23;

/// A set with no more free places than this is crowded.
const CROWDED: usize = 4;

/// What each of many keys has used of its quota; see [the module](self).
#[derive(Debug)]
pub struct KeyTable {
    segments: Segments,
    turns: Turns,
    evictions: AtomicU64,
}

impl KeyTable {
    /// A table for so many keys that owe at one time, at most 8 388 608. It allocates up to 20 bytes
    /// for each of them, and little before there are any.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let places = u64::from(capacity.clamp(1, MOST)) * 5 / 4;
        let sets = places.div_ceil(Set::PLACES as u64).max(2);
        Self { segments: Segments::new(sets), turns: Turns::new(), evictions: AtomicU64::new(0) }
    }

    /// Takes so much of the key's quota, if it is there.
    ///
    /// Different keys may have different paces. If the pace of a key changes, the moment at which its
    /// quota is whole again stays.
    ///
    /// # Errors
    ///
    /// The first moment at which it would be there; [`Nanos::MAX`] if it costs more than the burst.
    pub fn take(&self, key: Key, now: Nanos, pace: Pace, cost: u32) -> Result<(), Nanos> {
        let Some(ahead) = pace.burst.checked_sub(pace.weight(cost)) else { return Err(Nanos::MAX) };
        let admits = |arrival: u64| {
            let slot = Nanos::from_nanos(arrival.saturating_sub(ahead));
            if slot > now { Err(slot) } else { Ok(()) }
        };
        self.pay(key, now, pace.weight(cost), admits)
    }

    /// Takes so much whether it is there or not; what was not there is owed.
    pub fn charge(&self, key: Key, now: Nanos, pace: Pace, cost: u32) {
        let _always = self.pay(key, now, pace.weight(cost), |_| Ok(()));
    }

    /// Gives back so much. Nobody has ever more than the burst.
    pub fn give_back(&self, key: Key, pace: Pace, cost: u32) {
        if let Some(place) = self.segments.find(key, print(key)) {
            place.give_back(pace.weight(cost));
        }
    }

    /// The moment at which all of the key's quota is there again; that has passed for a key that is
    /// not known.
    #[must_use]
    pub fn full_at(&self, key: Key) -> Nanos {
        let place = self.segments.find(key, print(key));
        place.map_or(Nanos::ZERO, |place| Nanos::from_nanos(place.arrival()))
    }

    /// How many keys that owed were driven out by newcomers, for want of room.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }

    /// How many keys owe something at this moment. It looks at every place: not for each request.
    #[must_use]
    pub fn debtors(&self, now: Nanos) -> usize {
        let owes = |place: &Place<'_>| place.print() != 0 && place.arrival() > now.as_nanos();
        self.segments.allocated().flat_map(Set::places).filter(owes).count()
    }

    /// How many bytes are allocated for places at this moment.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.segments.allocated().count() * size_of::<Set>()
    }

    fn pay(
        &self,
        key: Key,
        now: Nanos,
        weight: u64,
        admits: impl Fn(u64) -> Result<(), Nanos>,
    ) -> Result<(), Nanos> {
        let (print, now) = (print(key), now.as_nanos());
        if let Some(place) = self.segments.find(key, print)
            && let ControlFlow::Break(answer) = place.pay(print, now, weight, &admits)
        {
            return answer;
        }
        self.bring_in(key, now, weight, &admits)
    }

    /// Pays at a place that the key has not got yet.
    #[cold]
    fn bring_in(
        &self,
        key: Key,
        now: u64,
        weight: u64,
        admits: &impl Fn(u64) -> Result<(), Nanos>,
    ) -> Result<(), Nanos> {
        let (print, sets) = (print(key), self.segments.made(key));
        // Until it ends nobody else brings in this key, or takes a place of these sets.
        let _turn = self.turns.of(self.segments.sets_of(key));
        loop {
            if let Some(place) = self.segments.find(key, print)
                && let ControlFlow::Break(answer) = place.pay(print, now, weight, admits)
            {
                return answer;
            }
            let (victim, was, arrival) = cheapest(sets, now);
            admits(arrival)?;
            if !victim.claim(was, TAKEN) {
                continue;
            }
            let left = victim.arrival_after_claim() == arrival;
            // Its key may have paid meanwhile, and is not the cheapest any more then.
            match if left {
                victim.pay(TAKEN, now, weight, admits)
            } else {
                ControlFlow::Continue(())
            } {
                ControlFlow::Break(Ok(())) => {
                    victim.claim(TAKEN, print);
                    if was != 0 && arrival > now {
                        self.evictions.fetch_add(1, Relaxed);
                    }
                    return Ok(());
                }
                ControlFlow::Break(refused) => {
                    victim.claim(TAKEN, was);
                    return refused;
                }
                ControlFlow::Continue(()) => _ = victim.claim(TAKEN, was),
            }
        }
    }
}

/// The print of a place that is changing hands.
const TAKEN: u64 = u64::MAX;

/// A fingerprint that is never that of an empty place, or of one that changes hands.
fn print(key: Key) -> u64 {
    key.get().clamp(1, TAKEN - 1)
}

/// The place to take: one whose key owes nothing, or else that of the key that owes least. With the
/// print and the moment found there.
///
/// A key goes to the second of its sets only if the first gets crowded, so that most are found at once;
/// that it then goes to the emptier one lets a full table find a place for nearly everybody.
fn cheapest([first, second]: [&Set; 2], now: u64) -> (Place<'_>, u64, u64) {
    let free = |set: &Set| set.places().filter(|place| place.arrival() <= now).count();
    let moves = free(first) <= CROWDED && free(first) < free(second);
    let sets = if moves { [second, first] } else { [first, second] };
    let found = sets.into_iter().flat_map(Set::places).map(|place| {
        let print = place.print();
        (place, print, place.arrival())
    });
    let cheapest = found.min_by_key(|&(_, _, arrival)| arrival.max(now));
    cheapest.expect("a set has places")
}
