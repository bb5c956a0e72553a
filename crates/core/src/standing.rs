//! What is left of a limit.

use std::time::Duration;

use crate::Key;

/// What is left of one limit for one client.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::Standing;
///
/// let standing = Standing::new("burst", 100, Duration::from_secs(60))
///     .remaining(40)
///     .reset(Duration::from_millis(1500));
/// assert_eq!(standing.policy, "burst");
/// assert_eq!(standing.remaining, 40);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing<'a> {
    /// What the limit is called.
    pub policy: &'a str,
    /// How much may be taken in one window.
    pub quota: u64,
    /// How long a window is; zero for a limit that has none.
    pub window: Duration,
    /// How much may still be taken now. A debt is nothing left.
    pub remaining: u64,
    /// How long until there is more, or zero when all is there.
    pub reset: Duration,
}

impl<'a> Standing<'a> {
    /// A limit of which nothing has been taken yet.
    #[must_use]
    pub const fn new(policy: &'a str, quota: u64, window: Duration) -> Self {
        Self { policy, quota, window, remaining: quota, reset: Duration::ZERO }
    }

    /// Says how much may still be taken.
    #[must_use]
    pub const fn remaining(mut self, remaining: u64) -> Self {
        self.remaining = remaining;
        self
    }

    /// Says how long until there is more.
    #[must_use]
    pub const fn reset(mut self, reset: Duration) -> Self {
        self.reset = reset;
        self
    }
}

/// Someone who knows what is left of limits: the handle of a limiter, or a pair of such.
///
/// Closures `Fn(Option<Key>, &mut dyn FnMut(&Standing))` know it too. Asking takes nothing and
/// must be quick, for it is done on the request's own path.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Key, Standing, Standings};
///
/// struct OnePerSecond;
/// impl Standings for OnePerSecond {
///     fn each(&self, _: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)) {
///         tell(&Standing::new("second", 1, Duration::from_secs(1)));
///     }
/// }
///
/// let limits = (OnePerSecond, OnePerSecond);
/// let mut told = 0;
/// limits.each(None, &mut |standing| told += standing.quota);
/// assert_eq!(told, 2);
/// ```
pub trait Standings {
    /// Tells `tell` about each limit that holds for `key`; without a key, about those that hold
    /// for everybody.
    fn each(&self, key: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>));
}

impl<F> Standings for F
where
    F: Fn(Option<Key>, &mut dyn FnMut(&Standing<'_>)),
{
    fn each(&self, key: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)) {
        self(key, tell);
    }
}

/// The limits of both, in their order.
impl<A: Standings, B: Standings> Standings for (A, B) {
    fn each(&self, key: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)) {
        self.0.each(key, tell);
        self.1.each(key, tell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closure_is_told_the_key_and_tells_through_a_trait_object() {
        let limit = |key: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)| {
            let remaining = if key == Some(Key::of("a")) { 3 } else { 9 };
            tell(&Standing::new("each", 9, Duration::ZERO).remaining(remaining));
        };
        let limits: Box<dyn Standings + Send + Sync> = Box::new(limit);
        let mut told = Vec::new();
        limits.each(Some(Key::of("a")), &mut |standing| told.push(standing.remaining));
        limits.each(None, &mut |standing| told.push(standing.remaining));
        assert_eq!(told, [3, 9]);
    }
}
