#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use tower_ballast_core::{Name, Ratio};

/// Shares of a bulkhead's limit, by the name that a closure gives a request.
///
/// A partition has at least its share of the limit whenever it wants it, and what it does not use is
/// lent to the others, one permit at a time. Nobody in flight is put out: a partition that wants its
/// share back gets what the others' requests leave as they end, before any of theirs. With a
/// [queue](crate::BulkheadLayer::queue) its requests wait for that; without one they are refused
/// meanwhile, and the share is kept for it for a second after the last refusal.
///
/// Names without a share are one partition that has what is left of the limit; with shares of 100 % it
/// has nothing of its own, and lives by what is not used. Shares of more than 100 % in all are scaled
/// down. A limit is divided into whole permits by largest remainders: of a limit of 1 one partition
/// has the whole. The limit may change at any time, also by
/// an [`AdaptiveLayer`](crate::adaptive::AdaptiveLayer); shares go with it.
///
/// Each partition has a queue of its own, with all the settings of the bulkhead.
///
/// This is the partitioned limiter of Netflix' concurrency-limits, but that one lets in who is below its
/// share even when nothing is free, and so goes beyond the limit.
///
/// ```
/// use tower_ballast_bulkhead::{BulkheadLayer, Partitions};
/// use tower_ballast_core::Ratio;
///
/// struct Job {
///     kind: &'static str,
/// }
///
/// let partitions = Partitions::new(|job: &Job| job.kind)
///     .share("live", Ratio::percent::<90>())
///     .share("batch", Ratio::percent::<10>());
/// let layer = BulkheadLayer::new(20).queue(100).partitions(partitions);
/// let live = layer.handle().partition("live").unwrap();
/// assert_eq!(live.limit(), 18);
/// ```
#[derive(Clone)]
pub struct Partitions<C> {
    name: C,
    shares: Arc<Vec<(Name, Ratio)>>,
}

impl<C> Partitions<C> {
    /// Partitions by the name that `name` gives a request. As yet, all are the rest.
    #[must_use]
    pub fn new<R>(name: C) -> Self
    where
        C: Fn(&R) -> &str,
    {
        Self { name, shares: Arc::default() }
    }

    /// Gives a name a share of the limit. Of a name that is given twice the first share holds.
    #[must_use]
    pub fn share(mut self, name: impl Into<Name>, share: Ratio) -> Self {
        let name = name.into();
        if self.shares.iter().all(|(known, _)| **known != *name) {
            Arc::make_mut(&mut self.shares).push((name, share));
        }
        self
    }

    pub(crate) fn shares(&self) -> &[(Name, Ratio)] {
        &self.shares
    }
}

impl<C> fmt::Debug for Partitions<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitions").field("shares", &self.shares).finish_non_exhaustive()
    }
}

/// The whole limit is for all. The default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Undivided;

/// Which part of a bulkhead a request belongs to: [`Undivided`] or [`Partitions`].
pub trait Divide<R>: sealed::Sealed {
    /// The number of its part, if there are any.
    fn part(&self, request: &R) -> Option<usize>;
}

impl<R> Divide<R> for Undivided {
    #[inline]
    fn part(&self, _: &R) -> Option<usize> {
        None
    }
}

impl<R, C> Divide<R> for Partitions<C>
where
    C: Fn(&R) -> &str,
{
    fn part(&self, request: &R) -> Option<usize> {
        let name = (self.name)(request);
        let known = self.shares.iter().position(|(known, _)| **known == *name);
        Some(known.unwrap_or(self.shares.len()))
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Undivided {}
    impl<C> Sealed for super::Partitions<C> {}
}
