use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tower_ballast_core::{
    Enforcement, Key, Priority, Reason, Rejected, RetryAfter, clock,
    ranks::{Floors, Ranks},
};

use crate::{
    Quota, Reservation, Tier,
    adjust::{Change, Limits, Schedule, Signals},
    gate::Standing,
    shared::Shared,
    statistics::Statistics,
};

/// Reads a limiter and changes it while requests run. Made by
/// [`PriorityRateLimitLayer::handle`](crate::PriorityRateLimitLayer::handle).
///
/// ```
/// use tower_ballast_core::{Priority, count};
/// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let handle = PriorityRateLimitLayer::new(Quota::per_second(count::<100>())).handle();
/// assert_eq!(handle.standing().remaining, 100);
///
/// handle.set_quota(Quota::per_second(count::<40>()));
/// assert_eq!(handle.standing().remaining, 40);
/// assert_eq!(handle.statistics().of(Priority::High).limited, 0);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct PriorityRateLimitHandle(Arc<Shared>);

impl PriorityRateLimitHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// How much may pass, as it was set.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.0.adjusting.quota()
    }

    /// How much may pass now, as signals and the time of day have adjusted it.
    #[must_use]
    pub fn present_quota(&self) -> Quota {
        self.0.follow_schedule(clock::now());
        self.0.door.gate.quota()
    }

    /// Tells what somebody else sees of the service, which lowers or raises the rate within its
    /// [limits](crate::PriorityRateLimitLayer::adjust); how many wait is added. `lag` is how long it takes until
    /// a changed rate shows in the signals: it is lowered at most once in that time. Returns a change, with its
    /// cause, which is told as an event too.
    ///
    /// What the layer measures goes on beside it: each may lower the rate, and while the other, in the last ten
    /// periods, saw a signal that is not well below its limit, the rate does not recover.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::{Ratio, count};
    /// use tower_ballast_rate_limit::{
    ///     PriorityRateLimitLayer, Quota,
    ///     adjust::{Cause, Limits, Signals},
    /// };
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<100>()))
    ///     .adjust(Limits::new().errors(Ratio::percent::<10>()));
    /// let handle = layer.handle();
    ///
    /// // Once a second, say, from what its clients report:
    /// let failing = Signals { errors: Ratio::percent::<30>(), ..Signals::default() };
    /// let change = handle.observe(failing, Duration::from_secs(1)).unwrap();
    /// assert_eq!((change.cause, handle.present_quota().count()), (Cause::Errors, 70));
    /// # });
    /// ```
    #[allow(clippy::must_use_candidate, reason = "it is told for its effect")]
    pub fn observe(&self, signals: Signals, lag: Duration) -> Option<Change> {
        self.0.observe(signals, lag)
    }

    /// Changes how much may pass. What is left stays left, as far as the new burst holds it, and
    /// who waits goes on waiting, by the new rate. A [closed](Quota::CLOSED) one admits nobody: newcomers are
    /// refused, and who waits does so until it is opened again or its wait ends.
    pub fn set_quota(&self, quota: Quota) {
        self.0.set_quota(quota);
        self.0.tell_settings("quota");
    }

    /// Changes from where on signals lower the rate, and how far. As far as it has been lowered it stays lowered,
    /// within the new limits, and recovers from there.
    ///
    /// A layer that was made without [`adjust`](crate::PriorityRateLimitLayer::adjust) measures nothing: its limits
    /// hold for what is [told](Self::observe) here.
    pub fn set_limits(&self, limits: Limits) {
        self.0.set_limits(limits);
        self.0.tell_settings("limits");
    }

    /// How long a [period](crate::PriorityRateLimitLayer::adjust_every) is, for a layer that measures.
    pub fn set_adjust_every(&self, period: Duration) {
        self.0.set_period(period);
        self.0.tell_settings("adjust_every");
    }

    /// Changes when in the day the rate is raised, or with `None` raises it no more. It holds at once; what is left
    /// stays left, and who waits goes on waiting.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::{Multiplier, count};
    /// use tower_ballast_rate_limit::{
    ///     PriorityRateLimitLayer, Quota,
    ///     adjust::{Schedule, Span},
    /// };
    ///
    /// let handle = PriorityRateLimitLayer::new(Quota::per_second(count::<100>())).handle();
    /// let whole_day = Span::new(Duration::ZERO, Duration::ZERO, Multiplier::TWO);
    /// handle.set_schedule(Some(Schedule::new([whole_day])));
    /// assert_eq!(handle.present_quota().count(), 200);
    /// handle.set_schedule(None);
    /// assert_eq!(handle.present_quota().count(), 100);
    /// ```
    pub fn set_schedule(&self, schedule: Option<Schedule>) {
        self.0.set_schedule(schedule);
        self.0.follow_schedule(clock::now());
        self.0.tell_settings("schedule");
    }

    /// What is left of the quota.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.door.gate.standing(clock::now())
    }

    /// Changes how much each key may have; the limits by key are counted from 0 in the order in which
    /// they were added. Nothing changes if there is no such limit.
    pub fn set_key_quota(&self, limit: usize, quota: Quota) {
        if let Some(limit) = self.0.levels.get(limit) {
            limit.set_quota(quota);
            self.0.tell_settings("key_quota");
        }
    }

    /// Gives the keys of a tier another quota, or with `None` the usual one. Nothing changes if there is no such
    /// limit.
    pub fn set_tier_quota(&self, limit: usize, tier: Tier, quota: Option<Quota>) {
        if let Some(limit) = self.0.levels.get(limit) {
            limit.set_tier(tier, quota);
            self.0.tell_settings("tier_quota");
        }
    }

    /// Gives one key another quota, or with `None` that of its tier or the usual one again. Nothing changes if
    /// there is no such limit.
    ///
    /// ```
    /// use tower_ballast_core::{Key, count};
    /// use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota};
    ///
    /// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>())).per_key(
    ///     KeyLimit::new(10_000, Quota::per_second(count::<10>())),
    ///     |tenant: &u32| Some(Key::of(tenant)),
    /// );
    /// layer.handle().set_exception(0, Key::of(&7_u32), Some(Quota::CLOSED)); // blocked
    /// ```
    pub fn set_exception(&self, limit: usize, key: Key, quota: Option<Quota>) {
        if let Some(limit) = self.0.levels.get(limit) {
            limit.set_exception(key, quota);
            self.0.tell_settings("exception");
        }
    }

    /// How many keys that had used their limit were forgotten early, for want of room. Should that
    /// grow, the capacities are too small or somebody invents keys.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.0.levels.iter().map(|limit| limit.table().evictions()).sum()
    }

    /// Takes so much of the limit in advance, for a moment at most `within` from now.
    ///
    /// It takes part in the limit and not in the queue: the moment is free of others, and may be
    /// earlier than the turns of those who wait.
    ///
    /// ```
    /// use std::{num::NonZeroU32, time::Duration};
    /// use tower_ballast_core::count;
    /// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(count::<1>()));
    /// let handle = layer.handle();
    /// handle.try_reserve(count::<1>(), Duration::ZERO).unwrap().spend();
    ///
    /// let next = handle.try_reserve(count::<1>(), Duration::from_secs(1)).unwrap();
    /// assert_eq!(next.remaining(), Duration::from_millis(100));
    /// next.ready().await;
    /// next.spend();
    ///
    /// let refused = handle.try_reserve(count::<1>(), Duration::from_millis(10)).unwrap_err();
    /// println!("{refused}");
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// [`Reason::RateLimited`], with the moment that would be free, when that is later or never.
    pub fn try_reserve(&self, cost: NonZeroU32, within: Duration) -> Result<Reservation, Rejected> {
        let (now, gate) = (clock::now(), &self.0.door.gate);
        if let Some(moment) = gate.reserve(now, cost.get(), within) {
            return Ok(Reservation::new(&self.0, moment, cost.get()));
        }
        let rejected = Rejected::new(Reason::RateLimited).layer(self.0.reporter.name());
        Err(match gate.when(now, cost.get()) {
            Some(moment) => rejected.retry_after(RetryAfter::hint(moment.since(now))),
            None => rejected,
        })
    }

    /// How many wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.0.door.with_ranks(Ranks::len)
    }

    /// How many of each class may wait. Changes nothing for a layer without a queue.
    pub fn set_queue(&self, most: u32) {
        self.0.set_most_waiting(most);
        self.0.tell_settings("queue");
    }

    /// How long those of a class that come from now on may wait.
    pub fn set_longest_wait(&self, class: Priority, longest: Duration) {
        self.0.set_longest_wait(class, longest);
        self.0.tell_settings("longest_wait");
    }

    /// How long a request needs once it has passed.
    pub fn set_needs(&self, needs: Duration) {
        self.0.set_needs(needs);
        self.0.tell_settings("needs");
    }

    /// What the lower classes get in any case.
    pub fn set_floors(&self, floors: Floors) {
        self.0.door.rank_by(|ranks| ranks.set_floors(floors));
        self.0.tell_settings("floors");
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement.get()
    }

    /// Changes whether refusals are carried out.
    pub fn set_enforcement(&self, enforcement: Enforcement) {
        self.0.enforcement.set(enforcement);
        self.0.tell_settings("enforcement");
    }

    /// What has waited and what was refused since the layer was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}
