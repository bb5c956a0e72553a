//! Looks into a stack that is built.
//!
//! Layers in the wrong order are a bug that no compiler finds: a retry inside the timeout of an attempt,
//! a bulkhead outside the retries. The type of a service says how it is built, foreign layers
//! included, and this reads it. The settings of a layer are read through its handle.

use std::any::type_name;

/// The names of the types that a service is made of, outermost first, without their paths; with
/// their parameters, in the order in which they are written.
///
/// ```
/// use tower::{ServiceBuilder, service_fn};
/// use tower_ballast_test::{mock::MockBreakerLayer, stack};
///
/// let service = ServiceBuilder::new()
///     .layer(MockBreakerLayer::new())
///     .concurrency_limit(3)
///     .service(service_fn(|n: u32| async move { Ok::<_, std::io::Error>(n) }));
///
/// assert_eq!(stack::types(&service)[..3], ["Mocked", "ConcurrencyLimit", "ServiceFn"]);
/// ```
#[must_use]
pub fn types<S: ?Sized>(_service: &S) -> Vec<&'static str> {
    let names = type_name::<S>().split(['<', '>', ',', ' ', '(', ')', '&', '[', ']', ';']);
    let last = |path: &'static str| path.rsplit("::").next();
    names.filter_map(last).filter(|name| name.starts_with(char::is_uppercase)).collect()
}

/// Checks that these types are in a service in this order, others between them or not.
///
/// ```
/// use tower::{ServiceBuilder, service_fn};
/// use tower_ballast_test::{mock::{MockBreakerLayer, MockLimiterLayer}, stack};
///
/// let service = ServiceBuilder::new()
///     .concurrency_limit(3)
///     .layer(MockLimiterLayer::new())
///     .service(service_fn(|n: u32| async move { Ok::<_, std::io::Error>(n) }));
/// stack::assert_order(&service, &["ConcurrencyLimit", "Mocked"]);
/// ```
///
/// # Panics
///
/// When one is missing or in another place; the message has the whole list.
#[track_caller]
pub fn assert_order<S: ?Sized>(service: &S, names: &[&str]) {
    let found = types(service);
    let mut rest = found.iter();
    for name in names {
        assert!(
            rest.any(|found| found == name),
            "`{name}` is not where it should be: wanted {names:?} in this order, found {found:?}"
        );
    }
}
