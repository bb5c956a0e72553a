//! A bulkhead whose limit finds itself, by one limiter or another, as the layers have it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{
    BoxError, BulkheadLayer, Facts,
    bulkhead::adaptive::{
        AdaptiveLayer, Aimd, BandwidthDelay, Change, ClientWindow, Gradient2, Limiter, Sample,
        Vegas,
    },
    core::clock::Nanos,
};
use tower_ballast_test::simulator::{Answer, Call, STRETCH, Scene, stretched};

use super::{millis, seconds};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum By {
    /// This limit, whatever happens.
    Fixed(u32),
    /// Shrinks when a call takes longer than three times the usual.
    Aimd(Duration),
    Vegas,
    Gradient2,
    /// The client preset's window, which goes by attempts that are given up after a second.
    Window,
    BandwidthDelay,
}

impl By {
    fn limiter(self) -> Option<Box<dyn Limiter>> {
        Some(match self {
            Self::Fixed(_) => return None,
            Self::Aimd(too_long) => Box::new(Aimd::new(too_long)),
            Self::Vegas => Box::new(Vegas::new()),
            Self::Gradient2 => Box::new(Gradient2::new()),
            Self::Window => Box::new(ClientWindow::new(seconds(1))),
            Self::BandwidthDelay => Box::new(BandwidthDelay::new()),
        })
    }
}

/// Tells a limiter the scenario's time: some have settings that are times, and keep them.
#[derive(Debug)]
struct Unstretched(Box<dyn Limiter>);

impl Limiter for Unstretched {
    fn initial(&self) -> u32 {
        self.0.initial()
    }

    fn sample(&mut self, sample: Sample) -> Option<Change> {
        let now = Nanos::from_nanos(sample.now.as_nanos() / u64::from(STRETCH));
        let (latency, outcome) = (sample.latency / STRETCH, sample.outcome);
        self.0.sample(Sample::new(now, latency, outcome, sample.in_flight).calls(sample.calls))
    }
}

/// What waits for the limit for up to a tenth of a second.
pub(super) type Limited = BoxCloneService<Call, Answer, BoxError>;

/// The limit, with a queue, before a service.
pub(super) fn limited<F, S>(by: By, queue: (u32, Duration), facts: F, inner: S) -> Limited
where
    F: Facts<Call> + Clone + Send + 'static,
    S: Service<Call, Response = Answer, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
{
    let inner = inner.map_err(Into::into);
    let initial = if let By::Fixed(limit) = by { limit } else { 0 };
    let bulkhead =
        BulkheadLayer::new(initial).queue(queue.0).longest_wait(stretched(queue.1)).facts(facts);
    match by.limiter() {
        None => BoxCloneService::new(bulkhead.layer(inner)),
        Some(limiter) => {
            let adaptive = AdaptiveLayer::new(&bulkhead, Unstretched(limiter));
            let layers = ServiceBuilder::new().layer(bulkhead).layer(adaptive);
            BoxCloneService::new(layers.service(inner))
        }
    }
}

/// What a server has answered: when, how long after the call was let in, and what it worked on it,
/// in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Vec<[f64; 3]>>>);

impl Answers {
    /// Notes what this service answers. Errors take a millisecond.
    pub(super) fn of<S>(&self, scene: &Scene, inner: S) -> Limited
    where
        S: Service<Call, Response = Answer, Future: Send> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError> + Send,
    {
        let (answers, scene) = (self.clone(), scene.clone());
        BoxCloneService::new(service_fn(move |call: Call| {
            let (answers, scene, inner) = (answers.clone(), scene.clone(), inner.clone());
            async move {
                let began = scene.now();
                match inner.oneshot(call).await {
                    Ok(answer) => {
                        let (now, worked) = (scene.now(), answer.worked());
                        let times = [now, now.saturating_sub(began), worked];
                        answers.0.lock().unwrap().push(times.map(|time| time.as_secs_f64()));
                        Ok(answer)
                    }
                    Err(error) => {
                        scene.until(scene.now() + millis(1)).await;
                        Err(error.into())
                    }
                }
            }
        }))
    }

    pub(super) fn take(&self) -> Vec<[f64; 3]> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}
