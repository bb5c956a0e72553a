use super::{Gate, QUEUED};
use crate::sync::atomic::Ordering::{AcqRel, Acquire};

impl Gate {
    /// Changes how many are let in. Who is inside stays.
    pub fn resize(&self, limit: u32) {
        let resize = |word| Some(u64::from(limit) << 32 | word & u64::from(u32::MAX));
        let before = self.word.fetch_update(AcqRel, Acquire, resize);
        if before.is_ok_and(|before| before & QUEUED != 0) {
            self.stir();
        }
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
        let resize = |word| {
            (super::limit(word) == from)
                .then_some(u64::from(limit) << 32 | word & u64::from(u32::MAX))
        };
        let before = self.word.fetch_update(AcqRel, Acquire, resize);
        if before.is_ok_and(|before| before & QUEUED != 0) {
            self.stir();
        }
        before.is_ok()
    }
}
