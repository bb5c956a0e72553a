//! How much memory the bodies on their way may take together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// A number of bytes that bodies on their way take parts of.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<Count>);

#[derive(Debug)]
struct Count {
    limit: AtomicU64,
    taken: AtomicU64,
}

/// A part of it, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    of: Option<Allowance>,
    bytes: u64,
}

impl Allowance {
    pub(crate) fn new(limit: u64) -> Self {
        Self(Arc::new(Count { limit: AtomicU64::new(limit), taken: AtomicU64::new(0) }))
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, Relaxed);
    }

    pub(crate) fn limit(&self) -> u64 {
        self.0.limit.load(Relaxed)
    }

    pub(crate) fn taken(&self) -> u64 {
        self.0.taken.load(Relaxed)
    }

    /// So many bytes, if there are so many left.
    pub(crate) fn reserve(&self, bytes: u64) -> Option<Reserved> {
        let mut reserved = Reserved { of: Some(self.clone()), bytes: 0 };
        reserved.cover(bytes).then_some(reserved)
    }

    fn take(&self, bytes: u64) -> bool {
        let limit = self.limit();
        let taken = self.0.taken.fetch_update(Relaxed, Relaxed, |taken| {
            taken.checked_add(bytes).filter(|taken| *taken <= limit)
        });
        taken.is_ok()
    }
}

impl Reserved {
    /// Nothing, and nothing more to be had.
    pub(crate) const fn none() -> Self {
        Self { of: None, bytes: 0 }
    }

    /// So many bytes in all, if there are so many left.
    pub(crate) fn cover(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let is_there = self.of.as_ref().is_some_and(|of| of.take(more));
        if is_there {
            self.bytes += more;
        }
        is_there
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(of) = &self.of {
            of.0.taken.fetch_sub(self.bytes, Relaxed);
        }
    }
}
