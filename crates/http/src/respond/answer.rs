//! The answer that a client gets in place of an error.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use tower_ballast_core::{Reason, Rejected};

use super::body::RespondBody;
use crate::{
    classify, grpc,
    retry_after::{millis_up, number, write_retry_after},
};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What is answered: small, so that a service can owe one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    kind: Kind,
    reason: &'static str,
    retry_after: Option<Duration>,
}

/// What an answer says, in HTTP and in gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Refused,
    TooMany,
    TooLate,
    Failed,
    Upstream,
}

/// The form in which a request wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Problem,
    HeadOnly,
    Grpc,
}

impl Answer {
    pub(super) fn to_rejection(rejected: &Rejected) -> Self {
        let kind = match rejected.reason() {
            Reason::Timeout | Reason::DeadlinePassed => Kind::TooLate,
            Reason::RateLimited => Kind::TooMany,
            // Of those with a queue only a rate limit knows when there is more.
            Reason::QueueFull | Reason::QueueTimeout if rejected.after().is_some() => Kind::TooMany,
            // Every other refusal is for want of capacity here or behind.
            _ => Kind::Refused,
        };
        let retry_after = rejected.after().map(|after| after.delay);
        Self { kind, reason: rejected.reason().as_str(), retry_after }
    }

    pub(super) fn to_error(error: &(dyn Error + 'static), proxy: bool) -> Self {
        let kind = match proxy {
            true if classify::is_timeout(error) => Kind::TooLate,
            true => Kind::Upstream,
            false => Kind::Failed,
        };
        Self { kind, reason: kind.reason(), retry_after: None }
    }

    /// Why, in a word.
    pub(super) const fn reason(self) -> &'static str {
        self.reason
    }

    pub(super) fn into_response<B>(self, form: Form) -> Response<RespondBody<B>> {
        match form {
            Form::Grpc => self.trailers_only(),
            Form::HeadOnly => self.problem(Bytes::new()),
            Form::Problem => self.problem(self.text().into()),
        }
    }

    fn problem<B>(self, text: Bytes) -> Response<RespondBody<B>> {
        let mut response = Response::new(RespondBody::answer(text));
        *response.status_mut() = self.kind.status();
        *response.headers_mut() = fields(PROBLEM);
        if let Some(delay) = self.retry_after {
            write_retry_after(response.headers_mut(), delay);
        }
        response
    }

    fn trailers_only<B>(self) -> Response<RespondBody<B>> {
        let mut headers = fields(grpc::CONTENT);
        headers.insert(grpc::STATUS, HeaderValue::from_static(self.kind.grpc_code()));
        headers.insert(grpc::MESSAGE, HeaderValue::from_static(self.kind.detail()));
        if let Some(delay) = self.retry_after {
            headers.insert(grpc::PUSHBACK, number(millis_up(delay)));
        }
        let mut response = Response::new(RespondBody::answer(Bytes::new()));
        *response.headers_mut() = headers;
        response
    }

    /// The problem as JSON. All texts are literals of ours that need no escapes.
    fn text(self) -> String {
        let status = self.kind.status();
        let parts = [
            r#"{"type":"about:blank","title":""#,
            status.canonical_reason().unwrap_or("Error"),
            r#"","status":"#,
            status.as_str(),
            r#","detail":""#,
            self.kind.detail(),
            r#"","reason":""#,
            self.reason,
            r#""}"#,
        ];
        parts.concat()
    }
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::Refused => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLate => StatusCode::GATEWAY_TIMEOUT,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Upstream => StatusCode::BAD_GATEWAY,
        }
    }

    const fn grpc_code(self) -> &'static str {
        match self {
            Self::TooLate => "4",
            Self::TooMany => "8",
            Self::Failed => "13",
            Self::Refused | Self::Upstream => "14",
        }
    }

    /// For people. gRPC wants it percent-encoded, which these plain words are.
    const fn detail(self) -> &'static str {
        match self {
            Self::Refused => "The service cannot take the request now.",
            Self::TooMany => "Too many requests.",
            Self::TooLate => "The answer was not there in time.",
            Self::Failed => "The service failed.",
            Self::Upstream => "The service behind this one failed.",
        }
    }

    /// For programs, where no rejection gives the word.
    const fn reason(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TooMany => "rate_limited",
            Self::TooLate => "upstream_timeout",
            Self::Failed => "error",
            Self::Upstream => "upstream_error",
        }
    }
}

impl Form {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        if grpc::is_grpc(request.headers()) {
            Self::Grpc
        } else if request.method() == Method::HEAD {
            Self::HeadOnly
        } else {
            Self::Problem
        }
    }
}

fn fields(content: HeaderValue) -> HeaderMap {
    // Room for what is to come, and for the fields that a server adds.
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, content);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers
}

#[cfg(test)]
mod tests {
    use tower_ballast_core::RetryAfter;

    use super::*;

    const KINDS: [Kind; 5] =
        [Kind::Refused, Kind::TooMany, Kind::TooLate, Kind::Failed, Kind::Upstream];

    #[test]
    fn every_problem_is_json_that_says_what_the_status_says() {
        for kind in KINDS {
            let text = Answer { kind, reason: kind.reason(), retry_after: None }.text();
            let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(problem["status"], kind.status().as_u16());
            assert_eq!(problem["title"], kind.status().canonical_reason().unwrap());
            assert_eq!(problem["reason"], kind.reason());
            assert_eq!(problem["type"], "about:blank");
            assert_eq!(problem["detail"], kind.detail());
        }
    }

    #[test]
    fn messages_need_no_percent_encoding_and_reasons_no_escapes() {
        for kind in KINDS {
            assert!(kind.detail().bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'%'));
            assert!(!kind.detail().contains(['"', '\\']));
        }
    }

    #[test]
    fn the_moment_is_rounded_up() {
        let after = RetryAfter::reserved(Duration::from_micros(1_200_500));
        let rejected = Rejected::new(Reason::CircuitOpen).retry_after(after);
        let answer = Answer::to_rejection(&rejected);
        let http = answer.into_response::<()>(Form::Problem);
        assert_eq!(http.headers()["retry-after"], "2");
        assert_eq!(http.headers()["retry-after-ms"], "1201");
        let grpc = answer.into_response::<()>(Form::Grpc);
        assert_eq!(grpc.headers()["grpc-retry-pushback-ms"], "1201");
        assert_eq!(grpc.headers()["grpc-status"], "14");
        assert_eq!(grpc.status(), 200);
    }

    #[test]
    fn what_took_too_long_is_no_refusal() {
        for reason in [Reason::Timeout, Reason::DeadlinePassed] {
            let answer = Answer::to_rejection(&Rejected::new(reason));
            assert_eq!(answer.into_response::<()>(Form::Problem).status(), 504);
            assert_eq!(answer.into_response::<()>(Form::Grpc).headers()["grpc-status"], "4");
        }
    }

    #[test]
    fn who_comes_too_often_is_told_so() {
        let answer = Answer::to_rejection(&Rejected::new(Reason::RateLimited));
        assert_eq!(answer.into_response::<()>(Form::Problem).status(), 429);
        assert_eq!(answer.into_response::<()>(Form::Grpc).headers()["grpc-status"], "8");
    }

    #[test]
    fn who_waits_in_vain_is_told_that_it_is_too_many_only_by_a_limit_that_knows_the_moment() {
        let moment = RetryAfter::reserved(Duration::from_secs(1));
        for reason in [Reason::QueueFull, Reason::QueueTimeout] {
            let bulkhead = Rejected::new(reason);
            let limit = Rejected::new(reason).retry_after(moment);
            for (rejected, status, code) in [(bulkhead, 503, "14"), (limit, 429, "8")] {
                let answer = Answer::to_rejection(&rejected);
                assert_eq!(answer.into_response::<()>(Form::Problem).status(), status);
                assert_eq!(answer.into_response::<()>(Form::Grpc).headers()["grpc-status"], code);
            }
        }
    }

    #[test]
    fn an_answer_is_small() {
        assert!(size_of::<Option<Answer>>() <= 40, "{} bytes", size_of::<Option<Answer>>());
    }
}
