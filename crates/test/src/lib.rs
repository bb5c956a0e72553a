//! What one tests Tower layers with: time that stands still, a service that does as it is told, and
//! the laws that every layer obeys.
//!
//! # A layer of one's own, under all the laws
//!
//! ```
//! tower_ballast_test::laws! {
//!     mod identity;
//!     layer: tower::layer::util::Identity::new,
//! }
//! # fn main() {}
//! ```
//!
//! That is twenty-two tests. What they demand, and how to tell them more about a layer, is said in
//! [`laws`](mod@laws) and at the macro [`laws!`].
//!
//! # A scripted service
//!
//! [`Scripted`] stands in for the service that a layer protects. Its [`Script`] says how each call
//! and each readiness goes; its [`Tally`] says what the layer did, breaches of the service
//! contract included.
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer};
//! use tower_ballast_test::{Probe, Scripted, Step, time};
//!
//! let backend = Scripted::echo();
//! let script = backend.script().clone();
//! script.always(Step::answer().after(Duration::from_secs(1)));
//!
//! let service = ServiceBuilder::new()
//!     .layer(GlobalConcurrencyLimitLayer::new(2))
//!     .service(backend);
//!
//! time::drive(async {
//!     let calls: Vec<_> = (0..10).map(|n| tokio::spawn(service.clone().oneshot(n))).collect();
//!     time::advance(Duration::from_secs(3)).await;
//!     assert_eq!(script.tally().finished, 6);
//!     drop(calls);
//! });
//! assert_eq!(script.tally().peak, 2);
//! assert!(script.violations().is_empty());
//! ```
//!
//! # A caller who goes away
//!
//! [`leaving`] drops the first of many calls that share one, at every moment there is.
//!
//! # A breaker and a limiter that obey
//!
//! [`mock`] has layers that refuse when the test says so, with real rejections, for code that has to
//! cope with them. [`stack`] looks at the order of the layers in a stack that is built.
//!
//! # A simulator
//!
//! [`simulator`] runs servers, clients and overload with the real layers: minutes of a thousand calls
//! a second in about a second, the same to the last byte for the same seed.
//!
//! # Time
//!
//! [`time`] drives futures on tokio's paused clock: [`time::drive`] runs a test, [`time::advance`]
//! moves the clock from timer to timer and [`time::jump`] at once, [`time::settle`] lets tasks run
//! until they are idle, and a [`Probe`] polls by hand and counts wake-ups. No test here ever waits for real time.

pub mod laws;
pub mod leaving;
pub mod mock;
mod probe;
mod scripted;
pub mod simulator;
pub mod stack;
pub mod time;

pub use self::{
    laws::Unshared,
    probe::Probe,
    scripted::{Readiness, ResponseFuture, Script, ScriptError, Scripted, Step, Tally, Violation},
};
