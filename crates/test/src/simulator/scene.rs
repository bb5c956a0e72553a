use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use tower_ballast_core::{BoxError, Deadline, Random};
use tower_service::Service;

use super::{
    backend::Backend,
    call::Call,
    callers::{Callers, Going},
    recording::{Recorder, Recording},
    server::Server,
    stream::Stream,
    time::{Clock, Tick, stretched, tick_of},
};

/// How long calls may go on after the streams have ended.
const AFTERMATH: Duration = Duration::from_secs(60);

/// Where a scenario plays: its clock and its chance. Given by [`simulate`].
#[derive(Debug, Clone)]
pub struct Scene {
    clock: Clock,
    random: Arc<Random>,
}

/// Runs a scenario to its end, on a runtime of its own whose clock is paused.
///
/// The same seed gives the same run, as long as every layer is seeded too; [`Scene::seed`] has
/// seeds for them.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_test::simulator::{Server, ServiceTime, Stream, simulate};
///
/// let half_empty = |seed| {
///     simulate(seed, async |scene| {
///         let times = ServiceTime::exponential(Duration::from_millis(10));
///         let backend = scene.serve(Server::new(1, times).queue(100));
///         let stream = Stream::per_second(50.0);
///         scene.offer(&[stream], Duration::from_secs(10), |_| backend.clone()).await
///     })
/// };
/// assert_eq!(half_empty(1), half_empty(1));
/// assert_ne!(half_empty(1), half_empty(2));
/// ```
///
/// # Panics
///
/// When called inside another runtime, or when the scenario panics.
pub fn simulate<T>(seed: u64, scenario: impl AsyncFnOnce(Scene) -> T) -> T {
    crate::time::drive(async {
        let random = Arc::new(Random::seeded(seed));
        scenario(Scene { clock: Clock::start().await, random }).await
    })
}

impl Scene {
    /// A seed for something that draws at random, another each time.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.random.next_u64()
    }

    /// How long the scenario has been going on.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.clock.now())
    }

    /// Waits until this moment of the scenario.
    pub async fn until(&self, moment: Duration) {
        self.clock.sleep_until(tick_of(moment)).await;
    }

    /// The deadline at this moment of the scenario.
    #[must_use]
    pub fn deadline(&self, moment: Duration) -> Deadline {
        Deadline::at(self.clock.moment(tick_of(moment)))
    }

    /// Starts a server.
    #[must_use]
    pub fn serve(&self, server: Server) -> Backend {
        Backend::start(server, self.clock, Random::seeded(self.seed()))
    }

    /// Sends streams of calls until a moment of the scenario, and then waits up to a minute of it
    /// for the last answers.
    ///
    /// `client` makes the service of each client, once: what it puts in a layer of its own belongs
    /// to that client, what it clones into each is shared. Every call goes through a fresh clone.
    pub async fn offer<S>(
        &self,
        streams: &[Stream],
        until: Duration,
        client: impl FnMut(u32) -> S,
    ) -> Recording
    where
        S: Service<Call> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        let clients = streams.iter().map(|stream| stream.clients.end).max().unwrap_or(0);
        let services: Vec<S> = (0..clients).map(client).collect();
        let call = move |call: Call| -> Going {
            Box::pin(make(services[call.client as usize].clone(), call))
        };
        self.play(streams, tick_of(until), Box::new(call)).await
    }

    /// Boxed, so that it is compiled here.
    fn play<'a>(
        &'a self,
        streams: &'a [Stream],
        until: Tick,
        mut call: Box<dyn FnMut(Call) -> Going + Send + 'a>,
    ) -> Pin<Box<dyn Future<Output = Recording> + Send + 'a>> {
        Box::pin(async move {
            let recorder = Recorder::new();
            let callers = Callers::new(Arc::clone(&recorder), self.clock);
            let mut traffic = Traffic::new(streams, Random::seeded(self.seed()));
            let mut alarm = pin!(self.clock.sleep_until(0));
            let mut now = self.clock.now();
            while let Some((moment, stream, client)) = traffic.next(until) {
                if moment > now {
                    alarm.as_mut().reset(self.clock.instant(moment));
                    alarm.as_mut().await;
                    now = self.clock.now();
                }
                let deadline = stream.deadline.map(|within| moment.saturating_add(tick_of(within)));
                let number = recorder.begin(client, stream.priority, moment, deadline);
                let going = call(Call {
                    client,
                    number,
                    priority: stream.priority,
                    deadline: deadline.map(|tick| Deadline::at(self.clock.moment(tick))),
                    attempt: None,
                });
                callers.make(number, going);
            }
            let end = until.saturating_add(tick_of(AFTERMATH));
            while recorder.running() > 0 && self.clock.now() < end {
                tokio::time::sleep(stretched(Duration::from_millis(100))).await;
            }
            recorder.take()
        })
    }
}

async fn make<S>(mut service: S, call: Call) -> Result<(), BoxError>
where
    S: Service<Call>,
    S::Error: Into<BoxError>,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    service.call(call).await.map(drop).map_err(Into::into)
}

/// The calls of all clients, merged.
struct Traffic<'a> {
    streams: &'a [Stream],
    random: Random,
    /// The next call of each client of each stream.
    coming: BinaryHeap<Reverse<(Tick, usize, u32)>>,
}

impl<'a> Traffic<'a> {
    fn new(streams: &'a [Stream], random: Random) -> Self {
        let mut coming = BinaryHeap::new();
        for (index, stream) in streams.iter().enumerate() {
            for client in stream.clients.clone() {
                coming.extend(stream.first(&random).map(|first| Reverse((first, index, client))));
            }
        }
        Self { streams, random, coming }
    }

    fn next(&mut self, until: Tick) -> Option<(Tick, &'a Stream, u32)> {
        let mut first = self.coming.peek_mut()?;
        let Reverse((moment, index, client)) = *first;
        let stream = &self.streams[index];
        match stream.next(moment, &self.random) {
            Some(next) => *first = Reverse((next, index, client)),
            None => drop(PeekMut::pop(first)),
        }
        (moment < until).then_some((moment, stream, client))
    }
}
