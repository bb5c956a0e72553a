//! Which HTTP requests may be sent twice.

use std::num::NonZeroU32;

use http::{HeaderName, Method};
use tower_ballast_core::{Attempt, Deadline, Facts, Key, Mark, Priority};

use crate::{HttpFacts, HttpRequest};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Knows by method and `Idempotency-Key` which requests may be sent twice.
///
/// Repeatable are GET, HEAD, OPTIONS and TRACE, which are safe, PUT and DELETE, which are
/// idempotent ([RFC 9110, section 9.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2)), and
/// any request with an `Idempotency-Key` field that is not empty. A POST or PATCH without a key
/// is sent once; so is every gRPC call, for gRPC has only POST: where all methods of a service may
/// be repeated, say so with [`idempotent()`](tower_ballast_core::idempotent), or give such calls a
/// key.
///
/// All else is known, and marked, as by [`HttpFacts`].
///
/// ```
/// use http::Request;
/// use tower_ballast_core::Facts;
/// use tower_ballast_http::Idempotent;
///
/// let known = Idempotent::new();
/// assert!(known.is_repeatable(&Request::put("/cart/7").body(()).unwrap()));
/// assert!(!known.is_repeatable(&Request::post("/orders").body(()).unwrap()));
///
/// let keyed = Request::post("/orders").header("idempotency-key", "\"8e03978e\"").body(()).unwrap();
/// assert!(known.is_repeatable(&keyed));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Idempotent {
    facts: HttpFacts,
}

impl Idempotent {
    /// Goes by method and key, and knows all else as [`HttpFacts::new`] does.
    #[must_use]
    pub const fn new() -> Self {
        Self { facts: HttpFacts::new() }
    }

    /// What else is known. Default: [`HttpFacts::new`].
    ///
    /// ```
    /// use tower_ballast_http::{HttpFacts, Idempotent};
    ///
    /// let known = Idempotent::new().facts(HttpFacts::new().trusted_sender());
    /// # let _ = known;
    /// ```
    #[must_use]
    pub fn facts(mut self, facts: HttpFacts) -> Self {
        self.facts = facts;
        self
    }
}

impl<R: HttpRequest> Facts<R> for Idempotent {
    fn is_repeatable(&self, request: &R) -> bool {
        let method = request.method();
        method.is_safe() || *method == Method::PUT || *method == Method::DELETE || has_key(request)
    }

    fn deadline(&self, request: &R) -> Option<Deadline> {
        self.facts.deadline(request)
    }

    fn priority(&self, request: &R) -> Option<Priority> {
        self.facts.priority(request)
    }

    fn key(&self, request: &R) -> Option<Key> {
        self.facts.key(request)
    }

    fn cost(&self, request: &R) -> NonZeroU32 {
        self.facts.cost(request)
    }

    fn attempt(&self, request: &R) -> Option<Attempt> {
        self.facts.attempt(request)
    }

    fn mark(&self, request: &mut R, mark: Mark) {
        self.facts.mark(request, mark);
    }
}

/// A key is a string in quotes; one that is empty inside them is none.
fn has_key(request: &impl HttpRequest) -> bool {
    request
        .headers()
        .get_all(IDEMPOTENCY_KEY)
        .iter()
        .any(|key| key.as_bytes().iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'"')))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn repeatable(method: &str, key: Option<&str>) -> bool {
        let request = Request::builder().method(method).uri("/");
        let request = match key {
            Some(key) => request.header(IDEMPOTENCY_KEY, key),
            None => request,
        };
        Idempotent::new().is_repeatable(&request.body(()).unwrap())
    }

    #[test]
    fn safe_and_idempotent_methods_may_be_repeated() {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            assert!(repeatable(method, None), "{method}");
        }
        for method in ["POST", "PATCH", "CONNECT", "PROPPATCH", "get"] {
            assert!(!repeatable(method, None), "{method}");
        }
    }

    #[test]
    fn a_key_makes_any_request_repeatable_and_an_empty_one_does_not() {
        assert!(repeatable("POST", Some("\"k\"")));
        assert!(repeatable("PATCH", Some("k")));
        for empty in ["", "  ", "\"\"", "\" \""] {
            assert!(!repeatable("POST", Some(empty)), "{empty:?}");
        }
    }
}
