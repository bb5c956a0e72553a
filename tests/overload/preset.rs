//! The client preset in a scenario: its durations stretched, and calls of the scenario as requests.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{
    Backoff, BoxError, HttpClient, circuit_breaker::WindowOf, core::Deadline, http_client,
};
use tower_ballast_test::simulator::{Call, Scene, stretched};

use super::{millis, seconds};

/// When an attempt is given up. It is ten seconds in the preset, as long as the trouble lasts here.
pub(super) const ATTEMPT: Duration = seconds(1);

pub(super) type Client = BoxCloneService<Call, (), BoxError>;

/// What `http_client` makes, with nothing but its durations changed: the timeout of an attempt is
/// [`ATTEMPT`], and all are stretched.
pub(super) fn preset(scene: &Scene) -> HttpClient {
    let preset = http_client();
    let (deadline, retry) = (preset.deadline_handle(), preset.retry_handle());
    assert_eq!(retry.backoff(), Backoff::default(), "it is stretched by hand below");
    let backoff = Backoff::exponential(stretched(millis(100))).cap(stretched(seconds(5)));
    preset
        .deadline(|layer| layer.limit(stretched(deadline.limit())))
        .retry(|layer| {
            let longest = stretched(retry.longest_hint());
            layer.backoff(backoff).longest_hint(longest).seed(scene.seed())
        })
        .circuit(|circuit| {
            circuit
                .window(WindowOf::Time(stretched(seconds(30))))
                .rest(stretched(seconds(5)))
                .longest_rest(stretched(seconds(60)))
                .longest_trial(stretched(seconds(10)))
                .abandoned_after(stretched(seconds(10)))
                .seed(scene.seed())
        })
        .attempt(|layer| layer.limit(stretched(ATTEMPT)))
}

/// A client of one host that has this preset before it.
pub(super) fn over_http<S>(preset: &HttpClient, inner: S) -> Client
where
    S: Service<Call, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    S::Response: Send + 'static,
{
    let host = service_fn(move |request: Request<_>| {
        let (call, inner) = (call_of(&request), inner.clone());
        async move {
            inner.oneshot(call).await.map_err(Into::into)?;
            Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let client = preset.layer(host);
    BoxCloneService::new(client.map_request(request_of).map_result(
        |answer: Result<Response<_>, BoxError>| match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(answer.status().to_string().into()),
            Err(error) => Err(error),
        },
    ))
}

fn request_of(call: Call) -> Request<Empty<Bytes>> {
    let mut request = Request::get("http://server/").body(Empty::new()).unwrap();
    let extensions = request.extensions_mut();
    extensions.insert(call);
    if let Some(deadline) = call.deadline {
        extensions.insert(deadline);
    }
    if let Some(attempt) = call.attempt {
        extensions.insert(attempt);
    }
    request
}

/// With what the layers have noted.
fn call_of<B>(request: &Request<B>) -> Call {
    let extensions = request.extensions();
    let mut call = *extensions.get::<Call>().expect("it was made of a call");
    call.deadline = extensions.get::<Deadline>().copied();
    call.attempt = extensions.get().copied();
    call
}
