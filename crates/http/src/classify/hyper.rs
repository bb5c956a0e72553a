//! What hyper's own errors say, wherever they are among the sources.

use std::error::Error;

use super::error::chain;

/// Whether the request failed for what the caller gave to it: a body that broke off, above all.
pub(super) fn is_of_the_caller(error: &(dyn Error + 'static)) -> bool {
    let hyper = |error: &(dyn Error + 'static)| error.downcast_ref().map(::hyper::Error::is_user);
    chain(error).any(|error| hyper(error) == Some(true))
}
