use std::{error::Error, io, time::Duration};

use http::{HeaderMap, Request, Response};
use proptest::prelude::*;
use tower_ballast_core::{BoxError, Classify, FailureKind, RetryAfter, Retryable, Verdict};

use super::{HttpClassify, status};

#[derive(Debug)]
struct Wrapper(BoxError);

impl std::fmt::Display for Wrapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrapper")
    }
}

impl Error for Wrapper {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn the_table_of_statuses_holds() {
    use FailureKind::{Fault, Throttled, Timeout, Transient};
    use Retryable::{IfRepeatable, Never};
    for (code, kind, retry) in [
        (408, Transient, IfRepeatable),
        (429, Throttled, IfRepeatable),
        (500, Fault, IfRepeatable),
        (501, Fault, Never),
        (502, Transient, IfRepeatable),
        (503, Transient, IfRepeatable),
        (504, Timeout, IfRepeatable),
        (505, Fault, Never),
        (511, Fault, Never),
        (599, Fault, IfRepeatable),
    ] {
        let verdict = on_response(code, &[]);
        assert_eq!((verdict.kind(), verdict.retryable()), (Some(kind), retry), "{code}");
    }
    for code in [100, 200, 204, 301, 304, 400, 401, 403, 404, 409, 412, 418, 422, 499, 600, 999] {
        assert_eq!(on_response(code, &[]), Verdict::Success, "{code}");
    }
    assert_eq!(on_response(425, &[]), Verdict::ignore().retry(Retryable::Unsent));
}

#[test]
fn a_failure_keeps_the_moment_that_the_server_names() {
    let after = Some(RetryAfter::hint(Duration::from_secs(3)));
    assert_eq!(on_response(503, &[("retry-after", "3")]).after(), after);
    assert_eq!(on_response(503, &[("retry-after", "3")]).kind(), Some(FailureKind::Transient));
    assert_eq!(on_response(429, &[("retry-after-ms", "3000")]).after(), after);
    assert_eq!(on_response(501, &[("retry-after", "3")]).after(), None);
    assert_eq!(on_response(301, &[("retry-after", "3")]), Verdict::Success);
}

#[test]
fn the_status_of_grpc_is_read_from_the_head() {
    for (code, expected) in [
        ("0", Verdict::Success),
        ("1", Verdict::ignore()),
        ("2", Verdict::fault()),
        ("4", Verdict::timeout()),
        ("5", Verdict::Success),
        ("8", Verdict::throttled()),
        ("12", Verdict::Success),
        ("13", Verdict::fault()),
        ("14", Verdict::transient()),
        ("15", Verdict::fault()),
        ("17", Verdict::fault()),
        ("", Verdict::fault()),
    ] {
        assert_eq!(on_grpc(&[("grpc-status", code)]), expected, "{code}");
    }
    assert_eq!(on_grpc(&[]), Verdict::Success, "the status is still to come");
    assert_eq!(on_response(200, &[("grpc-status", "14")]), Verdict::Success, "not gRPC");
}

#[test]
fn grpc_pushes_back_by_a_number_and_stops_by_anything_else() {
    let pushed = |wait| on_grpc(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", wait)]);
    let after = RetryAfter::hint(Duration::from_millis(250));
    assert_eq!(pushed("250"), Verdict::transient().retry_after(after));
    for stop in ["-1", "", "soon", "1.5"] {
        assert_eq!(pushed(stop), Verdict::transient().retry(Retryable::Never), "{stop}");
    }
}

#[test]
fn errors_of_any_type_are_understood() {
    assert_eq!(on_error(&"no error at all"), Verdict::transient());
    assert_eq!(on_error(&io::Error::from(io::ErrorKind::TimedOut)), Verdict::timeout());
    let boxed: BoxError = Wrapper(io::Error::from(io::ErrorKind::TimedOut).into()).into();
    assert_eq!(on_error(&boxed), Verdict::timeout());
}

#[test]
fn a_refused_connection_somewhere_below_proves_nothing() {
    let refused: BoxError = io::Error::from(io::ErrorKind::ConnectionRefused).into();
    assert_eq!(on_error(&refused).retryable(), Retryable::IfRepeatable);
    let wrapped: BoxError = Wrapper(refused).into();
    assert_eq!(on_error(&wrapped).retryable(), Retryable::IfRepeatable);
}

#[cfg(feature = "h2")]
#[test]
fn only_streams_that_were_reset_as_refused_are_unsent() {
    // An error that was made here and not received says nothing about the peer.
    let made_here = ::h2::Error::from(::h2::Reason::REFUSED_STREAM);
    assert_eq!(on_error(&made_here).retryable(), Retryable::IfRepeatable);
}

proptest! {
    #[test]
    fn no_field_makes_a_verdict_panic(code in 100_u16..1000, value: Vec<u8>, grpc: bool) {
        let mut response = Response::builder().status(code).body(()).unwrap();
        if let Ok(value) = http::HeaderValue::from_bytes(&value) {
            for name in ["retry-after", "grpc-status", "grpc-retry-pushback-ms"] {
                response.headers_mut().insert(name, value.clone());
            }
        }
        if grpc {
            response.headers_mut().insert("content-type", crate::grpc::CONTENT);
        }
        let _ = on(Ok::<_, &io::Error>(&response));
    }

    #[test]
    fn success_is_whatever_is_no_listed_failure(code in 100_u16..1000) {
        let code = http::StatusCode::from_u16(code).unwrap();
        let verdict = status::verdict(code, &HeaderMap::new());
        prop_assert_eq!(verdict.is_failure(), code.is_server_error() || [408, 429].contains(&code.as_u16()));
    }
}

fn on<E: 'static>(outcome: Result<&Response<()>, &E>) -> Verdict {
    Classify::<Request<()>, _, _>::verdict(&HttpClassify::new(), &(), outcome)
}

fn on_error<E: 'static>(error: &E) -> Verdict {
    on(Err(error))
}

fn on_response(code: u16, fields: &[(&str, &str)]) -> Verdict {
    let mut response = Response::builder().status(code);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    on(Ok::<_, &io::Error>(&response.body(()).unwrap()))
}

fn on_grpc(fields: &[(&str, &str)]) -> Verdict {
    on_response(200, &[&[("content-type", "application/grpc+proto")], fields].concat())
}
