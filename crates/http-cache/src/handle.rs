use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri};
use tower_ballast_cache::store::Capacity;
use tower_ballast_core::Key;

use crate::{
    engine::{self, Ask, Decision, Rules, decide},
    shared::{Shared, now},
    statistics::Statistics,
};

/// Reads what is kept, lets go of it, and changes settings while requests run. Made by
/// [`HttpCacheLayer::handle`](crate::HttpCacheLayer::handle).
///
/// ```
/// use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};
///
/// let handle = HttpCacheLayer::new(Rules::shared()).handle();
/// assert!(!handle.invalidate(&"http://example.com/cart".parse().unwrap()));
/// assert_eq!(handle.statistics().usage.entries, 0);
/// ```
#[derive(Debug, Clone)]
pub struct HttpCacheHandle(Arc<Shared>);

impl HttpCacheHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The fresh answer to a plain GET of an absolute URI, if there is one for a request without further fields.
    #[must_use]
    pub fn get(&self, uri: &Uri) -> Option<Response<Bytes>> {
        let headers = HeaderMap::new();
        let ask = Ask { method: &Method::GET, uri, headers: &headers };
        let resource = self.0.find(&self.0.identity(uri, &headers)?);
        let (rules, now) = (self.0.settings.rules(), now());
        let decision = decide(&rules, ask, resource.entries(), now);
        let Decision::Serve { entry, stale: None } = decision else { return None };
        let variant = resource.variant(entry)?;
        let answer = variant.entry.answer(ask, variant.body.len() as u64, now);
        let mut response = Response::new(variant.body.clone());
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        Some(response)
    }

    /// Lets go of all that is kept for an absolute URI, and tells whether there was anything. An answer that is on its way
    /// is given to those who wait for it, and not kept. Where fields are part of the [key](crate::HttpCacheLayer::keyed)
    /// it looks at each entry.
    pub fn invalidate(&self, uri: &Uri) -> bool {
        let key = engine::Key::of(uri, &HeaderMap::new());
        key.is_some_and(|key| self.0.wipe(key.as_str()))
    }

    /// Lets go of all whose URI begins like that: scheme and host in lower case, and no port that is the scheme's own. It looks at
    /// each entry.
    pub fn invalidate_prefix(&self, prefix: &str) {
        self.0.invalidate_if(&|identity, _| identity.target().starts_with(prefix));
    }

    /// Lets go of all that is kept for a URI of which an answer was given this tag. It looks at each entry.
    pub fn invalidate_tag(&self, tag: Key) {
        self.0.invalidate_if(&|_, resource| resource.has_tag(tag));
    }

    /// Lets go of everything.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Changes by which rules is kept and served from now on.
    pub fn set_rules(&self, rules: Rules) {
        self.0.settings.set_rules(rules);
        self.0.tell_settings("rules");
    }

    /// Changes how much is kept; what is too much goes at once. A store that cannot change it keeps what it keeps.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.0.set_capacity(capacity);
        self.0.tell_settings("capacity");
    }

    /// Changes how long one waits for the answer to another's request.
    pub fn set_longest_wait(&self, limit: Duration) {
        self.0.settings.longest_wait.set(limit);
        self.0.tell_settings("longest_wait");
    }

    /// Changes how long a renewal beside a stale answer may take that begins from now on.
    pub fn set_longest_renewal(&self, limit: Duration) {
        self.0.settings.longest_renewal.set(limit);
        self.0.tell_settings("longest_renewal");
    }

    /// What it has done since it was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}
