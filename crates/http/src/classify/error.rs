//! The meaning of errors of any type.

use std::{any::Any, error::Error, io, iter};

use tower_ballast_core::{BoxError, Retryable, Verdict};

use super::{HttpClassify, h2, hyper_util, reqwest};

/// The verdict on an error of which no more is known than that it holds no borrow.
pub(super) fn verdict<E: 'static>(classify: HttpClassify, error: &E) -> Verdict {
    let any = error as &dyn Any;
    let known = match any.downcast_ref::<BoxError>() {
        Some(boxed) => Some(&**boxed as &(dyn Error + 'static)),
        None => hyper_util::known(any)
            .or_else(|| reqwest::known(any))
            .or_else(|| h2::known(any))
            .or_else(|| any.downcast_ref::<io::Error>().map(|error| error as _)),
    };
    known.map_or(Verdict::transient(), |error| verdict_on(classify, error))
}

pub(super) fn verdict_on(classify: HttpClassify, error: &(dyn Error + 'static)) -> Verdict {
    let single = classify.single_hop;
    let verdict = hyper_util::verdict(error, single)
        .or_else(|| reqwest::verdict(error, single))
        .or_else(|| h2::verdict(error, single))
        .unwrap_or_else(|| unknown(error));
    if (classify.unsent)(error) { verdict.retry(Retryable::Unsent) } else { verdict }
}

fn unknown(error: &(dyn Error + 'static)) -> Verdict {
    if timed_out(error) { Verdict::timeout() } else { Verdict::transient() }
}

/// Whether a timeout of the operating system or of tokio is among the sources.
pub(super) fn timed_out(error: &(dyn Error + 'static)) -> bool {
    let io = |error: &(dyn Error + 'static)| error.downcast_ref().map(io::Error::kind);
    chain(error).any(|error| io(error) == Some(io::ErrorKind::TimedOut))
}

/// An error, its source, the source's source, and so on.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}
