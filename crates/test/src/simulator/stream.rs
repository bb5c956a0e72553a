use std::time::Duration;

use tower_ballast_core::{Priority, Random};

use super::{
    service_time::exponential,
    time::{Tick, seconds_of, tick_of, tick_of_seconds},
};

/// Calls that come at a rate of their own, whether or not earlier ones were answered.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::Priority;
/// use tower_ballast_test::simulator::Stream;
///
/// // Twenty clients with 35 calls a second each, five times as many for ten seconds.
/// let usual = Stream::per_second(35.0)
///     .clients(0..20)
///     .factor(Duration::from_secs(30), 5.0)
///     .factor(Duration::from_secs(40), 1.0);
///
/// // And one that counts on each minute of its batch.
/// let batch = Stream::per_second(2.0).clients(20..21).evenly().priority(Priority::Batch);
/// # let _ = (usual, batch);
/// ```
#[derive(Debug, Clone)]
pub struct Stream {
    pub(super) clients: std::ops::Range<u32>,
    pub(super) priority: Priority,
    pub(super) deadline: Option<Duration>,
    rate: f64,
    evenly: bool,
    /// By what the rate is multiplied from which moment on, in order.
    factors: Vec<(Tick, f64)>,
}

impl Stream {
    /// So many calls a second of client 0, at random moments (a Poisson process). What is not a
    /// positive number is none.
    #[must_use]
    pub const fn per_second(rate: f64) -> Self {
        Self {
            clients: 0..1,
            priority: Priority::Medium,
            deadline: None,
            rate,
            evenly: false,
            factors: Vec::new(),
        }
    }

    /// The clients that make them, each at the whole rate and independently of the others.
    #[must_use]
    pub const fn clients(mut self, clients: std::ops::Range<u32>) -> Self {
        self.clients = clients;
        self
    }

    /// Evenly spaced calls, each client beginning at a moment of its own.
    #[must_use]
    pub const fn evenly(mut self) -> Self {
        self.evenly = true;
        self
    }

    /// How much the calls matter. Default: [`Priority::Medium`].
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// How long the client waits for an answer. A later one is no success. Default: for ever.
    #[must_use]
    pub const fn deadline(mut self, within: Duration) -> Self {
        self.deadline = Some(within);
        self
    }

    /// Multiplies the first rate by this from a moment on, until the next such moment.
    #[must_use]
    pub fn factor(mut self, from: Duration, factor: f64) -> Self {
        let from = tick_of(from);
        let place = self.factors.partition_point(|(earlier, _)| *earlier <= from);
        self.factors.insert(place, (from, factor));
        self
    }

    /// The moment of a client's first call.
    pub(super) fn first(&self, random: &Random) -> Option<Tick> {
        self.after(0, if self.evenly { random.unit() } else { exponential(random) })
    }

    /// The moment of the call after one at `now`.
    pub(super) fn next(&self, now: Tick, random: &Random) -> Option<Tick> {
        self.after(now, if self.evenly { 1.0 } else { exponential(random) })
    }

    /// When so many calls, a fraction, have become due since `now`.
    fn after(&self, now: Tick, mut due: f64) -> Option<Tick> {
        let mut from = now;
        loop {
            let coming = self.factors.partition_point(|(start, _)| *start <= from);
            let factor = coming.checked_sub(1).map_or(1.0, |present| self.factors[present].1);
            let rate = (self.rate * factor).max(0.0);
            let end = self.factors.get(coming).map(|(end, _)| *end);
            let within = end.map_or(f64::INFINITY, |end| rate * seconds_of(end - from));
            if due <= within && rate > 0.0 {
                return from.checked_add(tick_of_seconds(due / rate));
            }
            due -= within;
            from = end?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(stream: &Stream, until: Duration) -> Vec<Tick> {
        let random = Random::seeded(5);
        let mut moments = Vec::new();
        let mut next = stream.first(&random);
        while let Some(moment) = next.filter(|moment| *moment < tick_of(until)) {
            moments.push(moment);
            next = stream.next(moment, &random);
        }
        moments
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_stream_keeps_its_rate_in_every_phase() {
        let stream = Stream::per_second(1_000.0)
            .factor(20 * SECOND, 0.0)
            .factor(10 * SECOND, 3.0)
            .factor(30 * SECOND, 0.5);
        let moments = moments(&stream, 40 * SECOND);
        let phases = [(0, 10_000.0), (10, 30_000.0), (20, 0.0), (30, 5_000.0)];
        for (start, expected) in phases {
            let phase = tick_of(start * SECOND)..tick_of((start + 10) * SECOND);
            let found = moments.iter().filter(|moment| phase.contains(*moment)).count();
            #[allow(clippy::cast_precision_loss)]
            let off = (found as f64 - expected).abs();
            // Four deviations of a Poisson count.
            assert!(off <= 4.0 * f64::sqrt(expected), "{found} from {start} s on");
        }
    }

    #[test]
    fn even_calls_are_evenly_spaced_across_a_change_of_the_rate() {
        let stream = Stream::per_second(10.0).evenly().factor(SECOND, 2.0);
        let moments = moments(&stream, 2 * SECOND);
        let gaps: Vec<Tick> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(moments.len(), 30);
        assert!(gaps[..9].iter().all(|gap| *gap == 100_000), "{gaps:?}");
        assert!(gaps[10..].iter().all(|gap| *gap == 50_000), "{gaps:?}");
    }

    #[test]
    fn a_rate_that_is_no_number_is_none() {
        for rate in [0.0, -1.0, f64::NAN] {
            assert_eq!(Stream::per_second(rate).first(&Random::seeded(1)), None);
        }
    }
}
