//! What all services of one layer share.

use std::{
    fmt,
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tower_ballast_core::{
    BoxError, Oneshot,
    clock::Span,
    flights::{Boarding, Failure, Flights, Seat, Wait},
};
use tower_service::Service;

use crate::handle::Statistics;

const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What the others get, and what the one gets whose request was sent.
type Shares<V> = Result<V, Failure>;
type Own<V> = Result<V, BoxError>;

/// A place in a call, or the call itself.
pub(crate) type Waiting<K, V> = Wait<K, Shares<V>, Own<V>>;

pub(crate) struct Shared<K, V> {
    flights: Flights<K, Shares<V>, Own<V>>,
    pub(crate) longest_wait: Span,
    led: AtomicU64,
    joined: AtomicU64,
    alone: AtomicU64,
    failed: AtomicU64,
}

/// A request, and an instance of the service for it.
pub(crate) struct Spare<S, R> {
    pub(crate) service: S,
    pub(crate) request: R,
}

impl<K, V> Shared<K, V> {
    pub(crate) fn new() -> Self {
        let count = AtomicU64::default;
        Self {
            flights: Flights::new(),
            longest_wait: Span::new(LONGEST_WAIT),
            led: count(),
            joined: count(),
            alone: count(),
            failed: count(),
        }
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new();
        separate.longest_wait.set(self.longest_wait.get());
        separate
    }

    pub(crate) fn goes_alone(&self) {
        self.alone.fetch_add(1, Relaxed);
    }

    pub(crate) fn has_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let read = |count: &AtomicU64| count.load(Relaxed);
        Statistics {
            led: read(&self.led),
            joined: read(&self.joined),
            alone: read(&self.alone),
            failed: read(&self.failed),
            in_flight: u32::try_from(self.flights.len()).unwrap_or(u32::MAX),
        }
    }
}

impl<K, V> Shared<K, V>
where
    K: Clone + Eq + Hash,
    V: Clone + Send + 'static,
{
    /// Joins the call for `key` and gives the request back, or begins the call with it.
    pub(crate) fn board<S, R>(
        &self,
        key: K,
        spare: Spare<S, R>,
        limit: Duration,
    ) -> (Waiting<K, V>, Option<Spare<S, R>>)
    where
        S: Service<R, Response = V> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: Send + 'static,
    {
        self.seated(self.flights.board(key), spare, limit)
    }

    /// Joins the call that all who have waited in vain for that of `seat` make again, or begins it.
    pub(crate) fn board_again<S, R>(
        &self,
        seat: &Seat<K, Shares<V>, Own<V>>,
        spare: Spare<S, R>,
    ) -> Waiting<K, V>
    where
        S: Service<R, Response = V> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: Send + 'static,
    {
        self.seated(self.flights.board_again(seat), spare, Duration::MAX).0
    }

    fn seated<S, R>(
        &self,
        boarding: Boarding<K, Shares<V>, Own<V>>,
        spare: Spare<S, R>,
        limit: Duration,
    ) -> (Waiting<K, V>, Option<Spare<S, R>>)
    where
        S: Service<R, Response = V> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: Send + 'static,
    {
        match boarding {
            Boarding::First(start) => {
                self.led.fetch_add(1, Relaxed);
                let call = Oneshot::new(spare.service, spare.request);
                let call = async { call.await.map_err(Into::into) };
                (Wait::new(start.with(call, share), limit), None)
            }
            Boarding::Joined(seat) => {
                self.joined.fetch_add(1, Relaxed);
                (Wait::new(seat, limit), Some(spare))
            }
        }
    }
}

/// What the others get of it.
fn share<V: Clone>(own: &Own<V>) -> Shares<V> {
    match own {
        Ok(response) => Ok(response.clone()),
        Err(error) => Err(Failure::of(&**error)),
    }
}

impl<K, V> fmt::Debug for Shared<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statistics().fmt(f)
    }
}
