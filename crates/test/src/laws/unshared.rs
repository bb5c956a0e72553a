use std::{
    error::Error,
    fmt::Debug,
    future::{Future, poll_fn},
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{
    broken,
    crowd::finish,
    mount::{HOUR, Served},
    outcome::Outcome,
    subject::Subject,
};
use crate::{Scripted, time};

/// A service that is not `Clone`, whatever is inside.
///
/// ```
/// use tower_ballast_test::{Scripted, Unshared};
///
/// let only = Unshared::new(Scripted::echo());
/// # let _ = only;
/// ```
#[derive(Debug)]
pub struct Unshared<S> {
    inner: S,
}

impl<S> Unshared<S> {
    /// Takes the `Clone` away from a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: Service<Req>, Req> Service<Req> for Unshared<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        self.inner.call(request)
    }
}

/// A layer that passes readiness through serves over an inner service that is not `Clone`.
///
/// That it compiles is the better half of this law. tower's retry needs a clone:
///
/// ```compile_fail,E0277
/// use std::future::{Ready, ready};
/// use tower::retry::{Policy, RetryLayer};
/// use tower_ballast_test::{ScriptError, laws::{self, Subject}};
///
/// #[derive(Clone)]
/// struct Once;
///
/// impl Policy<u32, u32, ScriptError> for Once {
///     type Future = Ready<()>;
///     fn retry(&mut self, _: &mut u32, _: &mut Result<u32, ScriptError>) -> Option<Ready<()>> {
///         None
///     }
///     fn clone_request(&mut self, request: &u32) -> Option<u32> {
///         Some(*request)
///     }
/// }
///
/// laws::asks_no_clone(&Subject::new(|| RetryLayer::new(Once)));
/// ```
///
/// # Panics
///
/// When the layer breaks this law.
pub fn asks_no_clone<L, Outer, Req, Res, E>(subject: &Subject<L, Outer, Req, Res, E>)
where
    L: Layer<Unshared<Scripted<Req, Res, E>>>,
    L::Service: Service<Outer, Response: 'static, Error: Debug + 'static>,
    <L::Service as Service<Outer>>::Future: Future,
    Req: 'static,
    Res: 'static,
    E: Error + 'static,
{
    const LAW: &str = "a layer that passes readiness through needs no inner service that is Clone";
    time::drive(async {
        let (layer, inner) = subject.parts();
        let wire = subject.wire();
        let mut service = Served { service: layer.layer(Unshared::new(inner)), wire };
        for number in 0..10 {
            let call = async {
                poll_fn(|cx| service.poll_ready(cx)).await?;
                Ok(service.call(number).await)
            };
            match finish(call, HOUR).await {
                Ok(Ok(Outcome::Answer(answer))) if answer == number => {}
                Ok(Ok(outcome) | Err(outcome)) => {
                    broken(LAW, format!("request {number} got {outcome}"));
                }
                Err(stuck) => broken(LAW, format!("request {number} got {stuck}")),
            }
        }
    });
}
