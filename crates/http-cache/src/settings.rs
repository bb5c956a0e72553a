//! What can be set.

use std::{
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderName};
use tower_ballast_core::{Key, clock::Span};

use crate::engine::Rules;

pub(crate) type TagsOf = dyn Fn(&HeaderMap, &mut Vec<Key>) + Send + Sync;

const LONGEST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_RENEWAL: Duration = Duration::from_secs(30);
const LARGEST: u64 = 8 * 1024 * 1024;

pub(crate) struct Settings {
    rules: RwLock<Arc<Rules>>,
    pub(crate) longest_wait: Span,
    pub(crate) longest_renewal: Span,
    largest: AtomicU64,
    keyed: OnceLock<Box<[HeaderName]>>,
    unkeyed: OnceLock<Box<[HeaderName]>>,
    pub(crate) tags_of: OnceLock<Box<TagsOf>>,
}

impl Settings {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules: RwLock::new(Arc::new(rules)),
            longest_wait: Span::new(LONGEST_WAIT),
            longest_renewal: Span::new(LONGEST_RENEWAL),
            largest: AtomicU64::new(LARGEST),
            keyed: OnceLock::new(),
            unkeyed: OnceLock::new(),
            tags_of: OnceLock::new(),
        }
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    pub(crate) fn largest(&self) -> u64 {
        self.largest.load(Relaxed)
    }

    pub(crate) fn set_largest(&self, bytes: u64) {
        self.largest.store(bytes, Relaxed);
    }

    /// The fields that are part of the key.
    pub(crate) fn keyed(&self) -> &[HeaderName] {
        self.keyed.get().map_or(&[], |fields| fields)
    }

    pub(crate) fn set_keyed(&self, fields: impl IntoIterator<Item = HeaderName>) {
        let _ = self.keyed.set(fields.into_iter().collect());
    }

    pub(crate) fn set_unkeyed(&self, fields: impl IntoIterator<Item = HeaderName>) {
        let _ = self.unkeyed.set(fields.into_iter().collect());
    }

    /// Takes out of a request what would change the answer and is no part of its key.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        if let Some(unkeyed) = self.unkeyed.get() {
            for name in unkeyed {
                self.strip_one(headers, name);
            }
            return;
        }
        for name in UNKEYED {
            self.strip_one(headers, &HeaderName::from_static(name));
        }
    }

    /// Whether a request has nothing that would be taken out.
    pub(crate) fn is_keyed(&self, headers: &HeaderMap) -> bool {
        let mut stripped = headers.clone();
        self.strip(&mut stripped);
        stripped.len() == headers.len()
    }

    fn strip_one(&self, headers: &mut HeaderMap, name: &HeaderName) {
        if !self.keyed().contains(name) {
            headers.remove(name);
        }
    }

    pub(crate) fn tags(&self, headers: &HeaderMap) -> Arc<[Key]> {
        let mut tags = Vec::new();
        if let Some(tags_of) = self.tags_of.get() {
            tags_of(headers, &mut tags);
        }
        tags.into()
    }
}

/// Fields by which servers are known to choose what they say.
const UNKEYED: [&str; 15] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-forwarded-scheme",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-host",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];
