use std::{
    any::Any,
    error::Error,
    fmt::{self, Debug},
    sync::Arc,
    time::Duration,
};

use tower_layer::Layer;
use tower_service::Service;

use super::mount::{Mount, Mounted};
use crate::{ScriptError, Scripted};

/// A layer under the laws, with what a law must know of it.
///
/// The plain form serves layers that do not care what they carry: requests and responses are
/// numbers. A layer that needs HTTP, say, tells by [`exchange`](Subject::exchange) how a number
/// becomes a request and how it is read from a response.
///
/// ```
/// use tower::layer::util::Identity;
/// use tower_ballast_test::laws::{self, Subject};
///
/// let subject = Subject::new(Identity::new);
/// laws::answers_with_the_inner_response(&subject);
/// laws::panics_break_nothing(&subject);
/// ```
pub struct Subject<L, Outer = u32, Req = u32, Res = u32, E = ScriptError> {
    layer: Arc<dyn Fn() -> L + Send + Sync>,
    wire: Wire<Outer, Req, Res, E>,
    counts: Counts<L>,
    settings: Settings,
}

pub(super) type Counts<L> = Arc<dyn Fn(&L) -> String + Send + Sync>;

/// Reads the number from a response of whatever type.
type Read = Arc<dyn Fn(&dyn Any) -> Option<u32> + Send + Sync>;

/// How numbers travel.
pub(super) struct Wire<Outer, Req, Res, E> {
    pub(super) request: Arc<dyn Fn(u32) -> Outer + Send + Sync>,
    pub(super) respond: Arc<dyn Fn(&Req) -> Res + Send + Sync>,
    pub(super) read: Read,
    pub(super) error: Arc<dyn Fn() -> E + Send + Sync>,
}

/// What a layer promises about `poll_ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Readiness {
    /// It is ready when the inner service is, and calls the very instance that was asked. The
    /// inner service need not be `Clone`.
    #[default]
    PassThrough,
    /// The same for the first attempt; later ones go to clones.
    FirstAttempt,
    /// It asks the inner service, says ready in any case, and waits in the response.
    Optimistic,
    /// It says ready without asking the inner service.
    Always,
}

/// How a layer comes to refuse, or to treat requests otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trip {
    /// After so many calls that failed.
    Failing(u32),
    /// After so many calls that were answered.
    Answered(u32),
    /// While so many calls are in flight.
    InFlight(u32),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) readiness: Readiness,
    pub(super) trip: Option<Trip>,
    pub(super) rest: Duration,
    pub(super) answers_errors: bool,
}

impl<L> Subject<L> {
    /// The layers that this closure makes, over a service that echoes numbers.
    #[must_use]
    pub fn new(layer: impl Fn() -> L + Send + Sync + 'static) -> Self {
        let wire = Wire {
            request: Arc::new(|number| number),
            respond: Arc::new(|request: &u32| *request),
            read: Arc::new(|response| response.downcast_ref().copied()),
            error: Arc::new(|| ScriptError),
        };
        let settings = Settings {
            readiness: Readiness::default(),
            trip: None,
            rest: Duration::ZERO,
            answers_errors: false,
        };
        Self { layer: Arc::new(layer), wire, counts: Arc::new(|_| String::new()), settings }
    }
}

impl<L, Outer, Req, Res, E> Subject<L, Outer, Req, Res, E> {
    /// What travels: how a number becomes a request, what the inner service answers to the request
    /// that it receives, and how the number is read from the response that the caller gets.
    ///
    /// ```
    /// use tower::layer::util::Identity;
    /// use tower_ballast_test::laws::{self, Subject};
    ///
    /// let subject = Subject::new(Identity::new).exchange(
    ///     |number| format!("/{number}"),
    ///     |path: &String| path.clone(),
    ///     |path: &String| path[1..].parse().ok(),
    /// );
    /// laws::answers_with_the_inner_response(&subject);
    /// ```
    #[must_use]
    pub fn exchange<NewOuter, NewReq, NewRes, Got: 'static>(
        self,
        request: impl Fn(u32) -> NewOuter + Send + Sync + 'static,
        respond: impl Fn(&NewReq) -> NewRes + Send + Sync + 'static,
        read: impl Fn(&Got) -> Option<u32> + Send + Sync + 'static,
    ) -> Subject<L, NewOuter, NewReq, NewRes, E> {
        let wire = Wire {
            request: Arc::new(request),
            respond: Arc::new(respond),
            read: Arc::new(move |response| response.downcast_ref().and_then(&read)),
            error: self.wire.error,
        };
        Subject { layer: self.layer, wire, counts: self.counts, settings: self.settings }
    }

    /// How the inner service's errors are made. Default: [`ScriptError`].
    #[must_use]
    pub fn error<New>(
        self,
        error: impl Fn() -> New + Send + Sync + 'static,
    ) -> Subject<L, Outer, Req, Res, New> {
        let Wire { request, respond, read, .. } = self.wire;
        let wire = Wire { request, respond, read, error: Arc::new(error) };
        Subject { layer: self.layer, wire, counts: self.counts, settings: self.settings }
    }

    /// What the layer promises about `poll_ready`. Default: it passes readiness through.
    #[must_use]
    pub fn readiness(mut self, readiness: Readiness) -> Self {
        self.settings.readiness = readiness;
        self
    }

    /// What brings the layer to treat requests otherwise, so that the law about state can see
    /// that all of its services do. Default: nothing, and then the law is content with less.
    #[must_use]
    pub fn trip(mut self, trip: Trip) -> Self {
        self.settings.trip = Some(trip);
        self
    }

    /// Numbers of the layer that must be the same before and after: what is in flight, waits, or
    /// is tried. Default: none.
    #[must_use]
    pub fn counts<D: Debug>(mut self, counts: impl Fn(&L) -> D + Send + Sync + 'static) -> Self {
        self.counts = Arc::new(move |layer| format!("{:?}", counts(layer)));
        self
    }

    /// How long the layer may refuse after it has seen failures and panics. Default: not at all.
    #[must_use]
    pub fn rest(mut self, rest: Duration) -> Self {
        self.settings.rest = rest;
        self
    }

    /// The layer turns the inner service's errors into responses. A layer whose error is
    /// [`Infallible`](std::convert::Infallible) need not say so.
    #[must_use]
    pub fn answers_errors(mut self) -> Self {
        self.settings.answers_errors = true;
        self
    }

    pub(super) fn wire(&self) -> Wire<Outer, Req, Res, E> {
        self.wire.clone()
    }

    /// A fresh layer, and the service that goes under it.
    pub(super) fn parts(&self) -> (L, Scripted<Req, Res, E>)
    where
        Req: 'static,
        Res: 'static,
        E: 'static,
    {
        let (respond, error) = (Arc::clone(&self.wire.respond), Arc::clone(&self.wire.error));
        let inner = Scripted::new(move |request| respond(request), move || error());
        inner.script().quiet();
        ((self.layer)(), inner.without_record())
    }
}

/// What the laws can be run on: every [`Subject`] whose layer builds sound services.
///
/// The bounds of its implementation are laws themselves. Over an inner service that is `Clone`
/// and `Send`, the layer's service is `Clone` and `Send`, and so are its futures `Send`.
#[diagnostic::on_unimplemented(
    message = "the laws cannot be run on `{Self}`",
    note = "the layer is `Clone + Send + 'static`; over `Scripted<Req, Res, E>` its service is \
            `Clone + Send + 'static` with futures that are `Send`, takes what `exchange` makes, \
            and has an error that is `Debug`"
)]
pub trait Testable: sealed::Sealed {
    #[doc(hidden)]
    fn mount(&self) -> Mount;
}

impl<L, Outer, Req, Res, E> Testable for Subject<L, Outer, Req, Res, E>
where
    L: Layer<Scripted<Req, Res, E>> + Clone + Send + 'static,
    L::Service: Service<Outer, Response: 'static, Error: Debug + 'static, Future: Send>
        + Clone
        + Send
        + 'static,
    <L::Service as Service<Outer>>::Future: 'static,
    Outer: 'static,
    Req: Send + 'static,
    Res: Send + 'static,
    E: Error + Send + 'static,
{
    fn mount(&self) -> Mount {
        let (layer, inner) = self.parts();
        let script = inner.script().clone();
        let mounted = Mounted { layer, inner, wire: self.wire(), counts: self.counts.clone() };
        Mount::new(Box::new(mounted), script, self.settings)
    }
}

mod sealed {
    pub trait Sealed {}
    impl<L, Outer, Req, Res, E> Sealed for super::Subject<L, Outer, Req, Res, E> {}
}

impl<L, Outer, Req, Res, E> Debug for Subject<L, Outer, Req, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<Outer, Req, Res, E> Clone for Wire<Outer, Req, Res, E> {
    fn clone(&self) -> Self {
        Self {
            request: Arc::clone(&self.request),
            respond: Arc::clone(&self.respond),
            read: Arc::clone(&self.read),
            error: Arc::clone(&self.error),
        }
    }
}
