//! One part of the store: what it keeps, and which entry it lets go.

use std::{
    mem,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use hashbrown::HashTable;

use super::{
    account::By,
    ghosts::Ghosts,
    slab::{Queue, Slab},
};

/// More uses than this are not counted.
const MOST_USES: u8 = 3;
/// A twentieth of a part is for newcomers.
const NEWCOMERS: u64 = 20;
/// Half as many as there are entries are remembered of those that were let go.
const GHOSTS: u64 = 2;
/// After so many that were used the next one is let go though it was used, so that no call is long.
const CHANCES: u32 = 64;
/// An index with more places for each entry than this is made smaller.
const SLACK: usize = 4;
/// So many entries are copied at a time.
pub(super) const BATCH: usize = 64;

/// A part of the store, without its lock: the index, two queues, and which were let go lately.
pub(super) struct Part<K, V> {
    index: HashTable<u32>,
    slab: Slab<K, V>,
    newcomers: Queue,
    proven: Queue,
    ghosts: Ghosts,
    stamp: u32,
}

/// What is kept of an entry.
pub(super) struct Entry<K, V> {
    pub(super) key: K,
    pub(super) value: V,
    pub(super) hash: u64,
    pub(super) bytes: u64,
    /// Tells it from others in its place.
    stamp: u32,
    uses: AtomicU8,
    is_proven: bool,
}

/// A copy of an entry, and where it was.
pub(super) struct Copied<K, V> {
    pub(super) key: K,
    pub(super) value: V,
    pub(super) number: u32,
    hash: u64,
    stamp: u32,
}

impl<K, V> Entry<K, V> {
    pub(super) fn new(key: K, value: V, hash: u64, bytes: u64) -> Self {
        Self { key, value, hash, bytes, stamp: 0, uses: AtomicU8::new(0), is_proven: false }
    }

    /// Counts a use. Two at once may count as one.
    #[inline]
    pub(super) fn touch(&self) {
        let uses = self.uses.load(Relaxed);
        if uses < MOST_USES {
            self.uses.store(uses + 1, Relaxed);
        }
    }
}

impl<K: Eq, V> Part<K, V> {
    /// The entry for a key, and its number.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<(u32, &Entry<K, V>)> {
        let mut found = None;
        self.index.find(hash, |number| {
            let entry = self.slab.get(*number);
            let entry = entry.filter(|entry| entry.hash == hash && entry.key == *key);
            found = entry.map(|entry| (*number, entry));
            found.is_some()
        })?;
        found
    }
}

impl<K, V> Part<K, V> {
    pub(super) const fn new() -> Self {
        Self {
            index: HashTable::new(),
            slab: Slab::new(),
            newcomers: Queue::EMPTY,
            proven: Queue::EMPTY,
            ghosts: Ghosts::NONE,
            stamp: 0,
        }
    }

    pub(super) fn entries(&self) -> u64 {
        self.amount(By::Entries)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.amount(By::Bytes)
    }

    pub(super) fn amount(&self, by: By) -> u64 {
        self.newcomers.amount(by) + self.proven.amount(by)
    }

    /// Keeps an entry whose key is not there. It has to prove itself, unless it was let go only lately or the room of
    /// those that have is not taken.
    pub(super) fn insert(&mut self, mut newcomer: Entry<K, V>, by: By, share: u64) {
        self.judge(&mut newcomer, by, share);
        let number = self.slab.insert(newcomer);
        self.list(number);
    }

    /// Lets go of the entry with this number, and [inserts](Self::insert) another one in its place.
    pub(super) fn exchange(
        &mut self,
        number: u32,
        mut newcomer: Entry<K, V>,
        by: By,
        share: u64,
    ) -> Entry<K, V> {
        let most = self.entries() / GHOSTS;
        self.unlist(number);
        self.remember(number, most);
        self.judge(&mut newcomer, by, share);
        let old = mem::replace(self.slab.at(number), newcomer);
        self.list(number);
        old
    }

    /// Whether a newcomer counts as proven.
    fn judge(&mut self, newcomer: &mut Entry<K, V>, by: By, share: u64) {
        let more = if by == By::Bytes { newcomer.bytes } else { 1 };
        let has_room = self.proven.amount(by).saturating_add(more) <= of_proven(share);
        newcomer.is_proven = self.ghosts.take(newcomer.hash, self.entries() / GHOSTS) || has_room;
        newcomer.stamp = self.next_stamp();
    }

    /// Remembers an entry that goes, unless it was a proven one.
    fn remember(&mut self, number: u32, most: u64) {
        let entry = self.slab.at(number);
        if !entry.is_proven {
            self.ghosts.insert(entry.hash, most);
        }
    }

    /// Puts an entry that has a number on its queue and into the index.
    fn list(&mut self, number: u32) {
        let entry = self.slab.at(number);
        let hash = entry.hash;
        let queue = if entry.is_proven { &mut self.proven } else { &mut self.newcomers };
        queue.push(&mut self.slab, number);
        let slab = &self.slab;
        let hash_of = |number: &u32| slab.get(*number).map_or(0, |entry| entry.hash);
        self.index.insert_unique(hash, number, hash_of);
    }

    fn unlist(&mut self, number: u32) {
        let hash = self.slab.at(number).hash;
        if let Ok(found) = self.index.find_entry(hash, |other| *other == number) {
            found.remove();
        }
        self.unlink(number);
    }

    /// Puts an entry in the place of another one with the same key, and counts that as a use.
    pub(super) fn replace(&mut self, number: u32, mut newcomer: Entry<K, V>) -> Entry<K, V> {
        newcomer.stamp = self.next_stamp();
        let old = self.slab.at(number);
        let queue = if old.is_proven { &mut self.proven } else { &mut self.newcomers };
        queue.bytes = queue.bytes - old.bytes + newcomer.bytes;
        newcomer.is_proven = old.is_proven;
        newcomer.uses = AtomicU8::new(*old.uses.get_mut());
        newcomer.touch();
        mem::replace(old, newcomer)
    }

    /// Lets go of one entry, if there is one.
    pub(super) fn evict(&mut self, by: By, share: u64) -> Option<Entry<K, V>> {
        let number = self.victim(by, share)?;
        self.let_go(number)
    }

    /// Removes an entry that has to make way, and remembers that.
    pub(super) fn let_go(&mut self, number: u32) -> Option<Entry<K, V>> {
        self.remember(number, self.entries() / GHOSTS);
        self.remove(number)
    }

    /// Which entry is to be let go: of the newcomers the oldest, unless it was used, which proves it; of the
    /// proven ones, when they have more than their `share`, the oldest that was not used since it was last looked at.
    pub(super) fn victim(&mut self, by: By, share: u64) -> Option<u32> {
        for spared in 0.. {
            let too_many_proven = self.proven.amount(by) > of_proven(share);
            let from = if too_many_proven { &self.proven } else { &self.newcomers };
            let number = from.oldest().or(self.proven.oldest())?;
            let entry = self.slab.at(number);
            let (was_proven, uses) = (entry.is_proven, *entry.uses.get_mut());
            if uses == 0 || spared >= CHANCES {
                return Some(number);
            }
            *entry.uses.get_mut() = if was_proven { uses - 1 } else { 0 };
            self.unlink(number);
            self.slab.at(number).is_proven = true;
            self.proven.push(&mut self.slab, number);
        }
        None
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Entry<K, V>> {
        self.slab.get(number)?;
        self.unlist(number);
        let last = self.slab.entries() - 1;
        let entry = self.slab.remove(number);
        if number != last {
            self.renumber(last, number);
        }
        self.trim();
        entry
    }

    /// How many bytes the entry with this number takes.
    pub(super) fn bytes_of(&self, number: u32) -> u64 {
        self.slab.get(number).map_or(0, |entry| entry.bytes)
    }

    /// Removes the entry of which this is a copy, wherever it is now, unless it was replaced since.
    pub(super) fn remove_if_same(&mut self, copy: &Copied<K, V>) -> Option<Entry<K, V>> {
        let is_same =
            |number: &u32| self.slab.get(*number).is_some_and(|entry| entry.stamp == copy.stamp);
        let number = *self.index.find(copy.hash, is_same)?;
        self.remove(number)
    }

    fn unlink(&mut self, number: u32) {
        let is_proven = self.slab.at(number).is_proven;
        let queue = if is_proven { &mut self.proven } else { &mut self.newcomers };
        queue.unlink(&mut self.slab, number);
    }

    fn renumber(&mut self, old: u32, new: u32) {
        let entry = self.slab.at(new);
        let queue = if entry.is_proven { &mut self.proven } else { &mut self.newcomers };
        if let Some(number) = self.index.find_mut(entry.hash, |other| *other == old) {
            *number = new;
        }
        queue.renumber(&mut self.slab, new);
    }

    /// Gives back what index and ghosts have far too much of.
    fn trim(&mut self) {
        let entries = self.index.len();
        if self.index.num_buckets() > (SLACK * entries).max(BATCH) {
            let slab = &self.slab;
            let hash_of = |number: &u32| slab.get(*number).map_or(0, |entry| entry.hash);
            self.index.shrink_to(entries + entries / 4, hash_of);
        }
        self.ghosts.trim(self.entries() / GHOSTS);
    }

    fn next_stamp(&mut self) -> u32 {
        self.stamp = self.stamp.wrapping_add(1);
        self.stamp
    }
}

impl<K: Clone, V: Clone> Part<K, V> {
    /// Copies the next entries below a number, from the highest on: those that get another number get a lower one, so
    /// that none of those that are still to come is passed over.
    pub(super) fn copy_into(&self, batch: &mut Vec<Copied<K, V>>, below: u32) {
        let entries = (0..below.min(self.slab.entries())).rev().filter_map(|number| {
            let entry = self.slab.get(number)?;
            let (key, value) = (entry.key.clone(), entry.value.clone());
            Some(Copied { key, value, number, hash: entry.hash, stamp: entry.stamp })
        });
        batch.extend(entries.take(BATCH));
    }
}

/// How much of its share of the store a part has for entries that have proven themselves.
const fn of_proven(share: u64) -> u64 {
    share - share / NEWCOMERS
}

impl Queue {
    fn amount(&self, by: By) -> u64 {
        match by {
            By::Bytes => self.bytes,
            By::Entries => self.entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tower_ballast_core::Random;

    use super::*;

    fn filled(entries: u64, share: u64) -> Part<u64, ()> {
        let mut part = Part::new();
        (0..entries)
            .for_each(|key| part.insert(Entry::new(key, (), key << 40, 1), By::Entries, share));
        part
    }

    #[test]
    fn newcomers_prove_themselves_only_by_use() {
        let mut part = filled(40, 20);
        part.find(25 << 40, &25).unwrap().1.touch();
        let gone: Vec<u64> = (0..20).map(|_| part.evict(By::Entries, 20).unwrap().key).collect();
        // 19 came while there was room for proven ones, and one of them pays for the one that was used.
        assert_eq!(
            gone,
            [19, 20, 21, 22, 23, 24, 0, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38]
        );
    }

    #[test]
    fn who_comes_back_soon_has_proven_itself() {
        let mut part = filled(40, 20);
        assert_eq!(part.evict(By::Entries, 20).unwrap().key, 19);
        part.insert(Entry::new(19, (), 19 << 40, 1), By::Entries, 20);
        assert!(part.find(19 << 40, &19).unwrap().1.is_proven);
        part.insert(Entry::new(50, (), 50 << 40, 1), By::Entries, 20);
        assert!(!part.find(50 << 40, &50).unwrap().1.is_proven);
    }

    #[test]
    fn one_call_gives_a_bounded_number_of_chances() {
        let mut part = filled(1000, 1000);
        (0..1000).for_each(|key| part.find(key << 40, &key).unwrap().1.touch());
        part.evict(By::Entries, 1000).unwrap();
        let entries = (0..part.slab.entries()).filter_map(|number| part.slab.get(number));
        let unused = entries.filter(|entry| entry.uses.load(Relaxed) == 0).count();
        assert!(unused <= CHANCES as usize, "{unused}");
    }

    #[test]
    fn one_that_was_replaced_is_not_removed_for_what_it_was() {
        let (mut part, mut batch) = (filled(1, 10), Vec::new());
        part.copy_into(&mut batch, 1);
        part.replace(0, Entry::new(0, (), 0, 1));
        assert!(part.remove_if_same(&batch[0]).is_none());
        batch.clear();
        part.copy_into(&mut batch, 1);
        assert!(part.remove_if_same(&batch[0]).is_some());
    }

    #[test]
    fn those_that_are_copied_in_turn_are_all_there_were_whatever_goes_meanwhile() {
        let random = Random::seeded(1);
        for _ in 0..50 {
            let (mut part, mut batch) = (filled(300, 300), Vec::new());
            let mut left: Vec<u64> = (0..300).collect();
            let (mut asked, mut below) = (std::collections::HashSet::new(), u32::MAX);
            loop {
                part.copy_into(&mut batch, below);
                let Some(lowest) = batch.last() else { break };
                below = lowest.number;
                for _ in 0..30 {
                    let at = usize::try_from(random.below(left.len() as u64)).unwrap();
                    let key = left.swap_remove(at);
                    let number = part.find(key << 40, &key).unwrap().0;
                    part.remove(number).unwrap();
                }
                for copy in batch.drain(..) {
                    asked.insert(copy.key);
                    let there = left.iter().position(|key| *key == copy.key);
                    let removed = copy.key % 3 == 0 && part.remove_if_same(&copy).is_some();
                    assert_eq!(removed, copy.key % 3 == 0 && there.is_some());
                    there.filter(|_| removed).map(|at| left.swap_remove(at));
                }
            }
            assert!(left.iter().all(|key| asked.contains(key)));
            assert_eq!(part.entries(), left.len() as u64);
        }
    }

    proptest! {
        #[test]
        fn queues_index_and_places_tell_the_same(seed: u64, share in 0..60_u64) {
            let (random, mut part) = (Random::seeded(seed), Part::new());
            let mut known = std::collections::HashMap::new();
            for _ in 0..300 {
                let key = random.below(50);
                // Few hashes, so that keys share them.
                let (hash, bytes) = ((key % 7) << 40, random.below(9));
                let found = part.find(hash, &key).map(|(number, entry)| (number, entry.bytes));
                prop_assert_eq!(found.map(|(_, bytes)| bytes), known.get(&key).copied());
                match (random.below(5), found) {
                    (0, Some((number, _))) => {
                        known.remove(&part.remove(number).unwrap().key);
                    }
                    (0, None) => {
                        let gone = part.evict(By::Bytes, share);
                        prop_assert_eq!(gone.is_none(), known.is_empty());
                        gone.map(|entry| known.remove(&entry.key));
                    }
                    (1, Some((number, _))) => {
                        part.replace(number, Entry::new(key, (), hash, bytes));
                        known.insert(key, bytes);
                    }
                    (2, None) if !known.is_empty() => {
                        let number = part.victim(By::Bytes, share).unwrap();
                        let newcomer = Entry::new(key, (), hash, bytes);
                        let gone = part.exchange(number, newcomer, By::Bytes, share);
                        known.remove(&gone.key);
                        known.insert(key, bytes);
                    }
                    (_, Some((number, _))) => part.slab.get(number).unwrap().touch(),
                    (_, None) => {
                        part.insert(Entry::new(key, (), hash, bytes), By::Bytes, share);
                        known.insert(key, bytes);
                    }
                }
                prop_assert_eq!(part.entries(), known.len() as u64);
                prop_assert_eq!(part.index.len(), known.len());
                let mut found: Vec<u64> = (0..part.slab.entries())
                    .map(|number| part.slab.get(number).unwrap().key)
                    .collect();
                found.sort_unstable();
                found.dedup();
                prop_assert_eq!(found.len(), known.len());
                prop_assert_eq!(part.bytes(), known.values().sum::<u64>());
            }
        }
    }
}
