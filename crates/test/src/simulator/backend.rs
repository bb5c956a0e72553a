use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use tokio::time::Sleep;
use tower_ballast_core::Random;
use tower_service::Service;

use super::{
    answer::{Answer, ServerError},
    arrivals::Arrivals,
    call::Call,
    server::Server,
    station::{Left, Outcome, Station, Ticket},
    time::{Clock, Tick},
};

/// The service of a simulated [`Server`]. Made by [`Scene::serve`](super::Scene::serve); clones
/// reach the same server.
///
/// It is always ready, as a client is that opens as many connections as it needs.
#[derive(Debug, Clone)]
pub struct Backend {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    arrivals: Arrivals,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    station: Station,
    places: Vec<Place>,
    free: Vec<Ticket>,
    left: Left,
    /// What the server's task waits for.
    awaited: Tick,
    /// Told when something will happen earlier than that.
    work: Waker,
}

/// Where the answer to a call will lie.
#[derive(Debug)]
enum Place {
    Free,
    Awaited(Option<Waker>),
    Answered(Outcome),
    /// The server has forgotten the call.
    Lost,
    /// The client has gone away, while the server still has the call.
    Abandoned,
}

impl Backend {
    pub(super) fn start(server: Server, clock: Clock, random: Random) -> Self {
        let state = State {
            station: Station::new(server, random),
            places: Vec::new(),
            free: Vec::new(),
            left: Vec::new(),
            awaited: Tick::MAX,
            work: Waker::noop().clone(),
        };
        let shared =
            Arc::new(Shared { clock, arrivals: Arrivals::new(), state: Mutex::new(state) });
        let alarm = Box::pin(clock.sleep_until(0));
        tokio::spawn(Work { shared: Arc::clone(&shared), alarm });
        Self { shared }
    }

    /// When calls have reached it, attempts counted one by one.
    #[must_use]
    pub fn arrivals(&self) -> Arrivals {
        self.shared.arrivals.clone()
    }

    /// How many calls wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.state().station.waiting()
    }
}

impl Service<Call> for Backend {
    type Response = Answer;
    type Error = ServerError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ServerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Call) -> ResponseFuture {
        let ticket = self.shared.arrive();
        ResponseFuture { shared: Arc::clone(&self.shared), ticket: Some(ticket) }
    }
}

impl Shared {
    fn arrive(&self) -> Ticket {
        let now = self.clock.now();
        self.arrivals.note_tick(now);
        let mut state = self.state();
        state.advance(now);
        let ticket = state.place();
        let State { station, left, .. } = &mut *state;
        station.arrive(now, ticket, left);
        state.hand_out();
        if state.station.next().is_some_and(|next| next < state.awaited) {
            state.work.wake_by_ref();
        }
        ticket
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn advance(&mut self, now: Tick) {
        self.station.advance(now, &mut self.left);
        self.hand_out();
    }

    fn place(&mut self) -> Ticket {
        let ticket = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::Free);
            self.places.len() - 1
        });
        self.places[ticket] = Place::Awaited(None);
        ticket
    }

    /// Answers those that have left. Under the lock, since wakers of a runtime only queue a task.
    fn hand_out(&mut self) {
        for (ticket, outcome) in self.left.drain(..) {
            let after = outcome.map_or(Place::Lost, Place::Answered);
            match std::mem::replace(&mut self.places[ticket], after) {
                Place::Awaited(Some(waker)) => waker.wake(),
                Place::Abandoned => {
                    self.places[ticket] = Place::Free;
                    self.free.push(ticket);
                }
                _ => {}
            }
        }
    }

    fn leave(&mut self, ticket: Ticket) {
        let is_inside = matches!(self.places[ticket], Place::Awaited(_));
        if is_inside {
            self.places[ticket] = Place::Abandoned;
            self.station.abandon(ticket);
        } else {
            self.places[ticket] = Place::Free;
            self.free.push(ticket);
        }
    }
}

/// The answer of a [`Backend`] to come. Dropping it is a client that goes away.
#[derive(Debug)]
pub struct ResponseFuture {
    shared: Arc<Shared>,
    ticket: Option<Ticket>,
}

impl Future for ResponseFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let ticket = self.ticket.expect("polled after completion");
        let mut state = self.shared.state();
        let outcome = match &mut state.places[ticket] {
            Place::Answered(outcome) => *outcome,
            Place::Awaited(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            _ => return Poll::Pending,
        };
        state.leave(ticket);
        drop(state);
        self.ticket = None;
        Poll::Ready(outcome)
    }
}

impl Drop for ResponseFuture {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.state().leave(ticket);
        }
    }
}

/// Lets happen what happens by itself, at its moment.
struct Work {
    shared: Arc<Shared>,
    alarm: Pin<Box<Sleep>>,
}

impl Future for Work {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { shared, alarm } = &mut *self;
        loop {
            let mut state = shared.state();
            state.advance(shared.clock.now());
            state.work.clone_from(cx.waker());
            let next = state.station.next().unwrap_or(Tick::MAX);
            let before = std::mem::replace(&mut state.awaited, next);
            drop(state);
            if next == Tick::MAX {
                return Poll::Pending;
            } else if next != before {
                alarm.as_mut().reset(shared.clock.instant(next));
            }
            ready!(alarm.as_mut().poll(cx));
        }
    }
}
