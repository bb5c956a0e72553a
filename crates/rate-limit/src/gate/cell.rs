use std::sync::PoisonError;

use crate::sync::{
    Mutex,
    atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

/// The highest value that a cell holds: a bit of its word is taken.
pub(super) const MOST: u64 = u64::MAX >> 1;

/// A value and the two settings that it is understood by, without a lock.
///
/// The settings lie in two places, and the lowest bit of the word says which of them holds. A change
/// fills the other place and then moves value and bit at once, so nobody reads an old value by new
/// settings. Who sleeps through two changes between its reads may see half of each; its update then
/// fails at the word and begins anew.
#[derive(Debug)]
pub(super) struct Cell {
    word: AtomicU64,
    settings: [[AtomicU64; 2]; 2],
    changes: Mutex<()>,
}

pub(super) type Settings = [u64; 2];

impl Cell {
    /// A cell with the value 0.
    pub(super) fn new(settings: Settings) -> Self {
        let place = |[one, other]: Settings| [AtomicU64::new(one), AtomicU64::new(other)];
        Self {
            word: AtomicU64::new(0),
            settings: [place(settings), place(settings)],
            changes: Mutex::new(()),
        }
    }

    pub(super) fn read(&self) -> (u64, Settings) {
        self.understood(self.word.load(Acquire))
    }

    /// Moves the value, or leaves it with what `step` says instead.
    #[inline]
    pub(super) fn update<T, E>(
        &self,
        step: impl Fn(u64, Settings) -> Result<(u64, T), E>,
    ) -> Result<T, E> {
        let mut word = self.word.load(Acquire);
        loop {
            let (value, settings) = self.understood(word);
            let (value, answer) = step(value, settings)?;
            let next = value.min(MOST) << 1 | word & 1;
            match self.word.compare_exchange_weak(word, next, AcqRel, Acquire) {
                Ok(_) => return Ok(answer),
                Err(actual) => word = actual,
            }
        }
    }

    /// Changes the settings, and the value with them.
    pub(super) fn configure(
        &self,
        change: impl FnOnce(Settings) -> Settings,
        carry: impl Fn(u64, Settings, Settings) -> u64,
    ) {
        let _one_at_a_time = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut word = self.word.load(Acquire);
        let (_, old) = self.understood(word);
        let new = change(old);
        let place = &self.settings[usize::from(word & 1 == 0)];
        place[0].store(new[0], Relaxed);
        place[1].store(new[1], Relaxed);
        loop {
            let value = carry(word >> 1, old, new).min(MOST);
            let next = value << 1 | (word & 1 ^ 1);
            match self.word.compare_exchange_weak(word, next, AcqRel, Acquire) {
                Ok(_) => return,
                Err(actual) => word = actual,
            }
        }
    }

    #[inline]
    fn understood(&self, word: u64) -> (u64, Settings) {
        let place = &self.settings[usize::from(word & 1 == 1)];
        (word >> 1, [place[0].load(Relaxed), place[1].load(Relaxed)])
    }
}
