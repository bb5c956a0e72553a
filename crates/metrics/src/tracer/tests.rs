use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_ballast_core::{Reason, Rejected};
use tracing::{Metadata, Subscriber, field::Visit, span, subscriber::with_default};

use super::*;

/// What was recorded of one event.
#[derive(Debug, Clone, Default)]
struct Seen {
    level: String,
    target: String,
    fields: BTreeMap<String, String>,
}

/// Keeps every event.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Seen>>>);

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let (level, target) = (level.as_str().to_ascii_lowercase(), target.to_owned());
        let mut seen = Seen { level, target, ..Seen::default() };
        event.record(&mut seen);
        self.0.lock().unwrap().push(seen);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &field::Field, value: &dyn Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &field::Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}

fn seen(tell: impl FnOnce()) -> Vec<Seen> {
    let recorder = Recorder::default();
    with_default(recorder.clone(), tell);
    let seen = recorder.0.lock().unwrap();
    seen.clone()
}

/// The second table in the docs: by message its level and its fields.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let table = include_str!("../names.md").split("What `Tracer`").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let fields = cells[3].split(", ").map(|field| field.trim_matches('`').to_owned());
        let fields = fields.chain(["layer".to_owned(), "message".to_owned()]);
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), fields.collect()))
    })
    .collect()
}

/// One event of every kind, with all that layers say with it.
fn every_event() -> Vec<Seen> {
    let second = Duration::from_secs(1);
    let refused = Rejected::new(Reason::CircuitOpen)
        .retry_after(tower_ballast_core::RetryAfter::hint(second));
    let new = |kind| Event::new(kind).reason("why");
    let changed = new(EventKind::StateChanged).states("closed", "open").delay(second).sequence(3);
    let text = "secret";
    let events = [
        Event::refused(&refused).shadow(true),
        new(EventKind::TimedOut).delay(second).shadow(true),
        new(EventKind::Retrying).attempt(2).delay(second),
        new(EventKind::RetryStopped).attempt(3),
        changed,
        new(EventKind::FellBack).shadow(true),
        new(EventKind::FallbackMissed),
        new(EventKind::ErrorHidden).detail(&text),
        new(EventKind::SettingsChanged).delay(second),
        new(EventKind::LimitChanged).limits(20, 32).sequence(1),
    ];
    seen(|| {
        for mut event in events {
            event.layer = "payments";
            Tracer.on_event(&event);
        }
    })
}

#[test]
fn the_table_in_the_docs_names_all_that_is_emitted_and_nothing_else() {
    let emitted: BTreeMap<_, _> = every_event()
        .into_iter()
        .map(|seen| {
            let fields: BTreeSet<_> = seen.fields.keys().cloned().collect();
            (seen.fields["message"].clone(), (seen.level, fields))
        })
        .collect();
    assert_eq!(emitted, documented());
}

#[test]
fn every_event_has_one_target_and_says_its_layer() {
    for event in every_event() {
        assert_eq!(event.target, "tower_ballast");
        assert_eq!(event.fields["layer"], "payments");
    }
}

#[test]
fn what_says_nothing_is_left_out() {
    let event = &seen(|| Tracer.on_event(&Event::new(EventKind::FellBack)))[0];
    assert_eq!(event.fields.keys().collect::<Vec<_>>(), ["layer", "message"]);
}

#[test]
fn times_are_in_seconds() {
    let refused = every_event().remove(0);
    assert_eq!(
        (refused.fields["delay"].as_str(), refused.fields["shadow"].as_str()),
        ("1.0", "true")
    );
}
