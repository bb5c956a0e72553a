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
