//! How much may be kept and is, counted before it comes and after it went.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::store::capacity::Capacity;

/// More than any memory holds, and few enough that sums of two do not overflow.
const UNBOUNDED: u64 = 1 << 62;
/// Entries have numbers of 32 bits, of which one stands for none.
const MOST_ENTRIES: u64 = (u32::MAX - 1) as u64;
/// What an entry counts as at most where bytes are not bounded: a tebibyte.
const LARGEST: u64 = 1 << 40;

/// What entries are counted in where shares of the store are at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Bytes,
    Entries,
}

/// The bounds, and what is taken of them. It is taken before an entry is kept, so the bound holds at every moment.
#[derive(Debug)]
pub(super) struct Account {
    bytes: Bounded,
    entries: Bounded,
}

#[derive(Debug)]
struct Bounded {
    most: AtomicU64,
    taken: AtomicU64,
}

impl Account {
    pub(super) fn new(capacity: Capacity) -> Self {
        let account = Self { bytes: Bounded::new(), entries: Bounded::new() };
        account.resize(capacity);
        account
    }

    pub(super) fn resize(&self, capacity: Capacity) {
        self.bytes.most.store(capacity.bytes().unwrap_or(UNBOUNDED).min(UNBOUNDED), Relaxed);
        self.entries
            .most
            .store(capacity.entries().unwrap_or(MOST_ENTRIES).min(MOST_ENTRIES), Relaxed);
    }

    /// Takes room for an entry, or for what it grows by, unless there is too little.
    pub(super) fn try_take(&self, bytes: u64, entries: u64) -> bool {
        // In a full store one only looks: what is taken in vain is missed by others meanwhile.
        if !self.entries.has_room(entries) || !self.bytes.try_take(bytes) {
            return false;
        }
        let has_room = self.entries.try_take(entries);
        if !has_room {
            self.bytes.give(bytes);
        }
        has_room
    }

    /// Takes the room for an entry of this many bytes from one that makes way for it, unless it needs more than there is.
    pub(super) fn try_exchange(&self, old: u64, new: u64) -> bool {
        let has_room = self.bytes.try_take(new.saturating_sub(old));
        if has_room {
            self.bytes.give(old.saturating_sub(new));
        }
        has_room
    }

    /// Takes over the room of an entry that goes, if it is enough and not more than there may be by now.
    pub(super) fn try_take_over(&self, old: u64, new: u64) -> bool {
        !self.is_exceeded() && self.try_exchange(old, new)
    }

    pub(super) fn give(&self, bytes: u64, entries: u64) {
        self.bytes.give(bytes);
        self.entries.give(entries);
    }

    pub(super) fn taken(&self, by: By) -> u64 {
        match by {
            By::Bytes => self.bytes.taken.load(Relaxed),
            By::Entries => self.entries.taken.load(Relaxed),
        }
    }

    /// Whether more is kept than may be, since the bounds were lowered.
    pub(super) fn is_exceeded(&self) -> bool {
        self.bytes.is_exceeded() || self.entries.is_exceeded()
    }

    /// What counts where shares are at stake, and how much of it there may be.
    pub(super) fn by(&self) -> (By, u64) {
        match self.bytes.most() {
            UNBOUNDED => (By::Entries, self.entries.most()),
            bytes => (By::Bytes, bytes),
        }
    }

    /// What an entry of this size counts as, if it may be kept at all.
    pub(super) fn charge(&self, size: u64, largest_share: f64) -> Option<u64> {
        (size <= self.largest(largest_share)).then_some(size.min(LARGEST))
    }

    /// How large an entry may be.
    pub(super) fn largest(&self, share: f64) -> u64 {
        match (self.entries.most(), self.bytes.most()) {
            (0, _) => 0,
            (_, UNBOUNDED) => u64::MAX,
            (_, most) => share_of(most, share),
        }
    }
}

impl Bounded {
    const fn new() -> Self {
        Self { most: AtomicU64::new(0), taken: AtomicU64::new(0) }
    }

    fn most(&self) -> u64 {
        self.most.load(Relaxed)
    }

    fn has_room(&self, amount: u64) -> bool {
        let taken = self.taken.load(Relaxed);
        taken.checked_add(amount).is_some_and(|taken| taken <= self.most())
    }

    fn try_take(&self, amount: u64) -> bool {
        let most = self.most();
        let more = |taken: u64| taken.checked_add(amount).filter(|taken| *taken <= most);
        amount == 0 || self.taken.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    fn give(&self, amount: u64) {
        if amount > 0 {
            self.taken.fetch_sub(amount, Relaxed);
        }
    }

    fn is_exceeded(&self) -> bool {
        self.taken.load(Relaxed) > self.most()
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a bound is a guide, exact to 53 bits"
)]
fn share_of(most: u64, share: f64) -> u64 {
    (most as f64 * share) as u64
}
