use std::time::Duration;

/// How long a request may take with all its attempts.
pub(crate) const TOTAL: Duration = Duration::from_secs(30);
/// How long one attempt may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(10);
/// How many requests wait for a server at most.
pub(crate) const WAITING: u32 = 256;
/// How many attempts a client makes at once at the beginning, to one authority.
pub(crate) const FIRST_ATTEMPTS: u32 = 100;
/// How many it makes at the most.
pub(crate) const ATTEMPTS: u32 = 1000;
/// How many authorities a client tells apart.
pub(crate) const AUTHORITIES: u32 = 256;
