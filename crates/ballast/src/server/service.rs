use std::task::{Context, Poll};

use tower_ballast_bulkhead::{Bulkhead, Queue, adaptive::Adaptive};
use tower_ballast_http::{ByMethod, HttpClassify, HttpFacts, Respond};
use tower_ballast_metrics::Metrics;
use tower_ballast_timeout::Timeout;
use tower_service::Service;

type Shed<S> = Bulkhead<Adaptive<S, HttpClassify, HttpFacts>, HttpFacts, Queue>;
type Stack<S, O> = Respond<Metrics<Timeout<Shed<S>, HttpFacts>, HttpClassify, O>>;

/// A server protected by [`http_server`](crate::http_server).
#[derive(Debug, Clone)]
pub struct HttpServerService<S, O = ByMethod>(pub(super) Stack<S, O>);

impl<S, O, R> Service<R> for HttpServerService<S, O>
where
    Stack<S, O>: Service<R>,
{
    type Response = <Stack<S, O> as Service<R>>::Response;
    type Error = <Stack<S, O> as Service<R>>::Error;
    type Future = <Stack<S, O> as Service<R>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.0.call(request)
    }
}
