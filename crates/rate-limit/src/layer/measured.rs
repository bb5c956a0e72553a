//! What a layer can be told whose limit follows the load.

use std::time::Duration;

use tower_ballast_core::Verdict;

use super::PriorityRateLimitLayer;
use crate::adjust::{Limits, Measured};

impl<F, C, M, L> PriorityRateLimitLayer<F, C, M, L> {
    /// From where on the rate is lowered: by the share of failures, by how long answers take, by how many wait, or
    /// by a [load](PriorityRateLimitLayer::load). Default: the rate stays as it is.
    ///
    /// Failures and latency are measured on what the inner service answers, in
    /// [periods](PriorityRateLimitLayer::adjust_every) of a second; what others see of it, the
    /// [handle](crate::PriorityRateLimitHandle::observe) can be told besides. Each change is told as
    /// [`LimitChanged`](tower_ballast_core::EventKind::LimitChanged), with its cause.
    ///
    /// What our own layers refuse is no failure, and neither is a call that its caller drops. So put a timeout
    /// inside, where it turns a service that hangs into one that fails.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_ballast_core::{BoxError, Ratio, count};
    /// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota, adjust::Limits};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let limits = Limits::new()
    ///     .errors(Ratio::percent::<10>())
    ///     .latency(Duration::from_millis(200));
    /// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<100>())).adjust(limits);
    /// let handle = layer.handle();
    /// let service = ServiceBuilder::new().layer(layer).service(service_fn(|()| async {
    ///     tokio::time::sleep(Duration::from_millis(300)).await;
    ///     Ok::<_, BoxError>(())
    /// }));
    ///
    /// // A second of answers that take too long.
    /// let mut calls = tokio::task::JoinSet::new();
    /// for _ in 0..60 {
    ///     calls.spawn(service.clone().oneshot(()));
    ///     tokio::time::sleep(Duration::from_millis(20)).await;
    /// }
    /// calls.join_all().await;
    /// assert_eq!(handle.present_quota().count(), 70);
    /// # });
    /// ```
    #[must_use]
    pub fn adjust(self, limits: Limits) -> PriorityRateLimitLayer<F, C, M, L, Measured> {
        self.shared.set_limits(limits);
        self.shared.measure();
        self.measured(Measured::default())
    }
}

impl<F, C, M, L, K, D> PriorityRateLimitLayer<F, C, M, L, Measured<K, D>> {
    /// How long a period is: at its end whoever comes by, with a call or an answer, sees to it that the rate follows
    /// what was measured. Default: 1 second; never less than 10 ms.
    ///
    /// Fewer than 20 answers do not lower the rate. They are counted together with those of the next periods, for up to
    /// ten; while what they say is not well below the limits, the rate does not recover.
    #[must_use]
    pub fn adjust_every(self, period: Duration) -> Self {
        self.shared.set_period(period);
        self
    }

    /// What counts as a failure. Default: every `Err`. In HTTP, `HttpClassify` of `tower-ballast-http` goes by the
    /// status.
    ///
    /// ```
    /// use tower_ballast_core::{Ratio, Verdict, count};
    /// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota, adjust::Limits};
    ///
    /// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<100>()))
    ///     .adjust(Limits::new().errors(Ratio::percent::<10>()))
    ///     .classify(|outcome: Result<&u16, &std::io::Error>| match outcome {
    ///         Ok(status) if *status < 500 => Verdict::Success,
    ///         _ => Verdict::transient(),
    ///     });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn classify<Res, E, N>(
        self,
        classify: N,
    ) -> PriorityRateLimitLayer<F, C, M, L, Measured<N, D>>
    where
        N: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// What counts as a failure, by a type of its own.
    #[must_use]
    pub fn classify_with<N>(
        self,
        classify: N,
    ) -> PriorityRateLimitLayer<F, C, M, L, Measured<N, D>> {
        let (layer, Measured { load, .. }) = self.take_measured();
        layer.measured(Measured { classify, load })
    }

    /// A load that you measure, as a share of what is bearable: what is above 1 is 1. It is asked for once in each
    /// period, on the way of a request, and so must be quick. Default: none.
    ///
    /// ```
    /// use std::sync::{
    ///     Arc,
    ///     atomic::{AtomicU32, Ordering::Relaxed},
    /// };
    /// use tower_ballast_core::{Ratio, count};
    /// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota, adjust::Limits};
    ///
    /// let connections = Arc::new(AtomicU32::new(0));
    /// let used = Arc::clone(&connections);
    /// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<100>()))
    ///     .adjust(Limits::new().load(Ratio::percent::<80>()))
    ///     .load(move || f64::from(used.load(Relaxed)) / 50.0);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn load<N>(self, load: N) -> PriorityRateLimitLayer<F, C, M, L, Measured<K, N>>
    where
        N: Fn() -> f64,
    {
        let (layer, Measured { classify, .. }) = self.take_measured();
        layer.measured(Measured { classify, load })
    }
}

impl<F, C, M, L, A> PriorityRateLimitLayer<F, C, M, L, A> {
    fn measured<B>(self, measure: B) -> PriorityRateLimitLayer<F, C, M, L, B> {
        let Self { shared, facts, settle, keys, mode, .. } = self;
        PriorityRateLimitLayer { shared, facts, settle, keys, measure, mode }
    }

    fn take_measured(self) -> (PriorityRateLimitLayer<F, C, M, L>, A) {
        let Self { shared, facts, settle, keys, measure, mode } = self;
        (PriorityRateLimitLayer { shared, facts, settle, keys, measure: (), mode }, measure)
    }
}
