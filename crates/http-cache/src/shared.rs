//! What all services of one layer share.

use std::{
    cell::Cell,
    collections::HashSet,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use http::{HeaderMap, Uri};
use tower_ballast_cache::store::Store;
use tower_ballast_core::{
    Event, EventKind, Key, Reporter,
    clock::{self, Nanos},
    epochs::{Epoch, Epochs},
    flights::Flights,
};

use crate::{
    engine::{Entry, Rules, Wall},
    exchange::{Own, Shares},
    fill::Allowance,
    identity::Identity,
    progress::{Coming, Progress},
    resource::{Resource, Stored, Variant},
    settings::Settings,
    sizes::Sizes,
    statistics::{Counts, Statistics, count},
    targets::Targets,
};

const COMING: u64 = 64 * 1024 * 1024;
/// For how long it is remembered that answers for a target are for one alone.
const ALONE: Duration = Duration::from_secs(60);
const PARTS: usize = 64;

pub(crate) struct Shared {
    pub(crate) store: OnceLock<Box<dyn Store<Identity, Stored>>>,
    /// What was set, also for the store that will be there.
    pub(crate) sizes: Mutex<Sizes>,
    pub(crate) flights: Flights<Arc<str>, Shares, Own>,
    pub(crate) progress: Progress,
    renewing: Mutex<HashSet<Arc<str>>>,
    pub(crate) allowance: Allowance,
    epochs: Epochs,
    pub(crate) targets: Targets,
    /// Of those who change what is kept for a target one comes after the other.
    changing: [Mutex<()>; PARTS],
    hasher: RandomState,
    pub(crate) settings: Settings,
    pub(crate) counts: Counts,
    pub(crate) reporter: Reporter,
}

impl Shared {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            store: OnceLock::new(),
            sizes: Mutex::default(),
            flights: Flights::new(),
            progress: Progress::new(),
            renewing: Mutex::default(),
            allowance: Allowance::new(COMING),
            epochs: Epochs::new(),
            targets: Targets::new(),
            changing: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            settings: Settings::new(rules),
            counts: Counts::default(),
            reporter: Reporter::new("http-cache"),
        }
    }

    /// How many bytes the body of such an answer may have to be kept, if it may have any: what it would never find room for
    /// on its way is too large as well.
    pub(crate) fn largest(&self, identity: &Identity, entry: &Entry, tags: &[Key]) -> Option<u64> {
        let besides = Resource::size_without_body(identity, entry, tags);
        let left = self.store().largest().checked_sub(besides)?;
        let largest = self.settings.largest().min(self.allowance.limit());
        Some(largest.min(u64::try_from(left).unwrap_or(u64::MAX)))
    }

    /// What is made anew at present beside what is served stale, by the names of its calls.
    pub(crate) fn renewing(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn identity(&self, uri: &Uri, headers: &HeaderMap) -> Option<Identity> {
        Identity::of(uri, headers, self.settings.keyed())
    }

    pub(crate) fn find(&self, identity: &Identity) -> Arc<Resource> {
        let Some(Stored(resource)) = self.store().get(identity) else { return Arc::default() };
        let is_there = resource.settled.is_settled()
            && (!self.has_roots() || self.root(identity.target()) == Some(resource.of_root()));
        if is_there { resource } else { Arc::default() }
    }

    /// To be asked for before a request is sent whose answer may be kept.
    pub(crate) fn mark(&self, identity: &Identity) -> Epoch {
        self.epochs.mark(identity.target())
    }

    /// Keeps a variant, made of what is there, unless there was a purge since. It may be known whether it is for others as
    /// well.
    pub(crate) fn keep(
        &self,
        at: (&Identity, Epoch),
        request: &HeaderMap,
        variant: impl FnOnce(&Resource) -> Variant,
        is_for_all: Option<bool>,
    ) {
        let is_kept = self.change(at, |resource| {
            let variant = variant(resource);
            resource.add(request, variant);
            match is_for_all {
                Some(true) => resource.go_alone_until(Nanos::ZERO),
                Some(false) => resource.go_alone_until(clock::now() + ALONE),
                None => {}
            }
        });
        count(if is_kept { &self.counts.stored } else { &self.counts.dropped });
    }

    /// For a while nobody waits for the answer to another's request.
    pub(crate) fn go_alone(&self, at: (&Identity, Epoch)) {
        self.change(at, |resource| resource.go_alone_until(clock::now() + ALONE));
    }

    /// Changes what is kept for a target, unless there was a purge since or there is no room; tells whether it did.
    pub(crate) fn change(
        &self,
        (identity, epoch): (&Identity, Epoch),
        change: impl FnOnce(&mut Resource),
    ) -> bool {
        let part = self.hasher.hash_one(identity.target()) % PARTS as u64;
        let part = &self.changing[usize::try_from(part).unwrap_or(0)];
        let _alone = part.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.epochs.is_now(epoch) {
            return false;
        }
        let mut resource = Resource::clone(&self.find(identity));
        change(&mut resource);
        if resource.is_empty() && !resource.goes_alone(clock::now()) {
            self.store().remove(identity);
            return self.epochs.is_now(epoch);
        }
        if self.has_roots() {
            resource.belong_to(self.root_or_new(identity.target()));
        }
        resource.shrink(identity, self.store().largest());
        let (size, resource) = (resource.size(identity), Arc::new(resource));
        let put = || self.store().put(identity.clone(), Stored(Arc::clone(&resource)), size);
        let remove = || drop(self.store().remove(identity));
        self.epochs.keep(epoch, &resource.settled, put, remove)
    }

    /// Lets others read along, unless there was a purge since.
    pub(crate) fn announce(&self, (identity, epoch): (&Identity, Epoch), coming: Coming) {
        self.progress.add(identity.clone(), coming, || self.epochs.is_now(epoch));
    }

    /// Lets go of what there is for a target. Whether there was anything is known where it has no root.
    pub(crate) fn invalidate(&self, target: &str) -> bool {
        self.epochs.purge(target);
        self.let_go_of(target)
    }

    /// The same, and makes its memory free, where that is to look at all entries.
    pub(crate) fn wipe(&self, target: &str) -> bool {
        let root = self.root(target);
        let was_there = self.invalidate(target);
        if !self.has_roots() {
            return was_there;
        }
        let was_there = Cell::new(false);
        self.store().retain(&|identity, Stored(resource)| {
            let is_gone = identity.target() == target;
            if is_gone && Some(resource.of_root()) == root && !resource.is_empty() {
                was_there.set(true);
            }
            !is_gone
        });
        was_there.get()
    }

    /// The answer to a request that made what was there void may be kept, unless there was another purge since.
    pub(crate) fn replace(&self, target: &str, epoch: Epoch) -> Option<Epoch> {
        let epoch = self.epochs.purge_since(epoch);
        self.let_go_of(target);
        epoch
    }

    fn let_go_of(&self, target: &str) -> bool {
        let identity = if self.has_roots() {
            self.targets.purge(target);
            self.progress.forget_target(target);
            Identity::root(target)
        } else {
            let identity = Identity::of_target(target);
            self.flights.detach(identity.text());
            self.progress.forget(&identity);
            identity
        };
        self.store().remove(&identity).is_some_and(|stored| !stored.0.is_empty())
    }

    pub(crate) fn invalidate_if(&self, wanted: &dyn Fn(&Identity, &Resource) -> bool) {
        self.epochs.purge_all();
        self.flights.detach_all();
        self.progress.forget_all();
        self.store().retain(&|identity, stored| !wanted(identity, &stored.0));
    }

    pub(crate) fn clear(&self) {
        self.epochs.purge_all();
        self.flights.detach_all();
        self.progress.forget_all();
        self.store().clear();
    }

    pub(crate) fn tell_spared(&self) {
        count(&self.counts.spared);
        self.reporter.tell(|| Event::new(EventKind::FellBack).reason("stale"));
    }

    pub(crate) fn tell_settings(&self, what: &'static str) {
        self.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let (coming, in_flight) = (self.allowance.taken(), self.flights.len());
        self.counts.statistics(coming, in_flight, self.store().usage())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}

/// The present moment.
pub(crate) fn now() -> Wall {
    Wall::from(clock::wall()).steady(clock::now())
}
