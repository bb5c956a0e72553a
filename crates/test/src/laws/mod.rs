//! The laws that every layer obeys, as a suite for any layer.
//!
//! A Tower layer has many ways to be wrong that no ordinary test finds: it calls a clone that is
//! not ready, forgets a waker, keeps a permit when its caller goes away, is poisoned by a panic, or
//! has a state of its own for every connection. Each law here looks for one of them, on paused
//! time and without a single real wait. Run them all by [`laws!`](crate::laws!), or one by one:
//!
//! ```
//! use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
//! use tower_ballast_test::laws::{self, Subject, Trip};
//!
//! let global = Subject::new(|| GlobalConcurrencyLimitLayer::new(1)).trip(Trip::InFlight(1));
//! laws::keeps_its_state_in_the_layer(&global);
//!
//! // The other one of tower has a limit for each service, so this law is not for it.
//! let broken = std::panic::catch_unwind(|| {
//!     let local = Subject::new(|| ConcurrencyLimitLayer::new(1)).trip(Trip::InFlight(1));
//!     laws::keeps_its_state_in_the_layer(&local);
//! });
//! assert!(broken.is_err());
//! ```
//!
//! | law | what it demands |
//! |---|---|
//! | [`answers_with_the_inner_response`] | the happy path calls the inner service once and yields its response |
//! | [`gives_each_caller_its_own_answer`] | of 64 callers at once each gets the response to its own request, once |
//! | [`hands_on_inner_errors`] | inner errors arrive unchanged or as a `source()` |
//! | [`reports_readiness_errors`] | twenty errors of readiness are reported, then all is as before |
//! | [`keeps_its_state_in_the_layer`] | services made by one layer, by its clones and by `Clone` share one state |
//! | [`calls_only_what_is_ready`] | only the instance that said ready is called, once; none that was asked is kept beside it |
//! | [`gives_clones_no_readiness`] | a clone carries no readiness, and takes none away |
//! | [`keeps_its_readiness_mode`] | `poll_ready` does what [`Readiness`] promises |
//! | [`waits_quietly_for_readiness`] | nothing is called while the inner service is not ready; at most 4 wake-ups |
//! | [`asks_no_clone`] | a layer that passes readiness through works over a service that is not `Clone` |
//! | [`wakes_the_last_waker`] | `Pending` means a registered waker that fires; the last one wins |
//! | [`never_spins`] | a task that waits is not woken in vain |
//! | [`takes_no_cooperation_for_overload`] | tokio's cooperative `Pending` is no overload |
//! | [`gives_all_back_on_drop`] | a drop after 0 to 12 polls leaves nothing behind, wherever the call was |
//! | [`survives_random_drops_and_panics`] | a hundred thousand random drops and panics leave every count at its start |
//! | [`outlives_ten_thousand_clones`] | so do ten thousand clones |
//! | [`panics_break_nothing`] | after a panic in `poll_ready`, `call` or `poll` the next ten calls are served |
//! | [`panicking_closures_break_nothing`] | after a panic in a user's closure too; it needs a [`Fuse`] in the closure |
//! | [`lives_over_a_limit`] | live over an inner service whose readiness holds its only slot |
//! | [`lives_under_a_limit`] | live under a limit of one, and behind a worker that owns the service |
//! | [`serves_on_after_a_year`] | 1, 30 and 400 days at once change nothing |
//! | [`moves_between_threads`] | responses and services move between threads |
//! | [`outlives_its_runtime`] | a runtime shut down in mid-flight costs nothing, and another serves |
//!
//! That a service is `Clone` and `Send` when the inner one is, and its futures `Send`, is a law of
//! the [`Testable`] bounds: a layer that breaks it does not compile under them.

mod answers;
mod closures;
mod crowd;
mod drops;
mod endure;
mod limits;
mod macros;
mod modes;
mod mount;
mod outcome;
mod panics;
mod random;
mod readiness;
mod state;
mod subject;
mod unshared;
mod wakers;

use std::fmt::Display;

use crate::Script;

#[doc(hidden)]
pub use self::mount::Mount;
pub use self::{
    answers::{
        answers_with_the_inner_response, gives_each_caller_its_own_answer, hands_on_inner_errors,
        reports_readiness_errors,
    },
    closures::{Fuse, panicking_closures_break_nothing},
    drops::{gives_all_back_on_drop, outlives_ten_thousand_clones},
    endure::{moves_between_threads, outlives_its_runtime, serves_on_after_a_year},
    limits::{lives_over_a_limit, lives_under_a_limit},
    modes::keeps_its_readiness_mode,
    panics::panics_break_nothing,
    random::survives_random_drops_and_panics,
    readiness::{calls_only_what_is_ready, gives_clones_no_readiness, waits_quietly_for_readiness},
    state::keeps_its_state_in_the_layer,
    subject::{Readiness, Subject, Testable, Trip},
    unshared::{Unshared, asks_no_clone},
    wakers::{never_spins, takes_no_cooperation_for_overload, wakes_the_last_waker},
};

/// How a law sets the script, and what it says of it.
type Scene = (&'static str, fn(&Script));

/// A law with its name.
pub type Named = (&'static str, fn(&dyn Testable));

/// Every law with its name, but for [`asks_no_clone`] and
/// [`panicking_closures_break_nothing`], which are for some layers only.
///
/// ```
/// use tower::layer::util::Identity;
/// use tower_ballast_test::laws::{ALL, Subject};
///
/// let subject = Subject::new(Identity::new);
/// for (name, law) in ALL {
///     println!("{name}");
///     law(&subject);
/// }
/// ```
pub const ALL: &[Named] = &[
    ("answers_with_the_inner_response", answers_with_the_inner_response),
    ("gives_each_caller_its_own_answer", gives_each_caller_its_own_answer),
    ("hands_on_inner_errors", hands_on_inner_errors),
    ("reports_readiness_errors", reports_readiness_errors),
    ("keeps_its_state_in_the_layer", keeps_its_state_in_the_layer),
    ("calls_only_what_is_ready", calls_only_what_is_ready),
    ("gives_clones_no_readiness", gives_clones_no_readiness),
    ("keeps_its_readiness_mode", keeps_its_readiness_mode),
    ("waits_quietly_for_readiness", waits_quietly_for_readiness),
    ("wakes_the_last_waker", wakes_the_last_waker),
    ("never_spins", never_spins),
    ("takes_no_cooperation_for_overload", takes_no_cooperation_for_overload),
    ("gives_all_back_on_drop", gives_all_back_on_drop),
    ("survives_random_drops_and_panics", survives_random_drops_and_panics),
    ("outlives_ten_thousand_clones", outlives_ten_thousand_clones),
    ("panics_break_nothing", panics_break_nothing),
    ("lives_over_a_limit", lives_over_a_limit),
    ("lives_under_a_limit", lives_under_a_limit),
    ("serves_on_after_a_year", serves_on_after_a_year),
    ("moves_between_threads", moves_between_threads),
    ("outlives_its_runtime", outlives_its_runtime),
];

fn broken(law: &str, seen: impl Display) -> ! {
    panic!("law broken: {law}. Seen: {seen}.")
}
