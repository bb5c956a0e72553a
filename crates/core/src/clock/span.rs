use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::nanos_in;

/// A duration that can be changed while others read it: a setting of a layer that is live.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::clock::Span;
///
/// let span = Span::new(Duration::MAX);
/// assert_eq!(span.get(), Duration::MAX);
/// span.set(Duration::from_secs(1));
/// assert!(!span.is_zero());
/// assert_eq!(span.get(), Duration::from_secs(1));
/// ```
#[derive(Debug, Default)]
pub struct Span(AtomicU64);

impl Span {
    /// Starts with `duration`; what is longer than 584 years is [`Duration::MAX`].
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        Self(AtomicU64::new(nanos_in(duration)))
    }

    /// The present duration.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Duration {
        match self.0.load(Relaxed) {
            u64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }

    /// Whether it is zero at present; cheaper than to ask the [duration](Self::get).
    #[inline]
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    /// Changes it.
    pub fn set(&self, duration: Duration) {
        self.0.store(nanos_in(duration), Relaxed);
    }
}
