//! Changing how many are let in.

use super::{Gate, QUEUED, has_room};
use crate::sync::atomic::Ordering::{AcqRel, Acquire};

impl Gate {
    /// Changes how many are let in. Who is inside stays.
    pub fn resize(&self, limit: u32) {
        self.resize_silently(limit);
        self.rouse();
    }

    /// Changes how many are let in, if it is still `from`. For a machine that sets limits beside people
    /// who do.
    ///
    /// ```
    /// use tower_ballast_core::gate::Gate;
    ///
    /// let gate = Gate::new(10);
    /// assert!(gate.resize_from(10, 20));
    /// assert!(!gate.resize_from(10, 30));
    /// assert_eq!(gate.limit(), 20);
    /// ```
    #[must_use]
    pub fn resize_from(&self, from: u32, limit: u32) -> bool {
        let resize = |word| (super::limit(word) == from).then(|| with_limit(word, limit));
        let is_changed = self.word.fetch_update(AcqRel, Acquire, resize).is_ok();
        if is_changed {
            self.rouse();
        }
        is_changed
    }

    /// Changes how many are let in, and wakes nobody: for who holds a lock of its own, and
    /// [rouses](Self::rouse) the line when that is over.
    pub fn resize_silently(&self, limit: u32) {
        let resize = |word| Some(with_limit(word, limit));
        let _ = self.word.fetch_update(AcqRel, Acquire, resize);
    }

    /// Wakes the next in line, if there is room for it.
    pub fn rouse(&self) {
        if self.word.load(Acquire) & QUEUED != 0 {
            self.stir();
        }
    }

    /// Lowers the limit by one, if there is room that nobody uses, and says whether it did.
    pub fn cede(&self) -> bool {
        let cede = |word| has_room(word).then(|| word - (1 << 32));
        self.word.fetch_update(AcqRel, Acquire, cede).is_ok()
    }
}

const fn with_limit(word: u64, limit: u32) -> u64 {
    (limit as u64) << 32 | word & u32::MAX as u64
}
