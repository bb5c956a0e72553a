//! The meaning of status codes, by RFC 9110, section 15.

use http::{HeaderMap, StatusCode};
use tower_ballast_core::{RetryAfter, Retryable, Verdict};

use crate::read_retry_after;

/// The verdict on an answer, with the moment it names for the next attempt.
pub(super) fn verdict(status: StatusCode, headers: &HeaderMap) -> Verdict {
    let verdict = meaning(status);
    if verdict.retryable() == Retryable::Never {
        return verdict;
    }
    match read_retry_after(headers) {
        Some(delay) => verdict.retry_after(RetryAfter::hint(delay)),
        None => verdict,
    }
}

/// The verdict on a status alone.
pub(super) const fn meaning(status: StatusCode) -> Verdict {
    match status.as_u16() {
        // The server got no complete request in time; a connection that idled is the usual cause.
        408 | 502 | 503 => Verdict::transient(),
        // RFC 8470: the server did not look at it, and wants it again after the handshake.
        425 => Verdict::ignore().retry(Retryable::Unsent),
        429 => Verdict::throttled(),
        504 => Verdict::timeout(),
        501 | 505..=508 | 510 | 511 => Verdict::fault(),
        // An unknown code of the class is to be treated as 500.
        500..=599 => Verdict::fault().retry(Retryable::IfRepeatable),
        _ => Verdict::Success,
    }
}
