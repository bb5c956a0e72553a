use crate::store::Usage;

/// What a cache has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Answers that were there and fresh.
    pub hits: u64,
    /// Requests for which there was nothing, and a call was made.
    pub misses: u64,
    /// Answers that were there and too old, served while they were made anew.
    pub stale: u64,
    /// Answers that were there and too old, served because making them anew failed.
    pub spared: u64,
    /// Requests that were told a failure of which it was remembered.
    pub negative: u64,
    /// Requests that waited for the call of another.
    pub joined: u64,
    /// Requests that went alone, since answers for their key are not to be kept.
    pub passed: u64,
    /// Requests without a key.
    pub bypassed: u64,
    /// Calls that were made beside an answer, to renew it.
    pub refreshed: u64,
    /// Requests that were told the failure of another.
    pub failed: u64,
    /// Calls that run now.
    pub in_flight: u32,
    /// What is kept, and what was let go.
    pub usage: Usage,
}
