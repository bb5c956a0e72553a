//! Which keys were let go lately.

use std::mem;

/// How many places a fingerprint may be in.
const WAYS: usize = 4;

/// Remembers most of a given number of the keys that were let go last, in 8 to 16 bytes each.
///
/// A fingerprint of 32 bits stands for the key, and the newest four of a set are kept. Both err now and then, without
/// harm: a key is taken for one that was there, or for one that was not.
#[derive(Debug)]
pub(super) struct Ghosts {
    sets: Vec<[Ghost; WAYS]>,
    /// How many were let go, ever.
    now: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ghost {
    print: u32,
    /// When it was let go; 0 marks a free place.
    at: u32,
}

impl Ghosts {
    pub(super) const NONE: Self = Self { sets: Vec::new(), now: 0 };

    /// Remembers the key of a hash as the last of so many.
    pub(super) fn insert(&mut self, hash: u64, most: u64) {
        self.grow(most);
        self.now = self.now.wrapping_add(1).max(1);
        self.keep(Ghost { print: print(hash), at: self.now });
    }

    /// Whether the key of a hash is among the last so many; it is forgotten.
    pub(super) fn take(&mut self, hash: u64, most: u64) -> bool {
        let (print, now) = (print(hash), self.now);
        let Some(set) = self.set(print) else { return false };
        let known = set.iter_mut().find(|ghost| ghost.print == print && ghost.at != 0);
        known.is_some_and(|ghost| u64::from(age(mem::take(ghost), now)) < most)
    }

    fn keep(&mut self, ghost: Ghost) {
        let now = self.now;
        let set = self.set(ghost.print);
        let oldest = set.and_then(|set| set.iter_mut().max_by_key(|ghost| age(**ghost, now)));
        if let Some(oldest) = oldest.filter(|oldest| age(ghost, now) <= age(**oldest, now)) {
            *oldest = ghost;
        }
    }

    /// There is none before the first key is remembered.
    fn set(&mut self, print: u32) -> Option<&mut [Ghost; WAYS]> {
        // The lowest bits choose the set, so they are mixed with the highest.
        let mixed = print.wrapping_mul(0x9e37_79b1) >> 4;
        let mask = self.sets.len().wrapping_sub(1);
        self.sets.get_mut(mixed as usize & mask)
    }

    /// Makes places for so many, up to twice as many.
    fn grow(&mut self, most: u64) {
        let wanted = sets(most);
        if wanted > self.sets.len() {
            self.resize(wanted);
        }
    }

    /// Gives places back when there are more than four times as many as that.
    pub(super) fn trim(&mut self, most: u64) {
        let wanted = sets(most);
        if wanted.saturating_mul(4) < self.sets.len() {
            self.resize(wanted);
        }
    }

    fn resize(&mut self, wanted: usize) {
        let empty = vec![[Ghost::default(); WAYS]; wanted.next_power_of_two()];
        for ghost in mem::replace(&mut self.sets, empty).into_iter().flatten() {
            self.keep(ghost);
        }
    }
}

/// How many sets have places for so many.
fn sets(most: u64) -> usize {
    usize::try_from(most).unwrap_or(usize::MAX).div_ceil(WAYS).max(1)
}

/// How many were let go after it; free places are the oldest.
fn age(ghost: Ghost, now: u32) -> u32 {
    if ghost.at == 0 { u32::MAX } else { now.wrapping_sub(ghost.at) }
}

#[allow(clippy::cast_possible_truncation, reason = "half of the hash is meant")]
fn print(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

    fn hash(key: u64) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
    }

    fn known(ghosts: &mut Ghosts, keys: std::ops::Range<u64>) -> usize {
        keys.filter(|key| ghosts.take(hash(*key), 1000)).count()
    }

    #[test]
    fn nothing_is_known_at_first() {
        let mut ghosts = Ghosts::NONE;
        assert_eq!(known(&mut ghosts, 0..100), 0);
    }

    #[test]
    fn the_last_are_known_once_and_older_ones_are_not() {
        let mut ghosts = Ghosts::NONE;
        (0..3000).for_each(|key| ghosts.insert(hash(key), 1000));
        assert_eq!(known(&mut ghosts, 0..2000), 0);
        // Sets with more than four of them forget some.
        assert!((700..=1000).contains(&known(&mut ghosts, 2000..3000)));
        assert_eq!(known(&mut ghosts, 2000..3000), 0);
    }

    #[test]
    fn growing_forgets_nothing() {
        let mut ghosts = Ghosts::NONE;
        (0..100).for_each(|key| ghosts.insert(hash(key), 1000));
        (100..110).for_each(|key| ghosts.insert(hash(key), 100_000));
        assert_eq!(known(&mut ghosts, 0..110), 110);
    }

    #[test]
    fn shrinking_forgets_the_oldest() {
        let mut ghosts = Ghosts::NONE;
        (0..10_000).for_each(|key| ghosts.insert(hash(key), 10_000));
        ghosts.trim(1000);
        assert_eq!(ghosts.sets.len(), 256);
        assert_eq!(known(&mut ghosts, 0..9000), 0);
        assert!((700..=1000).contains(&known(&mut ghosts, 9000..10_000)));
    }

    #[test]
    fn time_goes_round_without_harm() {
        let mut ghosts = Ghosts { now: u32::MAX - 50, ..Ghosts::NONE };
        (0..100).for_each(|key| ghosts.insert(hash(key), 1000));
        assert_eq!(known(&mut ghosts, 0..100), 100);
    }
}
