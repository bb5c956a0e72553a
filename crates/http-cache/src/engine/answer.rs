//! The answer that is made of an entry (RFC 9111 section 4, RFC 9110 sections 13 to 15).

use std::ops::Range;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    age::Wall,
    conditions,
    decide::Ask,
    entry::{Entry, Extent},
    range::Wanted,
};

/// The head of an answer, and which part of the kept body goes with it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields, `Age` among them.
    pub headers: HeaderMap,
    /// Its body.
    pub part: Part,
}

/// Which part of the kept body goes with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// These bytes, counted from the first that is kept.
    Some(Range<u64>),
    /// Nothing.
    Nothing,
}

impl Entry {
    /// The answer to a request, of which `length` bytes of body are kept.
    #[must_use]
    pub fn answer(&self, ask: Ask<'_>, length: u64, now: Wall) -> Answer {
        let mut answer = self.answer_without_age(ask, length);
        answer.headers.insert(header::AGE, HeaderValue::from(self.age(now).as_secs()));
        answer
    }

    fn answer_without_age(&self, ask: Ask<'_>, length: u64) -> Answer {
        let is_good = self.status == StatusCode::OK || self.status == StatusCode::PARTIAL_CONTENT;
        if is_good && conditions::has_it(ask.headers, self) {
            return self.not_modified();
        }
        let (status, mut headers) = (self.status, self.headers.clone());
        let whole = match &self.extent {
            Extent::Whole => 0..length,
            Extent::Part { range, .. } => range.clone(),
        };
        let total = match &self.extent {
            Extent::Whole => length,
            Extent::Part { total, .. } => *total,
        };
        let wanted = Wanted::of(ask.headers);
        let is_range = matches!(wanted, Wanted::From(..) | Wanted::Last(_))
            && *ask.method == Method::GET
            && is_good
            && conditions::allows_range(ask.headers, self);
        if *ask.method == Method::HEAD {
            return Answer { status, headers, part: Part::Nothing };
        }
        if !is_range {
            return Answer { status, headers, part: Part::All };
        }
        let Some(range) = wanted.within(total) else {
            headers.remove(header::CONTENT_LENGTH);
            set(&mut headers, &header::CONTENT_RANGE, &format!("bytes */{total}"));
            set(&mut headers, &header::CONTENT_LENGTH, "0");
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            return Answer { status, headers, part: Part::Nothing };
        };
        let last = range.end - 1;
        set(&mut headers, &header::CONTENT_RANGE, &format!("bytes {}-{last}/{total}", range.start));
        set(&mut headers, &header::CONTENT_LENGTH, &(range.end - range.start).to_string());
        let part = Part::Some(range.start - whole.start..range.end - whole.start);
        Answer { status: StatusCode::PARTIAL_CONTENT, headers, part }
    }

    /// RFC 9110 section 15.4.5: the fields that a 200 would have had, of those that matter.
    fn not_modified(&self) -> Answer {
        let mut headers = self.headers.clone();
        for name in [
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
            header::CONTENT_RANGE,
            header::CONTENT_TYPE,
            header::CONTENT_LANGUAGE,
        ] {
            headers.remove(name);
        }
        Answer { status: StatusCode::NOT_MODIFIED, headers, part: Part::Nothing }
    }
}

fn set(headers: &mut HeaderMap, name: &http::HeaderName, value: &str) {
    // Numbers and signs are always a value.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
