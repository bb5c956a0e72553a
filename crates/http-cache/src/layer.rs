use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName};
use tower_ballast_cache::store::{Capacity, Store};
use tower_ballast_core::{Event, Invalid, Key, Name, Observer};
use tower_layer::Layer;

use crate::{
    engine::Rules,
    handle::HttpCacheHandle,
    identity::Identity,
    parts::{CompleteParts, WholeOnly},
    resource::Stored,
    service::HttpCache,
    shared::Shared,
};

/// Keeps the answers of a service by the rules of HTTP.
///
/// All services made by one layer, and by its clones, share what is kept.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_cache::store::Capacity;
/// use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};
///
/// let rules = Rules::shared().stale_if_error(Duration::from_secs(3600));
/// let layer = HttpCacheLayer::new(rules).capacity(Capacity::mebibytes(256));
/// # let _ = layer;
/// ```
#[derive(Debug, Clone)]
pub struct HttpCacheLayer<P = WholeOnly> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) parts: P,
}

impl HttpCacheLayer {
    /// Keeps and serves by these rules: [`Rules::shared`] for a proxy or a server's own cache, [`Rules::private`] for that of one
    /// user.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { shared: Arc::new(Shared::new(rules)), parts: WholeOnly }
    }
}

impl<P> HttpCacheLayer<P> {
    /// Where the beginning of an answer is kept and all of it is wanted, asks only for the rest
    /// ([RFC 9111, section 3.4](https://www.rfc-editor.org/rfc/rfc9111#section-3.4)). Default: asks for all of it.
    ///
    /// The two are put together only if both have the same strong validator. If they do not, the whole is asked for with a second
    /// request; its body is the `Default` of its type, as it is for those of axum, reqwest, tonic and `http-body-util`.
    ///
    /// ```
    /// use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};
    ///
    /// let layer = HttpCacheLayer::new(Rules::shared()).complete_parts();
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn complete_parts(self) -> HttpCacheLayer<CompleteParts> {
        HttpCacheLayer { shared: self.shared, parts: CompleteParts }
    }

    /// How much is kept, in a [store](Self::store) of one's own as well if it can change that. Default: 64 MiB.
    #[must_use]
    pub fn capacity(self, capacity: Capacity) -> Self {
        self.shared.set_capacity(capacity);
        self
    }

    /// Where answers are kept. The first store stays, also that of the default once it is used. Default:
    /// [`S3Fifo`](tower_ballast_cache::store::S3Fifo).
    #[must_use]
    pub fn store(self, store: impl Store<Identity, Stored> + 'static) -> Self {
        self.shared.set_store(Box::new(store));
        self
    }

    /// How many bytes a body may have to be kept, if the store could keep so much; one that has more goes through. Default: 8 MiB.
    #[must_use]
    pub fn largest(self, bytes: u64) -> Self {
        self.shared.set_largest(bytes);
        self
    }

    /// How many bytes all bodies may have that are on their way, beside what is kept; what finds no room goes through. However small
    /// the pieces are in which they come, they take little more memory than that; one that has ended is copied to be whole, one at a
    /// time by each thread. Default: 64 MiB.
    #[must_use]
    pub fn coming(self, bytes: u64) -> Self {
        self.shared.set_coming(bytes);
        self
    }

    /// How long one waits for the answer to another's request, or for the end of its body where its length is not known, before it
    /// asks for itself alone. Zero: nobody waits, and only bodies of known length that are on their way are read along.
    /// [`Duration::MAX`] is for ever. Default: 10 seconds.
    #[must_use]
    pub fn longest_wait(self, limit: Duration) -> Self {
        self.shared.settings.longest_wait.set(limit);
        self
    }

    /// How long a renewal beside a stale answer may take, until its body has ended, before it is given up; the next one who is
    /// served the stale answer begins another. Others who wait for it go on with it. Zero: none is begun, and what is stale is served
    /// for as long as it may be. Default: 30 seconds.
    #[must_use]
    pub fn longest_renewal(self, limit: Duration) -> Self {
        self.shared.settings.longest_renewal.set(limit);
        self
    }

    /// Which fields of a request are part of its key, beside its target: then answers are kept apart by them, for instance by
    /// `Authorization`. The first choice stays. Default: none.
    #[must_use]
    pub fn keyed(self, fields: impl IntoIterator<Item = HeaderName>) -> Self {
        self.shared.settings.set_keyed(fields);
        self
    }

    /// Which fields are taken out of a request before it is sent on, since services choose their answers by them and they are
    /// no part of the key; those that are [keyed](Self::keyed) stay. The first choice stays. Default: `Forwarded`, `X-Forwarded-Host` and `-Proto` and
    /// their kin, `X-HTTP-Method-Override` and its.
    #[must_use]
    pub fn unkeyed(self, fields: impl IntoIterator<Item = HeaderName>) -> Self {
        self.shared.settings.set_unkeyed(fields);
        self
    }

    /// By which tags an answer can be invalidated with others, from its fields. The first closure stays. Default: none.
    #[must_use]
    pub fn tags(self, tags: impl Fn(&HeaderMap, &mut Vec<Key>) + Send + Sync + 'static) -> Self {
        let _ = self.shared.settings.tags_of.set(Box::new(tags));
        self
    }

    /// What it is called in events and in `Cache-Status`. Default: `http-cache`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Tells a closure when a stale answer stands in for a failure, and of changed settings. The first observer stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer the same. The first observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }

    /// The same layer, if the sizes that were set make sense together: for those that come from a file or a person.
    ///
    /// ```
    /// use tower_ballast_cache::store::Capacity;
    /// use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};
    ///
    /// let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::mebibytes(1)).largest(2_000_000);
    /// assert_eq!(
    ///     layer.checked().unwrap_err().to_string(),
    ///     "largest is 2000000 where capacity is 1048576, must be at most the capacity"
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// A [capacity](Self::capacity) of fewer bytes than 65 536 that is not zero: next to nothing fits in. A [largest](Self::largest) body
    /// that is larger than the capacity or than all bodies on their way may be: none so large is ever kept. More bodies
    /// [on their way](Self::coming) than could be kept.
    pub fn checked(self) -> Result<Self, Invalid> {
        self.shared.check_sizes().map(|()| self)
    }

    /// A handle that reads what is kept, lets go of it, and changes settings while requests run.
    #[must_use]
    pub fn handle(&self) -> HttpCacheHandle {
        HttpCacheHandle::new(Arc::clone(&self.shared))
    }
}

impl<S, P: Clone> Layer<S> for HttpCacheLayer<P> {
    type Service = HttpCache<S, P>;

    fn layer(&self, inner: S) -> HttpCache<S, P> {
        HttpCache { inner, shared: Arc::clone(&self.shared), parts: self.parts.clone() }
    }
}
