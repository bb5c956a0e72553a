//! Items with stable numbers, strung on doubly linked lists.

/// No item.
pub(super) const NONE: u32 = u32::MAX;

/// Items that are found by number and are neighbours in lists.
#[derive(Debug)]
pub(super) struct Slab<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

/// The neighbours of an item in one list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    previous: u32,
    next: u32,
}

/// Both ends of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    pub(super) first: u32,
    pub(super) last: u32,
}

/// What has a place in the list `LIST`.
pub(super) trait Linked<const LIST: usize> {
    fn links(&mut self) -> &mut Links;
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }

    /// Keeps an item and gives it a number.
    pub(super) fn insert(&mut self, item: T) -> u32 {
        if let Some(free) = self.free.pop() {
            self.items[free as usize] = item;
            return free;
        }
        self.items.push(item);
        u32::try_from(self.items.len() - 1).expect("fewer than 2^32 callers wait")
    }

    /// Gives a number back. When it was the last one out, so is all memory.
    pub(super) fn remove(&mut self, number: u32) {
        self.free.push(number);
        if self.free.len() == self.items.len() {
            *self = Self::new();
        }
    }

    pub(super) fn get(&self, number: u32) -> &T {
        &self.items[number as usize]
    }

    pub(super) fn at(&mut self, number: u32) -> &mut T {
        &mut self.items[number as usize]
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.items.capacity() + self.free.capacity()
    }
}

impl Links {
    pub(super) const NOWHERE: Self = Self { previous: NONE, next: NONE };
}

impl List {
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE };

    pub(super) fn push<const LIST: usize, T: Linked<LIST>>(
        &mut self,
        slab: &mut Slab<T>,
        number: u32,
    ) {
        *slab.at(number).links() = Links { previous: self.last, next: NONE };
        match self.last {
            NONE => self.first = number,
            last => slab.at(last).links().next = number,
        }
        self.last = number;
    }

    pub(super) fn unlink<const LIST: usize, T: Linked<LIST>>(
        &mut self,
        slab: &mut Slab<T>,
        number: u32,
    ) {
        let Links { previous, next } = *slab.at(number).links();
        match previous {
            NONE => self.first = next,
            previous => slab.at(previous).links().next = next,
        }
        match next {
            NONE => self.last = previous,
            next => slab.at(next).links().previous = previous,
        }
    }
}
