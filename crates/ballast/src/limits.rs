use std::time::Duration;

/// How long a request may take with all its attempts.
pub(crate) const TOTAL: Duration = Duration::from_secs(30);
/// How long one attempt may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(10);
