use std::collections::{BTreeMap, BTreeSet};

use metrics::with_local_recorder;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower_ballast_core::{Reason, Rejected, Reporter};

use super::*;
use crate::MetricsLayer;

/// The table in the docs: by metric its type and its labels.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let table = include_str!("../names.md").split("What `Tracer`").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").map(|label| label.trim_matches('`').to_owned());
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels.collect()))
    })
    .collect()
}

/// Everything that a recorder was given: by metric its type and its labels.
fn emitted(snapshotter: &Snapshotter) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    all.map(|(key, unit, description, value)| {
        assert!(unit.is_some() && description.is_some(), "{key:?} is not described");
        let kind = match value {
            DebugValue::Counter(_) => "counter",
            DebugValue::Gauge(_) => "gauge",
            DebugValue::Histogram(_) => "histogram",
        };
        let labels = key.key().labels().map(|label| label.key().to_owned());
        (key.key().name().to_owned(), (kind.to_owned(), labels.collect()))
    })
    .collect()
}

/// By metric and the values of its labels what a recorder was given: a count, a level, or how many
/// times. Reading takes the counts out.
fn values(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    all.map(|(key, .., value)| {
        let labels: Vec<_> = key.key().labels().map(Label::value).collect();
        let value = match value {
            DebugValue::Counter(count) => f64::from(u32::try_from(count).unwrap()),
            DebugValue::Gauge(level) => level.into_inner(),
            DebugValue::Histogram(times) => f64::from(u32::try_from(times.len()).unwrap()),
        };
        (format!("{} {}", key.key().name(), labels.join(" ")), value)
    })
    .collect()
}

/// One event of every kind, as layers make them.
fn every_event(layer: &str, observer: &impl Observer) {
    let refused = Rejected::new(Reason::CircuitOpen);
    let kinds = [
        EventKind::Retrying,
        EventKind::RetryStopped,
        EventKind::StateChanged,
        EventKind::TimedOut,
        EventKind::SettingsChanged,
        EventKind::LimitChanged,
        EventKind::ErrorHidden,
        EventKind::FellBack,
        EventKind::FallbackMissed,
        EventKind::HoldExpired,
    ];
    let others = kinds.map(|kind| Event::new(kind).reason("why").states("closed", "open"));
    for mut event in others.into_iter().chain([Event::refused(&refused)]) {
        event.layer = layer;
        observer.on_event(&event);
    }
}

#[test]
fn the_table_in_the_docs_names_all_that_is_emitted_and_nothing_else() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let exporter = Exporter::new();
        every_event("any", &exporter);
        let metrics = MetricsLayer::new().export(exporter).handle();
        metrics.track("import").end(&Ok::<(), ()>(()));
    });
    assert_eq!(emitted(&snapshotter), documented());
}

#[test]
fn requests_are_counted_by_outcome_and_answers_timed() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let metrics = MetricsLayer::new().name("jobs").export(Exporter::new()).handle();
        metrics.track("import").end(&Ok::<(), ()>(()));
        metrics.track("import").end(&Err::<(), ()>(()));
        metrics.track("import").end(&Err::<(), ()>(()));
        drop(metrics.track("import"));
        std::mem::forget(metrics.track("import"));
    });
    let expected = [
        ("ballast_request_duration_seconds jobs import", 3.0),
        ("ballast_requests_in_flight jobs import", 1.0),
        ("ballast_requests_total jobs import cancelled", 1.0),
        ("ballast_requests_total jobs import failure", 2.0),
        ("ballast_requests_total jobs import ignored", 0.0),
        ("ballast_requests_total jobs import success", 1.0),
    ];
    assert_eq!(values(&snapshotter), expected.map(|(key, value)| (key.to_owned(), value)).into());
}

#[test]
fn a_circuit_is_in_one_state_in_whatever_order_its_changes_are_told() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let exporter = Exporter::new();
        let change = |from, to| {
            let mut event = Event::new(EventKind::StateChanged).states(from, to);
            event.layer = "payments";
            exporter.on_event(&event);
        };
        change("half_open", "open");
        change("open", "half_open");
        change("closed", "open");
    });
    let mut states = values(&snapshotter);
    states.retain(|metric, _| metric.starts_with(CIRCUITS));
    let expected =
        [("ballast_circuits payments half_open", 0.0), ("ballast_circuits payments open", 1.0)];
    assert_eq!(states, expected.map(|(key, value)| (key.to_owned(), value)).into());
}

#[test]
fn made_up_layer_names_do_not_make_up_series() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let exporter = Exporter::new();
        for number in 0..2_000 {
            every_event(&format!("layer {number}"), &exporter);
        }
    });
    let series = snapshotter.snapshot().into_vec();
    // A thousand, those of the layer `other`, and the gauges with a thousand of their own.
    assert!(series.len() <= 2 * 1000 + 2 * 10, "{}", series.len());
    assert!(
        series.iter().any(|(key, ..)| key.key().labels().any(|label| label.value() == "other"))
    );
}

#[test]
fn a_million_names_make_no_more_than_the_stated_number_of_label_values() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let layer = MetricsLayer::new().most_operations(50).export(Exporter::new());
        let metrics = layer.handle();
        for number in 0..1_000_000_u32 {
            metrics.track(&number.to_string()).end(&Ok::<(), ()>(()));
        }
        assert_eq!(metrics.of("other").unwrap().whole.count, 999_950);
    });
    let labels = snapshotter.snapshot().into_vec().into_iter().flat_map(|(key, ..)| {
        let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
        labels
    });
    let values: BTreeSet<_> = labels.collect();
    // The operations, `other`, the layer and the four outcomes.
    assert_eq!(values.len(), 50 + 1 + 1 + 4);
}

#[test]
fn a_counter_is_looked_up_once() {
    let recorder = DebuggingRecorder::new();
    let exporter = with_local_recorder(&recorder, || {
        let exporter = Exporter::new();
        every_event("retry", &exporter);
        exporter
    });
    // Outside of the recorder a lookup would find nothing to count into.
    let snapshotter = recorder.snapshotter();
    let reporter = Reporter::new("retry");
    reporter.observe_with(exporter);
    reporter.tell(|| Event::new(EventKind::Retrying).reason("why"));
    assert!((values(&snapshotter)["ballast_retries_total retry why"] - 2.0).abs() < f64::EPSILON);
}

#[test]
fn the_limits_of_one_name_add_up_in_whatever_order_their_changes_are_told() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        let exporter = Exporter::new();
        let change = |from, to, sequence| {
            let mut event = Event::new(EventKind::LimitChanged).limits(from, to).sequence(sequence);
            event.layer = "shop";
            exporter.on_event(&event);
        };
        // One goes from 20 over 32 to 50, the other from 20 to 10.
        change(32, 50, 2);
        change(20, 10, 1);
        change(20, 32, 1);
    });
    assert!((values(&snapshotter)["ballast_adaptive_limit shop"] - 60.0).abs() < 1e-9);
}
