use std::{marker::PhantomData, sync::Arc};

use tower_ballast_core::{
    ByResult, Classify, Ratio, Verdict,
    clock::{self, Nanos},
    judge,
};

use crate::shared::Shared;

/// Whether a layer measures what its service answers: `()` does not, [`Measured`] does.
pub trait Measure<Req, Res, E> {
    #[doc(hidden)]
    type Gauge: Gauge<Res, E>;

    #[doc(hidden)]
    fn come_by(&self, shared: &Shared, now: Nanos);

    #[doc(hidden)]
    fn begin(
        &self,
        shared: &Arc<Shared>,
        request: &Req,
        since: impl FnOnce() -> Nanos,
    ) -> Self::Gauge;
}

/// Looks at how a call ends. By default it does not.
pub trait Gauge<Res, E>: Default {
    #[doc(hidden)]
    fn end(&mut self, outcome: Result<&Res, &E>);
}

/// A load that is asked for once in each period: a closure `Fn() -> f64`, or `()` for none.
pub trait Load {
    #[doc(hidden)]
    fn load(&self) -> Ratio;
}

/// What the service answers is measured, failures by a classifier. Made by
/// [`PriorityRateLimitLayer::adjust`](crate::PriorityRateLimitLayer::adjust).
#[derive(Clone, Copy, Default)]
pub struct Measured<K = ByResult, D = ()> {
    pub(crate) classify: K,
    pub(crate) load: D,
}

/// A call that is being measured.
pub struct Running<K, D, T, Req> {
    shared: Arc<Shared>,
    measured: Measured<K, D>,
    kept: T,
    since: Nanos,
    request: PhantomData<fn(Req)>,
}

impl<Req, Res, E> Measure<Req, Res, E> for () {
    type Gauge = ();

    #[inline]
    fn come_by(&self, _: &Shared, _: Nanos) {}

    #[inline]
    fn begin(&self, _: &Arc<Shared>, _: &Req, _: impl FnOnce() -> Nanos) {}
}

impl<Res, E> Gauge<Res, E> for () {
    #[inline]
    fn end(&mut self, _: Result<&Res, &E>) {}
}

impl<Req, Res, E, K, D> Measure<Req, Res, E> for Measured<K, D>
where
    E: 'static,
    K: Classify<Req, Res, E> + Clone,
    D: Load + Clone,
{
    type Gauge = Option<Running<K, D, K::Kept, Req>>;

    #[inline]
    fn come_by(&self, shared: &Shared, now: Nanos) {
        shared.end_period(now, &self.load);
    }

    #[inline]
    fn begin(
        &self,
        shared: &Arc<Shared>,
        request: &Req,
        since: impl FnOnce() -> Nanos,
    ) -> Self::Gauge {
        let (kept, measured) = (self.classify.keep(request), self.clone());
        let shared = Arc::clone(shared);
        Some(Running { shared, measured, kept, since: since(), request: PhantomData })
    }
}

impl<Req, Res, E, K, D> Gauge<Res, E> for Option<Running<K, D, K::Kept, Req>>
where
    E: 'static,
    K: Classify<Req, Res, E>,
    D: Load,
{
    #[inline]
    fn end(&mut self, outcome: Result<&Res, &E>) {
        let Some(Running { shared, measured, kept, since, .. }) = self.take() else { return };
        let is_failure = match judge(&measured.classify, &kept, outcome) {
            Verdict::Success => false,
            Verdict::Failure { .. } => true,
            Verdict::Ignore { .. } => return,
        };
        let now = clock::now();
        shared.count(is_failure, now.since(since));
        shared.end_period(now, &measured.load);
    }
}

impl Load for () {
    fn load(&self) -> Ratio {
        Ratio::ZERO
    }
}

impl<D: Fn() -> f64> Load for D {
    /// What is no number says nothing.
    fn load(&self) -> Ratio {
        Ratio::try_new("load", self().clamp(0.0, 1.0)).unwrap_or(Ratio::ZERO)
    }
}

impl<K: std::fmt::Debug, D> std::fmt::Debug for Measured<K, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Measured").field("classify", &self.classify).finish_non_exhaustive()
    }
}

impl<K, D, T, Req> std::fmt::Debug for Running<K, D, T, Req> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("since", &self.since).finish_non_exhaustive()
    }
}
