//! What a client preset keeps for each authority.

use std::{
    hash::{Hash, Hasher},
    time::Duration,
};

use tower_ballast_bulkhead::{
    Bulkhead, BulkheadHandle, BulkheadLayer,
    adaptive::{Adaptive, AdaptiveLayer, ClientWindow},
};
use tower_ballast_circuit_breaker::{
    CircuitBreaker, CircuitBreakerHandle, CircuitBreakerLayer, Phase,
};
use tower_ballast_core::{Key, Observer, SharedObserver};
use tower_ballast_http::{ByAuthority, HttpClassify, HttpFacts, HttpRequest};
use tower_ballast_timeout::{Timeout, TimeoutHandle, TimeoutLayer};
use tower_layer::Layer;

use crate::{
    limits::{ATTEMPT, ATTEMPTS, FIRST_ATTEMPTS},
    per_key::{KeyOf, LayersFor},
};

pub(crate) type Circuit = CircuitBreakerLayer<HttpClassify, HttpFacts>;
pub(crate) type Attempt = TimeoutLayer<HttpFacts>;
pub(crate) type Window = AdaptiveLayer<HttpClassify>;

/// The bulkhead with its window, the circuit and the attempt timeout of one authority: host and port.
///
/// ```
/// let client = tower_ballast::http_client();
/// let endpoints = client.endpoints();
/// // Once requests have gone to it:
/// if let Some(payments) = endpoints.of(tower_ballast::Endpoint::key("payments.example:8080")) {
///     payments.circuit().force_open();
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(crate) bulkhead: BulkheadLayer,
    pub(crate) window: Window,
    /// The least that the window goes down to.
    pub(crate) least: u32,
    pub(crate) circuit: Circuit,
    pub(crate) attempt: Attempt,
}

impl Endpoint {
    pub(crate) fn new(facts: &HttpFacts) -> Self {
        // The limit of the model is the most that the window of any may reach, so it has none of its
        // own.
        let nobody = BulkheadLayer::new(0);
        Self {
            bulkhead: BulkheadLayer::new(ATTEMPTS),
            window: window(&nobody, 1, ATTEMPT),
            least: 1,
            circuit: CircuitBreakerLayer::new()
                .classify_with(HttpClassify::new())
                .facts(facts.clone()),
            attempt: TimeoutLayer::new(ATTEMPT).name("attempt_timeout").facts(facts.clone()),
        }
    }

    /// The key of an authority, as it stands in the URL; upper and lower case are the same.
    #[must_use]
    pub fn key(authority: &str) -> Key {
        Key::of(&AnyCase(authority))
    }

    /// A handle to its bulkhead.
    #[must_use]
    pub fn bulkhead(&self) -> BulkheadHandle {
        self.bulkhead.handle()
    }

    /// A handle to its circuit.
    #[must_use]
    pub fn circuit(&self) -> CircuitBreakerHandle {
        self.circuit.handle()
    }

    /// A handle to the timeout of its attempts.
    #[must_use]
    pub fn attempt(&self) -> TimeoutHandle {
        self.attempt.handle()
    }

    /// Whether it knows something that should not be forgotten. A circuit whose rest is over is open
    /// until a call comes, which may be never.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        let circuit = self.circuit.handle().standing();
        matches!(circuit.phase, Phase::ForcedOpen | Phase::ForcedClosed) || !circuit.rest.is_zero()
    }

    pub(crate) fn observer(self, observer: &SharedObserver) -> Self
    where
        SharedObserver: Observer,
    {
        Self {
            bulkhead: self.bulkhead.observer(observer.clone()),
            window: self.window,
            least: self.least,
            circuit: self.circuit.observer(observer.clone()),
            attempt: self.attempt.observer(observer.clone()),
        }
    }
}

impl<S> Layer<S> for Endpoint {
    type Service = Bulkhead<
        Adaptive<CircuitBreaker<Timeout<S, HttpFacts>, HttpClassify, HttpFacts>, HttpClassify>,
    >;

    fn layer(&self, inner: S) -> Self::Service {
        let calls = self.circuit.layer(self.attempt.layer(inner));
        self.bulkhead.layer(self.window.layer(calls))
    }
}

/// The first endpoint of all is the model of the others.
impl<R> LayersFor<R> for Endpoint {
    type Layers = Self;

    fn layers(&self, _: &R) -> Self {
        let bulkhead = self.bulkhead.clone().fork();
        Self {
            window: window(&bulkhead, self.least, self.attempt.handle().limit()),
            least: self.least,
            bulkhead,
            circuit: self.circuit.clone().fork(),
            attempt: self.attempt.clone().fork(),
        }
    }
}

/// The window of a bulkhead, up to the limit that it has. A closed one stays closed.
fn window(bulkhead: &BulkheadLayer, least: u32, attempt: Duration) -> Window {
    let most = bulkhead.handle().limit();
    let bounds = least.min(most)..=most;
    let window = ClientWindow::new(attempt).initial(FIRST_ATTEMPTS).bounds(bounds);
    let window = AdaptiveLayer::new(bulkhead, window).classify_with(HttpClassify::new());
    if most == 0 {
        let _ = bulkhead.clone().limit(0);
    }
    window
}

impl<R: HttpRequest> KeyOf<R> for ByAuthority {
    fn key(&self, request: &R) -> Key {
        Endpoint::key(request.authority().unwrap_or_default())
    }
}

/// A name of which the case does not matter.
struct AnyCase<'a>(&'a str);

impl Hash for AnyCase<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};
    use tower_ballast_core::{BoxError, count};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_circuit_is_worth_keeping_until_its_rest_is_over() {
        let mut endpoint = Endpoint::new(&HttpFacts::new());
        endpoint.circuit = endpoint.circuit.consecutive_failures(count::<1>());
        assert!(!endpoint.is_worth_keeping());

        let down = service_fn(|_: http::Request<()>| async {
            Err::<http::Response<()>, _>(BoxError::from("down"))
        });
        assert!(endpoint.layer(down).oneshot(http::Request::new(())).await.is_err());
        assert!(endpoint.is_worth_keeping());

        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!(endpoint.circuit().phase(), Phase::Open);
        assert!(!endpoint.is_worth_keeping());

        endpoint.circuit().force_open();
        assert!(endpoint.is_worth_keeping());
    }
}
