//! The meaning of gRPC's status codes, where a response without a body has one in its head.

use std::time::Duration;

use http::HeaderMap;
use tower_ballast_core::{RetryAfter, Retryable, Verdict};

use crate::grpc::{PUSHBACK, STATUS, is_grpc};

/// The verdict on a response of gRPC whose status is in its head; `None` for every other.
pub(super) fn verdict(headers: &HeaderMap) -> Option<Verdict> {
    let status = headers.get(STATUS).filter(|_| is_grpc(headers))?;
    let verdict = meaning(status.as_bytes());
    Some(match (verdict.is_success(), headers.get(PUSHBACK)) {
        (true, _) | (_, None) => verdict,
        (_, Some(wait)) => pushed_back(verdict, wait.as_bytes()),
    })
}

fn meaning(status: &[u8]) -> Verdict {
    match status {
        b"1" => Verdict::ignore(),
        b"4" => Verdict::timeout(),
        b"8" => Verdict::throttled(),
        b"14" => Verdict::transient(),
        b"0" | b"3" | b"5" | b"6" | b"7" | b"9" | b"10" | b"11" | b"12" | b"16" => Verdict::Success,
        // UNKNOWN, INTERNAL, DATA_LOSS, and what is no code at all, which stands for UNKNOWN.
        _ => Verdict::fault(),
    }
}

/// gRFC A6: a wait that is negative or no number means that nothing is to be repeated.
fn pushed_back(verdict: Verdict, wait: &[u8]) -> Verdict {
    let wait = std::str::from_utf8(wait).ok().map(str::trim);
    match wait.and_then(|wait| wait.parse().ok()) {
        Some(millis) => verdict.retry_after(RetryAfter::hint(Duration::from_millis(millis))),
        None => verdict.retry(Retryable::Never),
    }
}
