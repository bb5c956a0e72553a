use std::{
    any::Any,
    convert::Infallible,
    error::Error,
    fmt::{self, Debug},
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use tower_ballast_core::BoxError;

/// What a caller got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A response that carries this number.
    Answer(u32),
    /// The inner service's error, unchanged or as a source.
    Inner,
    /// An error of the layer's own.
    Refused(String),
    /// A panic that came through.
    Panicked(String),
}

impl Outcome {
    pub(super) fn of_error<E: Error + 'static, Outer: Debug + 'static>(error: &Outer) -> Self {
        if holds::<E>(error) { Self::Inner } else { Self::Refused(format!("{error:?}")) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(number) => write!(f, "the response to request {number}"),
            Self::Inner => f.write_str("the inner service's error"),
            Self::Refused(error) => write!(f, "an error of the layer's own: {error}"),
            Self::Panicked(message) => write!(f, "a panic: {message}"),
        }
    }
}

/// Whether errors of this type cannot exist.
pub(super) fn is_infallible<E: 'static>() -> bool {
    std::any::TypeId::of::<E>() == std::any::TypeId::of::<Infallible>()
}

/// Whether `error` is an `E`, or a boxed error that is one or has one among its sources.
fn holds<E: Error + 'static>(error: &dyn Any) -> bool {
    if error.is::<E>() {
        return true;
    }
    let Some(boxed) = error.downcast_ref::<BoxError>() else {
        return false;
    };
    let mut next: Option<&(dyn Error + 'static)> = Some(&**boxed);
    while let Some(error) = next {
        if error.is::<E>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// A future whose panic is an outcome.
pub(super) struct Caught<F>(pub(super) Pin<Box<F>>);

impl<F: Future<Output = Outcome>> Future for Caught<F> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        caught(|| self.0.as_mut().poll(cx)).unwrap_or_else(Poll::Ready)
    }
}

/// Runs `f`; a panic comes back as an outcome.
pub(super) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Outcome> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome::Panicked(message.unwrap_or_else(|| "without a message".to_owned()))
    })
}
