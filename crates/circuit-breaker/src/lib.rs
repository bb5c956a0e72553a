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
//! # A circuit for each key
//!
//! One layer is one circuit. For one per host or tenant there is `PerKeyLayer` in the crate
//! `tower-ballast`: a bounded table of layers, made on demand, in which idle keys make room for new
//! ones and open circuits are kept. Its page has examples.
//!
//! # A threshold that adapts itself
//!
//! There is none. A threshold that follows the service's own baseline of failures was simulated
//! beside fixed ones, at 50 calls a second and a baseline of 1 %: a total outage of two minutes;
//! two minutes in which a quarter of the calls fails; a second of failures out of every twenty; and
//! an overload under which 40 % fail until calls stay away for two seconds. Means of 20 seeds:
//!
//! | threshold | outage: opens after | failing calls sent | quarter fails: served | bursts: served | overload: served |
//! |---|---|---|---|---|---|
//! | 50 %, the default | 14.7 s | 748 | 87 % | 94 % | 60 % |
//! | 25 % | 6.8 s | 353 | 45 % | 94 % | 89 % |
//! | 50 %, or 20 in a row | 0.5 s | 36 | 87 % | 71 % | 60 % |
//! | 50 % of the last 100 calls | 1.1 s | 66 | 87 % | 77 % | 89 % |
//! | 20 points above the baseline | 6.6 s | 359 | 71 % | 94 % | 89 % |
//! | 20 points above, last 100 calls | 0.5 s | 38 | 46 % | 71 % | 94 % |
//! | 10 points above the baseline | 3.3 s | 185 | 50 % | 94 % | 92 % |
//! | 10 points above, last 100 calls | 0.3 s | 27 | 37 % | 71 % | 95 % |
//!
//! The margins were at least five standard deviations, the baseline an average over ten minutes.
//! At a baseline of 0, 1 or 5 % none of the eight opened within 40 minutes of health.
//!
//! - What opens early refuses the three good answers in four that a partial failure leaves. A
//!   baseline does not change that.
//! - What finds an outage quickly is a short memory, and that is had without a baseline: by a
//!   [window](CircuitBreakerLayer::window) of calls, or by
//!   [`consecutive_failures`](CircuitBreakerLayer::consecutive_failures). Let either be longer than
//!   the hiccups that you would rather sit out.
//! - A slow drift, up to 30 % within half an hour, was served to 85 % by the default and to 71 % by
//!   the quickest of those that adapt: to them it is an incident.
//! - Overload is the one column where the quick ones gain, five points over a window of 100 calls.
//!   A bulkhead inside the circuit is meant for it.
//! - At a baseline of 20 % all that adapt come back better from the outage: 28 to 29 % of the calls
//!   of four minutes are served, 15 % by the default. But that is due to the way back, on which they
//!   forgave normal failures: that alone, with 50 % or 20 in a row, gives 28 % as well.
//!
//! So if many calls fail normally, tell the [classifier](CircuitBreakerLayer::classify) which
//! failures are normal; then they are none. Where it cannot know, a rate of 75 % of at least 100
//! calls, or 20 in a row, with one trial and without [`recovery`](CircuitBreakerLayer::recovery)
//! served 23 % there. At 40 % normal failures it stayed closed, while the default could open by
//! chance on its first 20 calls.
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
