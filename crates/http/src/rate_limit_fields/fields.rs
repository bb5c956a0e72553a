//! What is left of limits, as text.

use std::{fmt::Write, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tower_ballast_core::{Standing, Standings};

use crate::{
    grpc,
    retry_after::{number, seconds_up},
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const OLDER_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const OLDER_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const OLDER_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The greatest Integer of structured fields (RFC 9651, section 3.3.1).
const GREATEST: u64 = 999_999_999_999_999;
/// Room for the item of one limit whose name and numbers are of an ordinary length.
const ITEM: usize = 40;

/// Which fields are written, where, and after whose word.
pub(super) struct Fields<L> {
    pub(super) limits: Arc<L>,
    pub(super) every_answer: bool,
    pub(super) older: bool,
}

impl<L> Fields<L> {
    /// Writes on a response what is left for the request of which that was kept, if it is one on which that is
    /// written.
    pub(super) fn write<R, B>(&self, kept: &L::Kept, response: &mut Response<B>)
    where
        L: Standings<R>,
    {
        if !self.every_answer && !is_refused_by_rate(response) {
            return;
        }
        let mut text = Text::default();
        self.limits.each(kept, &mut |standing| text.add(standing));
        text.write(self.older, response.headers_mut());
    }
}

impl<L> Clone for Fields<L> {
    fn clone(&self) -> Self {
        let Self { limits, every_answer, older } = self;
        Self { limits: Arc::clone(limits), every_answer: *every_answer, older: *older }
    }
}

/// Whether an answer says "too many", in HTTP's or in gRPC's words.
fn is_refused_by_rate<B>(response: &Response<B>) -> bool {
    let exhausted = || {
        let headers = response.headers();
        headers.get(grpc::STATUS).is_some_and(|status| status == "8") && grpc::is_grpc(headers)
    };
    response.status() == StatusCode::TOO_MANY_REQUESTS || exhausted()
}

/// The values of the fields while limit after limit is added.
#[derive(Default)]
struct Text {
    policies: String,
    left: String,
    tightest: Option<Tightest>,
}

/// The limit of which the least is left.
struct Tightest {
    quota: u64,
    remaining: u64,
    reset: Duration,
}

impl Text {
    fn add(&mut self, standing: &Standing<'_>) {
        let Standing { policy, quota, window, remaining, reset, .. } = *standing;
        item(&mut self.policies, policy);
        parameter(&mut self.policies, 'q', quota);
        if !window.is_zero() {
            parameter(&mut self.policies, 'w', seconds_up(window));
        }
        item(&mut self.left, policy);
        parameter(&mut self.left, 'r', remaining);
        parameter(&mut self.left, 't', seconds_up(reset));

        // Of two with as much left, the one that takes longer to have more.
        let tighter = |known: &Tightest| {
            remaining < known.remaining || remaining == known.remaining && reset > known.reset
        };
        if self.tightest.as_ref().is_none_or(tighter) {
            self.tightest = Some(Tightest { quota, remaining, reset });
        }
    }

    fn write(self, older: bool, headers: &mut HeaderMap) {
        let Some(tightest) = self.tightest else { return };
        // A list may stand on several lines, so what is there already is not lost.
        headers.append(RATE_LIMIT_POLICY, value(self.policies));
        headers.append(RATE_LIMIT, value(self.left));
        if older && !headers.contains_key(&OLDER_LIMIT) {
            headers.insert(OLDER_LIMIT, number(tightest.quota));
            headers.insert(OLDER_REMAINING, number(tightest.remaining));
            headers.insert(OLDER_RESET, number(seconds_up(tightest.reset)));
        }
    }
}

/// Begins an item with a String (RFC 9651, section 4.1.6), which can have no other letters than
/// those of printable ASCII.
fn item(list: &mut String, name: &str) {
    list.reserve(ITEM + name.len());
    list.push_str(if list.is_empty() { "\"" } else { ", \"" });
    for letter in name.chars() {
        match letter {
            '"' | '\\' => list.extend(['\\', letter]),
            ' '..='~' => list.push(letter),
            _ => list.push('_'),
        }
    }
    list.push('"');
}

fn parameter(list: &mut String, name: char, number: u64) {
    write!(list, ";{name}={}", number.min(GREATEST)).expect("a string takes any text");
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("printable ASCII is a field value")
}
