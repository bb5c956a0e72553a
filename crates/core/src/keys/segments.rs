use std::sync::OnceLock;

use super::set::Set;
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

    /// The two sets of a key, as far as they are allocated.
    #[inline]
    pub(super) fn known(&self, key: Key) -> [Option<&Set>; 2] {
        self.numbers(key).map(|number| {
            let (segment, index) = place(number);
            self.segments.get(segment)?.get()?.get(index)
        })
    }

    /// The two sets of a key.
    pub(super) fn made(&self, key: Key) -> [&Set; 2] {
        self.numbers(key).map(|number| {
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

    /// Two numbers of sets that differ.
    #[inline]
    fn numbers(&self, key: Key) -> [u64; 2] {
        let hash = key.get();
        let first = below(self.sets, hash);
        // By other bits of the hash, and never the same set again.
        let step = 1 + below(self.sets - 1, hash.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let second = first + step;
        [first, if second < self.sets { second } else { second - self.sets }]
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
