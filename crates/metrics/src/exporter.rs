//! Figures and events through the `metrics` facade.

use std::{fmt, hash::Hash, iter, sync::Arc, time::Duration};

use metrics::{
    Counter, Gauge, Histogram, Label, Unit, counter, describe_counter, describe_gauge,
    describe_histogram, gauge, histogram,
};
use tower_ballast_core::{Event, EventKind, Key, Observer};

use crate::{
    export::{Export, Outcome, Sink},
    table::Table,
};

/// Labels beyond these are counted with the layer `other`.
const MOST_SERIES: u32 = 1000;

const REQUESTS: &str = "ballast_requests_total";
const DURATION: &str = "ballast_request_duration_seconds";
const IN_FLIGHT: &str = "ballast_requests_in_flight";
const CIRCUITS: &str = "ballast_circuits";
const LIMITS: &str = "ballast_adaptive_limit";

/// Gives the figures of metrics layers and the events of any layer to the `metrics` facade, and so
/// to Prometheus and others.
///
/// Install the recorder first: what is looked up before has nowhere to go. Each counter is looked
/// up once. The values of a label are bounded, those of `layer` by the program and, should it make
/// up names, at a thousand combinations; further ones are counted with the layer `other`.
///
/// ```
/// use tower_ballast_core::{Event, EventKind, Reporter};
/// use tower_ballast_metrics::{Exporter, MetricsLayer};
///
/// // The recorder of your choice, such as that of `metrics-exporter-prometheus`.
/// let recorder = metrics_util::debugging::DebuggingRecorder::new();
/// let snapshotter = recorder.snapshotter();
/// metrics::with_local_recorder(&recorder, || {
///     let exporter = Exporter::new();
///     let metrics = MetricsLayer::new().name("shop").export(exporter.clone()).handle();
///     metrics.track("buy").end(&Ok::<(), ()>(()));
///
///     // Any layer takes it as its observer.
///     let retry = Reporter::new("retry");
///     retry.observe_with(exporter);
///     retry.tell(|| Event::new(EventKind::Retrying).reason("timeout"));
/// });
/// let names: Vec<_> = snapshotter.snapshot().into_vec().into_iter()
///     .map(|(key, ..)| key.key().name().to_owned())
///     .collect();
/// assert!(names.contains(&"ballast_requests_total".to_owned()));
/// assert!(names.contains(&"ballast_retries_total".to_owned()));
/// ```
#[derive(Clone)]
pub struct Exporter(Arc<Resolved>);

struct Resolved {
    counters: Resolving<Counter>,
    gauges: Resolving<Gauge>,
}

/// What was looked up, by all of its labels.
struct Resolving<T> {
    bounded: Table<T>,
    /// With the layer `other`. The other labels are words of ours, so these are few.
    others: Table<T>,
}

impl Exporter {
    /// Describes the metrics to the installed recorder.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self(Arc::new(Resolved { counters: Resolving::new(), gauges: Resolving::new() }))
    }

    fn count(&self, name: &'static str, layer: &str, labels: &[(&'static str, &'static str)]) {
        let make = |layer: &str| counter!(name, all(layer, labels));
        if let Some(counter) = self.0.counters.of(layer, &(name, labels), make) {
            counter.increment(1);
        }
    }

    fn circuit(&self, layer: &str, state: &'static str, by: f64) {
        // The state in which they begin is not told of, so it cannot be counted.
        if state == "closed" {
            return;
        }
        let make = |layer: &str| gauge!(CIRCUITS, all(layer, &[("state", state)]));
        if let Some(gauge) = self.0.gauges.of(layer, &(CIRCUITS, state), make) {
            gauge.increment(by);
        }
    }

    /// Adds a change to the sum of the limits of this name. The first change of each brings its
    /// limit into it.
    fn limit(&self, event: &Event<'_>) {
        let make = |layer: &str| gauge!(LIMITS, all(layer, &[]));
        let known = if event.sequence > 1 { f64::from(event.limit_from) } else { 0.0 };
        if let Some(gauge) = self.0.gauges.of(event.layer, &LIMITS, make) {
            gauge.increment(f64::from(event.limit_to) - known);
        }
    }
}

impl Default for Exporter {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Exporter {
    fn on_event(&self, event: &Event<'_>) {
        let (layer, reason) = (event.layer, ("reason", event.reason));
        let shadow = ("shadow", if event.shadow { "true" } else { "false" });
        let states = [("from", event.from), ("to", event.to), reason];
        match event.kind {
            EventKind::Refused => self.count("ballast_refusals_total", layer, &[reason, shadow]),
            EventKind::TimedOut => self.count("ballast_timeouts_total", layer, &[reason, shadow]),
            EventKind::Retrying => self.count("ballast_retries_total", layer, &[reason]),
            EventKind::RetryStopped => {
                self.count("ballast_retries_stopped_total", layer, &[reason]);
            }
            EventKind::StateChanged => {
                self.count("ballast_state_changes_total", layer, &states);
                // Additions, so that racing changes add up in whatever order they are told.
                self.circuit(layer, event.from, -1.0);
                self.circuit(layer, event.to, 1.0);
            }
            EventKind::FellBack => self.count("ballast_fallbacks_total", layer, &[reason, shadow]),
            EventKind::FallbackMissed => {
                self.count("ballast_fallbacks_missed_total", layer, &[reason]);
            }
            EventKind::HoldExpired => self.count("ballast_holds_expired_total", layer, &[]),
            EventKind::ErrorHidden => self.count("ballast_errors_hidden_total", layer, &[reason]),
            EventKind::SettingsChanged => {
                self.count("ballast_setting_changes_total", layer, &[reason]);
            }
            EventKind::LimitChanged => {
                self.count("ballast_limit_changes_total", layer, &[reason]);
                self.limit(event);
            }
            _ => {}
        }
    }
}

impl Export for Exporter {
    fn operation(&self, layer: &str, operation: &str) -> Box<dyn Sink + Send + Sync> {
        let labels = || vec![label("layer", layer), label("operation", operation)];
        let counter = |outcome: Outcome| {
            let mut labels = labels();
            labels.push(Label::from_static_parts("outcome", outcome.as_str()));
            counter!(REQUESTS, labels)
        };
        Box::new(Handles {
            outcomes: Outcome::ALL.map(counter),
            duration: histogram!(DURATION, labels()),
            in_flight: gauge!(IN_FLIGHT, labels()),
        })
    }
}

/// What one operation needs, looked up once.
struct Handles {
    /// In the order of [`Outcome::ALL`].
    outcomes: [Counter; 4],
    duration: Histogram,
    in_flight: Gauge,
}

impl Sink for Handles {
    fn begun(&self) {
        self.in_flight.increment(1.0);
    }

    fn ended(&self, outcome: Outcome, took: Duration) {
        self.in_flight.decrement(1.0);
        self.outcomes[outcome as usize].increment(1);
        if outcome != Outcome::Cancelled {
            self.duration.record(took.as_secs_f64());
        }
    }
}

impl<T> Resolving<T> {
    fn new() -> Self {
        Self { bounded: Table::new(MOST_SERIES), others: Table::new(MOST_SERIES) }
    }

    fn of(&self, layer: &str, rest: &impl Hash, make: impl Fn(&str) -> T) -> Option<&T> {
        let key = Key::of(&(layer, rest));
        match self.bounded.get(key) {
            Some(found) => Some(found),
            None => self
                .bounded
                .get_or_make(key, || make(layer))
                .or_else(|| self.others.get_or_make(Key::of(rest), || make("other"))),
        }
    }
}

fn all(layer: &str, labels: &[(&'static str, &'static str)]) -> Vec<Label> {
    let rest = labels.iter().map(|(name, value)| Label::from_static_parts(name, value));
    iter::once(label("layer", layer)).chain(rest).collect()
}

fn label(name: &'static str, value: &str) -> Label {
    Label::new(name, value.to_owned())
}

fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests, by their outcome.");
    describe_histogram!(DURATION, Unit::Seconds, "The time to the answer.");
    describe_gauge!(IN_FLIGHT, Unit::Count, "Requests without an answer yet.");
    describe_gauge!(CIRCUITS, Unit::Count, "Circuits in each state but closed.");
    describe_gauge!(LIMITS, Unit::Count, "Limits that find themselves, in sum.");
    for (name, what) in [
        ("ballast_refusals_total", "Requests that were refused, or only would have been."),
        ("ballast_timeouts_total", "Requests given up because they took too long."),
        ("ballast_retries_total", "Attempts after the first, by what ended the one before."),
        ("ballast_retries_stopped_total", "Failed requests that were not sent again."),
        ("ballast_state_changes_total", "Changes of state, such as those of a circuit."),
        ("ballast_fallbacks_total", "Outcomes that a fallback took the place of."),
        ("ballast_fallbacks_missed_total", "Fallbacks that were wanted and not to be had."),
        ("ballast_holds_expired_total", "Permits taken from responses that did not go on."),
        ("ballast_errors_hidden_total", "Errors whose text was kept from a client."),
        ("ballast_setting_changes_total", "Settings that were changed, by their names."),
        ("ballast_limit_changes_total", "Changes of limits that find themselves."),
    ] {
        describe_counter!(name, Unit::Count, what);
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter")
            .field("counters", &self.0.counters.bounded)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
