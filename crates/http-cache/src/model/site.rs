//! What is kept for one target, beside its purges.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use loom::sync::Mutex;
use tower_ballast_cache::store::{Capacity, Store, Usage};
use tower_ballast_core::epochs::Epoch;

use crate::{
    engine::{Ask, Entry, Rules, Times, keep},
    identity::Identity,
    resource::{Stored, Variant},
    shared::{Shared, now},
};

const LANGUAGE: HeaderName = header::ACCEPT_LANGUAGE;

/// A cache that keeps what an origin has at one target.
pub struct Site {
    shared: Shared,
    uri: Uri,
    entry: Arc<Entry>,
    /// What the origin has.
    origin: Mutex<&'static str>,
}

impl Site {
    /// One at which the origin has `old`; a field of requests is part of the key, or only chooses the answer.
    ///
    /// # Panics
    ///
    /// Never: the answer is one that is kept.
    #[must_use]
    pub fn new(is_keyed: bool, old: &'static str) -> Self {
        let shared = Shared::new(Rules::shared());
        shared.set_store(Box::new(Entries(Mutex::new(Vec::new()))));
        if is_keyed {
            shared.settings.set_keyed([LANGUAGE]);
        }
        let (uri, mut fields) = (Uri::from_static("http://example.com/page"), HeaderMap::new());
        let ask = Ask { method: &Method::GET, uri: &uri, headers: &HeaderMap::new() };
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        fields.insert(header::VARY, HeaderValue::from(LANGUAGE));
        let times = Times { asked: now(), came: now() };
        let entry = keep(&Rules::shared(), ask, (StatusCode::OK, &fields), times);
        let entry = Arc::new(entry.expect("it may be kept"));
        Self { shared, uri, entry, origin: Mutex::new(old) }
    }

    /// Fetches what the origin has and keeps it.
    pub fn fill(&self) {
        let (identity, request) = self.identity();
        self.keep(&identity, &request, self.shared.mark(&identity));
    }

    /// The answer to a request that makes void what is there, which is kept unless there was another purge.
    pub fn replace(&self) {
        let (identity, request) = self.identity();
        let epoch = self.shared.mark(&identity);
        if let Some(epoch) = self.shared.replace(identity.target(), epoch) {
            self.keep(&identity, &request, epoch);
        }
    }

    /// The origin has something new, and what was kept is purged.
    ///
    /// # Panics
    ///
    /// Never: nobody panics with it.
    pub fn change(&self, new: &'static str) {
        *self.origin.lock().expect("nobody panics with it") = new;
        self.shared.invalidate(self.identity().0.target());
    }

    /// The same, and the purge looks at everything.
    ///
    /// # Panics
    ///
    /// Never: nobody panics with it.
    pub fn change_all(&self, new: &'static str) {
        *self.origin.lock().expect("nobody panics with it") = new;
        self.shared.clear();
    }

    /// What is served.
    #[must_use]
    pub fn look(&self) -> Option<Bytes> {
        let (identity, request) = self.identity();
        let resource = self.shared.find(&identity);
        resource.variant_for(&request).map(|variant| variant.body.clone())
    }

    fn keep(&self, identity: &Identity, request: &HeaderMap, epoch: Epoch) {
        let body =
            Bytes::from_static(self.origin.lock().expect("nobody panics with it").as_bytes());
        let variant = Variant { entry: Arc::clone(&self.entry), body, tags: Arc::default() };
        self.shared.keep((identity, epoch), request, variant, None);
    }

    fn identity(&self) -> (Identity, HeaderMap) {
        let request = HeaderMap::new();
        let identity = self.shared.identity(&self.uri, &request);
        (identity.expect("its target is clear"), request)
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// A store whose lock the model checker sees.
struct Entries(Mutex<Vec<(Identity, Stored)>>);

impl Entries {
    fn with<T>(&self, with: impl FnOnce(&mut Vec<(Identity, Stored)>) -> T) -> T {
        with(&mut self.0.lock().expect("nobody panics with it"))
    }
}

impl Store<Identity, Stored> for Entries {
    fn get(&self, key: &Identity) -> Option<Stored> {
        let of = |(known, stored): &(Identity, Stored)| (known == key).then(|| stored.clone());
        self.with(|entries| entries.iter().find_map(of))
    }

    fn put(&self, key: Identity, value: Stored, _: usize) -> bool {
        self.with(|entries| {
            entries.retain(|(known, _)| *known != key);
            entries.push((key, value));
        });
        true
    }

    fn remove(&self, key: &Identity) -> Option<Stored> {
        self.with(|entries| {
            let at = entries.iter().position(|(known, _)| known == key)?;
            Some(entries.swap_remove(at).1)
        })
    }

    fn retain(&self, keep: &dyn Fn(&Identity, &Stored) -> bool) {
        self.with(|entries| entries.retain(|(key, stored)| keep(key, stored)));
    }

    fn clear(&self) {
        self.with(Vec::clear);
    }

    fn resize(&self, _: Capacity) {}

    fn usage(&self) -> Usage {
        Usage::default()
    }
}
