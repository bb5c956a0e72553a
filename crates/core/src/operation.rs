//! What a request asks for, as a name to count it under.

use std::borrow::Cow;

/// Names the operation that a request asks for, so that requests are counted by it.
///
/// A closure `Fn(&R) -> &str` is the common form. `()` names nothing, and all requests are
/// counted together. Names should come from a small set: a route and not a path, since each one
/// has figures of its own.
///
/// ```
/// use std::borrow::Cow;
/// use tower_ballast_core::Operation;
///
/// struct Query {
///     table: String,
///     writes: bool,
/// }
///
/// struct ByKind;
/// impl Operation<Query> for ByKind {
///     fn name<'a>(&self, query: &'a Query) -> Option<Cow<'a, str>> {
///         Some(if query.writes { "write" } else { "read" }.into())
///     }
/// }
///
/// /// What a layer does with it; a closure finds its type by such a bound.
/// fn count<R, F: Fn(&R) -> &str>(operation: F, request: &R) -> String {
///     operation.name(request).unwrap_or_default().into_owned()
/// }
///
/// let query = Query { table: "users".to_owned(), writes: false };
/// assert_eq!(count(|query: &Query| &query.table, &query), "users");
/// assert_eq!(ByKind.name(&query).as_deref(), Some("read"));
/// ```
pub trait Operation<R> {
    /// The name, if it has one. A name that is built costs its allocation on every request.
    fn name<'a>(&self, request: &'a R) -> Option<Cow<'a, str>>;
}

impl<R> Operation<R> for () {
    #[inline]
    fn name<'a>(&self, _: &'a R) -> Option<Cow<'a, str>> {
        None
    }
}

impl<F, R> Operation<R> for F
where
    F: Fn(&R) -> &str,
{
    #[inline]
    fn name<'a>(&self, request: &'a R) -> Option<Cow<'a, str>> {
        Some(Cow::Borrowed(self(request)))
    }
}
