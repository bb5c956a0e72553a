//! Simulates servers, clients and overload in seconds of real time, with the real layers.
//!
//! ```text
//!   streams of calls        a stack per client          a server
//!   ──► ──► ──► ──►   ──►   retry, breaker, ..   ──►   queue ■■■□ workers
//!        rates, steps          as in production        slow, cold, failing or down, at set times
//!            └───────────────► a recording of every call ◄┘
//! ```
//!
//! Whether a stack of layers lives through an overload is a question of many clients, a queue and
//! some minutes. Here these pass on tokio's paused clock: one simulated minute at a thousand calls a
//! second takes about a second. The layers are the real ones, and the same seed gives the same run,
//! to the last byte.
//!
//! ```
//! use std::time::Duration;
//! use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
//! use tower_ballast_test::simulator::{Server, ServiceTime, Stream, simulate, stretched};
//!
//! let (second, millis) = (Duration::from_secs, Duration::from_millis);
//! let recording = simulate(7, async |scene| {
//!     // Ten workers of 10 ms answer a thousand calls a second ..
//!     let server = Server::new(10, ServiceTime::exponential(millis(10))).queue(1_000);
//!     let backend = scene.serve(server);
//!     // .. and are asked for half of that, with one layer in between.
//!     let layer = GlobalConcurrencyLimitLayer::new(100);
//!     let client = ServiceBuilder::new().layer(layer).service(backend.clone());
//!     scene.offer(&[Stream::per_second(500.0)], second(10), |_| client.clone()).await
//! });
//!
//! let whole = second(0)..second(10);
//! assert!(recording.success(whole.clone()) > 0.999);
//! assert!(recording.percentile(whole, 0.99) < millis(60));
//! println!("{recording}");
//! # assert_eq!(stretched(millis(1)), second(1));
//! ```
//!
//! # Time
//!
//! tokio's timers are exact to a millisecond, which would falsify services of ten. So a scenario is
//! stretched: one of its milliseconds is one second of paused time. Everything here speaks of the
//! scenario's time; what a layer is told goes through [`stretched`], all durations alike. A layer
//! sees only durations and cannot tell. Rates per second that a layer is told must be divided by
//! [`STRETCH`] in the same way.
//!
//! # The parts
//!
//! | part | is |
//! |---|---|
//! | [`simulate`] | runs a scenario, given its [`Scene`] |
//! | [`Server`] | workers, [`ServiceTime`] and a queue, and what [changes](Change) at which moment |
//! | [`Backend`] | the service of a server, to put layers on |
//! | [`Stream`] | calls that come whether or not earlier ones were answered |
//! | [`Call`], [`CallFacts`] | what is sent, and what layers may know of it |
//! | [`Recording`] | every call with its end: goodput, success, percentiles, recovery, fairness |
//! | [`Arrivals`] | when calls reached a place: amplification, peaks |
//!
//! Clients do not slow down when the server does. That is what users do, and it is what makes an
//! overload last.

mod answer;
mod arrivals;
mod backend;
mod call;
mod callers;
mod figures;
mod recording;
mod scene;
mod server;
mod service_time;
mod station;
mod stream;
#[cfg(test)]
mod tests;
mod time;

pub use self::{
    answer::{Answer, ServerError},
    arrivals::Arrivals,
    backend::{Backend, ResponseFuture},
    call::{Call, CallFacts},
    recording::{End, Recorded, Recording},
    scene::{Scene, simulate},
    server::{Change, Server},
    service_time::ServiceTime,
    stream::Stream,
    time::{STRETCH, stretched},
};
