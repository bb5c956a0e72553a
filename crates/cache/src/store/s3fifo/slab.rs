//! Entries with numbers that have no gaps, strung on two queues.

use std::mem;

use super::part::Entry;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// Entries are allocated so many at a time, so that growing moves none and leaves little unused.
const CHUNK: usize = 32;
/// So many chunks are many.
const MANY: usize = 8;

/// Entries that are found by number and are neighbours in a queue.
///
/// When one goes, the last one gets its number. So memory is given back as entries go, whichever go.
pub(super) struct Slab<K, V> {
    /// All are full but the last one with entries; at most one more is there, and empty.
    chunks: Vec<Vec<Slot<K, V>>>,
    entries: u32,
}

/// An entry and its neighbours.
pub(super) struct Slot<K, V> {
    entry: Entry<K, V>,
    newer: u32,
    older: u32,
}

/// Entries in the order in which they came, and how much they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    newest: u32,
    oldest: u32,
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl<K, V> Slab<K, V> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), entries: 0 }
    }

    /// Keeps an entry and gives it a number.
    pub(super) fn insert(&mut self, entry: Entry<K, V>) -> u32 {
        let number = self.entries;
        let chunk = number as usize / CHUNK;
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[chunk].push(Slot { entry, newer: NONE, older: NONE });
        self.entries += 1;
        number
    }

    /// Takes an entry out that is in no queue any more. The last one, if it is another, has its number from now on;
    /// its [queue](Queue::renumber) is to be told.
    pub(super) fn remove(&mut self, number: u32) -> Option<Entry<K, V>> {
        let last = self.entries.checked_sub(1)?;
        let slot = self.chunks[last as usize / CHUNK].pop()?;
        self.entries = last;
        self.give_back();
        let gone = if number == last { slot } else { mem::replace(self.slot(number), slot) };
        Some(gone.entry)
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Entry<K, V>> {
        let number = number as usize;
        Some(&self.chunks.get(number / CHUNK)?.get(number % CHUNK)?.entry)
    }

    pub(super) fn at(&mut self, number: u32) -> &mut Entry<K, V> {
        &mut self.slot(number).entry
    }

    /// How many there are: their numbers are those below.
    pub(super) const fn entries(&self) -> u32 {
        self.entries
    }

    fn slot(&mut self, number: u32) -> &mut Slot<K, V> {
        let number = number as usize;
        &mut self.chunks[number / CHUNK][number % CHUNK]
    }

    /// Beside many chunks an empty one is kept, so that one entry that comes and goes does not take and give it each time.
    fn give_back(&mut self) {
        let used = (self.entries as usize).div_ceil(CHUNK);
        let needed = used + usize::from(used >= MANY);
        if needed < self.chunks.len() {
            self.chunks.truncate(needed);
            if self.chunks.capacity() > 4 * needed {
                self.chunks.shrink_to(2 * needed);
            }
        }
    }
}

impl Queue {
    pub(super) const EMPTY: Self = Self { newest: NONE, oldest: NONE, entries: 0, bytes: 0 };

    /// The one that came first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    pub(super) fn push<K, V>(&mut self, slab: &mut Slab<K, V>, number: u32) {
        self.entries += 1;
        self.bytes += slab.at(number).bytes;
        let slot = slab.slot(number);
        (slot.newer, slot.older) = (NONE, self.newest);
        match self.newest {
            NONE => self.oldest = number,
            newest => slab.slot(newest).newer = number,
        }
        self.newest = number;
    }

    pub(super) fn unlink<K, V>(&mut self, slab: &mut Slab<K, V>, number: u32) {
        self.entries -= 1;
        self.bytes -= slab.at(number).bytes;
        let (newer, older) = (slab.slot(number).newer, slab.slot(number).older);
        match newer {
            NONE => self.newest = older,
            newer => slab.slot(newer).older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => slab.slot(older).newer = newer,
        }
    }

    /// Tells the neighbours of an entry that it has this number now.
    pub(super) fn renumber<K, V>(&mut self, slab: &mut Slab<K, V>, number: u32) {
        let (newer, older) = (slab.slot(number).newer, slab.slot(number).older);
        match newer {
            NONE => self.newest = number,
            newer => slab.slot(newer).older = number,
        }
        match older {
            NONE => self.oldest = number,
            older => slab.slot(older).newer = number,
        }
    }
}
