use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use super::{Scaling, sampled::Sampled};

/// Reads a limit that finds itself, and changes its bounds while requests run. Made by
/// [`AdaptiveLayer::handle`](super::AdaptiveLayer::handle).
///
/// The limit itself is set by the [bulkhead's handle](crate::BulkheadHandle::set_limit): the limiter goes
/// on from there. A limit of 0 stays until another is set, so whoever closes a service that way keeps it
/// closed.
///
/// ```
/// use std::time::Duration;
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_ballast_bulkhead::{
///     BulkheadLayer,
///     adaptive::{AdaptiveLayer, BandwidthDelay},
/// };
/// use tower_ballast_core::{BoxError, Ratio};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let bulkhead = BulkheadLayer::new(0);
/// let adaptive = AdaptiveLayer::new(&bulkhead, BandwidthDelay::new().initial(4));
/// let handle = adaptive.handle();
/// let mut service = ServiceBuilder::new().layer(bulkhead).layer(adaptive).service_fn(|(): ()| async {
///     tokio::time::sleep(Duration::from_millis(100)).await;
///     Ok::<_, BoxError>(())
/// });
///
/// // Twelve seconds of one call after the other, where four may be in flight at once.
/// for _ in 0..120 {
///     service.ready().await.unwrap().call(()).await.unwrap();
/// }
/// assert_eq!((handle.limit(), handle.bounds()), (4, 1..=1000));
/// assert_eq!(handle.base_latency().unwrap().as_millis(), 100);
///
/// // A quarter is in use: of eight such instances, three would be enough at 80 %.
/// let scaling = handle.scaling().unwrap();
/// assert!((scaling.utilisation - 0.25).abs() < 0.01);
/// assert_eq!(scaling.desired(8, Ratio::percent::<80>()), 3);
///
/// handle.set_bounds(1..=3);
/// assert_eq!(handle.limit(), 3);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct AdaptiveHandle(Arc<Sampled>);

impl AdaptiveHandle {
    pub(super) const fn new(sampled: Arc<Sampled>) -> Self {
        Self(sampled)
    }

    /// How many may be in flight at present.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.bulkhead().limit()
    }

    /// Between which numbers the limit stays. From 0 for a limiter of one's own that has no bounds.
    #[must_use]
    pub fn bounds(&self) -> RangeInclusive<u32> {
        self.0.range()
    }

    /// Keeps the limit between these numbers from now on, given in either order; the same twice
    /// fixes it. Changes nothing for a limiter of one's own that has no bounds.
    pub fn set_bounds(&self, bounds: RangeInclusive<u32>) {
        self.0.set_range(bounds);
    }

    /// How many are in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.0.bulkhead().in_flight()
    }

    /// What a call takes without a queue, as far as the limiter knows.
    #[must_use]
    pub fn base_latency(&self) -> Option<Duration> {
        self.0.model().base_latency
    }

    /// How many calls the service ends in a second when the limit is in use, as far as the limiter
    /// knows. Before the limit was in use, it is what the service has ended.
    #[must_use]
    pub fn bandwidth(&self) -> Option<f64> {
        self.0.model().bandwidth
    }

    /// How much of the limit is in use, and was asked for, for an autoscaler. Nothing in the first ten
    /// seconds.
    #[must_use]
    pub fn scaling(&self) -> Option<Scaling> {
        self.0.scaling()
    }
}
