use super::{
    script::Script,
    slots::{Place, Slot},
    step::{Progress, Readiness},
};

/// Where one instance stands between two calls.
#[derive(Debug)]
pub(super) enum Standing {
    Fresh,
    Asking(Readiness, Progress, Polled),
    Queued(Place, Polled),
    Ready { slot: Option<Slot>, _polled: Polled },
}

/// Counts one instance that was asked for readiness.
#[derive(Debug)]
pub(super) struct Polled(Script);

impl Polled {
    pub(super) fn new(script: &Script) -> Self {
        script.count(|tally| tally.polled += 1);
        Self(script.clone())
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.0.count(|tally| tally.polled -= 1);
    }
}
