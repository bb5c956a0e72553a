//! What is left of a limit.

use std::{fmt, time::Duration};

use crate::{Facts, Key};

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

/// Someone who knows what is left of the limits that hold for a request.
///
/// They are told when its answer goes out, and whose they are is only known of the request: so what that takes is
/// kept of it before it is sent. Of two, give a pair. Asking takes nothing of a limit, and must be quick, for it is done
/// on the request's own path.
///
/// A closure `Fn(&mut dyn FnMut(&Standing))` knows limits that hold for everybody, and
/// [`StandingsByKey`] those of a client.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Standing, Standings};
///
/// /// So many letters an hour, whatever they say.
/// struct Letters;
/// impl Standings<String> for Letters {
///     type Kept = usize;
///
///     fn keep(&self, letter: &String) -> usize {
///         letter.len()
///     }
///
///     fn each(&self, length: &usize, tell: &mut dyn FnMut(&Standing<'_>)) {
///         let hour = Standing::new("letters", 1000, Duration::from_secs(3600));
///         tell(&hour.remaining(1000 - *length as u64));
///     }
/// }
///
/// let everybody = |tell: &mut dyn FnMut(&Standing<'_>)| {
///     tell(&Standing::new("second", 10, Duration::from_secs(1)));
/// };
/// let limits = (Letters, everybody);
/// let kept = limits.keep(&"Dear all".to_owned());
/// let mut left = Vec::new();
/// limits.each(&kept, &mut |standing| left.push(standing.remaining));
/// assert_eq!(left, [992, 10]);
/// ```
pub trait Standings<R> {
    /// What is kept of a request until its answer goes out.
    type Kept;

    /// Looks at the request before it is sent.
    fn keep(&self, request: &R) -> Self::Kept;

    /// Tells `tell` about each limit that holds for the request.
    fn each(&self, kept: &Self::Kept, tell: &mut dyn FnMut(&Standing<'_>));
}

/// Limits that hold for everybody.
impl<F, R> Standings<R> for F
where
    F: Fn(&mut dyn FnMut(&Standing<'_>)),
{
    type Kept = ();

    fn keep(&self, _: &R) {}

    fn each(&self, (): &(), tell: &mut dyn FnMut(&Standing<'_>)) {
        self(tell);
    }
}

/// The limits of both, in their order.
impl<A: Standings<R>, B: Standings<R>, R> Standings<R> for (A, B) {
    type Kept = (A::Kept, B::Kept);

    fn keep(&self, request: &R) -> Self::Kept {
        (self.0.keep(request), self.1.keep(request))
    }

    fn each(&self, kept: &Self::Kept, tell: &mut dyn FnMut(&Standing<'_>)) {
        self.0.each(&kept.0, tell);
        self.1.each(&kept.1, tell);
    }
}

/// Limits of your own that go by the [key](Facts::key) of a request.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Key, Standing, Standings, StandingsByKey, facts};
///
/// let limits = StandingsByKey::new(
///     facts().key_from(|tenant: &u32| Some(Key::of(tenant))),
///     |tenant: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)| {
///         let used = if tenant == Some(Key::of(&7_u32)) { 60 } else { 0 };
///         tell(&Standing::new("day", 100, Duration::from_secs(86_400)).remaining(100 - used));
///     },
/// );
/// let mut left = 0;
/// limits.each(&limits.keep(&7), &mut |standing| left = standing.remaining);
/// assert_eq!(left, 40);
/// ```
#[derive(Clone)]
pub struct StandingsByKey<F, T> {
    facts: F,
    each: T,
}

impl<F, T> StandingsByKey<F, T>
where
    T: Fn(Option<Key>, &mut dyn FnMut(&Standing<'_>)),
{
    /// `each` tells about the limits of the key that these facts know of a request; without a key, about those that
    /// hold for everybody.
    pub const fn new(facts: F, each: T) -> Self {
        Self { facts, each }
    }
}

impl<F, T, R> Standings<R> for StandingsByKey<F, T>
where
    F: Facts<R>,
    T: Fn(Option<Key>, &mut dyn FnMut(&Standing<'_>)),
{
    type Kept = Option<Key>;

    fn keep(&self, request: &R) -> Option<Key> {
        self.facts.key(request)
    }

    fn each(&self, key: &Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)) {
        (self.each)(*key, tell);
    }
}

impl<F: fmt::Debug, T> fmt::Debug for StandingsByKey<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandingsByKey").field("facts", &self.facts).finish_non_exhaustive()
    }
}
