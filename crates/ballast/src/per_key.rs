//! A stack of its own for each key.

use std::{fmt, sync::Arc};

use tower_ballast_core::Key;
use tower_layer::Layer;

mod future;
mod handle;
mod service;
mod table;

pub use self::{
    future::ResponseFuture,
    handle::{PerKeyHandle, Statistics},
    service::PerKey,
};

use self::table::Table;

/// Says whom or what a request belongs to. Closures `Fn(&R) -> Key` do.
pub trait KeyOf<R> {
    /// The key of the request.
    fn key(&self, request: &R) -> Key;
}

/// Makes the layers of a key that is new. Closures `Fn(&R) -> L` do.
pub trait LayersFor<R> {
    /// The layers, with a state of their own.
    type Layers;

    /// The layers for the key of this request, the first one of it.
    fn layers(&self, request: &R) -> Self::Layers;
}

impl<F: Fn(&R) -> Key, R> KeyOf<R> for F {
    fn key(&self, request: &R) -> Key {
        self(request)
    }
}

impl<F: Fn(&R) -> L, R, L> LayersFor<R> for F {
    type Layers = L;

    fn layers(&self, request: &R) -> L {
        self(request)
    }
}

/// Gives each key a stack of layers of its own: a circuit for every host, a bulkhead for every
/// tenant.
///
/// What is kept for a key are its *layers*, for they hold the state; the inner service is one, and
/// cloned for each request. It always says that it is ready, since the key is not known before the
/// request, and waits for its layers and the inner service in the response.
///
/// # The bound
///
/// At most so many keys are kept. When all places are taken, a newcomer gets that of a key which has
/// no request in flight, was not asked for lately, and is not worth
/// [keeping](PerKeyLayer::keep_if); if sixteen candidates are none of that, it shares one stack with
/// all others that find no room. So a flood of made-up keys takes no memory beyond the bound, and
/// cannot push out an open circuit.
///
/// # Cost
///
/// One short lock, a clone of the inner service and the building of its layers, which is a count
/// of owners for each: nothing is allocated for a key that is known. A key is a fingerprint; two
/// keys meet in one by a chance of 1 in 2^64.
///
/// ```
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_ballast::{PerKeyLayer, core::Key, prelude::*};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let per_host = PerKeyLayer::new(
///     100,
///     |(host, _path): &(&str, &str)| Key::of(*host),
///     |_: &(&str, &str)| CircuitBreakerLayer::new().name("hosts"),
/// );
/// let hosts = per_host.handle();
/// let mut client = ServiceBuilder::new()
///     .layer(per_host)
///     .service_fn(|(host, path)| async move { Ok::<_, BoxError>(format!("{host}{path}")) });
///
/// client.ready().await.unwrap().call(("a.example", "/")).await.unwrap();
/// client.ready().await.unwrap().call(("b.example", "/")).await.unwrap();
///
/// hosts.of(Key::of("a.example")).unwrap().handle().force_open();
/// assert!(client.ready().await.unwrap().call(("a.example", "/")).await.is_err());
/// assert!(client.ready().await.unwrap().call(("b.example", "/")).await.is_ok());
/// # });
/// ```
pub struct PerKeyLayer<K, M, L> {
    table: Arc<Table<L>>,
    key: K,
    make: M,
}

impl<K, M, L> PerKeyLayer<K, M, L> {
    /// Keeps the layers of at most `bound` keys: `key` says whose a request is, and `make` makes
    /// the layers of a key that is new. With a bound of 0 all share one stack.
    pub fn new<R>(bound: u32, key: K, make: M) -> Self
    where
        K: KeyOf<R>,
        M: LayersFor<R, Layers = L>,
    {
        Self::over(bound, key, make)
    }

    /// The same, for types that serve requests of several types.
    pub(crate) fn over(bound: u32, key: K, make: M) -> Self {
        Self { table: Arc::new(Table::new(bound)), key, make }
    }

    /// Which layers are worth keeping though nobody has asked for them lately. Default: none. The
    /// first closure stays.
    ///
    /// Circuits that rest, say: the flood below forgets idle hosts, and not the one that is known to
    /// be down. Do not go by the phase alone: an open circuit that nobody asks stays open for ever,
    /// and so would its key.
    ///
    /// ```
    /// use tower::{Service, ServiceBuilder, ServiceExt};
    /// use tower_ballast::{PerKeyLayer, circuit_breaker::Phase, core::Key, prelude::*};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let per_host = PerKeyLayer::new(
    ///     100,
    ///     |host: &u32| Key::of(host),
    ///     |_: &u32| CircuitBreakerLayer::new().consecutive_failures(count::<1>()),
    /// )
    /// .keep_if(|circuit| !circuit.handle().standing().rest.is_zero());
    /// let hosts = per_host.handle();
    /// let mut client = ServiceBuilder::new().layer(per_host).service_fn(|host: u32| async move {
    ///     if host == 7 { Err(BoxError::from("down")) } else { Ok(host) }
    /// });
    ///
    /// for host in 0..10_000 {
    ///     let _ = client.ready().await.unwrap().call(host).await;
    /// }
    /// assert_eq!(hosts.of(Key::of(&7_u32)).unwrap().handle().phase(), Phase::Open);
    /// assert!(hosts.of(Key::of(&8_u32)).is_none());
    /// assert_eq!(hosts.statistics().keys, 100);
    /// # });
    /// ```
    #[must_use]
    pub fn keep_if(self, worth: impl Fn(&L) -> bool + Send + Sync + 'static) -> Self {
        self.table.keep_if(worth);
        self
    }

    /// A handle that finds the layers of a key.
    #[must_use]
    pub fn handle(&self) -> PerKeyHandle<L> {
        PerKeyHandle::new(Arc::clone(&self.table))
    }

    /// Tunes what makes the layers, for keys that are new from then on.
    #[must_use]
    pub fn tune(mut self, tune: impl FnOnce(M) -> M) -> Self {
        self.make = tune(self.make);
        self
    }

    /// What makes the layers.
    #[must_use]
    pub const fn model(&self) -> &M {
        &self.make
    }
}

impl<K: Clone, M: Clone, L> Clone for PerKeyLayer<K, M, L> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table), key: self.key.clone(), make: self.make.clone() }
    }
}

impl<S, K: Clone, M: Clone, L> Layer<S> for PerKeyLayer<K, M, L> {
    type Service = PerKey<S, K, M, L>;

    fn layer(&self, inner: S) -> Self::Service {
        PerKey::new(inner, Arc::clone(&self.table), self.key.clone(), self.make.clone())
    }
}

impl<K, M, L> fmt::Debug for PerKeyLayer<K, M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerKeyLayer").field("keys", &self.table).finish_non_exhaustive()
    }
}
