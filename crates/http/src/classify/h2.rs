//! What the errors of HTTP/2 prove.

use std::{any::Any, error::Error};

use ::h2::{Error as H2, Reason};
use tower_ballast_core::{Retryable, Verdict};

pub(super) fn known(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<H2>().map(|error| error as _)
}

/// RFC 9113, section 8.7: a refused stream was not looked at, nor was one above the last that a
/// GOAWAY frame names, and only to those does the library give an error from such a frame.
pub(super) fn verdict(error: &(dyn Error + 'static), _: bool) -> Option<Verdict> {
    let error = error.downcast_ref::<H2>()?;
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    let left_out = error.is_go_away() && error.is_remote();
    (refused || left_out).then(|| Verdict::transient().retry(Retryable::Unsent))
}
