use super::tokens::units;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Envoy's allowance: what is taken stays below a share of the running requests, or the floor.
#[derive(Debug)]
pub(super) struct Slots {
    /// Requests that run.
    active: AtomicU64,
    /// Units taken by extra attempts that run or wait.
    taken: AtomicU64,
    floor: AtomicU64,
}

impl Slots {
    pub(super) fn new() -> Self {
        let slots =
            Self { active: AtomicU64::new(0), taken: AtomicU64::new(0), floor: AtomicU64::new(0) };
        slots.set_floor(3);
        slots
    }

    pub(super) fn set_floor(&self, slots: u32) {
        self.floor.store(units(slots), Relaxed);
    }

    /// The same floor, with nothing taken.
    pub(super) fn separate(&self) -> Self {
        let slots = Self::new();
        slots.floor.store(self.floor.load(Relaxed), Relaxed);
        slots
    }

    #[inline]
    pub(super) fn enter(&self) {
        self.active.fetch_add(1, Relaxed);
    }

    pub(super) fn leave(&self) {
        self.active.fetch_sub(1, Relaxed);
    }

    pub(super) fn take(&self, units: u64, share: u64) -> bool {
        let allowed = self.allowed(share);
        self.taken
            .fetch_update(Relaxed, Relaxed, |taken| {
                taken.checked_add(units).filter(|taken| *taken <= allowed)
            })
            .is_ok()
    }

    pub(super) fn give_back(&self, units: u64) {
        self.taken.fetch_sub(units, Relaxed);
    }

    pub(super) fn free(&self, share: u64) -> u64 {
        self.allowed(share).saturating_sub(self.taken.load(Relaxed))
    }

    fn allowed(&self, share: u64) -> u64 {
        let earned = self.active.load(Relaxed).saturating_mul(share);
        earned.max(self.floor.load(Relaxed))
    }
}
