//! The call that fetches an answer, and what becomes of it.

use std::{
    hash::Hash,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tower_ballast_core::{
    Classify, Oneshot,
    clock::{self, Nanos},
    flights::{Boarding, Callee, Calls, Carrier, Own, Role, Turn},
    judge,
};

use crate::{entry::Stored, found::Found, shared::Shared};

/// A request, and what is needed to send it.
pub(crate) struct Fill<S, R, C, V> {
    pub(crate) service: S,
    pub(crate) request: R,
    pub(crate) classify: C,
    /// When it came.
    pub(crate) came: Nanos,
    /// What serves if the call fails.
    pub(crate) spare: Option<Stored<V>>,
}

impl<S, R, C, V> Fill<S, R, C, V> {
    /// The same after a wait in vain; meanwhile there may have been a purge.
    fn anew(self) -> Self {
        Self { came: clock::now(), spare: None, ..self }
    }
}

impl<S, R, C, K> Carrier<Fill<S, R, C, S::Response>> for Shared<K, S::Response>
where
    S: Callee<R>,
    S::Error: 'static,
    C: Classify<R, S::Response, S::Error> + Send + Sync + 'static,
    C::Kept: Send,
    R: Send + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    type Key = K;
    type Value = S::Response;

    fn calls(&self) -> &Calls<K, S::Response> {
        &self.calls
    }

    fn longest_wait(&self) -> Duration {
        self.settings.longest_wait.get()
    }

    fn call(
        self: Arc<Self>,
        key: K,
        fill: Fill<S, R, C, S::Response>,
        turn: Turn,
    ) -> impl Future<Output = Own<S::Response>> + Send + 'static {
        let fill = if turn == Turn::First { fill } else { fill.anew() };
        async move {
            match turn {
                Turn::First | Turn::Again => fill.fetch_unless_there(self, key).await,
                Turn::Alone => fill.fetch(self, key).await,
            }
        }
    }

    fn count(&self, role: Role) {
        let counts = &self.counts;
        let count = match role {
            Role::Led => return counts.misses.add(),
            Role::Joined => &counts.joined,
            Role::Alone => &counts.passed,
            Role::Failed => &counts.failed,
        };
        count.fetch_add(1, Relaxed);
    }
}

impl<S, R, C, V> Fill<S, R, C, V>
where
    S: Callee<R, Response = V>,
    S::Error: 'static,
    V: Clone + Send + Sync + 'static,
    C: Classify<R, V, S::Error> + Send + Sync + 'static,
    C::Kept: Send,
    R: Send + 'static,
{
    /// The call that renews what is there for `key`, unless one runs already.
    pub(crate) fn renew<K>(
        self,
        shared: &Arc<Shared<K, V>>,
        key: K,
    ) -> Option<impl Future<Output = ()> + Send + 'static>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let Boarding::First(start) = shared.calls.board(key.clone()) else { return None };
        let seat = start.with(self.fetch(Arc::clone(shared), key), Own::share);
        Some(async { drop(seat.await) })
    }

    /// Another call may have ended after the caller looked and before it began this one.
    async fn fetch_unless_there<K>(self, shared: Arc<Shared<K, V>>, key: K) -> Own<V>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let there = match shared.find(&key, || clock::instant(self.came)) {
            Found::Value(value) => Some(value),
            _ => shared.find_second(&key).await,
        };
        match there {
            Some(value) => Own::for_all(Ok(value)),
            None => self.fetch(shared, key).await,
        }
    }

    /// Calls the service, and keeps the answer if it may.
    async fn fetch<K>(self, shared: Arc<Shared<K, V>>, key: K) -> Own<V>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let Self { service, request, classify, came, spare } = self;
        let since = shared.since(&key, came);
        let kept = classify.keep(&request);
        let outcome = Oneshot::new(service, request).await;
        let is_good = judge(&classify, &kept, outcome.as_ref()).is_success();
        let spare = || shared.spare(spare.as_ref()).map(|value| Own::for_all(Ok(value)));
        match outcome {
            Ok(value) if is_good => {
                let is_for_all = shared.keep(&key, &value, &since);
                Own { outcome: Ok(value), is_for_all }
            }
            // Asking once more for each of the others would not make it better.
            Ok(value) => spare().unwrap_or(Own::for_all(Ok(value))),
            Err(error) => {
                let error = error.into();
                spare().unwrap_or_else(|| {
                    shared.keep_failure(&key, &error, &since);
                    Own::for_all(Err(error))
                })
            }
        }
    }
}
