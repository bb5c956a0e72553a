//! The limiter of a server, for each bulkhead that it is to find the limit of.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tower_ballast_bulkhead::adaptive::{AdaptiveLayer, Change, Limiter, Sample};
use tower_ballast_http::{HttpClassify, HttpFacts};

use super::{Finding, Shedding};

/// Has a bulkhead's limit found by a copy of the limiter that was given.
#[derive(Clone)]
pub(super) struct Model(Arc<dyn Fn(&Shedding) -> AdaptiveLayer + Send + Sync>);

/// A limit that somebody has said.
#[derive(Debug, Clone)]
pub(super) struct Fixed(pub(super) u32);

impl Model {
    pub(super) fn new(limiter: impl Limiter + Clone + 'static) -> Self {
        let limiter = Mutex::new(limiter);
        Self(Arc::new(move |bulkhead| {
            let limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner).clone();
            AdaptiveLayer::new(bulkhead, limiter)
        }))
    }

    pub(super) fn of(&self, bulkhead: &Shedding, facts: &HttpFacts) -> Finding {
        (self.0)(bulkhead).classify_with(HttpClassify::new()).facts(facts.clone())
    }
}

impl Limiter for Fixed {
    fn initial(&self) -> u32 {
        self.0
    }

    fn sample(&mut self, _: Sample) -> Option<Change> {
        None
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").finish_non_exhaustive()
    }
}
