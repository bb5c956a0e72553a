//! A breaker and a limiter that obey the test.
//!
//! Code that calls through a circuit breaker or a rate limiter has something to do when it is
//! refused: wait, answer otherwise, give up. To test it one wants the refusal at a certain moment, not
//! to drive a real breaker there. These refuse with real [`Rejected`]s, so whatever
//! understands those, such as a retry or a fallback, is tested as well.
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_core::{Reason, Rejected};
//! use tower_ballast_test::{Scripted, mock::{MockBreakerLayer, MockLimiterLayer}, time};
//!
//! let (breaker, limiter) = (MockBreakerLayer::new(), MockLimiterLayer::new());
//! let (circuit, limit) = (breaker.handle(), limiter.handle());
//! let mut service =
//!     ServiceBuilder::new().layer(breaker).layer(limiter).service(Scripted::echo());
//!
//! time::drive(async {
//!     assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 1);
//!
//!     circuit.open(Duration::from_secs(3));
//!     let refused = service.ready().await.unwrap().call(2).await.unwrap_err();
//!     assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::CircuitOpen);
//!
//!     circuit.close();
//!     limit.permit(1);
//!     assert!(service.ready().await.unwrap().call(3).await.is_ok());
//!     let refused = service.ready().await.unwrap().call(4).await.unwrap_err();
//!     assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::RateLimited);
//! });
//! assert_eq!((circuit.admitted(), circuit.refused()), (3, 1));
//! ```

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tower_ballast_core::{Name, Reason, Rejected, RetryAfter};

mod service;

pub use self::service::{Mocked, MockedFuture};

/// A circuit breaker that is open when the test says so. Closed at first.
#[derive(Debug, Clone)]
pub struct MockBreakerLayer(Arc<Doorkeeper>);

/// Opens and closes a [`MockBreakerLayer`].
#[derive(Debug, Clone)]
pub struct MockBreaker(Arc<Doorkeeper>);

/// A rate limiter that has permits when the test says so. It has any number at first.
#[derive(Debug, Clone)]
pub struct MockLimiterLayer(Arc<Doorkeeper>);

/// Gives permits to a [`MockLimiterLayer`].
#[derive(Debug, Clone)]
pub struct MockLimiter(Arc<Doorkeeper>);

/// Lets calls in as it was told.
#[derive(Debug)]
struct Doorkeeper {
    name: Name,
    orders: Mutex<Orders>,
}

#[derive(Debug)]
struct Orders {
    /// How many more may go before calls are refused.
    permits: Option<u64>,
    /// How many are refused before the rest of the orders counts.
    refusals: u64,
    reason: Reason,
    after: Option<RetryAfter>,
    admitted: u64,
    refused: u64,
}

impl Doorkeeper {
    fn new(name: &'static str, reason: Reason) -> Arc<Self> {
        let orders =
            Orders { permits: None, refusals: 0, reason, after: None, admitted: 0, refused: 0 };
        Arc::new(Self { name: Name::literal(name), orders: Mutex::new(orders) })
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self) -> Option<Rejected> {
        let mut orders = self.orders();
        let refused = orders.refusals > 0 || orders.permits == Some(0);
        if !refused {
            orders.permits = orders.permits.map(|permits| permits - 1);
            orders.admitted += 1;
            return None;
        }
        orders.refusals = orders.refusals.saturating_sub(1);
        orders.refused += 1;
        let rejected = Rejected::new(orders.reason).layer(self.name.clone());
        Some(match orders.after {
            Some(after) => rejected.retry_after(after),
            None => rejected,
        })
    }
}

impl MockBreakerLayer {
    /// A closed circuit.
    #[must_use]
    pub fn new() -> Self {
        Self(Doorkeeper::new("mock_breaker", Reason::CircuitOpen))
    }

    /// What opens and closes it.
    #[must_use]
    pub fn handle(&self) -> MockBreaker {
        MockBreaker(Arc::clone(&self.0))
    }
}

impl Default for MockBreakerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl MockBreaker {
    /// Refuses all calls, and tells that the rest is so long. The mock does not end it by itself.
    pub fn open(&self, rest: Duration) {
        let mut orders = self.0.orders();
        orders.permits = Some(0);
        orders.reason = Reason::CircuitOpen;
        orders.after = Some(RetryAfter::hint(rest));
    }

    /// Lets so many trial calls in and refuses others.
    pub fn half_open(&self, trials: u64) {
        let mut orders = self.0.orders();
        orders.permits = Some(trials);
        orders.reason = Reason::CircuitHalfOpen;
        orders.after = None;
    }

    /// Lets all calls in.
    pub fn close(&self) {
        let mut orders = self.0.orders();
        (orders.permits, orders.refusals) = (None, 0);
    }

    /// Refuses the next so many calls, and then goes on as before.
    pub fn refuse_next(&self, calls: u64) {
        self.0.orders().refusals = calls;
    }

    /// How many calls were let in.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.0.orders().admitted
    }

    /// How many calls were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.orders().refused
    }
}

impl MockLimiterLayer {
    /// A limiter with permits for all.
    #[must_use]
    pub fn new() -> Self {
        Self(Doorkeeper::new("mock_limiter", Reason::RateLimited))
    }

    /// What gives it permits.
    #[must_use]
    pub fn handle(&self) -> MockLimiter {
        MockLimiter(Arc::clone(&self.0))
    }
}

impl Default for MockLimiterLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl MockLimiter {
    /// Lets so many calls in and refuses others.
    pub fn permit(&self, calls: u64) {
        self.0.orders().permits = Some(calls);
    }

    /// Lets all calls in.
    pub fn permit_all(&self) {
        let mut orders = self.0.orders();
        (orders.permits, orders.refusals) = (None, 0);
    }

    /// Refuses the next so many calls, and then goes on as before.
    pub fn refuse_next(&self, calls: u64) {
        self.0.orders().refusals = calls;
    }

    /// What refusals say of the next permit; `reserved` for this caller alone, or a hint to all.
    /// At first they say nothing.
    pub fn retry_after(&self, after: Option<RetryAfter>) {
        self.0.orders().after = after;
    }

    /// How many calls were let in.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.0.orders().admitted
    }

    /// How many calls were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.orders().refused
    }
}
