//! A layer over a scripted service, with all of its types forgotten: the laws are compiled once,
//! whatever they are run on.

use std::{
    error::Error,
    fmt::{self, Debug},
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tower_layer::Layer;
use tower_service::Service;

use super::{
    crowd::{Stuck, finish},
    outcome::{Caught, Outcome, caught, is_infallible},
    subject::{Counts, Settings, Wire},
};
use crate::{Script, Scripted, time};

/// A response of the layer under the law.
pub(super) type Response = Pin<Box<dyn Future<Output = Outcome> + Send>>;
/// A service that the layer under the law has made.
pub(super) type AnyService = Box<dyn Serve>;

/// Long enough for every backoff, and no time at all on a paused clock.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// One layer over one scripted service.
pub struct Mount {
    layer: Box<dyn Build>,
    pub(super) script: Script,
    pub(super) settings: Settings,
    pub(super) answers_errors: bool,
}

impl Mount {
    pub(super) fn new(layer: Box<dyn Build>, script: Script, settings: Settings) -> Self {
        let answers_errors = settings.answers_errors || layer.is_infallible();
        Self { layer, script, settings, answers_errors }
    }

    /// A service from one more call of `Layer::layer`.
    pub(super) fn service(&self) -> AnyService {
        self.layer.service()
    }

    /// A service made by a clone of the layer.
    pub(super) fn service_of_clone(&self) -> AnyService {
        self.layer.service_of_clone()
    }

    /// The layer's own numbers.
    pub(super) fn counts(&self) -> String {
        self.layer.counts()
    }

    /// Waits as long as the layer may refuse after failures.
    pub(super) async fn rest(&self) {
        if !self.settings.rest.is_zero() {
            time::jump(self.settings.rest).await;
        }
    }

    /// Ten calls through `service`, which must be answered without any time passing. Says what
    /// was seen otherwise.
    pub(super) async fn serves_ten(&self, service: &mut AnyService) -> Result<(), String> {
        for number in 0..10 {
            let seen = match finish(ask(service, number), Duration::ZERO).await {
                Ok(Outcome::Answer(answer)) if answer == number => continue,
                Ok(outcome) => outcome.to_string(),
                Err(stuck) => stuck.to_string(),
            };
            return Err(format!(
                "of ten calls that should be answered, number {number} got {seen}"
            ));
        }
        Ok(())
    }
}

impl Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("tally", &self.script.tally()).finish_non_exhaustive()
    }
}

/// A whole call: readiness, `call`, response. A panic in any of them is an outcome.
pub(super) async fn ask(service: &mut AnyService, number: u32) -> Outcome {
    let ready = poll_fn(|cx| match caught(|| service.poll_ready(cx)) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(panic)),
    });
    if let Err(outcome) = ready.await {
        return outcome;
    }
    match caught(|| service.call(number)) {
        Ok(response) => Caught(Box::pin(response)).await,
        Err(panic) => panic,
    }
}

/// A whole call through a service of its own.
pub(super) async fn ask_own(mut service: AnyService, number: u32) -> Outcome {
    ask(&mut service, number).await
}

/// `ask`, with an hour of patience.
pub(super) async fn asked(service: &mut AnyService, number: u32) -> Result<Outcome, Stuck> {
    finish(ask(service, number), HOUR).await
}

/// A layer, its types forgotten.
pub(super) trait Build: Send {
    fn service(&self) -> AnyService;
    fn service_of_clone(&self) -> AnyService;
    fn counts(&self) -> String;
    fn is_infallible(&self) -> bool;
}

/// A service, its types forgotten.
pub(super) trait Serve: Send {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Outcome>>;
    fn call(&mut self, number: u32) -> Response;
    fn cloned(&self) -> AnyService;
}

pub(super) struct Mounted<L, Outer, Req, Res, E> {
    pub(super) layer: L,
    pub(super) inner: Scripted<Req, Res, E>,
    pub(super) wire: Wire<Outer, Req, Res, E>,
    pub(super) counts: Counts<L>,
}

impl<L, Outer, Req, Res, E> Build for Mounted<L, Outer, Req, Res, E>
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
    fn service(&self) -> AnyService {
        Box::new(Served { service: self.layer.layer(self.inner.clone()), wire: self.wire.clone() })
    }

    fn service_of_clone(&self) -> AnyService {
        let service = self.layer.clone().layer(self.inner.clone());
        Box::new(Served { service, wire: self.wire.clone() })
    }

    fn counts(&self) -> String {
        (self.counts)(&self.layer)
    }

    fn is_infallible(&self) -> bool {
        is_infallible::<<L::Service as Service<Outer>>::Error>()
    }
}

/// A service with the way to talk to it in numbers.
pub(super) struct Served<S, Outer, Req, Res, E> {
    pub(super) service: S,
    pub(super) wire: Wire<Outer, Req, Res, E>,
}

impl<S, Outer, Req, Res, E> Served<S, Outer, Req, Res, E>
where
    S: Service<Outer, Response: 'static, Error: Debug + 'static>,
    E: Error + 'static,
{
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Outcome>> {
        self.service.poll_ready(cx).map_err(|error| Outcome::of_error::<E, _>(&error))
    }

    pub(super) fn call(&mut self, number: u32) -> Answering<S::Future, Outer, Req, Res, E> {
        let response = Box::pin(self.service.call((self.wire.request)(number)));
        Answering { response, wire: self.wire.clone() }
    }
}

impl<S, Outer, Req, Res, E> Serve for Served<S, Outer, Req, Res, E>
where
    S: Service<Outer, Response: 'static, Error: Debug + 'static, Future: Send>,
    S: Clone + Send + 'static,
    S::Future: 'static,
    Outer: 'static,
    Req: 'static,
    Res: 'static,
    E: Error + 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Outcome>> {
        Served::poll_ready(self, cx)
    }

    fn call(&mut self, number: u32) -> Response {
        Box::pin(Served::call(self, number))
    }

    fn cloned(&self) -> AnyService {
        Box::new(Self { service: self.service.clone(), wire: self.wire.clone() })
    }
}

/// A response of which the number is read.
pub(super) struct Answering<F, Outer, Req, Res, E> {
    response: Pin<Box<F>>,
    wire: Wire<Outer, Req, Res, E>,
}

impl<F, T, Fault, Outer, Req, Res, E> Future for Answering<F, Outer, Req, Res, E>
where
    F: Future<Output = Result<T, Fault>>,
    T: 'static,
    Fault: Debug + 'static,
    E: Error + 'static,
{
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        Poll::Ready(match ready!(self.response.as_mut().poll(cx)) {
            Ok(response) => match (self.wire.read)(&response) {
                Some(number) => Outcome::Answer(number),
                None => Outcome::Refused("a response without a number".to_owned()),
            },
            Err(error) => Outcome::of_error::<E, _>(&error),
        })
    }
}
