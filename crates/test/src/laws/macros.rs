/// Makes a test of every law for one layer.
///
/// It writes a module with one `#[test]` per law of [`laws`](mod@crate::laws). All that must be said
/// is how the layer is built:
///
/// ```
/// use std::task::{Context, Poll};
/// use tower::{Layer, Service};
///
/// /// A layer of one's own.
/// #[derive(Clone)]
/// struct Quiet;
///
/// #[derive(Clone)]
/// struct Quieted<S>(S);
///
/// impl<S> Layer<S> for Quiet {
///     type Service = Quieted<S>;
///     fn layer(&self, inner: S) -> Quieted<S> {
///         Quieted(inner)
///     }
/// }
///
/// impl<S: Service<R>, R> Service<R> for Quieted<S> {
///     type Response = S::Response;
///     type Error = S::Error;
///     type Future = S::Future;
///
///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
///         self.0.poll_ready(cx)
///     }
///
///     fn call(&mut self, request: R) -> S::Future {
///         self.0.call(request)
///     }
/// }
///
/// tower_ballast_test::laws! {
///     mod quiet;
///     layer: || Quiet,
/// }
/// # fn main() {}
/// ```
///
/// What the laws must know of a layer that is not so simple follows, in this order: its readiness,
/// `pass_through` (the default), `first_attempt`, `optimistic` or `always`
/// ([`Readiness`](crate::laws::Readiness)); what it carries, as three closures
/// ([`exchange`](crate::laws::Subject::exchange)); and any other setter of
/// [`Subject`](crate::laws::Subject) by its name.
///
/// ```
/// use std::{fmt, time::Duration};
/// use tower::limit::GlobalConcurrencyLimitLayer;
/// use tower_ballast_test::{laws, laws::Trip};
///
/// #[derive(Debug)]
/// struct Refused;
/// # impl fmt::Display for Refused {
/// #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("refused") }
/// # }
/// impl std::error::Error for Refused {}
///
/// laws! {
///     mod greetings;
///     layer: || GlobalConcurrencyLimitLayer::new(1000),
///     readiness: first_attempt,
///     request: |number| format!("hello {number}"),
///     response: |greeting: &String| greeting.len().to_string() + greeting,
///     read: |answer: &String| answer.split(' ').last()?.parse().ok(),
///     error: || Refused,
///     trip: Trip::InFlight(1000),
///     rest: Duration::from_secs(60),
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! laws {
    (mod $name:ident; layer: $layer:expr $(,)?) => {
        $crate::laws! { mod $name; layer: $layer, readiness: pass_through }
    };
    (mod $name:ident; layer: $layer:expr, readiness: pass_through $(, $($rest:tt)*)?) => {
        $crate::laws! { @ $name [unshared]
            [$crate::laws::Subject::new($layer).readiness($crate::laws::Readiness::PassThrough)]
            $($($rest)*)? }
    };
    (mod $name:ident; layer: $layer:expr, readiness: first_attempt $(, $($rest:tt)*)?) => {
        $crate::laws! { @ $name []
            [$crate::laws::Subject::new($layer).readiness($crate::laws::Readiness::FirstAttempt)]
            $($($rest)*)? }
    };
    (mod $name:ident; layer: $layer:expr, readiness: optimistic $(, $($rest:tt)*)?) => {
        $crate::laws! { @ $name []
            [$crate::laws::Subject::new($layer).readiness($crate::laws::Readiness::Optimistic)]
            $($($rest)*)? }
    };
    (mod $name:ident; layer: $layer:expr, readiness: always $(, $($rest:tt)*)?) => {
        $crate::laws! { @ $name []
            [$crate::laws::Subject::new($layer).readiness($crate::laws::Readiness::Always)]
            $($($rest)*)? }
    };
    (mod $name:ident; layer: $layer:expr, $($rest:tt)+) => {
        $crate::laws! { mod $name; layer: $layer, readiness: pass_through, $($rest)+ }
    };

    (@ $name:ident [$($unshared:ident)?] [$($subject:tt)+]
     request: $request:expr, response: $response:expr, read: $read:expr
     $(, $($rest:tt)*)?) => {
        $crate::laws! { @ $name [$($unshared)?]
            [$($subject)+.exchange($request, $response, $read)] $($($rest)*)? }
    };
    (@ $name:ident [$($unshared:ident)?] [$($subject:tt)+]
     $setter:ident: $value:expr $(, $($rest:tt)*)?) => {
        $crate::laws! { @ $name [$($unshared)?] [$($subject)+.$setter($value)] $($($rest)*)? }
    };

    (@ $name:ident [unshared] [$($subject:tt)+]) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn asks_no_clone() {
                $crate::laws::asks_no_clone(&($($subject)+));
            }

            $crate::laws! { @tests [$($subject)+] }
        }
    };
    (@ $name:ident [] [$($subject:tt)+]) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::laws! { @tests [$($subject)+] }
        }
    };
    (@tests [$($subject:tt)+]) => {
        fn subject() -> impl $crate::laws::Testable {
            $($subject)+
        }

        $crate::laws! { @each
            answers_with_the_inner_response gives_each_caller_its_own_answer
            hands_on_inner_errors reports_readiness_errors keeps_its_state_in_the_layer
            calls_only_what_is_ready gives_clones_no_readiness keeps_its_readiness_mode
            waits_quietly_for_readiness wakes_the_last_waker never_spins
            takes_no_cooperation_for_overload gives_all_back_on_drop
            survives_random_drops_and_panics outlives_ten_thousand_clones panics_break_nothing
            lives_over_a_limit lives_under_a_limit serves_on_after_a_year moves_between_threads
            outlives_its_runtime
        }
    };
    (@each $($law:ident)+) => {
        $(
            #[test]
            fn $law() {
                $crate::laws::$law(&subject());
            }
        )+
    };
}
