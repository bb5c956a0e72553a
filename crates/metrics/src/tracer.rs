//! Events through `tracing`.

use tower_ballast_core::{Event, EventKind, Observer};
use tracing::{Level, event, field};

/// Turns the events of any layer into those of `tracing`.
///
/// ```
/// use tower_ballast_core::{Event, EventKind, Reporter};
/// use tower_ballast_metrics::Tracer;
///
/// let circuit = Reporter::new("payments");
/// circuit.observe_with(Tracer);
/// circuit.tell(|| Event::new(EventKind::StateChanged).states("closed", "open"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracer;

/// An event of one level, with only those fields that say something.
macro_rules! trace {
    ($level:expr, $event:expr) => {
        event!(
            target: "tower_ballast",
            $level,
            layer = $event.layer,
            reason = text($event.reason),
            from = text($event.from),
            to = text($event.to),
            limit_from = is_limit($event).then_some($event.limit_from),
            limit_to = is_limit($event).then_some($event.limit_to),
            attempt = ($event.attempt > 0).then_some($event.attempt),
            delay = (!$event.delay.is_zero()).then(|| $event.delay.as_secs_f64()),
            sequence = ($event.sequence > 0).then_some($event.sequence),
            shadow = $event.shadow.then_some(true),
            detail = $event.detail.map(field::display),
            "{}",
            $event.kind.as_str(),
        )
    };
}

impl Observer for Tracer {
    fn on_event(&self, event: &Event<'_>) {
        match event.kind {
            EventKind::ErrorHidden => trace!(Level::ERROR, event),
            EventKind::StateChanged | EventKind::FallbackMissed => trace!(Level::WARN, event),
            EventKind::SettingsChanged => trace!(Level::INFO, event),
            _ => trace!(Level::DEBUG, event),
        }
    }
}

fn is_limit(event: &Event<'_>) -> bool {
    event.kind == EventKind::LimitChanged
}

const fn text(word: &'static str) -> Option<&'static str> {
    if word.is_empty() { None } else { Some(word) }
}

#[cfg(test)]
mod tests;
