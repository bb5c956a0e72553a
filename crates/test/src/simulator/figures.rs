//! The figures of a recording.

use std::{fmt, ops::Range, time::Duration};

use tower_ballast_core::Priority;

use super::{
    arrivals::Arrivals,
    recording::{End, Recorded, Recording},
    time::{Tick, tick_of},
};

impl Recording {
    /// How many calls were made in a span.
    #[must_use]
    pub fn offered(&self, span: Range<Duration>) -> u64 {
        self.within(span).len() as u64
    }

    /// The share of the calls made in a span that were answered in time; 1 when there were none.
    #[must_use]
    pub fn success(&self, span: Range<Duration>) -> f64 {
        let calls = self.within(span);
        share(count(calls, End::Success), calls.len())
    }

    /// The share of the calls made in a span that ended in this way; 0 when there were none.
    #[must_use]
    pub fn share(&self, span: Range<Duration>, end: End) -> f64 {
        let calls = self.within(span);
        if calls.is_empty() { 0.0 } else { share(count(calls, end), calls.len()) }
    }

    /// Successes a second, by the moment of the answer.
    #[must_use]
    pub fn goodput(&self, span: Range<Duration>) -> f64 {
        let ticks = tick_of(span.start)..tick_of(span.end);
        let ended = |call: &&Recorded| call.is_success() && ticks.contains(&call.ended);
        float(self.calls.iter().filter(ended).count())
            / span.end.saturating_sub(span.start).as_secs_f64()
    }

    /// How many calls reached a place for each that was made, both in a span.
    #[must_use]
    pub fn amplification(&self, at: &Arrivals, span: Range<Duration>) -> f64 {
        share_of(at.count(span.clone()), self.offered(span))
    }

    /// How long the successes of a span took, the mean of all; zero when there were none.
    #[must_use]
    pub fn mean_latency(&self, span: Range<Duration>) -> Duration {
        let latencies = self.latencies(span);
        let sum: Tick = latencies.iter().sum();
        Duration::from_micros(sum.checked_div(latencies.len() as u64).unwrap_or(0))
    }

    /// How long this share of the successes of a span took at most; zero when there were none.
    #[must_use]
    pub fn percentile(&self, span: Range<Duration>, share: f64) -> Duration {
        let mut latencies = self.latencies(span);
        if latencies.is_empty() {
            return Duration::ZERO;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates"
        )]
        let rank = (float(latencies.len()) * share).ceil() as usize;
        let place = rank.clamp(1, latencies.len()) - 1;
        Duration::from_micros(*latencies.select_nth_unstable(place).1)
    }

    /// How long after `moment` the recovery took: from then on, in every second up to `end` at
    /// least `share` of the calls succeeded. `None` when even the last second fell short.
    #[must_use]
    pub fn recovery(&self, moment: Duration, end: Duration, share: f64) -> Option<Duration> {
        const SECOND: Duration = Duration::from_secs(1);
        let seconds = u32::try_from(end.saturating_sub(moment).as_secs()).unwrap_or(u32::MAX);
        let starts = (0..seconds).map(|passed| moment + passed * SECOND);
        let bad = |start: Duration| self.success(start..start + SECOND) < share;
        let good = starts.rev().take_while(|start| !bad(*start)).count();
        let good = u32::try_from(good).unwrap_or(seconds);
        (good > 0).then(|| (seconds - good) * SECOND)
    }

    /// The success in each step of a span, for drawing: the start of the step in seconds, and the
    /// share.
    #[must_use]
    pub fn curve(&self, span: Range<Duration>, step: Duration) -> Vec<(f64, f64)> {
        let mut curve = Vec::new();
        let mut start = span.start;
        while start < span.end && !step.is_zero() {
            curve.push((start.as_secs_f64(), self.success(start..start + step)));
            start += step;
        }
        curve
    }

    /// Jain's index of fairness over the successes of the clients that made calls in a span: 1
    /// when all had the same, 1/n when one of n had all.
    ///
    /// Jain, Chiu and Hawe, "A Quantitative Measure of Fairness", 1984.
    #[must_use]
    pub fn fairness(&self, span: Range<Duration>) -> f64 {
        let clients = self.clients(span);
        let sum: f64 = clients.iter().map(|client| float(client.successes)).sum();
        let squares: f64 = clients.iter().map(|client| float(client.successes).powi(2)).sum();
        if squares > 0.0 { sum * sum / (float(clients.len()) * squares) } else { 1.0 }
    }

    /// The lowest success that one of the clients had in a span; 1 when there were none.
    #[must_use]
    pub fn worst_client(&self, span: Range<Duration>) -> f64 {
        let shares =
            self.clients(span).into_iter().map(|client| share(client.successes, client.calls));
        shares.fold(1.0, f64::min)
    }

    fn latencies(&self, span: Range<Duration>) -> Vec<Tick> {
        let successes = self.within(span).iter().filter(|call| call.is_success());
        successes.map(|call| call.ended - call.made).collect()
    }

    /// What each client that made calls in a span got.
    fn clients(&self, span: Range<Duration>) -> Vec<Got> {
        let mut clients: Vec<Got> = Vec::new();
        for call in self.within(span) {
            let place = call.client as usize;
            if clients.len() <= place {
                clients.resize(place + 1, Got::default());
            }
            clients[place].calls += 1;
            clients[place].successes += usize::from(call.is_success());
        }
        clients.retain(|client| client.calls > 0);
        clients
    }
}

/// What a client got.
#[derive(Debug, Clone, Copy, Default)]
struct Got {
    calls: usize,
    successes: usize,
}

fn count(calls: &[Recorded], end: End) -> usize {
    calls.iter().filter(|call| call.end == end).count()
}

fn share(part: usize, whole: usize) -> f64 {
    share_of(part as u64, whole as u64)
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share_of(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

/// A table in Markdown: a line for each priority that had calls, and one for all.
impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| calls | made | success | late | refused | timed out | failed | p50 | p99 |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for priority in Priority::ALL {
            let of = self.only(|call| call.priority == priority);
            if !of.calls.is_empty() && of.calls.len() < self.calls.len() {
                of.line(f, priority.as_str())?;
            }
        }
        self.line(f, "all")
    }
}

impl Recording {
    fn line(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let whole = || Duration::ZERO..Duration::MAX;
        write!(f, "| {name} | {} ", self.calls.len())?;
        for end in [End::Success, End::Late, End::Refused, End::TimedOut, End::Failed] {
            write!(f, "| {:.2} % ", 100.0 * self.share(whole(), end))?;
        }
        let millis = |share| self.percentile(whole(), share).as_secs_f64() * 1e3;
        writeln!(f, "| {:.1} ms | {:.1} ms |", millis(0.5), millis(0.99))
    }
}
