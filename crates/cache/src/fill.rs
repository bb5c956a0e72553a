//! The call that fetches an answer, and what becomes of it.

use std::{hash::Hash, sync::Arc, time::Duration};

use tower_ballast_core::{
    BoxError, Classify, Oneshot,
    clock::{self, Nanos},
    flights::{Boarding, Wait},
    judge,
};
use tower_service::Service;

use crate::{
    entry::Stored,
    found::{Found, Own, Shares},
    shared::Shared,
};

/// A place in a call, or the call itself.
pub(crate) type Waiting<K, V> = Wait<K, Shares<V>, Own<V>>;

/// A request, and what is needed to send it.
pub(crate) struct Fill<S, R, C> {
    pub(crate) service: S,
    pub(crate) request: R,
    pub(crate) classify: C,
    /// When it came.
    pub(crate) came: Nanos,
}

impl<S, R, C> Fill<S, R, C> {
    /// The same after a wait in vain.
    pub(crate) fn anew(self) -> Self {
        Self { came: clock::now(), ..self }
    }
}

impl<S, R, C> Fill<S, R, C>
where
    S: Service<R> + Send + 'static,
    S::Response: Clone + Send + Sync + 'static,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
    C: Classify<R, S::Response, S::Error> + Send + Sync + 'static,
    C::Kept: Send,
    R: Send + 'static,
{
    /// Joins the call for `key` and gives the request back, or begins the call.
    pub(crate) fn board<K>(
        self,
        shared: &Arc<Shared<K, S::Response>>,
        key: K,
        spare: Option<Stored<S::Response>>,
        limit: Duration,
    ) -> (Waiting<K, S::Response>, Option<Self>)
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let boarding = shared.flights.board(key);
        self.seated(shared, boarding, spare, limit)
    }

    /// Waits for the call of others, or begins it.
    pub(crate) fn seated<K>(
        self,
        shared: &Arc<Shared<K, S::Response>>,
        boarding: Boarding<K, Shares<S::Response>, Own<S::Response>>,
        spare: Option<Stored<S::Response>>,
        limit: Duration,
    ) -> (Waiting<K, S::Response>, Option<Self>)
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        match boarding {
            Boarding::First(start) => {
                shared.counts.misses.add();
                let key = start.key().clone();
                let call = self.fetch_unless_there(Arc::clone(shared), key, spare);
                (Wait::new(start.with(call, Own::share), limit), None)
            }
            Boarding::Joined(seat) => (Wait::new(seat, limit), Some(self)),
        }
    }

    /// The call that renews what is there for `key`, unless one runs already.
    pub(crate) fn renew<K>(
        self,
        shared: &Arc<Shared<K, S::Response>>,
        key: K,
    ) -> Option<impl Future<Output = ()> + Send + 'static>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let Boarding::First(start) = shared.flights.board(key.clone()) else { return None };
        let seat = start.with(self.fetch(Arc::clone(shared), key, None), Own::share);
        Some(async { drop(seat.await) })
    }

    /// Another call may have ended after the caller looked and before it began this one.
    async fn fetch_unless_there<K>(
        self,
        shared: Arc<Shared<K, S::Response>>,
        key: K,
        spare: Option<Stored<S::Response>>,
    ) -> Own<S::Response>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let there = match shared.find(&key, self.came) {
            Found::Value(value) => Some(value),
            _ => shared.find_second(&key).await,
        };
        match there {
            Some(value) => Own { outcome: Ok(value), is_for_all: true },
            None => self.fetch(shared, key, spare).await,
        }
    }

    /// Calls the service, and keeps the answer if it may.
    pub(crate) async fn fetch<K>(
        self,
        shared: Arc<Shared<K, S::Response>>,
        key: K,
        spare: Option<Stored<S::Response>>,
    ) -> Own<S::Response>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let Self { service, request, classify, came } = self;
        let since = shared.since(&key, came);
        let kept = classify.keep(&request);
        let outcome = Oneshot::new(service, request).await;
        let is_good = judge(&classify, &kept, outcome.as_ref()).is_success();
        let spare = || {
            shared.spare(spare.as_ref()).map(|value| Own { outcome: Ok(value), is_for_all: true })
        };
        match outcome {
            Ok(value) if is_good => {
                let is_for_all = shared.keep(&key, &value, &since);
                Own { outcome: Ok(value), is_for_all }
            }
            // Asking once more for each of the others would not make it better.
            Ok(value) => spare().unwrap_or(Own { outcome: Ok(value), is_for_all: true }),
            Err(error) => {
                let error = error.into();
                spare().unwrap_or_else(|| {
                    shared.keep_failure(&key, &error, &since);
                    Own { outcome: Err(error), is_for_all: true }
                })
            }
        }
    }
}
