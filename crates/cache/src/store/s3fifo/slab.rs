//! Entries with stable numbers, strung on two queues.

use super::part::Entry;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// Entries are allocated so many at a time, so that growing moves none and leaves little unused.
const CHUNK: usize = 32;

/// Entries that are found by number and are neighbours in a queue.
pub(super) struct Slab<K, V> {
    chunks: Vec<Vec<Slot<K, V>>>,
    free: u32,
}

/// A place for an entry; without one it is in the list of free places, by `older`.
pub(super) struct Slot<K, V> {
    entry: Option<Entry<K, V>>,
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
        Self { chunks: Vec::new(), free: NONE }
    }

    /// Keeps an entry and gives it a number.
    pub(super) fn insert(&mut self, entry: Entry<K, V>) -> u32 {
        if self.free != NONE {
            let number = self.free;
            let slot = self.slot(number);
            slot.entry = Some(entry);
            let next = slot.older;
            self.free = next;
            return number;
        }
        let number = self.places();
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let slot = Slot { entry: Some(entry), newer: NONE, older: NONE };
        self.chunks.last_mut().expect("one was pushed if there was none").push(slot);
        number
    }

    /// Takes an entry out, which is in no queue any more.
    pub(super) fn remove(&mut self, number: u32) -> Option<Entry<K, V>> {
        let free = self.free;
        let slot = self.slot(number);
        let entry = slot.entry.take()?;
        slot.older = free;
        self.free = number;
        Some(entry)
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Entry<K, V>> {
        let number = number as usize;
        self.chunks.get(number / CHUNK)?.get(number % CHUNK)?.entry.as_ref()
    }

    pub(super) fn at(&mut self, number: u32) -> &mut Entry<K, V> {
        self.slot(number).entry.as_mut().expect("numbers in queues and index have entries")
    }

    /// How many places there are, free ones included.
    pub(super) fn places(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        let places = full + self.chunks.last().map_or(0, Vec::len);
        u32::try_from(places).expect("the account admits fewer than 2^32 entries")
    }

    fn slot(&mut self, number: u32) -> &mut Slot<K, V> {
        let number = number as usize;
        &mut self.chunks[number / CHUNK][number % CHUNK]
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
}
