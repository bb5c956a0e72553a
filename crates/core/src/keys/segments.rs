use std::sync::OnceLock;

use super::set::{Place, Set};
use crate::Key;

/// 64 KiB of sets.
const SETS: u64 = 512;

/// All sets of a table, allocated a segment at a time when a key comes to it.
#[derive(Debug)]
pub(super) struct Segments {
    sets: u64,
    segments: Box<[OnceLock<Box<[Set]>>]>,
}

impl Segments {
    pub(super) fn new(sets: u64) -> Self {
        let segments = (0..sets.div_ceil(SETS)).map(|_| OnceLock::new()).collect();
        Self { sets, segments }
    }

    /// The place of a key, if it has one. The second set is looked at only if it is not in the first.
    #[inline]
    pub(super) fn find(&self, key: Key, print: u64) -> Option<Place<'_>> {
        let first = self.first(key);
        let find = |number| self.known(number)?.find(print);
        find(first).or_else(|| find(self.second(key, first)))
    }

    #[inline]
    fn known(&self, number: u64) -> Option<&Set> {
        let (segment, index) = place(number);
        self.segments.get(segment)?.get()?.get(index)
    }

    /// The numbers of the two sets of a key.
    pub(super) fn sets_of(&self, key: Key) -> [u64; 2] {
        let first = self.first(key);
        [first, self.second(key, first)]
    }

    /// The two sets of a key.
    pub(super) fn made(&self, key: Key) -> [&Set; 2] {
        self.sets_of(key).map(|number| {
            let (segment, index) = place(number);
            let made = self.segments[segment].get_or_init(|| {
                let before = segment as u64 * SETS;
                (before..self.sets.min(before + SETS)).map(|_| Set::new()).collect()
            });
            &made[index]
        })
    }

    pub(super) fn allocated(&self) -> impl Iterator<Item = &Set> {
        self.segments.iter().filter_map(OnceLock::get).flatten()
    }

    #[inline]
    fn first(&self, key: Key) -> u64 {
        below(self.sets, key.get())
    }

    /// By other bits of the hash, and never the first again.
    #[inline]
    fn second(&self, key: Key, first: u64) -> u64 {
        let step = 1 + below(self.sets - 1, key.get().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let second = first + step;
        if second < self.sets { second } else { second - self.sets }
    }
}

/// A number below `bound`, by the high bits of a hash.
#[allow(clippy::cast_possible_truncation, reason = "the high half fits")]
#[inline]
fn below(bound: u64, hash: u64) -> u64 {
    ((u128::from(hash) * u128::from(bound)) >> 64) as u64
}

#[allow(clippy::cast_possible_truncation, reason = "a table has at most 1 310 720 sets")]
#[inline]
fn place(number: u64) -> (usize, usize) {
    ((number / SETS) as usize, (number % SETS) as usize)
}
