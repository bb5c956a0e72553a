//! What the errors of hyper-util's pooled client prove.

use std::{any::Any, error::Error};

use ::hyper_util::client::legacy::Error as Pooled;
use tower_ballast_core::{Retryable, Verdict};

use super::{
    error::{chain, timed_out},
    h2, hyper,
};

pub(super) fn known(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<Pooled>().map(|error| error as _)
}

/// Without a connection nothing was sent. A reused connection that closes before the head of the
/// answer proves nothing.
pub(super) fn verdict(error: &(dyn Error + 'static), _: bool) -> Option<Verdict> {
    let pooled = error.downcast_ref::<Pooled>()?;
    if hyper::is_of_the_caller(error) {
        return Some(Verdict::ignore());
    }
    let verdict = if timed_out(error) { Verdict::timeout() } else { Verdict::transient() };
    if pooled.is_connect() {
        return Some(verdict.retry(Retryable::Unsent));
    }
    chain(error).find_map(|source| h2::verdict(source, true)).or(Some(verdict))
}
