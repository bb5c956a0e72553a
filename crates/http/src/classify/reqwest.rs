//! What the errors of reqwest prove.

use std::{any::Any, error::Error};

use ::reqwest::Error as Reqwest;
use tower_ballast_core::{Retryable, Verdict};

use super::{error::chain, h2, hyper, status};

pub(super) fn known(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<Reqwest>().map(|error| error as _)
}

/// `single` says that the client follows no redirect. One that does may have been answered before
/// it failed to connect to where it was sent next.
pub(super) fn verdict(error: &(dyn Error + 'static), single: bool) -> Option<Verdict> {
    let reqwest = error.downcast_ref::<Reqwest>()?;
    if let Some(status) = reqwest.status() {
        return Some(status::meaning(status));
    }
    if reqwest.is_builder() || hyper::is_of_the_caller(error) {
        return Some(Verdict::ignore());
    }
    if reqwest.is_redirect() {
        return Some(Verdict::fault());
    }
    let verdict = if reqwest.is_timeout() { Verdict::timeout() } else { Verdict::transient() };
    if single && reqwest.is_connect() {
        return Some(verdict.retry(Retryable::Unsent));
    }
    let refused = || chain(error).find_map(|source| h2::verdict(source, true));
    Some(single.then(refused).flatten().unwrap_or(verdict))
}
