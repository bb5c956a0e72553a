//! Fields meant for one cache, as structured fields have them.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::{
    dictionary::{self, Value},
    directives::Directives,
};

/// The directives of a targeted field, or `None` when it is absent, empty or invalid.
///
/// The field is a dictionary of structured fields. One that cannot be parsed, or in which a
/// directive has a value of the wrong type, is ignored as a whole
/// ([RFC 9213, section 2.1](https://www.rfc-editor.org/rfc/rfc9213#section-2.1)).
pub(super) fn directives(headers: &HeaderMap, name: &HeaderName) -> Option<Directives> {
    let mut lines = headers.get_all(name).iter();
    let mut text = lines.next()?.as_bytes().to_vec();
    for line in lines {
        text.extend_from_slice(b", ");
        text.extend_from_slice(line.as_bytes());
    }
    let members = dictionary::parse(&text)?;
    if members.is_empty() {
        return None;
    }
    let mut directives = Directives { targeted: true, ..Directives::default() };
    for (name, value) in members {
        set(&mut directives, &name, &value)?;
    }
    Some(directives)
}

/// `None` when the value has the wrong type.
fn set(directives: &mut Directives, name: &str, value: &Value) -> Option<()> {
    match name {
        "max-age" => directives.max_age = Some(seconds(value)?),
        "s-maxage" => directives.s_maxage = Some(seconds(value)?),
        "stale-if-error" => directives.stale_if_error = Some(seconds(value)?),
        "stale-while-revalidate" => directives.stale_while_revalidating = Some(seconds(value)?),
        "no-cache" => directives.no_cache = unless_named(directives, value)?,
        "private" => directives.private = unless_named(directives, value)?,
        "no-store" => directives.no_store = flag(value)?,
        "public" => directives.public = flag(value)?,
        "must-revalidate" => directives.must_revalidate = flag(value)?,
        "proxy-revalidate" => directives.proxy_revalidate = flag(value)?,
        "must-understand" => directives.must_understand = flag(value)?,
        "immutable" => directives.immutable = flag(value)?,
        _ => {}
    }
    Some(())
}

/// A lifetime; less than nothing is nothing.
fn seconds(value: &Value) -> Option<Duration> {
    match *value {
        Value::Integer(number) => {
            Some(Duration::from_secs(u64::try_from(number).unwrap_or_default()))
        }
        _ => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    match *value {
        Value::Boolean(flag) => Some(flag),
        _ => None,
    }
}

/// `no-cache` and `private` may name fields, and then hold for these only.
fn unless_named(directives: &mut Directives, value: &Value) -> Option<bool> {
    match value {
        Value::String(names) => Some(!directives.withholds(names)),
        other => flag(other),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::{super::rules::Rules, *};

    const NAME: HeaderName = HeaderName::from_static("cdn-cache-control");
    const DIRECTIVE: &str = "(max-age|s-maxage|stale-if-error|stale-while-revalidate)=[0-9]{1,15}\
        |no-store|no-cache|private|public|must-revalidate|proxy-revalidate|must-understand|immutable\
        |(no-cache|private)=\"[a-z]{1,3}(, [a-z]{1,3}){0,2}\"|x|x=1";

    fn of(name: &HeaderName, lines: &[String]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::try_from(line).unwrap());
        }
        headers
    }

    /// Of directives with the same name, one.
    fn single(mut all: Vec<String>) -> Vec<String> {
        let name = |one: &String| one.split('=').next().map(str::to_owned);
        all.sort_by_key(name);
        all.dedup_by_key(|one| name(one));
        all
    }

    proptest! {
        #[test]
        fn what_is_said_in_both_ways_is_the_same(
            all in proptest::collection::vec(DIRECTIVE, 1..6).prop_map(single).prop_shuffle(),
        ) {
            let plain = of(&http::header::CACHE_CONTROL, &all);
            let expected = Directives { targeted: true, ..Directives::of(&Rules::private(), &plain) };
            prop_assert_eq!(directives(&of(&NAME, &all), &NAME), Some(expected.clone()));
            prop_assert_eq!(directives(&of(&NAME, &[all.join(" ,\t")]), &NAME), Some(expected));
        }

        #[test]
        fn one_wrong_value_makes_all_of_it_void(
            all in proptest::collection::vec(DIRECTIVE, 0..4),
            wrong in "max-age(=(1\\.5|\"1\"|a|\\(\\)|\\?1|:YQ==:|@1))?|(no-store|public|private|no-cache)=[1a]\
                |Max-Age=1|max-age=[0-9]{16}|max-age =1|max-age= 1|=1",
        ) {
            let all: Vec<_> = all.into_iter().chain([wrong]).collect();
            prop_assert_eq!(directives(&of(&NAME, &all), &NAME), None);
        }

        #[test]
        fn a_lifetime_below_zero_is_none(seconds in 1_u64..1_000_000) {
            let headers = of(&NAME, &[format!("max-age=-{seconds}")]);
            prop_assert_eq!(directives(&headers, &NAME).and_then(|said| said.max_age), Some(Duration::ZERO));
        }
    }
}
