/// What a fallback has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Outcomes that it took the place of.
    pub fell_back: u64,
    /// Outcomes of which it would have taken the place, had it not been switched off or in shadow.
    pub spared: u64,
    /// Outcomes that were handed on because it was not to be had.
    pub missed: u64,
    /// How many requests are with the other service.
    pub in_flight: u32,
    /// How many may be.
    pub limit: u32,
}
