//! Stops calling a service that keeps failing, and lets it recover gently.
//!
//! ```text
//!                  too many failures                    rest over
//!      ┌────────┐ ───────────────────► ┌──────┐ ───────────────────► ┌───────────┐
//!      │ closed │                      │ open │                      │ half-open │
//!      └────────┘                      └──────┘ ◄─────────────────── └───────────┘
//!          ▲                               ▲       a trial fails           │
//!          │       ┌────────────┐          │                               │
//!          └────── │ recovering │ ─────────┘                               │
//!        in full   └────────────┘  relapse                                 │
//!                        ▲              the trials succeed                 │
//!                        └─────────────────────────────────────────────────┘
//! ```
//!
//! A service that fails wastes the time of everyone who calls it, and calls keep it from coming
//! back. The circuit breaker counts outcomes; when too many are failures it refuses at once, which
//! is quick for the caller and a rest for the service. After the rest a few trials go through, and
//! if these succeed the others come back in growing numbers.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_circuit_breaker::{CircuitBreakerLayer, Phase};
//! use tower_ballast_core::{BoxError, Reason, Rejected, count};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let layer = CircuitBreakerLayer::new().name("payments").consecutive_failures(count::<3>());
//! let circuit = layer.handle();
//! let mut service = ServiceBuilder::new()
//!     .layer(layer)
//!     .service_fn(|_: &str| async { Err::<(), BoxError>("no route to host".into()) });
//!
//! for _ in 0..3 {
//!     let error = service.ready().await.unwrap().call("pay").await.unwrap_err();
//!     assert_eq!(error.to_string(), "no route to host");
//! }
//! assert_eq!(circuit.phase(), Phase::Open);
//!
//! let error = service.ready().await.unwrap().call("pay").await.unwrap_err();
//! let rejected = Rejected::find_in(&error).unwrap();
//! assert_eq!(rejected.reason(), Reason::CircuitOpen);
//! assert!(rejected.is_unsent());
//! # });
//! ```
//!
//! # When it opens
//!
//! | setter | default |
//! |---|---|
//! | [`failure_rate`](CircuitBreakerLayer::failure_rate) over at least [`minimum_calls`](CircuitBreakerLayer::minimum_calls) | 50 % of 20 |
//! | [`window`](CircuitBreakerLayer::window) | the last 30 seconds; or the last N calls |
//! | [`consecutive_failures`](CircuitBreakerLayer::consecutive_failures) | off |
//! | [`failures`](CircuitBreakerLayer::failures), k of the last n | off |
//! | [`slow_calls`](CircuitBreakerLayer::slow_calls) | off |
//!
//! A rate trips when it is reached, and it is looked at with every outcome, successes too. A time
//! window covers `(now - window, now]`, exact to a tenth of it; a window of calls slides.
//!
//! What is a failure is said by the [classifier](CircuitBreakerLayer::classify): by default every
//! `Err`. Beyond it:
//!
//! - Our own refusals, by whatever layer inside, are ignored. Timeouts of attempts are counted.
//! - Being throttled ([`FailureKind::Throttled`], HTTP's 429) fails a trial, and is not counted
//!   while the circuit is closed: who asks to slow down is alive.
//! - A panic of the inner service is a failure.
//! - A call that its own caller drops is ignored, unless its deadline had passed or it was older
//!   than [`abandoned_after`](CircuitBreakerLayer::abandoned_after): then it is a timeout.
//!
//! # How it comes back
//!
//! | setter | default |
//! |---|---|
//! | [`rest`](CircuitBreakerLayer::rest), doubling from the third opening in a row up to [`longest_rest`](CircuitBreakerLayer::longest_rest) | 5 s up to 60 s |
//! | [`rest_spread`](CircuitBreakerLayer::rest_spread): each rest is drawn around its nominal length | 50 % |
//! | [`trials`](CircuitBreakerLayer::trials) at most at once | 3 |
//! | [`trial_successes`](CircuitBreakerLayer::trial_successes) | as many as trials |
//! | [`longest_trial`](CircuitBreakerLayer::longest_trial), then it opens again | 10 s |
//! | [`recovery`](CircuitBreakerLayer::recovery) | on |
//!
//! One failed trial opens the circuit again. A `Retry-After` of the failure that opens it makes the
//! rest longer, up to the longest. While recovering, a window of concurrent calls starts at the
//! number of trials, grows by one with each success and is halved by each failure; below one, or
//! when a rate trips, the circuit opens again. It is closed when the window was not used up for a
//! second, or has reached twice the concurrency before the trip.
//!
//! Outcomes of calls that were admitted in an earlier state never move the present one. A trial
//! that hangs, panics or is dropped cannot wedge the circuit, and neither can calls that hang while
//! it is recovering: they too have [`longest_trial`](CircuitBreakerLayer::longest_trial).
//!
//! # Refused, or waiting
//!
//! A refusal is a [`Rejected`] that says why, and how long the rest still lasts. With
//! [`wait`](CircuitBreakerLayer::wait) a bounded number of callers stands in line instead, first
//! come, first served; only the first one is woken when there is room.
//!
//! # Cost
//!
//! No allocation for a call, one box for a refusal. A closed circuit takes no lock while all is
//! well, and reads the clock once for a time window, not at all for a window of calls. Readiness
//! passes through and the inner service need not be `Clone`, unless callers may wait: then the
//! layer always answers ready and drives a clone when it has to.
//!
//! The pattern is Michael Nygard's ("Release It!", 2007). Spreading and doubling the rest, the
//! epoch of a permit and the slow return are answers to herds, late results and cold servers.
//!
//! [`FailureKind::Throttled`]: tower_ballast_core::FailureKind::Throttled
//! [`Rejected`]: tower_ballast_core::Rejected

mod circuit;
mod decision;
mod future;
mod handle;
mod layer;
mod line;
mod permit;
mod phase;
mod recovery;
mod report;
mod service;
mod settings;
mod shared;
#[cfg(test)]
mod tests;
mod trials;
mod wait;
mod waiting;
mod waits;
mod window;

pub use self::{
    future::ResponseFuture,
    handle::{CircuitBreakerHandle, Standing},
    layer::CircuitBreakerLayer,
    phase::{Phase, Tripped},
    service::CircuitBreaker,
    settings::WindowOf,
    waiting::WaitingFuture,
    waits::{Refuse, Wait},
};
