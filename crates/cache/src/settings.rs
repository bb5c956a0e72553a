//! What can be set while requests run.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{Key, Ratio, clock::Span};

use crate::entry::{Content, Entry, Kept, Leniency};

type LifetimeOf<K, V> = dyn Fn(&K, &V) -> Option<Duration> + Send + Sync;
type SizeOf<K, V> = dyn Fn(&K, &V) -> usize + Send + Sync;
type TagsOf<K, V> = dyn Fn(&K, &V, &mut Vec<Key>) + Send + Sync;

pub(crate) struct Settings<K, V> {
    pub(crate) lifetime: Span,
    pub(crate) leniency: Leniency,
    pub(crate) negative: Span,
    pub(crate) longest_wait: Span,
    /// How long the second tier may take.
    pub(crate) tier_limit: Span,
    spread: AtomicU64,
    pub(crate) lifetime_of: OnceLock<Box<LifetimeOf<K, V>>>,
    pub(crate) size_of: OnceLock<Box<SizeOf<K, V>>>,
    pub(crate) tags_of: OnceLock<Box<TagsOf<K, V>>>,
}

const TIER_LIMIT: Duration = Duration::from_millis(100);
const SPREAD: f64 = 0.1;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl<K, V> Settings<K, V> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime: Span::new(lifetime),
            leniency: Leniency::default(),
            negative: Span::default(),
            longest_wait: Span::new(LONGEST_WAIT),
            tier_limit: Span::new(TIER_LIMIT),
            spread: AtomicU64::new(SPREAD.to_bits()),
            lifetime_of: OnceLock::new(),
            size_of: OnceLock::new(),
            tags_of: OnceLock::new(),
        }
    }

    pub(crate) fn set_spread(&self, spread: Ratio) {
        self.spread.store(spread.get().to_bits(), Relaxed);
    }

    /// A lifetime shortened by up to the spread.
    pub(crate) fn shortened(&self, lifetime: Duration, draw: f64) -> Duration {
        let spread = f64::from_bits(self.spread.load(Relaxed));
        let longest = Duration::from_nanos(u64::MAX);
        if lifetime > longest { lifetime } else { lifetime.mul_f64(1.0 - spread * draw) }
    }

    /// An answer with its size and its tags.
    pub(crate) fn measured(&self, key: &K, value: V, lifetime: Duration) -> Kept<V> {
        let size = match self.size_of.get() {
            Some(size_of) => size_of(key, &value),
            None => size_of::<K>() + size_of::<V>(),
        };
        let mut tags = Vec::new();
        if let Some(tags_of) = self.tags_of.get() {
            tags_of(key, &value, &mut tags);
        }
        let besides = size_of::<Entry<V>>() - size_of::<V>() + size_of_val(&*tags);
        let size = size.saturating_add(besides);
        Kept { content: Content::Value(value), lifetime, size, tags: tags.into() }
    }
}
