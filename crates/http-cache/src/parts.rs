//! What is asked for where only the beginning of an answer is there.

/// How a cache goes on from a part of an answer: [`WholeOnly`] or [`CompleteParts`].
pub trait Parts<B>: Clone + sealed::Sealed {
    /// The body of a second request like one that is about to be sent, if there can be one. Neither has any bytes.
    #[doc(hidden)]
    fn second(first: &B) -> Option<B>;
}

/// Asks for the whole, whatever part of it is there. For requests with bodies of any type.
#[derive(Debug, Clone, Copy)]
pub struct WholeOnly;

/// Asks for the rest of what is there, and where that turns out to be of another answer, a second time for the whole. Made by
/// [`HttpCacheLayer::complete_parts`](crate::HttpCacheLayer::complete_parts), for requests whose empty body is their `Default`.
#[derive(Debug, Clone, Copy)]
pub struct CompleteParts;

impl<B> Parts<B> for WholeOnly {
    fn second(_: &B) -> Option<B> {
        None
    }
}

impl<B: Default> Parts<B> for CompleteParts {
    fn second(_: &B) -> Option<B> {
        Some(B::default())
    }
}

pub(crate) mod sealed {
    pub trait Sealed {}

    impl Sealed for super::WholeOnly {}

    impl Sealed for super::CompleteParts {}
}
