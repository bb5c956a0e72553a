//! How much a request matters beside others.

/// How much a request matters when not everything can be served.
///
/// Ordered by importance: `High` is the greatest. Priorities are the operator's word; a field of
/// an untrusted client never sets one.
///
/// ```
/// use tower_ballast_core::Priority;
///
/// assert!(Priority::High > Priority::Batch);
/// assert_eq!(Priority::default(), Priority::Medium);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Work that nobody waits for; it may be served much later.
    Batch,
    /// Work that can be refused first: prefetching, suggestions, polling.
    Low,
    /// Ordinary requests.
    #[default]
    Medium,
    /// What must work even when little else does: checkout, login, health.
    High,
}

impl Priority {
    /// All four, the most important first.
    pub const ALL: [Self; 4] = [Self::High, Self::Medium, Self::Low, Self::Batch];

    /// Its place in [`ALL`](Self::ALL).
    ///
    /// ```
    /// use tower_ballast_core::Priority;
    ///
    /// assert!(Priority::ALL.into_iter().enumerate().all(|(n, class)| class.index() == n));
    /// ```
    #[must_use]
    pub const fn index(self) -> usize {
        Self::High as usize - self as usize
    }

    /// The name used in events and metrics: `high`, `medium`, `low` or `batch`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Batch => "batch",
        }
    }
}
