//! Layers around plain code.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tower_ballast_circuit_breaker::CircuitBreakerLayer;
use tower_ballast_core::{BoxError, Name, Observer, Reporter};
use tower_ballast_timeout::TimeoutLayer;
use tower_layer::Layer;
use tower_service::Service;

use crate::plain::{self, Job, Run};

mod future;

pub use self::future::{RunFuture, RunOrFuture};

/// How long one piece of work may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Protects plain asynchronous code that is no `Service`: a query, a call of some SDK, a file.
///
/// ```
/// use tower_ballast::{BoxError, Guard};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let inventory = Guard::new("inventory");
///
/// let stock = inventory.run(|| async { Ok::<_, BoxError>(17) }).await;
/// assert_eq!(stock.unwrap(), 17);
///
/// // A lesser answer when there is no good one.
/// let stock = inventory.run_or(|| async { Err(BoxError::from("no stock today")) }, |_| Ok(0)).await;
/// assert_eq!(stock.unwrap(), 0);
/// # });
/// ```
///
/// [`Guard::new`] has a circuit breaker and a limit of 10 seconds. Any other stack goes by
/// [`Guard::with`]; the work is begun again when a layer asks for that, as retries do:
///
/// ```
/// use std::time::Duration;
/// use tower::ServiceBuilder;
/// use tower_ballast::{Guard, prelude::*};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let stack = ServiceBuilder::new()
///     .layer(TimeoutLayer::total(Duration::from_secs(5)))
///     .layer(RetryLayer::new(idempotent()))
///     .layer(BulkheadLayer::new(10))
///     .layer(CircuitBreakerLayer::new().name("inventory"));
/// let inventory = Guard::with("inventory", stack);
///
/// let answer = inventory.run(|| async { Ok::<_, BoxError>("in stock") }).await;
/// assert_eq!(answer.unwrap(), "in stock");
/// # });
/// ```
///
/// Clones share the state of the layers, and so do all pieces of work that one guard runs, whatever
/// their types. A run costs what its layers cost, and nothing is allocated for it.
#[derive(Clone)]
pub struct Guard<L = (CircuitBreakerLayer, TimeoutLayer)> {
    layers: L,
    reporter: Arc<Reporter>,
}

impl Guard {
    /// A circuit of this name, and 10 seconds for each piece of work.
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        let name = name.into();
        let layers = (
            CircuitBreakerLayer::new().name(name.clone()),
            TimeoutLayer::new(LIMIT).name(name.clone()),
        );
        Self::with(name, layers)
    }
}

impl<L> Guard<L> {
    /// Layers of your own. The name is for the events of [`run_or`](Self::run_or); layers have
    /// names of their own.
    #[must_use]
    pub fn with(name: impl Into<Name>, layers: L) -> Self {
        let reporter = Reporter::new("guard");
        reporter.rename(name);
        Self { layers, reporter: Arc::new(reporter) }
    }

    /// The layers, to get at their handles.
    ///
    /// ```
    /// use tower_ballast::Guard;
    ///
    /// let guard = Guard::new("inventory");
    /// let (circuit, _timeout) = guard.layers();
    /// circuit.handle().force_open();
    /// ```
    #[must_use]
    pub const fn layers(&self) -> &L {
        &self.layers
    }

    /// Tells an observer of each lesser answer that [`run_or`](Self::run_or) gives. The first
    /// observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.reporter.observe_with(observer);
        self
    }

    /// Runs `work` under the layers. Its future is made anew for each attempt.
    ///
    /// # Errors
    ///
    /// That of the work, or the [`Rejected`](crate::Rejected) of a layer.
    pub fn run<F, Fut, T, E>(
        &self,
        work: F,
    ) -> RunFuture<L::Service, F, <L::Service as Service<Job<F>>>::Future>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        L: Layer<Run>,
        L::Service: Service<Job<F>, Response = T>,
        <L::Service as Service<Job<F>>>::Error: Into<BoxError>,
    {
        RunFuture::new(plain::run(&self.layers, work))
    }

    /// Runs `work` under the layers, and makes a lesser answer of the error when it fails.
    ///
    /// # Errors
    ///
    /// That of `fallback`.
    #[allow(clippy::type_complexity, reason = "an alias would hide what the future is made of")]
    pub fn run_or<F, Fut, T, E, G>(
        &self,
        work: F,
        fallback: G,
    ) -> RunOrFuture<L::Service, F, <L::Service as Service<Job<F>>>::Future, G>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        G: FnOnce(BoxError) -> Result<T, BoxError>,
        L: Layer<Run>,
        L::Service: Service<Job<F>, Response = T>,
        <L::Service as Service<Job<F>>>::Error: Into<BoxError>,
    {
        RunOrFuture::new(self.run(work), fallback, Arc::clone(&self.reporter))
    }
}

impl<L> fmt::Debug for Guard<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.reporter.name())
    }
}

#[cfg(test)]
mod tests;
