//! The rules as one cache: tables of single decisions, and stories of several requests.

mod conversations;
mod properties;
mod shell;
mod table;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::{Ask, Wall};

/// When every story begins.
const START: Wall = Wall::from_secs(1_771_934_400);

fn at(seconds: u64) -> Wall {
    START + Duration::from_secs(seconds)
}

fn ask<B>(request: &Request<B>) -> Ask<'_> {
    Ask { method: request.method(), uri: request.uri(), headers: request.headers() }
}

/// The fields of `name: value | name: value`, where `@-5` is the date five seconds before the
/// start.
fn fields(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(" | ").filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').expect("a field has a name");
        let value = value.trim();
        let value = value.strip_prefix('@').map_or_else(|| value.to_owned(), date);
        let name = HeaderName::try_from(name.trim()).unwrap();
        headers.append(name, HeaderValue::try_from(value).unwrap());
    }
    headers
}

fn date(offset: &str) -> String {
    let offset: i64 = offset.parse().unwrap();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START.as_secs());
    let by = Duration::from_secs(offset.unsigned_abs());
    httpdate::fmt_http_date(if offset < 0 { start - by } else { start + by })
}
